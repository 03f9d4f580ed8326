package segment_test

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// number gives the segments of a message whose root holds n, the root struct
// being in the last of so many.
func number(n uint64, segments int) [][]byte {
	segs := make([][]uint64, segments)
	if segments == 1 {
		return segsOf([]uint64{structPtr(0, 1, 0), n})
	}
	for i := range segs {
		segs[i] = []uint64{farPtr(uint32(segments-1), 0)}
	}
	segs[segments-1] = []uint64{structPtr(0, 1, 0), n}
	return segsOf(segs...)
}

func reopen(t testing.TB, m *Message, segs [][]byte) {
	t.Helper()
	if err := m.Reopen(segs); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	for _, trust := range []Trust{Private, Shared} {
		for _, debug := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, debug %v", trust, debug), func(t *testing.T) {
				m := openBytes(t, number(7, 1), Options{Trust: trust, Debug: debug})
				for i, segments := range []int{1, 1, 3, 3, 2, 1, 70, 1, 70} {
					segs := number(uint64(i), segments)
					reopen(t, m, segs)
					want(t, "number", m.Root().Struct().Uint64(0), uint64(i))
					want(t, "segments", m.Segments(), segments)
					for j, s := range segs {
						want(t, "in place", &m.Segment(j)[0] == &s[0], true)
					}
					want(t, "trust", m.Trust(), trust)
					noErr(t, m)
				}
			})
		}
	}
}

func TestReopenUnaligned(t *testing.T) {
	m := openBytes(t, number(7, 1), Options{})
	room := make([]byte, 17)
	odd := room[1:]
	copy(odd, number(8, 1)[0])
	reopen(t, m, [][]byte{odd})
	want(t, "number", m.Root().Struct().Uint64(0), 8)
}

// What was found out about the last message is not held against the next.
func TestReopenStartsAgain(t *testing.T) {
	bad := segsOf([]uint64{structPtr(100, 1, 0)})
	m := openBytes(t, bad, Options{Limits: Limits{TraversalWords: 10, Depth: 9, Segments: 2}})
	limits := m.Limits()
	want(t, "limit", limits.TraversalWords, 10)
	for range 3 {
		reopen(t, m, bad)
		m.Root().Struct()
		wantErr(t, m, ErrMalformed, "100")
		m.Root().Struct() // a fault that is there when it is opened again

		reopen(t, m, number(1, 1))
		noErr(t, m)
		for range 10 {
			m.Root().Struct()
		}
		noErr(t, m)
		m.Root().Struct()
		wantErr(t, m, ErrLimit, "TraversalWords")

		// Verify ends the budget of what it saw, and of nothing else.
		reopen(t, m, number(2, 1))
		if err := m.Verify(); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			m.Root().Struct()
		}
		noErr(t, m)
		want(t, "limits", m.Limits(), limits)
	}
}

func TestReopenTellsTheOwner(t *testing.T) {
	o := &owner{}
	m, err := Open(number(1, 1), Options{Owner: o})
	if err != nil {
		t.Fatal(err)
	}
	reopen(t, m, number(2, 1))
	want(t, "told", o.released, 1)
	reopen(t, m, number(3, 2))
	m.Release()
	want(t, "told", o.released, 1)
}

func TestReopenReleasesTheCapTable(t *testing.T) {
	c := &names{}
	m := openBytes(t, number(1, 1), Options{})
	m.SetCapTable(c)
	reopen(t, m, number(2, 1))
	want(t, "released", c.released, 1)
	want(t, "number", m.Root().Struct().Uint64(0), 2)
	if m.CapTable() != nil {
		t.Error("the table is still there")
	}
}

func TestReopenFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		segs [][]byte
		is   error
	}{
		{"nothing", nil, ErrMalformed},
		{"an empty segment", [][]byte{{}}, ErrMalformed},
		{"not words", [][]byte{make([]byte, 12)}, ErrMalformed},
		{"a further segment of not words", [][]byte{make([]byte, 8), make([]byte, 3)}, ErrMalformed},
		{"too many", number(1, 3), ErrLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openBytes(t, number(7, 1), Options{Limits: Limits{Segments: 2}})
			if err := m.Reopen(c.segs); !errors.Is(err, c.is) {
				t.Errorf("error is %v, want %v", err, c.is)
			}
			want(t, "segments", m.Segments(), 0)
			want(t, "root", m.Root().IsNull(), true)
			noErr(t, m)
			reopen(t, m, number(8, 2))
			want(t, "number", m.Root().Struct().Uint64(0), 8)
		})
	}
}

// A handle of the message before sees nothing outside of the new memory, and
// panics no more than a getter does.
func TestReopenStaleHandles(t *testing.T) {
	m := openBytes(t, segsOf([]uint64{structPtr(0, 1, 2), 7, listPtr(1, Byte, 4), structPtr(1, 1, 0), textWord("abc"), 9}), Options{})
	s := m.Root().Struct()
	want(t, "text", s.Text(0), "abc")
	for _, segs := range [][][]byte{number(1, 1), number(1, 2), segsOf([]uint64{0})} {
		reopen(t, m, segs)
		func() {
			defer func() { _ = recover() }() // an index out of range, without unsafe
			_, _, _ = s.Text(0), s.Struct(1).Uint64(0), s.Uint64(0)
		}()
		m.ClearErr()
		reopen(t, m, number(5, 1))
		want(t, "number", m.Root().Struct().Uint64(0), 5)
	}
}

func TestReopenMisuse(t *testing.T) {
	for _, c := range []struct {
		name string
		m    func(t *testing.T) *Message
	}{
		{"built", func(t *testing.T) *Message { return builder(t, fresh{}) }},
		{"shared", func(t *testing.T) *Message {
			m := openBytes(t, number(1, 1), Options{})
			t.Cleanup(m.Retain().Release)
			return m
		}},
		{"released", func(t *testing.T) *Message {
			m, err := Open(number(1, 1), Options{Debug: true})
			if err != nil {
				t.Fatal(err)
			}
			m.Release()
			return m
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := c.m(t)
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_ = m.Reopen(number(2, 1))
		})
	}
}

func TestReopenDoesNotAllocate(t *testing.T) {
	one, many := number(1, 1), number(2, 5)
	m := openBytes(t, one, Options{})
	var sum uint64
	read := func(segs [][]byte) {
		if err := m.Reopen(segs); err != nil {
			t.Error(err)
		}
		sum += m.Root().Struct().Uint64(0)
	}
	n := testing.AllocsPerRun(100, func() {
		read(one)
		read(many)
		read(one)
	})
	want(t, "allocations", n, 0)
	want(t, "sum", sum, 101*4)
}
