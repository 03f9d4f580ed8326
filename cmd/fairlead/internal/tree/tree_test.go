package tree

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, root, rel, text string) string {
	t.Helper()
	path := filepath.Join(root, rel)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestList(t *testing.T) {
	root := t.TempDir()
	write(t, root, "a.txt", "one")
	write(t, root, "sub/b.txt", "four")
	write(t, root, "sub/empty", "")
	l, err := List(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a.txt", filepath.Join("sub", "b.txt"), filepath.Join("sub", "empty")}
	if !slices.Equal(l.Files, want) || l.Bytes != 7 || len(l.Skips) != 0 {
		t.Errorf("List = %+v; want files %q, 7 bytes", l, want)
	}
}

func TestListOfRootThatIsNone(t *testing.T) {
	root := t.TempDir()
	for name, path := range map[string]string{
		"missing": filepath.Join(root, "missing"),
		"file":    write(t, root, "file", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			if l, err := List(context.Background(), path); err == nil || !strings.HasPrefix(err.Error(), "tree: ") {
				t.Errorf("List = %v, %v; want an error of this package", l, err)
			}
		})
	}
}

func TestListStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := List(ctx, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v; want context.Canceled", err)
	}
}

func TestOpen(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"empty": "", "short": "hello\n", "page": strings.Repeat("x", os.Getpagesize()), "long": strings.Repeat("0123456789abcdef\n", 9999),
	} {
		t.Run(name, func(t *testing.T) {
			write(t, root, name, text)
			var f File
			if err := f.Open(root, name, 0); err != nil {
				t.Fatal(err)
			}
			if string(f.Bytes()) != text || f.Sum != sha256.Sum256([]byte(text)) {
				t.Errorf("%d bytes with hash %x; want the %d written", len(f.Bytes()), f.Sum, len(text))
			}
			if f.Mode != 0o600 && os.PathSeparator == '/' {
				t.Errorf("mode = %v; want 0600", f.Mode)
			}
			if err := f.Changed(); err != nil {
				t.Errorf("Changed = %v of a file that nobody touched", err)
			}
			if err := f.Reread(); err != nil {
				t.Errorf("Reread = %v of a file that nobody touched", err)
			}
			for range 2 {
				if err := f.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	root := t.TempDir()
	write(t, root, "big", "123456789")
	if err := os.Mkdir(filepath.Join(root, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, file, want string }{
		{"too large", "big", "9 bytes, more than the limit of 8"},
		{"missing", "gone", "vanished before it was read"},
		{"folder", "dir", "folder"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f File
			if err := f.Open(root, tc.file, 8); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Open = %v; want %q", err, tc.want)
			}
			if f.file != nil || f.mapping != nil {
				t.Error("a file that was refused stays open")
			}
		})
	}
}

func TestChanged(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(path string) error
		want   error
	}{
		{"longer", func(p string) error { return os.WriteFile(p, []byte("longer than it was"), 0o600) }, errChanged},
		{"other time", func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 0)) }, errChanged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := t.TempDir()
			path := write(t, root, "f", "text")
			var f File
			if err := f.Open(root, "f", 0); err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := tc.change(path); err != nil {
				t.Fatal(err)
			}
			if err := f.Changed(); !errors.Is(err, tc.want) {
				t.Errorf("Changed = %v; want %v", err, tc.want)
			}
		})
	}
}

// TestRereadSeesWhatTheClockHides overwrites a file and sets its time back.
func TestRereadSeesWhatTheClockHides(t *testing.T) {
	root := t.TempDir()
	path := write(t, root, "f", "text")
	var f File
	if err := f.Open(root, "f", 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = w.WriteString("next")
	}
	if err = errors.Join(err, w.Close(), os.Chtimes(path, time.Time{}, f.ModTime)); err != nil {
		t.Fatal(err)
	}
	if err := f.Changed(); err != nil {
		t.Skipf("the change shows in the file's metadata: %v", err)
	}
	if string(f.Bytes()) == "text" {
		t.Skip("the content was read and not mapped")
	}
	if err := f.Reread(); !errors.Is(err, errChanged) {
		t.Errorf("Reread = %v; want %v", err, errChanged)
	}
}

func TestKind(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{
		fs.ModeSymlink:                    "link",
		fs.ModeNamedPipe:                  "fifo",
		fs.ModeSocket:                     "socket",
		fs.ModeDevice:                     "device",
		fs.ModeDevice | fs.ModeCharDevice: "device",
		fs.ModeIrregular:                  "not a regular file",
		fs.ModeDir:                        "folder",
	} {
		if got := kind(mode); !strings.Contains(got, want) {
			t.Errorf("kind(%v) = %q; want %q in it", mode, got, want)
		}
	}
}
