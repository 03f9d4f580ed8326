//go:build unix && !purego

package mem

import (
	"bytes"
	"errors"
	"runtime/debug"
	"strings"
	"testing"
)

var sinkString string

// A file that somebody shortens while it is mapped must not end the process.
func TestGuardShortenedFile(t *testing.T) {
	p := PageSize()
	f := tempFile(t, bytes.Repeat([]byte{7}, 4*p))
	m, err := MapFile(f)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := f.Truncate(int64(p)); err != nil {
		t.Fatal(err)
	}
	data := m.Bytes()
	many := map[string]int{} // enough that a key is hashed
	for i := range 100 {
		many[strings.Repeat("x", i)] = i
	}
	for name, read := range map[string]func() error{
		"load":    func() error { _ = bytes.Clone(data[2*p : 2*p+1]); return nil },
		"copy":    func() error { copy(make([]byte, 4*p), data); return nil },
		"compare": func() error { bytes.Equal(data, bytes.Repeat([]byte{7}, 4*p)); return nil },
		"search":  func() error { bytes.IndexByte(data, 9); return nil },
		"string":  func() error { sinkString = string(data); return nil },
		"last":    func() error { sinkString = string(data[4*p-1:]); return nil },
		"map key": func() error { _ = many[string(data[p:])]; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			before := debug.SetPanicOnFault(false)
			defer debug.SetPanicOnFault(before)
			err := Guard(data, read)
			if !errors.Is(err, ErrFault) {
				t.Fatalf("error %v, want a fault", err)
			}
			if !strings.Contains(err.Error(), "offset") {
				t.Errorf("%q does not say where", err)
			}
			if debug.SetPanicOnFault(false) {
				t.Error("panics on faults are still on")
			}
		})
	}
	if err := Guard(data, func() error { sinkString = string(data[:p]); return nil }); err != nil || sinkString[p-1] != 7 {
		t.Errorf("the part that is left: %v", err)
	}
}

func TestGuardOnlyItsRange(t *testing.T) {
	p := PageSize()
	r, err := Reserve(8 * p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	inside, outside := r.base[:2*p], r.base[4*p:]
	if err := Guard(inside, func() error { inside[p+1] = 1; return nil }); !errors.Is(err, ErrFault) {
		t.Errorf("uncommitted memory in the range: %v", err)
	}
	inner := errors.New("unset")
	outer := Guard(outside, func() error {
		inner = Guard(inside, func() error { outside[3] = 1; return nil })
		return nil
	})
	if !errors.Is(outer, ErrFault) || inner == nil || inner.Error() != "unset" {
		t.Errorf("a fault of the outer range inside the inner guard: outer %v, inner %v", outer, inner)
	}
}

func TestRegionDoesNotFaultWhenCommitted(t *testing.T) {
	p := PageSize()
	r, err := Reserve(64 * p)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	b, err := r.Commit(10 * p)
	if err != nil {
		t.Fatal(err)
	}
	if err := Guard(r.base, func() error { clear(b); return nil }); err != nil {
		t.Errorf("committed memory: %v", err)
	}
	if err := Guard(r.base, func() error { r.base[10*p] = 1; return nil }); !errors.Is(err, ErrFault) {
		t.Errorf("the page behind it: %v", err)
	}
}
