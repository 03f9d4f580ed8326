package shm_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/shm"
)

func TestListenRefuses(t *testing.T) {
	needs(t)
	for _, tc := range []struct {
		name    string
		prepare func(t *testing.T, folder, socket string)
		want    error
	}{
		{"nothing there", func(*testing.T, string, string) {}, nil},
		{"a missing folder", func(t *testing.T, folder, _ string) { must(t, os.Remove(folder)) }, nil},
		{"a folder that others can write to", func(t *testing.T, folder, _ string) { must(t, os.Chmod(folder, 0o777)) }, shm.ErrAuth},
		{"a folder that the group can write to", func(t *testing.T, folder, _ string) { must(t, os.Chmod(folder, 0o770)) }, shm.ErrAuth},
		{"a folder of another user", func(t *testing.T, folder, _ string) {
			if os.Geteuid() != 0 {
				t.Skip("needs to be root")
			}
			must(t, os.Chown(folder, 12345, -1))
		}, shm.ErrAuth},
		{"a file", func(t *testing.T, _, socket string) { must(t, os.WriteFile(socket, nil, 0o600)) }, shm.ErrAuth},
		{"a folder", func(t *testing.T, _, socket string) { must(t, os.Mkdir(socket, 0o700)) }, shm.ErrAuth},
		{"a symbolic link", func(t *testing.T, folder, socket string) {
			must(t, os.WriteFile(folder+"/precious", []byte("x"), 0o600))
			must(t, os.Symlink("precious", socket))
		}, shm.ErrAuth},
		{"a symbolic link to a socket", func(t *testing.T, folder, socket string) {
			stale(t, folder+"/other")
			must(t, os.Symlink("other", socket))
		}, shm.ErrAuth},
		{"a socket of another user", func(t *testing.T, _, socket string) {
			if os.Geteuid() != 0 {
				t.Skip("needs to be root")
			}
			stale(t, socket)
			must(t, os.Chown(socket, 12345, -1))
		}, shm.ErrAuth},
		{"a socket that a dead process has left", func(t *testing.T, _, socket string) { stale(t, socket) }, nil},
		{"a name that a dead process was about to use", func(t *testing.T, folder, socket string) {
			stale(t, folder+"/."+filepath.Base(socket)+".new")
		}, nil},
		{"somebody who listens", func(t *testing.T, _, socket string) {
			ln, err := shm.Listen(socket, shm.Options{})
			must(t, err)
			t.Cleanup(func() { must(t, ln.Close()) })
		}, shm.ErrInUse},
	} {
		t.Run(tc.name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), strings.Repeat("deep", 30)) // longer than an address may be
			must(t, os.Mkdir(folder, 0o700))
			socket := filepath.Join(folder, "socket")
			tc.prepare(t, folder, socket)
			before, _ := os.Lstat(socket)
			ln, err := shm.Listen(socket, shm.Options{})
			if !errors.Is(err, tc.want) {
				t.Fatalf("Listen: %v, want %v", err, tc.want)
			}
			if err != nil {
				if after, _ := os.Lstat(socket); before != nil && (after == nil || !os.SameFile(before, after)) {
					t.Error("Listen has changed what was there")
				}
				return
			}
			if info, err := os.Lstat(socket); err != nil || info.Mode() != os.ModeSocket|0o600 {
				t.Errorf("the socket is %v %v, want mode 0600", info.Mode(), err)
			}
			if info, err := os.Lstat(folder); err != nil || info.Mode() != os.ModeDir|0o700 {
				t.Errorf("the folder is %v %v, want mode 0700", info.Mode(), err)
			}
			b, err := shm.Dial(soon(t), socket, shm.Options{})
			must(t, err)
			a, err := ln.Accept(soon(t))
			must(t, err)
			if p := a.Peer(); p.UID != os.Geteuid() || p.PID != os.Getpid() {
				t.Errorf("the peer is %+v", p)
			}
			must(t, errors.Join(a.Close(), b.Close(), ln.Close()))
			if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
				t.Errorf("in the folder is left %v %v", left, err)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stale leaves a socket at which nobody listens.
func stale(t *testing.T, path string) {
	t.Helper()
	short := filepath.Join(t.TempDir(), "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: short})
	must(t, err)
	ln.SetUnlinkOnClose(false)
	must(t, ln.Close())
	must(t, os.Rename(short, path))
}

func TestDialRefuses(t *testing.T) {
	_, path := listen(t, shm.Options{UIDs: []int{os.Geteuid() + 1}})
	for _, tc := range []struct {
		name, path string
		opts       shm.Options
		want       error
	}{
		{"a listener that does not admit us", path, shm.Options{}, shm.ErrAuth},
		{"a listener of a user whom we do not trust", path, shm.Options{UIDs: []int{os.Geteuid() + 1}}, shm.ErrAuth},
		{"nothing there", path + "x", shm.Options{}, os.ErrNotExist},
		{"no folder", path + "x/y", shm.Options{}, os.ErrNotExist},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := shm.Dial(soon(t), tc.path, tc.opts); !errors.Is(err, tc.want) {
				t.Errorf("Dial: %v, want %v", err, tc.want)
			}
		})
	}
}

