package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/examples/fileserver/fileserver"
	"github.com/fairlead-go/fairlead/examples/internal/everyurl"
	"github.com/fairlead-go/fairlead/examples/internal/secure"
	"github.com/fairlead-go/fairlead/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noise gives n bytes.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}

// folderOf makes a folder with a file in it, one in a folder in it, and one beside
// it.
func folderOf(t *testing.T) (top string, big []byte) {
	t.Helper()
	top = filepath.Join(t.TempDir(), "top")
	if err := os.MkdirAll(filepath.Join(top, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	big = noise(3<<20 + 7)
	for name, content := range map[string][]byte{"big": big, "below/small": []byte("small\n"), "../secret": []byte("secret")} {
		if err := os.WriteFile(filepath.Join(top, filepath.FromSlash(name)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return top, big
}

func TestFileserver(t *testing.T) {
	mine := filepath.Join(t.TempDir(), "mine")
	if err := os.WriteFile(mine, noise(1<<20+1), 0o600); err != nil {
		t.Fatal(err)
	}
	var top string
	var big []byte
	everyurl.Test(t, run, func(url string) []string {
		top, big = folderOf(t)
		return []string{"serve", url, top}
	}, func(t *testing.T, url string) {
		if got, want := everyurl.Run(t, run, "list", url), "            below/\n   3145735  big\n"; got != want {
			t.Errorf("the list is\n%swant\n%s", got, want)
		}
		if got, want := everyurl.Run(t, run, "list", url, "below"), "         6  small\n"; got != want {
			t.Errorf("the list of below is\n%swant\n%s", got, want)
		}
		if got := everyurl.Run(t, run, "get", url, "big"); got != string(big) {
			t.Errorf("get gives %d bytes, want %d and those", len(got), len(big))
		}
		everyurl.Run(t, run, "put", url, mine, "below/theirs")
		if got := everyurl.Run(t, run, "get", url, "below/theirs"); got != string(noise(1<<20+1)) {
			t.Errorf("%d bytes come back of what was put", len(got))
		}
		if got := everyurl.Run(t, run, "copy", url, "big", "bigger"); got != "3145735 bytes\n" {
			t.Errorf("copy says %q", got)
		}
		if got, err := os.ReadFile(filepath.Join(top, "bigger")); err != nil || !bytes.Equal(got, big) {
			t.Errorf("the copy has %d bytes, %v", len(got), err)
		}
		for args, want := range map[string]string{
			"get PATH/../secret":   "",
			"get ../secret":        "escapes",
			"list ..":              "escapes",
			"get below":            "is a folder",
			"get nothing":          "nothing",
			"put MINE ../outside":  "escapes",
			"put MINE big":         "exist",
			"copy nothing another": "nothing",
		} {
			fields := strings.Fields(strings.NewReplacer("MINE", mine, "PATH", "below/..").Replace(args))
			err := run(t.Context(), append([]string{fields[0], url}, fields[1:]...), io.Discard)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s gives %v, want an error with %q", args, err, want)
			}
		}
		if _, err := os.Stat(filepath.Join(top, "another")); err == nil {
			t.Error("a copy of nothing has left a file")
		}
	})
}

// descriptors counts those of this process that are open in a folder.
func descriptors(t *testing.T, top string) (n int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("counts descriptors in /proc")
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, top) {
			n++
		}
	}
	return n
}

// What is handed out is given back: files are closed when nobody holds them.
func TestFilesAreClosed(t *testing.T) {
	everyurl.GivesBack(t)
	top, _ := folderOf(t)
	c, err := serveFolder(top)
	if err != nil {
		t.Fatal(err)
	}
	f := c.Open(t.Context(), func(p fileserver.FolderOpenParamsBuilder) { p.SetPath("big") })
	if _, err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := descriptors(t, top); n != 2 {
		t.Errorf("%d descriptors are open, want those of the folder and of a file", n)
	}
	f.Release()
	c.Release()
	everyurl.Eventually(t, func() bool { return descriptors(t, top) == 0 })
}

// A client that is gone without a word holds nothing any more.
func TestClientIsGone(t *testing.T) {
	top, _ := folderOf(t)
	url, stop := everyurl.Start(t, run, "serve", "tcp://127.0.0.1:0", top)
	defer stop()
	conn, err := fairlead.DialRPC(t.Context(), url, fairlead.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := fileserver.NewFolder(conn.Bootstrap())
	for range 10 {
		f := c.Open(t.Context(), func(p fileserver.FolderOpenParamsBuilder) { p.SetPath("big") })
		if _, err := f.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := descriptors(t, top); n != 11 {
		t.Errorf("%d descriptors are open, want those of the folder and of 10 files", n)
	}
	conn.Close() // and nothing was released
	everyurl.Eventually(t, func() bool { return descriptors(t, top) == 1 })
}

// A holder of a folder below can be given it without what is above, also by
// another server.
func TestHandedOn(t *testing.T) {
	top, _ := folderOf(t)
	c, err := serveFolder(top)
	if err != nil {
		t.Fatal(err)
	}
	enter := c.Enter(t.Context(), func(p fileserver.FolderEnterParamsBuilder) { p.SetPath("below") })
	defer enter.Release()
	c.Release()

	// This side serves on what it was given.
	o, err := secure.Options()
	if err != nil {
		t.Fatal(err)
	}
	l, err := fairlead.Listen("zmq+inproc://"+t.Name(), o)
	if err != nil {
		t.Fatal(err)
	}
	go l.ServeRPC(t.Context(), enter.Folder().Retain().Client)
	if got := everyurl.Run(t, run, "get", l.URL(), "small"); got != "small\n" {
		t.Errorf("get gives %q", got)
	}
	if err := run(t.Context(), []string{"get", l.URL(), "../big"}, io.Discard); err == nil || !strings.Contains(err.Error(), "escapes") {
		t.Errorf("a path out of what was handed on gives %v", err)
	}
}

// Over a unix socket a client gets the open file, and not that of a folder.
func TestFileComesAlong(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: sockets carry no files here")
	}
	top, big := folderOf(t)
	dir, err := os.MkdirTemp("", "fl") // a short name
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	url, stop := everyurl.Start(t, run, "serve", "unix://"+filepath.Join(dir, "s"), top)
	defer stop()
	var o fairlead.Options
	o.RPC.Limits.Files = 1
	conn, err := fairlead.DialRPC(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := fileserver.NewFolder(conn.Bootstrap())
	defer c.Release()
	open := func(path string) fileserver.FolderOpenFuture {
		return c.Open(t.Context(), func(p fileserver.FolderOpenParamsBuilder) { p.SetPath(path) })
	}
	f := open("big")
	defer f.Release()
	file, err := f.File().AttachedFile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got, err := io.ReadAll(file); err != nil || !bytes.Equal(got, big) {
		t.Errorf("the file has %d bytes, %v", len(got), err)
	}
	if _, err := file.WriteString("x"); err == nil {
		t.Error("it can be written to")
	}
	below := open("below")
	defer below.Release()
	if _, err := below.File().AttachedFile(t.Context()); !errors.Is(err, rpc.ErrNoFile) {
		t.Errorf("that of a folder: %v", err)
	}
	if n := conn.Stats().Calls; n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}
