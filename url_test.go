package fairlead

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		url       string
		listening bool
		want      target
	}{
		{"tcp://localhost:1", false, target{scheme: "tcp", host: "localhost", port: "1"}},
		{"tls://[::1]:65535", false, target{scheme: "tls", host: "::1", port: "65535"}},
		{"tcp://[fe80::1%eth0]:80", false, target{scheme: "tcp", host: "fe80::1%eth0", port: "80"}},
		{"tcp://:7", true, target{scheme: "tcp", port: "7"}},
		{"zmq+tcp://*:*", true, target{scheme: "zmq+tcp", port: "0"}},
		{"unix:///run/x", false, target{scheme: "unix", path: "/run/x"}},
		{"shm:///run/a%20b", true, target{scheme: "shm", path: "/run/a%20b"}},
		{"zmq+ipc:///x", false, target{scheme: "zmq+ipc", path: "/x"}},
		{"zmq+inproc://a/b?c", false, target{scheme: "zmq+inproc", name: "a/b?c"}},
	} {
		tc.want.url = tc.url
		if got, err := parse(tc.url, tc.listening); err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v, want %+v", tc.url, got, err, tc.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct {
		url       string
		listening bool
		want      string
	}{
		{"", true, "zmq+inproc://NAME"},
		{"localhost:1", false, "tcp://HOST:PORT"},
		{"/run/x", false, "unix:///PATH"},
		{"http://localhost:1", false, `"http"`},
		{"TCP://localhost:1", false, `"TCP"`},
		{"ipc:///x", false, "zmq+ipc:///PATH"},
		{"tcp://localhost", false, "HOST:PORT"},
		{"tcp://::1:80", false, "brackets"},
		{"tcp://localhost:1/", false, `"/"`},
		{"tcp://localhost:1?x=y", false, `"?x=y"`},
		{"tls://me:secret@localhost:1", false, `"@localhost:1"`},
		{"tcp://localhost:http", false, `"http"`},
		{"tcp://localhost:65536", false, `"65536"`},
		{"tcp://localhost:-1", false, `"-1"`},
		{"tcp://localhost:", true, `""`},
		{"tcp://localhost:0", false, "for listening"},
		{"tcp://localhost:000", false, "for listening"},
		{"tcp://localhost:*", false, "for listening"},
		{"tcp://*:1", false, "for listening"},
		{"tcp://:1", false, "for listening"},
		{"unix://x", false, "absolute"},
		{"unix://", true, "absolute"},
		{"shm:///", true, "folder"},
		{"shm:///run/", true, "folder"},
		{"unix:///run/x?mode=600", true, `"?mode=600"`},
		{"unix:///a\x00b", true, `"\x00b"`},
		{"zmq+ipc:///" + strings.Repeat("x", 200), true, "201 bytes"},
		{"zmq+inproc://", true, "NAME"},
		{"zmq+inproc://a#b", true, "#"},
		{"unix:///run/x#b", false, `"#b"`},
		{"tcp://localhost:1#b", false, `"#b"`},
	} {
		_, err := parse(tc.url, tc.listening)
		if !errors.Is(err, ErrURL) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: %v, want ErrURL that tells of %s", tc.url, err, tc.want)
		}
	}
}

func TestFilePath(t *testing.T) {
	for _, tc := range []struct{ path, goos, want string }{
		{"/run/x", "linux", "/run/x"},
		{"/C:/x", "linux", "/C:/x"},
		{"/C:/x", "windows", "C:/x"},
		{"/x", "windows", "/x"},
	} {
		if got := filePath(tc.path, tc.goos); got != tc.want {
			t.Errorf("%s on %s: %s, want %s", tc.path, tc.goos, got, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"tcp://h:1", "unix:///x", "zmq+inproc://n", "tls://[::1]:0", "shm://", "zmq+ipc:///a/"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, url string, listening bool) {
		got, err := parse(url, listening)
		switch {
		case err != nil:
			if !errors.Is(err, ErrURL) {
				t.Errorf("%q: %v", url, err)
			}
		case got.path == "" && got.name == "" && got.port == "":
			t.Errorf("%q has no address", url)
		case strings.ContainsAny(got.host, "/?#@"), strings.ContainsAny(got.path, "?#\x00"):
			t.Errorf("%q: %+v", url, got)
		}
	})
}

func TestCutName(t *testing.T) {
	for _, tc := range []struct {
		url, rest, name string
		bad             bool
	}{
		{url: "unix:///x", rest: "unix:///x"},
		{url: "unix:///x#adder", rest: "unix:///x", name: "adder"},
		{url: "tcp://[::1]:5#a%23b%20c", rest: "tcp://[::1]:5", name: "a#b c"},
		{url: "zmq+inproc://n#a/b?c", rest: "zmq+inproc://n", name: "a/b?c"},
		{url: "unix:///x#", bad: true},
		{url: "unix:///x#%zz", bad: true},
	} {
		rest, name, err := cutName(tc.url)
		if tc.bad != errors.Is(err, ErrURL) || !tc.bad && (rest != tc.rest || name != tc.name) {
			t.Errorf("%s: %q, %q, %v", tc.url, rest, name, err)
		}
	}
}
