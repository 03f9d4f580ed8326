package arena

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A message is what Commit needs of a *segment.Message.
type message struct {
	segments [][]byte
	err      error
}

func (m message) ToSegments() ([][]byte, error) { return m.segments, m.err }

func built(seg []byte, used int) message { return message{segments: [][]byte{seg[:used]}} }

// framed is what a committed file of one segment must contain.
func framed(content []byte) []byte {
	out := make([]byte, 8, 8+len(content))
	binary.LittleEndian.PutUint32(out[4:], uint32(len(content)/8))
	return append(out, content...)
}

func createFile(t *testing.T, path string, opts FileOptions) *File {
	t.Helper()
	a, err := CreateFile(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// names lists the folder of path.
func names(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func wantFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the file has %d bytes, want %d, or others", len(got), len(want))
	}
}

func TestFileCommit(t *testing.T) {
	for name, c := range map[string]struct {
		used int
		old  string // contents of the path before
	}{
		"one word":       {8, ""},
		"a page":         {4096 - 8, ""},
		"over a page":    {4096, "old"},
		"grown":          {3_000_000, strings.Repeat("old", 5_000_000)},
		"nothing at all": {0, "old"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "frames.capnp")
			if c.old != "" {
				if err := os.WriteFile(path, []byte(c.old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			a := createFile(t, path, FileOptions{})
			seg, err := a.Allocate(8)
			if err != nil {
				t.Fatal(err)
			}
			checkBlock(t, seg, 8)
			checkOutstanding(t, a, 1, int64(len(seg)))
			first := &seg[0]
			for len(seg) < c.used {
				have := len(seg)
				if seg, err = a.Grow(seg, have+8); err != nil {
					t.Fatal(err)
				}
				if &seg[0] != first || len(seg) < have+8 || firstNot(seg[have:], zeroPage) >= 0 {
					t.Fatalf("grew from %d to %d: moved, short or dirty", have, len(seg))
				}
			}
			content := bytes.Repeat([]byte("fairlead"), c.used/8)
			copy(seg, content)
			if err := a.Sync(); err != nil {
				t.Fatal(err)
			}
			if c.old != "" {
				wantFile(t, path, []byte(c.old))
			} else if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the path before Commit: %v", err)
			}
			if c.used == 0 {
				err := a.Commit(built(seg, 0))
				if err == nil || !strings.Contains(err.Error(), "want one, built in this file") {
					t.Errorf("committing nothing: %v", err)
				}
				wantFile(t, path, []byte(c.old))
				a.Free(seg, 0)
				return
			}
			if err := a.Commit(built(seg, c.used)); err != nil {
				t.Fatal(err)
			}
			wantFile(t, path, framed(content))
			if got := names(t, path); len(got) != 1 {
				t.Errorf("the folder has %q", got)
			}
			if runtime.GOOS != "windows" {
				if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
					t.Errorf("mode %v, %v", info.Mode(), err)
				}
			}
			// The message can still be read, and building goes on into nowhere.
			if !bytes.Equal(seg[:c.used], content) {
				t.Error("the message changed at Commit")
			}
			fill(seg, 0xff)
			wantFile(t, path, framed(content))
			if err := a.Close(); err != nil {
				t.Fatal(err)
			}
			if seg[len(seg)-1] != 0xff {
				t.Error("the memory went before the message")
			}
			a.Free(seg, c.used)
			checkOutstanding(t, a, 0, 0)
			wantFile(t, path, framed(content))
		})
	}
}

func TestFileCommitRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := createFile(t, path, FileOptions{})
	seg, err := a.Allocate(64)
	if err != nil {
		t.Fatal(err)
	}
	fault := errors.New("a fault of the building")
	other := make([]byte, 64)
	for name, c := range map[string]struct {
		msg  message
		want string
	}{
		"fault":        {message{err: fault}, "a fault of the building"},
		"no segment":   {message{}, "0 segments"},
		"two segments": {message{segments: [][]byte{seg[:8], other}}, "2 segments"},
		"elsewhere":    {built(other, 64), "built in this file"},
		"not at front": {built(seg[8:], 8), "built in this file"},
		"half a word":  {built(seg, 12), "12 bytes"},
	} {
		if err := a.Commit(c.msg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		wantFile(t, path, []byte("old"))
	}
	if err := a.Commit(message{err: fault}); !errors.Is(err, fault) {
		t.Errorf("the fault is not wrapped: %v", err)
	}
	// None of that spoiled it.
	copy(seg, "contents")
	if err := a.Commit(built(seg, 8)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, framed([]byte("contents")))
	for name, f := range map[string]func() error{
		"commit":   func() error { return a.Commit(built(seg, 8)) },
		"sync":     a.Sync,
		"grow":     func() error { _, err := a.Grow(seg, len(seg)+8); return err },
		"allocate": func() error { _, err := a.Allocate(8); return err },
	} {
		if err := f(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Commit: %v", name, err)
		}
	}
	a.Free(seg, 8)
	mustPanic(t, "not out", func() { a.Free(seg, 8) })
}

