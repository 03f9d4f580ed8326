package fairlead

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// left leaves a socket behind that nobody listens at, as a killed process does.
func left(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTakeOver(t *testing.T) {
	path := left(t)
	ln, err := Listen("unix://"+path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("after Close: %v, want nothing left", err)
	}
}

// TestTakeOverAtOnce has several take over what was left: one gets it, and the
// others do not take it from that one.
func TestTakeOverAtOnce(t *testing.T) {
	for range 200 { // the moment that the lock is for is short
		path := left(t)
		var all sync.WaitGroup
		got := make(chan net.Listener, 4)
		begin := make(chan struct{})
		for range cap(got) {
			all.Go(func() {
				<-begin
				if ln, err := listenUnix(path); err == nil {
					got <- ln
				}
			})
		}
		close(begin)
		all.Wait()
		close(got)
		if len(got) != 1 {
			t.Fatalf("%d listeners, want 1", len(got))
		}
		ln := <-got
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTakesNothingElse(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"a file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "no socket"},
		{"a folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "no socket"},
		{"a link to what was left", func(t *testing.T, path string) {
			if err := os.Symlink(left(t), path); err != nil {
				t.Skip("SKIPPED: no symbolic links here:", err)
			}
		}, "no socket"},
		{"a listener", func(t *testing.T, path string) {
			ln, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ln.Close() })
		}, "somebody listens"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := left(t)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			tc.make(t, path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Listen("unix://"+path, Options{}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want one of %q", err, tc.want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("what was there is not there any more: %v", err)
			}
		})
	}
}

// TestLeavesTheNext closes a listener whose socket was replaced.
func TestLeavesTheNext(t *testing.T) {
	path := left(t)
	first, err := listenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := listenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}
