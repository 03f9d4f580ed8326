package segment_test

import (
	"errors"
	"fmt"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// failing gives exact memory, and nothing from the after-th allocation on.
type failing struct {
	after, n    int
	outstanding int
	nonPositive bool
}

func (a *failing) Allocate(n int) ([]byte, error) {
	if n <= 0 || n%8 != 0 {
		a.nonPositive = true
	}
	if spacious(n) {
		return nil, errRefused
	}
	if a.n++; a.n > a.after {
		return nil, errRefused
	}
	a.outstanding++
	return make([]byte, n), nil
}

func (a *failing) Free([]byte, int) { a.outstanding-- }

// complexBuild uses all that can allocate.
func complexBuild(m *Message) {
	root := m.NewRoot(Size{DataWords: 2, Ptrs: uint16(len(orphanKinds) + 4)})
	for i, k := range orphanKinds {
		k.build(root.Ptr(uint16(i)))
		root.Ptr(uint16(i)).Adopt(k.make(m))
	}
	n := uint16(len(orphanKinds))
	chain(root.NewStruct(n, chainSize), 4)
	root.Struct(n, Size{DataWords: 4, Ptrs: 5}).SetText(4, "upgraded")
	NewNumbers[uint8](root.Ptr(n+1), 20)
	for e := range EditStructs[StructBuilder](root.Ptr(n+1), Size{DataWords: 1, Ptrs: 1}).All() {
		e.SetText(0, "element")
	}
	root.Ptr(n + 2).Set(root.Ptr(n).Reader())
	root.Ptr(n + 3).Adopt(m.NewOrphanConcat(root.Reader().List(n+1), root.Reader().List(n+1)))
	o := root.Ptr(n + 3).Disown()
	o.Truncate(60)
	root.Ptr(n + 3).Adopt(o)
}

// An arena that fails at any point gives that error, once, and never a panic;
// nothing half-built leaves and all memory goes back.
func TestArenaFailsAtEveryAllocation(t *testing.T) {
	total := 0
	for after := 0; ; after++ {
		a := &failing{after: after}
		m := New(a)
		complexBuild(m)
		if m.Err() == nil {
			total = after
			want(t, "Verify", m.Verify(), nil)
			m.Release()
			break
		}
		if !refused(m, errRefused) {
			t.Fatalf("after %d: Err is %v", after, m.Err())
		}
		if segs, err := m.ToSegments(); !errors.Is(err, errRefused) || len(segs) != 0 {
			t.Fatalf("after %d: ToSegments gives %d segments, %v", after, len(segs), err)
		}
		if _, err := m.Canonical(); !errors.Is(err, errRefused) {
			t.Fatalf("after %d: Canonical: %v", after, err)
		}
		if s, err := m.Snapshot(); !errors.Is(err, errRefused) {
			t.Fatalf("after %d: Snapshot gives %v, %v", after, s, err)
		}
		c := builder(t, fresh{})
		c.RootBuilder().Set(m.Root())
		if after > 0 && !errors.Is(c.Err(), errRefused) {
			t.Fatalf("after %d: a copy of it has %v", after, c.Err())
		}
		m.Release()
		if a.outstanding != 0 || a.nonPositive {
			t.Fatalf("after %d: %d allocations are not freed, odd sizes asked for: %v", after, a.outstanding, a.nonPositive)
		}
		if after > 1000 {
			t.Fatal("it never succeeds")
		}
	}
	if total < 5 {
		t.Errorf("only %d allocations: the build does not try much", total)
	}
}

// odd is an arena that breaks its contract.
type odd struct {
	give   func(n int) ([]byte, error)
	grow   func(mem []byte, n int) ([]byte, error)
	zeroed bool
	given  map[*byte]bool
}

func (a *odd) Allocate(n int) ([]byte, error) {
	if spacious(n) {
		return nil, errRefused
	}
	b, err := a.give(n)
	if cap(b) > 0 {
		if a.given == nil {
			a.given = map[*byte]bool{}
		}
		a.given[&b[:1][0]] = true
	}
	return b, err
}

func (a *odd) Free(b []byte, used int) {
	if cap(b) == 0 {
		return // as empty as what was given
	}
	if !a.given[&b[:1][0]] || used > len(b) || used < 0 {
		panic(fmt.Sprintf("freed %d bytes of which %d are used, that were not given", len(b), used))
	}
	delete(a.given, &b[:1][0])
}
func (a *odd) Zeroed() bool { return a.zeroed }

type oddGrower struct{ odd }

func (a *oddGrower) Grow(mem []byte, n int) ([]byte, error) { return a.grow(mem, n) }

func TestArenaThatMisbehaves(t *testing.T) {
	ones := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = 1
		}
		return b
	}
	first := func(n int, then func(n int) ([]byte, error)) func(int) ([]byte, error) {
		i := 0
		return func(ask int) ([]byte, error) {
			if i++; i <= n {
				return make([]byte, ask), nil
			}
			return then(ask)
		}
	}
	for _, c := range []struct {
		name string
		part string
		give func(n int) ([]byte, error)
	}{
		{"nothing", "gave 0 bytes", func(int) ([]byte, error) { return nil, nil }},
		{"nothing, later", "gave 0 bytes", first(2, func(int) ([]byte, error) { return nil, nil })},
		{"an empty slice", "gave 0 bytes", func(int) ([]byte, error) { return []byte{}, nil }},
		{"too little", "asked for", func(n int) ([]byte, error) { return make([]byte, n-8), nil }},
		{"too little, later", "asked for", first(1, func(n int) ([]byte, error) { return make([]byte, n-1), nil })},
		{"dirty", "not zero", func(n int) ([]byte, error) { return ones(n), nil }},
		{"dirty, later", "not zero", first(2, func(n int) ([]byte, error) { return ones(n), nil })},
		{"dirty at the end", "not zero", func(n int) ([]byte, error) {
			b := make([]byte, n+4096)
			b[n+100] = 9
			return b, nil
		}},
		{"an error and memory", "refuses", func(n int) ([]byte, error) { return make([]byte, n), errRefused }},
		{"unaligned", "not 8-byte aligned", func(n int) ([]byte, error) { return make([]byte, n+8)[4 : n+4], nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "unaligned" && !NativeViews {
				t.Skip("this build reads memory of any alignment")
			}
			a := &odd{give: c.give}
			m := New(a)
			complexBuild(m)
			complexBuild(m)
			wantErr(t, m, ErrArena, c.part)
			complexBuild(m)
			m.Release()
			if c.name != "an error and memory" && len(a.given) != 0 {
				t.Errorf("%d allocations are not freed", len(a.given))
			}
		})
	}
}

