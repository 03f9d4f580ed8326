//go:build unix

package tree

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead-go/fairlead/internal/mem"
)

func TestListReportsWhatIsNoFile(t *testing.T) {
	root := t.TempDir()
	target := write(t, root, "file", "x")
	write(t, root, "locked/inside", "x")
	badName := "bad\xff\xfename"
	steps := []error{
		os.Symlink(target, filepath.Join(root, "link")),
		os.Symlink(root, filepath.Join(root, "loop")),
		os.Symlink("nowhere", filepath.Join(root, "dangling")),
		syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"link": "link", "loop": "link", "dangling": "link", "fifo": "fifo"}
	ln, err := net.Listen("unix", filepath.Join(root, "socket"))
	if err != nil {
		t.Logf("no socket in %s: %v", root, err)
	} else {
		defer ln.Close()
		want["socket"] = "socket"
	}
	if os.WriteFile(filepath.Join(root, badName), []byte("x"), 0o600) != nil {
		badName = "" // this file system has UTF-8 names only
	}
	if os.Geteuid() != 0 { // root may read everything
		locked := filepath.Join(root, "locked")
		if err := os.Chmod(locked, 0); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Chmod(locked, 0o700) }()
		want["locked"] = "permission"
	}
	l, err := List(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range l.Skips {
		got[s.Path] = s.Reason
	}
	if len(got) != len(want) {
		t.Errorf("skips = %q; want %q", got, want)
	}
	for path, part := range want {
		if !strings.Contains(got[path], part) {
			t.Errorf("reason for %s = %q; want %q in it", path, got[path], part)
		}
	}
	files := strings.Join(l.Files, "|")
	if !strings.Contains(files, "file") || !strings.Contains(files, badName) {
		t.Errorf("files = %q; want those with plain content", l.Files)
	}
}

func TestListFollowsARootThatIsALink(t *testing.T) {
	root := t.TempDir()
	write(t, root, "real/file", "x")
	link := filepath.Join(root, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	l, err := List(context.Background(), link)
	if err != nil || len(l.Files) != 1 || l.Files[0] != "file" {
		t.Errorf("List = %+v, %v; want the one file", l, err)
	}
}

// TestOpenOfWhatTookAFilesPlace opens names at which the walk saw a file.
func TestOpenOfWhatTookAFilesPlace(t *testing.T) {
	root := t.TempDir()
	write(t, root, "file", "x")
	if err := errors.Join(
		syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600),
		os.Symlink("file", filepath.Join(root, "link")),
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"fifo": "fifo", "link": "link"} {
		t.Run(name, func(t *testing.T) {
			var f File
			if err := f.Open(root, name, 0); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Open = %v; want %q", err, want)
			}
		})
	}
	t.Run("device", func(t *testing.T) {
		var f File
		if err := f.Open("/dev", "null", 0); err == nil || !strings.Contains(err.Error(), "device") {
			t.Errorf("Open = %v; want a device to be refused", err)
		}
	})
}

func TestOpenWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	root := t.TempDir()
	if err := os.Chmod(write(t, root, "f", "x"), 0); err != nil {
		t.Fatal(err)
	}
	var f File
	if err := f.Open(root, "f", 0); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("Open = %v; want permission denied", err)
	}
}

func TestVanished(t *testing.T) {
	root := t.TempDir()
	path := write(t, root, "f", "x")
	var f File
	if err := f.Open(root, "f", 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := f.Changed(); !errors.Is(err, errVanished) {
		t.Errorf("Changed = %v; want %v", err, errVanished)
	}
}

// TestShortenedUnderTheMapping reads a mapping behind the end of its file,
// which is a fault and must come out as an error.
func TestShortenedUnderTheMapping(t *testing.T) {
	root := t.TempDir()
	path := write(t, root, "f", strings.Repeat("x", 8*os.Getpagesize()))
	var f File
	if err := f.Open(root, "f", 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.Truncate(path, 1); err != nil {
		t.Fatal(err)
	}
	if err := f.Changed(); !errors.Is(err, errChanged) {
		t.Errorf("Changed = %v; want %v", err, errChanged)
	}
	if err := f.Reread(); !errors.Is(err, errChanged) {
		t.Errorf("Reread = %v; want %v", err, errChanged)
	}
	if _, err := f.hash(); mapped(t, &f, path) && !errors.Is(err, mem.ErrFault) {
		t.Errorf("hash = %v; want %v", err, mem.ErrFault)
	}
}

// mapped tells a mapping, in which a change of the file shows, from a copy.
func mapped(t *testing.T, f *File, path string) bool {
	t.Helper()
	if err := os.WriteFile(path, []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	return f.Bytes()[0] == 'y'
}

// TestMappingHasWholeWords pins what keeps a message from copying the content.
func TestMappingHasWholeWords(t *testing.T) {
	root := t.TempDir()
	for _, size := range []int{1, 7, 8, 9, os.Getpagesize() - 1, os.Getpagesize(), os.Getpagesize() + 1} {
		path := write(t, root, "f", strings.Repeat("x", size))
		var f File
		if err := f.Open(root, "f", 0); err != nil {
			t.Fatal(err)
		}
		if !mapped(t, &f, path) {
			t.Skip("the content was read and not mapped")
		}
		write(t, root, "f", strings.Repeat("x", size))
		b := f.Bytes()
		padded := (size + 7) &^ 7
		if len(b) != size || cap(b) < padded || strings.Trim(string(b[size:padded]), "\x00") != "" {
			t.Errorf("size %d: %d bytes with capacity %d, then %q; want zeros up to %d", size, len(b), cap(b), b[size:min(padded, cap(b))], padded)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
