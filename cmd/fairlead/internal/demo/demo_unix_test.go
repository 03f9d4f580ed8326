//go:build unix

package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestHostileTree holds what a tree should not, and what it may.
func TestHostileTree(t *testing.T) {
	root := t.TempDir()
	files, _ := plainTree(t, root)
	write(t, root, "empty", "")
	files++
	badName := filepath.Join(root, "not\xffutf8\n")
	if os.WriteFile(badName, []byte("x\n"), 0o600) == nil {
		files++
	}
	want := map[string]string{"fifo": "fifo", "link": "link", "dangling": "link", "loop": "link"}
	if err := errors.Join(
		syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600),
		os.Symlink("empty", filepath.Join(root, "link")),
		os.Symlink("nowhere", filepath.Join(root, "dangling")),
		os.Symlink(".", filepath.Join(root, "loop")),
	); err != nil {
		t.Fatal(err)
	}
	if syscall.Mknod(filepath.Join(root, "device"), syscall.S_IFCHR|0o600, 1<<8|3) == nil {
		want["device"] = "device"
	}
	if os.Geteuid() != 0 { // root may read everything
		locked := write(t, root, "locked", "x")
		lockedDir := filepath.Dir(write(t, root, "lockedDir/f", "x"))
		if err := errors.Join(os.Chmod(locked, 0), os.Chmod(lockedDir, 0)); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(lockedDir, 0o700) }()
		want["locked"], want["lockedDir"] = "permission", "permission"
	}
	all, err := results(t, Options{Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Files != files || len(r.Skipped) != len(want) {
			t.Errorf("%s: %d files, skipped %+v; want %d files, skipped %v", r.Transport, r.Files, r.Skipped, files, want)
		}
		for _, s := range r.Skipped {
			if part, ok := want[s.Path]; !ok || !strings.Contains(s.Reason, part) {
				t.Errorf("%s: skipped %+v; want %q in the reason", r.Transport, s, part)
			}
		}
	}
}
