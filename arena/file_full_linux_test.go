package arena

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk is an error of Allocate, Grow or CreateFile, never a fault in what
// was handed out.
func TestFileFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("fairlead", dir, "tmpfs", 0, "size=1m,nr_inodes=4"); err != nil {
		t.Skipf("SKIPPED: a full disk cannot be tried without the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path := filepath.Join(dir, "f")
	a := createFile(t, path, FileOptions{})
	_, err := a.Allocate(2 << 20)
	wantFull(t, err, 1) // the error of the system is there too
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("allocate: %v is not ENOSPC", err)
	}
	checkOutstanding(t, a, 0, 0)

	seg, err := a.Allocate(600 << 10)
	if err != nil {
		t.Fatal(err)
	}
	fill(seg, 1)
	before := len(seg)
	// Double is more than there is, but what is needed fits.
	if seg, err = a.Grow(seg, before+(100<<10)); err != nil {
		t.Fatalf("100 KiB more: %v", err)
	}
	fill(seg, 2)
	for err == nil {
		var longer []byte
		if longer, err = a.Grow(seg, len(seg)+8); err == nil {
			seg = longer
			fill(seg, 3)
		}
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("growing until the disk is full: %v", err)
	}
	if len(seg) > 1<<20 {
		t.Fatalf("%d bytes on a disk of 1 MiB", len(seg))
	}
	fill(seg, 4) // everything that was handed out has storage

	// The full disk does not spoil what is there.
	if err := a.Commit(built(seg, 8*1000)); err != nil {
		t.Fatal(err)
	}
	content := append([]byte(nil), seg[:8000]...)
	wantFile(t, path, framed(content))
	a.Free(seg, 8000)

	for i := 0; ; i++ {
		name := filepath.Join(dir, string(rune('a'+i)))
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			break
		}
	}
	if _, err := CreateFile(filepath.Join(dir, "no name left"), FileOptions{}); !errors.Is(err, unix.ENOSPC) || !errors.Is(err, ErrFull) {
		t.Errorf("creating on a disk without names left: %v", err)
	}
}