// A length that is no multiple of 8 is used as far as its last whole word.
func TestArenaOfOddLength(t *testing.T) {
	m := builder(t, &odd{zeroed: true, give: func(n int) ([]byte, error) { return make([]byte, n+8)[:n+5], nil }})
	fillAll(m.NewRoot(fillSize))
	checkAll(t, reread(t, m).Root().Struct())
}

func TestArenaGrow(t *testing.T) {
	mem := make([]byte, 1<<16)
	for _, c := range []struct {
		name string
		grow func(b []byte, n int) ([]byte, error)
		part string // of the error; none if a segment more is the answer
		one  bool   // all stays in one segment
	}{
		{"in place", func(b []byte, n int) ([]byte, error) { return b[:n], nil }, "", true},
		{"in place, with more", func(b []byte, n int) ([]byte, error) { return b[:min(2*n, cap(b))], nil }, "", true},
		{"refuses", func([]byte, int) ([]byte, error) { return nil, errRefused }, "", false},
		{"gives too little", func(b []byte, n int) ([]byte, error) { return b[:min(n-1, cap(b))], nil }, "", false},
		{"gives nothing", func([]byte, int) ([]byte, error) { return nil, nil }, "", false},
		{"moves", func(_ []byte, n int) ([]byte, error) { return make([]byte, n), nil }, "Grow moved a segment", false},
		{"gives dirty memory", func(b []byte, n int) ([]byte, error) {
			b = b[:n]
			b[n-1] = 1
			return b, nil
		}, "not zero", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			clear(mem)
			n := 0
			a := &oddGrower{odd{grow: c.grow, give: func(ask int) ([]byte, error) {
				if n++; n == 1 {
					return mem[:ask], nil
				}
				return make([]byte, ask), nil
			}}}
			m := New(a)
			root := m.NewRoot(Size{Ptrs: 1})
			l := NewStructs[StructBuilder](root.Ptr(0), chainSize, 3)
			for e := range l.All() {
				chain(e, 3)
			}
			if c.part != "" {
				wantErr(t, m, ErrArena, c.part)
			} else {
				for e := range ReadStructs[Struct](reread(t, m).Root().Struct().Ptr(0)).All() {
					want(t, "element", chainText(e), chain3)
				}
				want(t, "one segment", m.Segments() == 1, c.one)
			}
			m.Release()
		})
	}
}

// A list of 2 GiB or more, where an int has 32 bits, asks the arena for a size
// that makes sense or not at all, and fails.
func TestHugeObjectsAreRefused(t *testing.T) {
	for _, words := range []int{1 << 28, 1<<28 + 1, 1<<29 - 3} {
		a := &odd{zeroed: true}
		a.give = func(n int) ([]byte, error) {
			if n <= 0 {
				t.Errorf("asked for %d bytes", n)
			}
			if n > 1<<20 || n <= 0 {
				return nil, errRefused
			}
			return make([]byte, max(n, 4096)), nil
		}
		for name, build := range map[string]func(p PtrBuilder) int{
			"numbers": func(p PtrBuilder) int { return NewNumbers[int64](p, words).Len() },
			"structs": func(p PtrBuilder) int { return p.NewStructList(Size{DataWords: 1}, words).Len() },
		} {
			m := New(a)
			m.NewRoot(Size{Ptrs: 1})
			want(t, name+": Len", build(m.NewRoot(Size{Ptrs: 1}).Ptr(0)), words)
			if _, err := m.ToSegments(); err == nil {
				t.Errorf("%s of %d words: no error", name, words)
			}
			m.Release()
		}
	}
	m := builder(t, fresh{})
	m.RootBuilder().NewStructList(Size{DataWords: 65535, Ptrs: 65535}, 1<<29-1)
	wantLimit(t, m.Err(), "words of a list", 1<<29-2)
}

func TestSizeHint(t *testing.T) {
	for _, hint := range []int{0, 5001, 100_000, -5, -1 << 31} {
		asked := 0
		m := NewSized(&odd{give: func(n int) ([]byte, error) {
			asked = n
			return make([]byte, n), nil
		}}, hint)
		m.RootBuilder()
		if asked < max(hint, 8) || asked%8 != 0 || asked > max(hint+8, 4096) {
			t.Errorf("asked for %d bytes with the hint %d", asked, hint)
		}
		m.Release()
	}
	m := builder(t, fresh{})
	want(t, "SizeBytes", m.SizeBytes(), 0)
	m = NewSized(&exact{max: 64}, 1000) // too large a hint does no harm
	m.NewRoot(Size{DataWords: 2})
	noErr(t, m)
	m.Release()
}
