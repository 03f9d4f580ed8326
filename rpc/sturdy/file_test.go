package sturdy

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
)

func openFile(t testing.TB, path string, o FileOptions) *File {
	t.Helper()
	f, err := OpenFile(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func entryOf(i int) (Key, Entry) {
	k, proof := Ref(fmt.Sprint(i)).hash()
	return k, Entry{proof, fmt.Sprintf("object %d \xff\n\x00", i), strings.Repeat("o", i%3)}
}

// check compares what a store has with what it should have.
func check(t testing.TB, f *File, want map[Key]Entry) {
	t.Helper()
	for k, w := range want {
		if e, err := f.Get(t.Context(), k); err != nil || e != w {
			t.Errorf("%v, %v, want %v", e, err, w)
		}
	}
	if !maps.Equal(f.entries, want) {
		t.Errorf("%d entries, want %d", len(f.entries), len(want))
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refs")
	f := openFile(t, path, FileOptions{})
	want := map[Key]Entry{}
	for i := range 20 {
		k, e := entryOf(i)
		want[k] = e
		if err := f.Put(t.Context(), k, e); err != nil {
			t.Fatal(err)
		}
		if i%4 == 3 {
			k, _ := entryOf(i - 2)
			delete(want, k)
			for range 2 {
				if err := f.Delete(t.Context(), k); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := f.Get(t.Context(), k); !errors.Is(err, ErrUnknown) {
				t.Errorf("%v, want ErrUnknown", err)
			}
		}
	}
	check(t, f, want)
	if runtime.GOOS != "windows" {
		if _, err := OpenFile(path, FileOptions{}); err == nil {
			t.Error("a second process could open it")
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v, want that only its user may read it", info.Mode(), err)
		}
	}
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	k, e := entryOf(0)
	if err := f.Put(t.Context(), k, e); err == nil {
		t.Error("put into a file that is closed")
	}
	if _, err := f.Get(t.Context(), k); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("%v, want that the file is closed", err)
	}
	check(t, openFile(t, path, FileOptions{}), want)
}

func TestFileIsFull(t *testing.T) {
	f := openFile(t, filepath.Join(t.TempDir(), "refs"), FileOptions{Max: 2})
	for i := range 3 {
		k, e := entryOf(i)
		if err := f.Put(t.Context(), k, e); errors.Is(err, rpc.ErrOverloaded) != (i == 2) {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	k, _ := entryOf(0)
	if err := f.Delete(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	k, e := entryOf(3)
	if err := f.Put(t.Context(), k, e); err != nil {
		t.Error(err)
	}
	k, e = entryOf(4)
	e.Object = strings.Repeat("x", maxLine)
	f.max = 10
	if err := f.Put(t.Context(), k, e); err == nil {
		t.Error("an entry that is too large was put")
	}
}

// A file that is cut off anywhere has what was whole, and goes on from there.
func TestFileCut(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	f := openFile(t, whole, FileOptions{})
	states := []map[Key]Entry{{}}
	ends := []int{0}
	for i := range 4 {
		k, e := entryOf(i)
		state := maps.Clone(states[len(states)-1])
		if i < 3 {
			state[k] = e
			_ = f.Put(t.Context(), k, e)
		} else {
			k, _ = entryOf(1)
			delete(state, k)
			_ = f.Delete(t.Context(), k)
		}
		states, ends = append(states, state), append(ends, int(f.size))
	}
	_ = f.Close()
	all, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(all) + 1 {
		i, found := slices.BinarySearch(ends, n)
		if !found {
			i--
		}
		tails := []string{"", "\x00\x00", strings.Repeat("x", 1000), "\x00\n"}
		if near := min(n-ends[i], ends[min(i+1, len(ends)-1)]-n); near > 1 {
			if n%11 > 0 {
				continue
			}
			tails = tails[n/11%4:][:1]
		}
		for _, tail := range tails {
			path := filepath.Join(dir, "cut")
			if err := os.WriteFile(path, append(all[:n:n], tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := OpenFile(path, FileOptions{})
			if err != nil {
				t.Fatalf("cut at %d, and %q: %v", n, tail, err)
			}
			want := maps.Clone(states[i])
			check(t, f, want)
			k, e := entryOf(9)
			want[k] = e
			if err := f.Put(t.Context(), k, e); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() != f.size {
				t.Errorf("%v: the file has more than its lines", err)
			}
			_ = f.Close()
			if f, err = OpenFile(path, FileOptions{}); err != nil {
				t.Fatalf("cut at %d, and %q, and more put: %v", n, tail, err)
			}
			check(t, f, want)
			_ = f.Close()
		}
	}
}

// Damage that is no cut is told, and nothing is lost by looking.
func TestFileCorrupt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refs")
	f := openFile(t, path, FileOptions{})
	for i := range 3 {
		k, e := entryOf(i)
		_ = f.Put(t.Context(), k, e)
	}
	_ = f.Close()
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(all, '\n')
	for i := range first {
		bad := bytes.Clone(all)
		bad[i] ^= 4
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenFile(path, FileOptions{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d: %v, want ErrCorrupt", i, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, bad) {
			t.Errorf("byte %d: the file was changed: %v", i, err)
		}
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte{'x'}, 2*maxLine), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, FileOptions{}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a long line: %v, want ErrCorrupt", err)
	}
}

// The file does not grow by what is put and deleted again.
func TestFileRewritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refs")
	f := openFile(t, path, FileOptions{})
	want := map[Key]Entry{}
	put := func(i int) {
		k, e := entryOf(i)
		if err := f.Put(t.Context(), k, e); err != nil {
			t.Fatal(err)
		}
		want[k] = e
	}
	put(0)
	most := 0
	for i := 1; i < spareLines*5/8; i++ {
		put(i)
		k, _ := entryOf(i)
		if err := f.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		delete(want, k)
		most = max(most, f.lines)
	}
	if most > spareLines+4 || f.lines >= most {
		t.Errorf("%d lines, at most %d", f.lines, most)
	}
	check(t, f, want)
	put(7)
	_ = f.Close()
	check(t, openFile(t, path, FileOptions{}), want)
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was written beside it: %v", err)
	}
}

// A write that fails leaves what was there, and the store goes on when there is
// room again; after a fault of which nothing is known it does not.
func TestFileWriteFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refs")
	f := openFile(t, path, FileOptions{})
	k, e := entryOf(0)
	if err := f.Put(t.Context(), k, e); err != nil {
		t.Fatal(err)
	}
	good := f.f
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	f.f = readOnly // can neither be written nor cut
	k2, e2 := entryOf(1)
	for range 2 {
		if err := f.Put(t.Context(), k2, e2); err == nil {
			t.Fatal("no error")
		}
	}
	f.f = good
	if err := f.Put(t.Context(), k2, e2); err == nil {
		t.Error("it goes on after a fault of which nothing is known")
	}
	check(t, f, map[Key]Entry{k: e})
	_ = readOnly.Close()
	_ = f.Close()
	check(t, openFile(t, path, FileOptions{}), map[Key]Entry{k: e})
}

// The file has nothing that a reference could be made of.
func TestFileHasNoSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "refs")
	k := NewKeeper(Options{Store: openFile(t, path, FileOptions{}), Load: nilLoad})
	defer k.Close()
	ref, err := k.Save(t.Context(), "it", Anyone)
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(path)
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	for _, form := range []string{string(ref), fmt.Sprintf("%x", []byte(ref)), ref.Text()} {
		for i := 0; i+8 <= len(form); i++ {
			if bytes.Contains(all, []byte(form[i:i+8])) {
				t.Fatalf("the file has %q of the reference", form[i:i+8])
			}
		}
	}
}

func FuzzFile(f *testing.F) {
	for i := range 3 {
		k, e := entryOf(i)
		put, _ := line(k, &e)
		gone, _ := line(k, nil)
		f.Add(put)
		f.Add(append(put, gone...))
		f.Add(append(gone, put[:len(put)/2]...))
	}
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "refs")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := OpenFile(path, FileOptions{})
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		k, e := entryOf(5)
		if err := s.Put(t.Context(), k, e); err != nil {
			t.Fatal(err)
		}
		want := maps.Clone(s.entries)
		_ = s.Close()
		if s, err = OpenFile(path, FileOptions{}); err != nil {
			t.Fatal(err)
		}
		check(t, s, want)
		_ = s.Close()
	})
}