func TestFileAbort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a := createFile(t, path, FileOptions{})
	seg, err := a.Allocate(8)
	if err != nil {
		t.Fatal(err)
	}
	temps := names(t, path)
	if len(temps) != 1 || !strings.HasPrefix(temps[0], ".f.") || !strings.HasSuffix(temps[0], TempSuffix) {
		t.Errorf("while building the folder has %q", temps)
	}
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, path); len(got) != 0 {
		t.Errorf("after Close the folder has %q", got)
	}
	fill(seg, 1) // still memory
	for name, f := range map[string]func() error{
		"commit":   func() error { return a.Commit(built(seg, 8)) },
		"sync":     a.Sync,
		"grow":     func() error { _, err := a.Grow(seg, len(seg)+8); return err },
		"allocate": func() error { _, err := a.Allocate(8); return err },
	} {
		if err := f(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	a.Free(seg, 8)
}

// A message that is given up leaves the file to the next one, cleared.
func TestFileSecondMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a := createFile(t, path, FileOptions{})
	seg, err := a.Allocate(100_000)
	if err != nil {
		t.Fatal(err)
	}
	fill(seg[:90_000], 3)
	a.Free(seg, 90_000)
	if seg, err = a.Allocate(8); err != nil {
		t.Fatal(err)
	}
	checkBlock(t, seg, 8)
	copy(seg, "the next")
	if err := a.Commit(built(seg, 8)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, framed([]byte("the next")))
	a.Free(seg, 8)
}

func TestFileMaximum(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	const maxBytes = 100_000
	a := createFile(t, path, FileOptions{MaxBytes: maxBytes, Perm: 0o640})
	_, err := a.Allocate(maxBytes + 8)
	wantFull(t, err, maxBytes+8, maxBytes)
	_, err = a.Allocate(0)
	wantFull(t, err)
	seg, err := a.Allocate(8)
	if err != nil {
		t.Fatal(err)
	}
	if seg, err = a.Grow(seg, maxBytes); err != nil || len(seg) != maxBytes {
		t.Fatalf("growing to the maximum: %d, %v", len(seg), err)
	}
	_, err = a.Grow(seg, maxBytes+8)
	wantFull(t, err, maxBytes+8, maxBytes)
	_, err = a.Allocate(16)
	wantFull(t, err, 16, maxBytes)
	if _, err = a.Grow(make([]byte, 8), 16); err == nil {
		t.Error("growing something else: no error")
	}
	fill(seg, 5)
	if err := a.Commit(built(seg, maxBytes)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, framed(seg))
	a.Free(seg, maxBytes)
}

func TestCreateFileRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		path string
		opts FileOptions
		want string
	}{
		"no name":      {"", FileOptions{}, "not the name of a file"},
		"folder":       {dir, FileOptions{}, "no regular file"},
		"this folder":  {".", FileOptions{}, "not the name of a file"},
		"no folder":    {filepath.Join(dir, "none", "f"), FileOptions{}, "none"},
		"negative":     {filepath.Join(dir, "f"), FileOptions{MaxBytes: -8}, "-8"},
		"half a word":  {filepath.Join(dir, "f"), FileOptions{MaxBytes: 12}, "12"},
		"too large":    {filepath.Join(dir, "f"), FileOptions{MaxBytes: maxSegment + 8}, "maximum"},
		"no such mode": {filepath.Join(dir, "f"), FileOptions{Perm: os.ModeDir | 0o700}, "permission bits"},
		"device":       {os.DevNull, FileOptions{}, "no regular file"},
	} {
		if name == "device" && runtime.GOOS == "windows" {
			continue
		}
		if _, err := CreateFile(c.path, c.opts); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if got := names(t, filepath.Join(dir, "f")); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}

func TestFileLongName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("n", 255))
	a := createFile(t, path, FileOptions{})
	seg, err := a.Allocate(8)
	if err != nil {
		t.Fatal(err)
	}
	copy(seg, "12345678")
	if err := a.Commit(built(seg, 8)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, framed([]byte("12345678")))
	a.Free(seg, 8)
}

// If the name cannot be taken the work is not lost.
func TestFileCommitAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a := createFile(t, path, FileOptions{})
	seg, err := a.Allocate(8)
	if err != nil {
		t.Fatal(err)
	}
	copy(seg, "12345678")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.Commit(built(seg, 8)); err == nil {
		t.Fatal("a folder was replaced")
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	fill(seg, 0) // the file is complete: this is too late to reach it
	if err := a.Commit(built(seg, 8)); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, framed([]byte("12345678")))
	a.Free(seg, 8)
}

// After a failed write nothing about the file can be relied on.
func TestFileFailedWriteIsFinal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a, err := CreateFile(path, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seg, err := a.Allocate(8)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.file.Close(); err != nil { // every use of it fails from now on
		t.Fatal(err)
	}
	if err := a.Sync(); !errors.Is(err, os.ErrClosed) {
		t.Fatalf("sync: %v", err)
	}
	if err := a.Commit(built(seg, 8)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	if _, err := a.Grow(seg, len(seg)+8); !errors.Is(err, os.ErrClosed) {
		t.Errorf("grow: %v", err)
	}
	a.Free(seg, 8)
	a.Close()
	if got := names(t, path); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
}
