package fairlead

import (
	"fmt"
	"net"
	neturl "net/url"
	"runtime"
	"strconv"
	"strings"
)

// The schemes of URLs.
const (
	schemeTCP    = "tcp"
	schemeTLS    = "tls"
	schemeUnix   = "unix"
	schemeShm    = "shm"
	schemeZMQTCP = "zmq+tcp"
	schemeZMQIPC = "zmq+ipc"
	schemeInproc = "zmq+inproc"
)

// forms are how URLs look, for who wrote one that does not.
const forms = "tcp://HOST:PORT, tls://HOST:PORT, unix:///PATH, shm:///PATH, zmq+tcp://HOST:PORT, zmq+ipc:///PATH or zmq+inproc://NAME"

// A target is a URL taken apart.
type target struct {
	url, scheme string
	host, port  string // tcp, tls and zmq+tcp
	path        string // unix, shm and zmq+ipc
	name        string // zmq+inproc
}

func badURL(url, format string, args ...any) error {
	return fmt.Errorf("%w %q: %s", ErrURL, url, fmt.Sprintf(format, args...))
}

// parse takes a URL apart. Wildcards are for listening.
func parse(url string, listening bool) (target, error) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		return target{}, badURL(url, "want %s", forms)
	}
	t := target{url: url, scheme: scheme}
	switch scheme {
	case schemeTCP, schemeTLS, schemeZMQTCP:
		return t, t.parseHostPort(rest, listening)
	case schemeUnix, schemeShm, schemeZMQIPC:
		return t, t.parsePath(rest)
	case schemeInproc:
		if rest == "" || strings.Contains(rest, "#") {
			return t, badURL(url, "want zmq+inproc://NAME without a #")
		}
		t.name = rest
		return t, nil
	}
	return target{}, badURL(url, "the scheme is %q; want %s", scheme, forms)
}

// cutName takes the name of an export off the end of a URL.
func cutName(url string) (rest, name string, err error) {
	rest, name, found := strings.Cut(url, "#")
	if !found {
		return url, "", nil
	}
	if name, err = neturl.PathUnescape(name); err != nil || name == "" {
		return url, "", badURL(url, "want #NAME, the name of an export, with %%XX for what it can't have as it is")
	}
	return rest, name, nil
}

func (t *target) parseHostPort(rest string, listening bool) error {
	if i := strings.IndexAny(rest, "/?#@"); i >= 0 {
		return badURL(t.url, "want %s://HOST:PORT, without the %q", t.scheme, rest[i:])
	}
	var err error
	if t.host, t.port, err = net.SplitHostPort(rest); err != nil {
		return badURL(t.url, "want %s://HOST:PORT, with an IPv6 address in brackets", t.scheme)
	}
	if listening {
		if t.host == "*" {
			t.host = "" // every address, IPv6 too where there is that
		}
		if t.port == "*" {
			t.port = "0"
		}
	} else if t.host == "" || t.host == "*" || t.port == "*" || t.port == "0" {
		return badURL(t.url, "a host and a port are needed to connect to; what stands for any of them is for listening")
	}
	if n, err := strconv.ParseUint(t.port, 10, 16); err != nil {
		return badURL(t.url, "the port is %q, want a number up to 65535", t.port)
	} else if t.port = strconv.FormatUint(n, 10); n == 0 && !listening {
		return badURL(t.url, "port 0 is for listening")
	}
	return nil
}

func (t *target) parsePath(rest string) error {
	switch i := strings.IndexAny(rest, "?#\x00"); {
	case !strings.HasPrefix(rest, "/"):
		return badURL(t.url, "want %s:///PATH with an absolute path", t.scheme)
	case i >= 0:
		return badURL(t.url, "want %s:///PATH, without the %q", t.scheme, rest[i:])
	case strings.HasSuffix(rest, "/"):
		return badURL(t.url, "the path is that of a folder; want one of a socket in it")
	}
	t.path = filePath(rest, runtime.GOOS)
	if limit := maxSocketPath(runtime.GOOS); len(t.path) > limit {
		return badURL(t.url, "the path has %d bytes, and that of a socket at most %d", len(t.path), limit)
	}
	return nil
}

// filePath gives the path that the system has for that of a URL, which begins
// with a slash also where paths begin with the letter of a drive.
func filePath(path, goos string) string {
	if goos == "windows" && len(path) > 2 && path[2] == ':' {
		return path[1:]
	}
	return path
}

// maxSocketPath is how long the path of a socket may be.
func maxSocketPath(goos string) int {
	switch goos {
	case "darwin", "ios", "freebsd", "netbsd", "openbsd", "dragonfly":
		return 103
	}
	return 107
}

// hostPort is the address as package net takes it.
func (t *target) hostPort() string { return net.JoinHostPort(t.host, t.port) }

// endpoint is the address as package zmq takes it.
func (t *target) endpoint() string {
	switch t.scheme {
	case schemeZMQTCP:
		return "tcp://" + t.hostPort()
	case schemeZMQIPC:
		return "ipc://" + t.path
	}
	return "inproc://" + t.name
}