// TestDialNobody dials a process that listens but never answers.
func TestDialNobody(t *testing.T) {
	needs(t)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	must(t, err)
	defer ln.Close()
	ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	if _, err := shm.Dial(ctx, path, shm.Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial: %v", err)
	}
}

// TestMaxPeers fills a listener, and silent connections do not count.
func TestMaxPeers(t *testing.T) {
	ctx := soon(t)
	ln, path := listen(t, shm.Options{MaxPeers: 2})
	for range 100 {
		c, err := net.Dial("unix", path)
		must(t, err)
		defer c.Close()
	}
	var open []*shm.Pipe
	dial := func() {
		t.Helper()
		b, err := shm.Dial(ctx, path, shm.Options{})
		must(t, err)
		a, err := ln.Accept(ctx)
		must(t, err)
		open = append(open, a, b)
	}
	dial()
	dial()
	if _, err := shm.Dial(ctx, path, shm.Options{}); !errors.Is(err, shm.ErrOverloaded) {
		t.Errorf("the third Dial: %v", err)
	}
	must(t, errors.Join(open[0].Close(), open[1].Close()))
	dial()
	for _, p := range open {
		must(t, p.Close())
	}
}

// TestReplace starts a second listener on the path of the first, which goes on with
// the pipes that it has.
func TestReplace(t *testing.T) {
	ctx := soon(t)
	old, path := listen(t, shm.Options{})
	b, err := shm.Dial(ctx, path, shm.Options{})
	must(t, err)
	defer b.Close()
	waiting, err := shm.Dial(ctx, path, shm.Options{}) // not accepted yet
	must(t, err)
	defer waiting.Close()
	fresh, err := shm.Listen(path, shm.Options{Replace: true})
	must(t, err)
	defer fresh.Close()
	for range 2 {
		a, err := old.Accept(ctx)
		must(t, err)
		defer a.Close()
		if err := a.Send(ctx, number(a, 1, 100)); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []*shm.Pipe{b, waiting} {
		msg, err := p.Recv(ctx)
		must(t, err)
		check(t, msg, 1, 100)
		msg.Release()
	}
	if _, err := old.Accept(ctx); !errors.Is(err, shm.ErrReplaced) {
		t.Errorf("Accept of the old listener: %v", err)
	}
	must(t, old.Close()) // which leaves the socket of the new one
	c, err := shm.Dial(ctx, path, shm.Options{})
	must(t, err)
	defer c.Close()
	d, err := fresh.Accept(ctx)
	must(t, err)
	defer d.Close()
	if _, err := shm.Listen(path, shm.Options{}); !errors.Is(err, shm.ErrInUse) {
		t.Errorf("Listen without Replace: %v", err)
	}
}

func TestAcceptEnds(t *testing.T) {
	ln, path := listen(t, shm.Options{})
	ctx, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	if _, err := ln.Accept(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Accept past the deadline: %v", err)
	}
	b, err := shm.Dial(soon(t), path, shm.Options{}) // is not accepted
	must(t, err)
	defer b.Close()
	ended := make(chan error)
	go func() {
		_, err := ln.Accept(background)
		if err == nil {
			_, err = ln.Accept(background)
		}
		ended <- err
	}()
	time.Sleep(time.Millisecond)
	must(t, ln.Close())
	if err := <-ended; !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Accept under Close: %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	needs(t)
	for _, tc := range []struct {
		name string
		opts shm.Options
	}{
		{"wait", shm.Options{Wait: 3}},
		{"negative bytes", shm.Options{MaxBytes: -1}},
		{"few bytes", shm.Options{MaxBytes: 4096}},
		{"negative peers", shm.Options{MaxPeers: -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := shm.Listen(filepath.Join(t.TempDir(), "s"), tc.opts); err == nil || errors.Is(err, shm.ErrUnsupported) {
				t.Errorf("Listen: %v", err)
			}
		})
	}
}
