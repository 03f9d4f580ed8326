package mem

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestRoundUp(t *testing.T) {
	p := PageSize()
	for _, c := range []struct{ in, want int }{{0, 0}, {1, p}, {p - 1, p}, {p, p}, {p + 1, 2 * p}} {
		if got := RoundUp(c.in); got != c.want {
			t.Errorf("RoundUp(%d) = %d, want %d", c.in, got, c.want)
		}
	}
}

func TestRegion(t *testing.T) {
	p := PageSize()
	r, err := Reserve(100*p - 5)
	if err != nil {
		t.Fatal(err)
	}
	if r.Max() != 100*p || r.Committed() != 0 {
		t.Fatalf("max %d, committed %d, want %d and 0", r.Max(), r.Committed(), 100*p)
	}
	a, err := r.Commit(p + 8)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) != p+8 || cap(a) != p+8 || r.Committed() != 2*p {
		t.Fatalf("len %d, cap %d, committed %d", len(a), cap(a), r.Committed())
	}
	for i := range a {
		if a[i] != 0 {
			t.Fatalf("byte %d of a fresh region is %#x", i, a[i])
		}
		a[i] = 0xff
	}
	b, err := r.Commit(50 * p)
	if err != nil {
		t.Fatal(err)
	}
	if &a[0] != &b[0] {
		t.Fatal("the region moved")
	}
	if !bytes.Equal(a, bytes.Repeat([]byte{0xff}, p+8)) || b[p+8] != 0 || b[50*p-1] != 0 {
		t.Fatal("growing changed the contents, or new bytes are not zero")
	}
	clear(b)
	if err := r.Decommit(p + 1); err != nil { // rounds up: the second page stays
		t.Fatal(err)
	}
	if r.Committed() != 2*p {
		t.Fatalf("committed %d after decommit, want %d", r.Committed(), 2*p)
	}
	if b, err = r.Commit(100 * p); err != nil {
		t.Fatal(err)
	}
	for i, c := range b {
		if c != 0 {
			t.Fatalf("byte %d is %#x after decommit and commit", i, c)
		}
	}
	if _, err := r.Commit(100*p + 1); err == nil || !strings.Contains(err.Error(), "the region has") {
		t.Fatalf("commit beyond the end: %v", err)
	}
	for range 2 {
		if err := r.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Commit(1); err == nil {
		t.Fatal("commit after release: no error")
	}
	for _, n := range []int{0, -1, maxInt} {
		if _, err := Reserve(n); err == nil {
			t.Errorf("Reserve(%d): no error", n)
		}
	}
}

func tempFile(t *testing.T, data []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMapFile(t *testing.T) {
	p := PageSize()
	for _, size := range []int{0, 1, 7, p - 1, p, p + 1, 3*p + 11} {
		want := bytes.Repeat([]byte("fairlead"), size/8+1)[:size]
		f := tempFile(t, want)
		m, err := MapFile(f)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got := m.Bytes()
		if !bytes.Equal(got, want) || cap(got) < size || cap(got) > (size+7)&^7 {
			t.Errorf("%d bytes: mapped %d with capacity %d, or other ones", size, len(got), cap(got))
		}
		for i, b := range got[size:cap(got)] {
			if b != 0 {
				t.Errorf("%d bytes: byte %d behind the end is %#x", size, i, b)
			}
		}
		for range 2 {
			if err := m.Close(); err != nil {
				t.Errorf("%d bytes: close: %v", size, err)
			}
		}
		if m.Bytes() != nil {
			t.Errorf("%d bytes: bytes after close", size)
		}
	}
}

func TestMapFileRefuses(t *testing.T) {
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if _, err := MapFile(dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("folder: %v", err)
	}
	if null, err := os.Open(os.DevNull); err == nil {
		defer null.Close()
		if _, err := MapFile(null); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("device: %v", err)
		}
	}
	closed := tempFile(t, []byte("x"))
	closed.Close()
	if _, err := MapFile(closed); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed file: %v", err)
	}
}

func TestMapFileTooLong(t *testing.T) {
	if runtime.GOARCH != "386" && runtime.GOARCH != "arm" {
		t.Skip("every file that a disk holds fits into an int of 64 bits")
	}
	f := tempFile(t, nil)
	if err := f.Truncate(1 << 32); err != nil {
		t.Skipf("no file of 4 GiB: %v", err)
	}
	if _, err := MapFile(f); err == nil || !strings.Contains(err.Error(), "fit into memory") {
		t.Errorf("4 GiB with an int of 32 bits: %v", err)
	}
}

// A file becomes longer while it is flushed: for the race detector.
func TestFileMapFlushedBeside(t *testing.T) {
	p := PageSize()
	m, err := NewFileMap(tempFile(t, nil), 40*p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Extend(1); err != nil {
		t.Fatal(err)
	}
	flushed := make(chan error)
	go func() { flushed <- m.Flush(1) }()
	for n := 2; n <= 40; n++ {
		if _, err := m.Extend(n * p); err != nil {
			t.Error(err)
		}
	}
	if err := <-flushed; err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestFileMap(t *testing.T) {
	p := PageSize()
	f := tempFile(t, nil)
	m, err := NewFileMap(f, 40*p+8)
	if err != nil {
		t.Fatal(err)
	}
	a, err := m.Extend(100)
	if err != nil {
		t.Fatal(err)
	}
	if len(a) != 100 || cap(a) != 100 {
		t.Fatalf("len %d, cap %d", len(a), cap(a))
	}
	copy(a, "hello")
	b, err := m.Extend(30 * p)
	if err != nil {
		t.Fatal(err)
	}
	if &a[0] != &b[0] {
		t.Fatal("the file moved")
	}
	if info, err := f.Stat(); err != nil || info.Size() != int64(30*p) {
		t.Fatalf("file of %v bytes, %v, want %d", info.Size(), err, 30*p)
	}
	for i, c := range b[5:] {
		if c != 0 {
			t.Fatalf("byte %d is %#x", 5+i, c)
		}
	}
	copy(b[20*p:], "world")
	if err := m.Flush(20*p + 5); err != nil {
		t.Fatal(err)
	}
	if err := m.Detach(20*p + 5); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(20*p + 5)); err != nil {
		t.Fatal(err)
	}
	want := append([]byte(nil), b[:20*p+5]...)
	// From here on the memory is ours alone: nothing reaches the file, and what
	// lies behind its end does not fault.
	if string(b[:5]) != "hello" || string(b[20*p:20*p+5]) != "world" {
		t.Fatal("contents lost by detaching")
	}
	for i := range b {
		b[i] = 0xaa
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("the file has %d bytes, or others than were flushed", len(got))
	}
	if _, err := m.Extend(40*p + 8 + p); err == nil {
		t.Error("extending beyond the maximum: no error")
	}
	for range 2 {
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteZeros(t *testing.T) {
	f := tempFile(t, []byte("head"))
	if err := writeZeros(f, 4, 200_000); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 200_000 || string(got[:4]) != "head" || bytes.Count(got, []byte{0}) != 200_000-4 {
		t.Fatalf("%d bytes that begin with %q", len(got), got[:4])
	}
	closed := tempFile(t, nil)
	closed.Close()
	if err := writeZeros(closed, 0, 1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed file: %v", err)
	}
}
