package mem

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk is an error of Extend, and the memory that was handed out before
// stays good. ftruncate alone would succeed here and the store would fault.
func TestFileMapFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("fairlead", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("SKIPPED: a full disk cannot be tried without the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	f, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := NewFileMap(f, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b, err := m.Extend(512 << 10)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Extend(2 << 20)
	if !IsNoSpace(err) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("2 MiB on a disk of 1 MiB: %v", err)
	}
	if err := Guard(m.base, func() error {
		for i := range b {
			b[i] = 1
		}
		return nil
	}); err != nil {
		t.Errorf("the memory there was before: %v", err)
	}
}
