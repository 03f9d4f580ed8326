package segment_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Words of a message written by hand. Offsets count from the word behind the
// pointer, as on the wire.

func structPtr(off int32, data, ptrs uint16) uint64 {
	return uint64(uint32(off)<<2) | uint64(data)<<32 | uint64(ptrs)<<48
}

func listPtr(off int32, e ElemSize, count uint32) uint64 {
	return 1 | uint64(uint32(off)<<2) | uint64(e)<<32 | uint64(count)<<35
}

func farPtr(segment, word uint32) uint64 {
	return 2 | uint64(word)<<3 | uint64(segment)<<32
}

func doubleFarPtr(segment, word uint32) uint64 { return farPtr(segment, word) | 4 }

func capPtr(index uint32) uint64 { return 3 | uint64(index)<<32 }

func listTag(count uint32, data, ptrs uint16) uint64 {
	return uint64(count)<<2 | uint64(data)<<32 | uint64(ptrs)<<48
}

// textWord is up to 7 letters with their NUL.
func textWord(s string) uint64 {
	var b [8]byte
	copy(b[:7], s)
	return binary.LittleEndian.Uint64(b[:])
}

func toBytes(words []uint64) []byte {
	b := make([]byte, 0, 8*len(words))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func toWords(b []byte) []uint64 {
	words := make([]uint64, len(b)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return words
}

func segsOf(segs ...[]uint64) [][]byte {
	out := make([][]byte, len(segs))
	for i, s := range segs {
		out[i] = toBytes(s)
	}
	return out
}

// openWords reads a message written by hand, with the default limits.
func openWords(t testing.TB, segs ...[]uint64) *Message {
	t.Helper()
	return openBytes(t, segsOf(segs...), Options{})
}

func openBytes(t testing.TB, segs [][]byte, o Options) *Message {
	t.Helper()
	m, err := Open(segs, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	return m
}

// fresh is the arena of a plain test: new memory, more than was asked for.
type fresh struct{}

func (fresh) Allocate(n int) ([]byte, error) { return make([]byte, max(n, 4096)), nil }
func (fresh) Free([]byte, int)               {}
func (fresh) Zeroed() bool                   { return true }

// exact gives what is asked for and not a word more, and refuses more than max
// bytes at once if max is set. With a small max each segment has room for
// little more than one object, which makes many segments and double-far
// pointers.
type exact struct {
	max           int
	allocs, freed int
}

var errRefused = errors.New("the arena refuses")

func (a *exact) Allocate(n int) ([]byte, error) {
	if a.max != 0 && n > a.max || spacious(n) {
		return nil, errRefused
	}
	a.allocs++
	return make([]byte, n), nil
}

func (a *exact) Free([]byte, int) { a.freed++ }

// spacious tells the size that a message asks for first. An arena that refuses
// it is asked for as little as will do, which makes for more segments.
func spacious(n int) bool { return n == 4096 }

// builder starts a message that the test's end releases.
func builder(t testing.TB, a Arena) *Message {
	t.Helper()
	m := New(a)
	t.Cleanup(m.Release)
	return m
}

// arenas are the layouts that every building test goes through: all in one
// segment, and in as many as can be forced.
var arenas = []struct {
	name string
	make func() Arena
}{
	{"one segment", func() Arena { return fresh{} }},
	{"doubling segments", func() Arena { return &exact{} }},
	{"tiny segments", func() Arena { return &exact{max: 8 * 20} }},
}

func eachArena(t *testing.T, f func(t *testing.T, a Arena)) {
	t.Helper()
	for _, a := range arenas {
		t.Run(a.name, func(t *testing.T) { f(t, a.make()) })
	}
}

// reread sends a built message through its segments.
func reread(t testing.TB, m *Message) *Message {
	t.Helper()
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatalf("ToSegments: %v", err)
	}
	return openBytes(t, segs, Options{})
}

func noErr(t testing.TB, m *Message) {
	t.Helper()
	if err := m.Err(); err != nil {
		t.Errorf("Err: %v", err)
	}
}

// wantErr checks the message's fault and forgets it. part, if not empty, is in
// its text.
func wantErr(t testing.TB, m *Message, kind error, part string) {
	t.Helper()
	err := m.Err()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), part) {
		t.Errorf("Err is %v, want %v with %q", err, kind, part)
	}
	m.ClearErr()
}

func wantLimit(t testing.TB, err error, limit string, maximum uint64) {
	t.Helper()
	var l *LimitError
	if !errors.As(err, &l) || !errors.Is(err, ErrLimit) {
		t.Errorf("error is %v, want a LimitError", err)
		return
	}
	if l.Limit != limit || l.Max != maximum || l.Got <= l.Max {
		t.Errorf("LimitError is %+v, want %s with maximum %d and more asked for", *l, limit, maximum)
	}
}

func mustPanic(t testing.TB, part string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		v := recover()
		if text := fmt.Sprint(v); v == nil || !strings.Contains(text, part) || strings.Contains(text, "nil pointer") {
			t.Errorf("panic %v, want one with %q", v, part)
		}
	}()
	f()
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// nonZeroBytes counts what the message's segments hold that is not zero.
func nonZeroBytes(t testing.TB, m *Message) int {
	t.Helper()
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range segs {
		for _, b := range s {
			if b != 0 {
				n++
			}
		}
	}
	return n
}

// holds tells whether any segment has the bytes in it.
func holds(t testing.TB, m *Message, part string) bool {
	t.Helper()
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segs {
		if strings.Contains(string(s), part) {
			return true
		}
	}
	return false
}

func must(t testing.TB) func(int64, error) int64 {
	return func(n int64, err error) int64 {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		return n
	}
}

// refused tells whether the message's fault is kind, which its arena gave.
func refused(m *Message, kind error) bool {
	return errors.Is(m.Err(), ErrArena) && errors.Is(m.Err(), kind)
}
