package segment_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

func openLimited(t *testing.T, l Limits, segs ...[]uint64) *Message {
	t.Helper()
	return openBytes(t, segsOf(segs...), Options{Limits: l})
}

// How many words each dereference takes off the budget.
func TestCharges(t *testing.T) {
	sp, lp := structPtr, listPtr
	for _, c := range []struct {
		name string
		segs [][]uint64
		read func(p Ptr)
		want int64
	}{
		{"null", [][]uint64{{0}}, func(p Ptr) { p.Struct() }, 0},
		{"struct", [][]uint64{{sp(0, 2, 1), 0, 0, 0}}, func(p Ptr) { p.Struct() }, 3},
		{"struct twice", [][]uint64{{sp(0, 2, 1), 0, 0, 0}}, func(p Ptr) { p.Struct(); p.Struct() }, 6},
		{"empty struct", [][]uint64{{sp(-1, 0, 0)}}, func(p Ptr) { p.Struct() }, 0},
		{"text", [][]uint64{{lp(0, Byte, 9), 0, 0}}, func(p Ptr) { p.TextBytes() }, 2},
		{"data", [][]uint64{{lp(0, Byte, 8), 0, 0}}, func(p Ptr) { p.Data() }, 1},
		{"numbers", [][]uint64{{lp(0, FourBytes, 3), 0, 0}}, func(p Ptr) { ReadNumbers[int32](p) }, 2},
		{"bits", [][]uint64{{lp(0, Bit, 65), 0, 0}}, func(p Ptr) { p.Bools() }, 2},
		{"pointers", [][]uint64{{lp(0, Pointer, 2), 0, 0}}, func(p Ptr) { p.Ptrs() }, 2},
		{"structs and their tag", [][]uint64{{lp(0, Composite, 2), listTag(2, 1, 0), 0, 0}}, func(p Ptr) { ReadStructs[Struct](p) }, 3},
		{"words that no element uses", [][]uint64{{lp(0, Composite, 2), listTag(0, 1, 0), 0, 0}}, func(p Ptr) { ReadStructs[Struct](p) }, 3},
		{"voids", [][]uint64{{lp(0, Void, 1000)}}, func(p Ptr) { p.List() }, 1000},
		{"empty structs", [][]uint64{{lp(0, Composite, 0), listTag(1000, 0, 0)}}, func(p Ptr) { ReadStructs[Struct](p) }, 1001},
		{"landing pad", [][]uint64{{farPtr(1, 0)}, {sp(0, 2, 0), 0, 0}}, func(p Ptr) { p.Struct() }, 3},
		{"double landing pad", [][]uint64{{doubleFarPtr(1, 0), 0}, {farPtr(0, 1), sp(0, 1, 0)}}, func(p Ptr) { p.Struct() }, 3},
		{"Kind through a landing pad", [][]uint64{{farPtr(1, 0)}, {sp(0, 2, 0), 0, 0}}, func(p Ptr) { p.Kind() }, 1},
		{"fields and null pointers", [][]uint64{{sp(0, 1, 1), 0, 0}}, func(p Ptr) {
			s := p.Struct()
			for range 100 {
				s.Uint64(0)
				s.Has(0)
				s.Text(0)
			}
		}, 2},
		{"a list's elements", [][]uint64{{lp(0, Composite, 2), listTag(2, 1, 0), 0, 0}}, func(p Ptr) {
			for range ReadStructs[Struct](p).All() {
			}
		}, 3},
		{"a copy", [][]uint64{{sp(0, 0, 1), lp(0, Byte, 4), 0}}, func(p Ptr) {
			m := New(fresh{})
			defer m.Release()
			m.RootBuilder().Set(p)
		}, 2},
		{"Equal, on either side", [][]uint64{{sp(0, 0, 1), lp(0, Byte, 4), 0}}, func(p Ptr) { p.Equal(p) }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openLimited(t, Limits{TraversalWords: 10_000}, c.segs...)
			c.read(m.Root())
			want(t, "charged", 10_000-m.Budget(), c.want)
			noErr(t, m)
			if c.want == 0 {
				return
			}
			m.ResetLimits(Limits{TraversalWords: c.want})
			c.read(m.Root())
			noErr(t, m)
			want(t, "left", m.Budget(), 0)
			m.ResetLimits(Limits{TraversalWords: c.want - 1})
			if c.want > 1 {
				c.read(m.Root())
				wantLimit(t, m.Err(), "TraversalWords", uint64(c.want-1))
			}
		})
	}
}

