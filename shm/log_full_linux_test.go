package shm

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// A full disk is an error of building or of Append, never a fault, and what was
// appended before stays good.
func TestLogFullDisk(t *testing.T) {
	needSharedMemory(t)
	dir := t.TempDir()
	if err := unix.Mount("fairlead", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("SKIPPED: a full disk cannot be tried without the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "log")
	l := openLog(t, path, LogOptions{})
	n := uint64(0)
	var err error
	for ; err == nil; n++ {
		err = l.Append(numbered(l.NewMessage(0), n+1))
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("message %d: %v", n, err)
	}
	if n < 300 { // of some 1600 bytes each
		t.Errorf("full after %d messages", n)
	}
	copied := segment.New(arena.Pool())
	copied.NewRoot(segment.Size{Ptrs: 1}).SetData(0, make([]byte, 300_000))
	if err := l.Append(copied); !errors.Is(err, ErrFull) {
		t.Errorf("copied: %v", err)
	}
	expect(t, readLog(t, path, LogReaderOptions{}), 1, n)
	if _, err := OpenLog(filepath.Join(dir, "other"), LogOptions{}); !errors.Is(err, ErrFull) && !errors.Is(err, unix.ENOSPC) {
		t.Errorf("another log: %v", err)
	}
	if err := l.Close(); err != nil { // gives back what is behind the end
		t.Fatal(err)
	}
	openLog(t, path, LogOptions{})
	expect(t, readLog(t, path, LogReaderOptions{}), 1, n)
}
