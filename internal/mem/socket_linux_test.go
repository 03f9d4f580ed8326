//go:build !purego

package mem

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func socketPair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Cleanup(func() { c.Close() })
		conns[i] = c.(*net.UnixConn)
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return conns[0], conns[1]
}

func TestDescriptors(t *testing.T) {
	a, b := socketPair(t)
	s, err := NewShared("fairlead-test", PageSize(), SharedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Release()
	copy(s.Bytes(), "fairlead")
	bell, fd, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	before := openDescriptors(t)
	if err := SendDescriptors(a, []byte("take these"), s.Descriptor(), fd); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	buf := make([]byte, 10)
	fds, err := ReceiveDescriptors(b, buf, 2)
	if err != nil || string(buf) != "take these" || len(fds) != 2 {
		t.Fatalf("%q with %v, %v", buf, fds, err)
	}
	for _, fd := range fds {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d is not closed on exec: %#x, %v", fd, flags, err)
		}
	}
	peer, err := OpenShared(fds[0], OpenOptions{Size: PageSize()})
	if err != nil {
		t.Fatal(err)
	}
	if string(peer.Bytes()[:8]) != "fairlead" {
		t.Errorf("the peer reads %q", peer.Bytes()[:8])
	}
	other, back, err := NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(other.Connect(fds[1]), bell.Connect(back)); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(func() bool { _ = bell.Ring(); return true }); err != nil {
		t.Error(err)
	}
	if err := errors.Join(peer.Release(), other.Close()); err != nil {
		t.Error(err)
	}
	// Of the two that were sent we have kept one, and bell has got its other end.
	// /dev/null may have been opened.
	if after := openDescriptors(t); after != before && after != before+1 {
		t.Errorf("%d descriptors open, want %d", after, before)
	}
}

func TestReceiveDescriptors(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	many := func(n int) []int {
		fds := make([]int, n)
		for i := range fds {
			fds[i] = int(null.Fd())
		}
		return fds
	}
	for _, c := range []struct {
		name string
		send func(c *net.UnixConn) error
		want int
		err  error
	}{
		{"none", func(c *net.UnixConn) error { return SendDescriptors(c, []byte("12345678")) }, 0, nil},
		{"as many as may be", func(c *net.UnixConn) error { return SendDescriptors(c, []byte("12345678"), many(3)...) }, 3, nil},
		{"one too many", func(c *net.UnixConn) error { return SendDescriptors(c, []byte("12345678"), many(4)...) }, 0, ErrShared},
		{"far too many", func(c *net.UnixConn) error {
			return SendDescriptors(c, []byte("12345678"), many(MaxDescriptors)...)
		}, 0, ErrShared},
		{"in two parts", func(c *net.UnixConn) error {
			return errors.Join(SendDescriptors(c, []byte("1234"), many(1)...), SendDescriptors(c, []byte("5678"), many(2)...))
		}, 3, nil},
		{"too many in parts", func(c *net.UnixConn) error {
			return errors.Join(SendDescriptors(c, []byte("1234"), many(2)...), SendDescriptors(c, []byte("5678"), many(2)...))
		}, 0, ErrShared},
		{"cut", func(c *net.UnixConn) error {
			return errors.Join(SendDescriptors(c, []byte("1234"), many(2)...), c.CloseWrite())
		}, 0, io.ErrUnexpectedEOF},
		{"end", func(c *net.UnixConn) error { return c.CloseWrite() }, 0, io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := socketPair(t)
			before := openDescriptors(t)
			if err := c.send(a); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 8)
			fds, err := ReceiveDescriptors(b, buf, 3)
			if !errors.Is(err, c.err) || len(fds) != c.want {
				t.Fatalf("%v with %v, want %d with %v", fds, err, c.want, c.err)
			}
			if err == nil && string(buf) != "12345678" {
				t.Errorf("received %q", buf)
			}
			if after := openDescriptors(t); after != before+c.want {
				t.Errorf("%d descriptors more, want %d", after-before, c.want)
			}
			for _, fd := range fds {
				unix.Close(fd)
			}
		})
	}
	a, b := socketPair(t)
	if err := SendDescriptors(a, nil, 0); err == nil {
		t.Error("descriptors without a byte: no error")
	}
	if err := SendDescriptors(a, []byte{1}, many(MaxDescriptors+1)...); err == nil {
		t.Error("more than go: no error")
	}
	if _, err := ReceiveDescriptors(b, make([]byte, 1), MaxDescriptors+1); err == nil {
		t.Error("asked for more than go: no error")
	}
	if err := b.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReceiveDescriptors(b, make([]byte, 1), 1); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
}

// More than a socket's buffer holds goes in parts.
func TestSendDescriptorsLong(t *testing.T) {
	a, b := socketPair(t)
	long := []byte(strings.Repeat("fairlead", 1<<17))
	sent := make(chan error, 1)
	go func() { sent <- SendDescriptors(a, long, 0) }()
	got := make([]byte, len(long))
	fds, err := ReceiveDescriptors(b, got, 1)
	if err != nil || len(fds) != 1 || string(got) != string(long) {
		t.Fatalf("%v, %v", fds, err)
	}
	unix.Close(fds[0])
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestPeer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	for name, c := range map[string]net.Conn{"dialed": dialed, "accepted": accepted} {
		cred, err := PeerCredentials(c.(*net.UnixConn))
		if err != nil || cred != (Credentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}) {
			t.Errorf("%s: %+v, %v", name, cred, err)
		}
		p, err := PeerProcess(c.(*net.UnixConn))
		if errors.Is(err, errors.ErrUnsupported) {
			t.Skipf("SKIPPED: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Ended() {
			t.Errorf("%s: this process has ended", name)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestProcess(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Skipf("SKIPPED: no command sleep: %v", err)
	}
	p, err := OpenProcess(cmd.Process.Pid)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if p.Ended() {
		t.Error("a running process has ended")
	}
	// A stopped one is slow, not dead.
	if err := cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- p.Wait() }()
	if p.Ended() {
		t.Error("a stopped process has ended")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("wait: %v", err)
	}
	if !p.Ended() { // it is a zombie: nobody has waited for it
		t.Error("a zombie is alive")
	}
	if err := p.Wait(); err != nil {
		t.Errorf("wait again: %v", err)
	}
	_ = cmd.Wait()
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	if err := p.Wait(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("wait after close: %v", err)
	}
	if p.Ended() {
		t.Error("nothing is known after close")
	}
	if _, err := OpenProcess(cmd.Process.Pid); err == nil {
		t.Error("a process that is gone: no error")
	}
}