// Many pointers to one object do not amplify a message.
func TestAmplificationByPointers(t *testing.T) {
	const n = 1000
	seg := []uint64{listPtr(0, Pointer, n)}
	for i := range n {
		seg = append(seg, listPtr(int32(n-1-i), EightBytes, n))
	}
	seg = append(seg, make([]uint64, n)...)
	m := openLimited(t, Limits{TraversalWords: 100_000}, seg)
	wantLimit(t, m.Verify(), "TraversalWords", 100_000)
	m.ClearErr()
	c := builder(t, fresh{})
	c.RootBuilder().Set(m.Root())
	wantLimit(t, c.Err(), "TraversalWords", 100_000)
	if size := c.SizeBytes(); size > 8*110_000 {
		t.Errorf("the copy has %d bytes", size)
	}
}

func TestDepthLimit(t *testing.T) {
	for _, limit := range []int{1, 2, 10, 64, 1000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			b := builder(t, fresh{})
			s := b.NewRoot(Size{Ptrs: 1})
			for range limit {
				s = s.NewStruct(0, Size{Ptrs: 1})
			}
			segs, _ := b.ToSegments()
			m := openBytes(t, segs, Options{Limits: Limits{Depth: limit}})
			r := m.Root().Struct()
			for range limit - 1 {
				want(t, "Has", r.Has(0), true)
				r = r.Struct(0)
			}
			noErr(t, m)
			want(t, "too deep", r.Struct(0), Struct{})
			wantLimit(t, m.Err(), "Depth", uint64(limit))
			m.ClearErr()
			wantLimit(t, m.Verify(), "Depth", uint64(limit))
			m.ClearErr()
			m.Root().Equal(m.Root())
			wantLimit(t, m.Err(), "Depth", uint64(limit))
			m.ClearErr()
			c := builder(t, fresh{})
			c.RootBuilder().Set(m.Root())
			wantLimit(t, c.Err(), "Depth", uint64(limit))
			m.ClearErr()
			m.ResetLimits(Limits{Depth: limit + 1})
			want(t, "Verify", m.Verify(), nil)
		})
	}
}

// A struct list nests twice: the list, and each element.
func TestDepthOfLists(t *testing.T) {
	seg := []uint64{listPtr(0, Composite, 1), listTag(1, 0, 1), listPtr(0, Pointer, 1), listPtr(0, Byte, 1), 0}
	for depth, fails := range map[int]string{1: "elements", 2: "inner list", 3: "", 4: ""} {
		m := openLimited(t, Limits{Depth: depth}, seg)
		l := ReadStructs[Struct](m.Root())
		want(t, "Len", l.Len(), 1)
		s := l.At(0)
		if fails == "elements" {
			want(t, "Size", s.Size(), Size{})
			wantLimit(t, m.Err(), "Depth", uint64(depth))
			continue
		}
		inner := s.Ptr(0).Ptrs()
		if fails == "inner list" {
			want(t, "Len", inner.Len(), 0)
			wantLimit(t, m.Err(), "Depth", uint64(depth))
			continue
		}
		want(t, "Len", inner.Len(), 1)
		noErr(t, m)
	}
}

// A handle carries its depth along, so that going around by another view does
// not start it again.
func TestDepthIsKeptByViews(t *testing.T) {
	m := openLimited(t, Limits{Depth: 8}, []uint64{listPtr(-1, Pointer, 1)}) // a list that holds itself
	p := m.Root()
	n := 0
	for ; n < 100 && m.Err() == nil; n++ {
		switch n % 3 {
		case 0:
			p = firstOrNull(p.List().Ptrs())
		case 1:
			p = firstOrNull(p.Ptrs())
		case 2:
			if l := ReadStructs[Struct](p); l.Len() > 0 {
				p = l.At(0).Ptr(0)
			}
		}
	}
	wantLimit(t, m.Err(), "Depth", 8)
	if n > 8 {
		t.Errorf("%d levels were read", n)
	}
}

func TestSelfReference(t *testing.T) {
	for _, seg := range [][]uint64{
		{structPtr(-1, 0, 1)},
		{structPtr(-1, 0, 2), structPtr(-2, 0, 2)},
		{listPtr(-1, Pointer, 1)},
		{listPtr(-1, Pointer, 2), listPtr(-2, Pointer, 2)},
		{structPtr(0, 0, 1), listPtr(-1, Composite, 0)},
	} {
		m := openLimited(t, Limits{TraversalWords: 10_000}, seg)
		if err := m.Verify(); err == nil {
			t.Errorf("%#x is sound", seg)
		}
		m.ClearErr()
		m.Root().Equal(m.Root())
		m.ClearErr()
		c := builder(t, fresh{})
		c.RootBuilder().Set(m.Root())
		if c.Err() == nil {
			t.Errorf("%#x was copied", seg)
		}
	}
}

func TestSegmentsLimit(t *testing.T) {
	segs := make([][]byte, DefaultSegments+1)
	for i := range segs {
		segs[i] = make([]byte, 8)
	}
	if _, err := FromSegments(segs[:DefaultSegments]); err != nil {
		t.Error(err)
	}
	_, err := FromSegments(segs)
	wantLimit(t, err, "Segments", DefaultSegments)
	_, err = Open(segs[:3], Options{Limits: Limits{Segments: 2}})
	wantLimit(t, err, "Segments", 2)
	var l *LimitError
	errors.As(err, &l)
	want(t, "Got", l.Got, 3)
	want(t, "text", err.Error(), "segment: limit exceeded: Segments is 2, asked for 3")
}

func TestLimitDefaults(t *testing.T) {
	want(t, "defaults", Limits{}.WithDefaults(), Limits{TraversalWords: 8 << 20, Depth: 64, Segments: 511, MessageBytes: 64 << 20})
	l := Limits{TraversalWords: 1, Depth: 2, Segments: 3, MessageBytes: 4}
	want(t, "given", l.WithDefaults(), l)
	want(t, "Depth", Limits{Depth: math.MaxInt32}.WithDefaults().Depth, 65535)
	want(t, "negative", Limits{TraversalWords: -1, Depth: -1, Segments: -1, MessageBytes: -1}.WithDefaults(), Limits{}.WithDefaults())
}

func TestUnlimited(t *testing.T) {
	m := openLimited(t, Limits{TraversalWords: Unlimited}, []uint64{listPtr(0, Void, 1<<29-1)})
	for range 100 {
		want(t, "Len", m.Root().List().Len(), 1<<29-1)
	}
	noErr(t, m)
	m.ResetLimits(Limits{})
	m.Root().List()
	wantLimit(t, m.Err(), "TraversalWords", DefaultTraversalWords)
}

// The first fault is kept and the later ones are not.
func TestFirstFaultSticks(t *testing.T) {
	m := openWords(t, []uint64{structPtr(0, 0, 2), 7, structPtr(99, 1, 0)})
	s := m.Root().Struct()
	s.Text(0)
	first := m.Err()
	s.Struct(1)
	want(t, "Err", m.Err(), first)
	m.ClearErr()
	s.Struct(1)
	wantErr(t, m, ErrMalformed, "word 2")
}

func firstOrNull(l Ptrs) Ptr {
	if l.Len() == 0 {
		return Ptr{}
	}
	return l.At(0)
}
