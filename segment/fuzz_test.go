package segment_test

import (
	"bytes"
	"errors"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// split makes segments of a fuzzer's bytes. The first byte has the number of
// segments, less one, and the next ones where they end.
func split(b []byte) [][]byte {
	if len(b) == 0 {
		return nil
	}
	n := int(b[0]%5) + 1
	b = b[1:]
	if len(b) < n-1 {
		return nil
	}
	ends, b := b[:n-1], b[n-1:]
	b = append(make([]byte, 0, len(b)), b[:len(b)/8*8]...) // aligned, and clipped by the guard of the race build
	words := len(b) / 8
	var segs [][]byte
	at := 0
	for _, e := range ends {
		end := min(at+int(e), words)
		segs = append(segs, b[8*at:8*end:8*end])
		at = end
	}
	return append(segs, b[8*at:8*words:8*words])
}

func joined(segs ...[]uint64) []byte {
	b := []byte{byte(len(segs) - 1)}
	for _, s := range segs[:len(segs)-1] {
		b = append(b, byte(len(s)))
	}
	for _, s := range segs {
		b = append(b, toBytes(s)...)
	}
	return b
}

func seeds(f *testing.F, add func([]byte)) {
	for _, s := range shapes {
		add(joined(s.segs...))
	}
	for _, h := range huge {
		add(joined(h.segs...))
	}
	for _, max := range []int{0, 8 * 24} {
		m := New(&exact{max: max})
		root := m.NewRoot(fillSize)
		fillAll(root)
		segs, err := m.ToSegments()
		if err != nil {
			f.Fatal(err)
		}
		if len(segs) > 5 {
			segs = segs[:5] // the rest is missing: far pointers to nowhere
		}
		words := make([][]uint64, len(segs))
		for i, s := range segs {
			words[i] = toWords(s)
		}
		add(joined(words...))
		m.Release()
	}
}

// FuzzRead does everything to arbitrary bytes: see [prober].
func FuzzRead(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	p := newProber()
	f.Fuzz(func(t *testing.T, b []byte) {
		if segs := split(b); segs != nil {
			p.check(t, segs)
		}
	})
}

// FuzzCanonical: the canonical form is a fixed point and equal to its source.
func FuzzCanonical(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Open(split(b), Options{Limits: Limits{TraversalWords: 1 << 16}})
		if err != nil {
			return
		}
		defer m.Release()
		c, err := m.Canonical()
		if err != nil {
			if !sentinel(err) && !errors.Is(err, ErrMisuse) {
				t.Fatal(err)
			}
			return
		}
		k, err := FromSegments([][]byte{c})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Release()
		again, err := k.Canonical()
		if err != nil || !bytes.Equal(again, c) {
			t.Fatalf("canonical form of\n%#x is\n%#x, %v", toWords(c), toWords(again), err)
		}
		m.ResetLimits(Limits{})
		if m.Root().Equal(k.Root()) != Equal {
			t.Fatalf("not equal to its canonical form %#x", toWords(c))
		}
		if err := k.Verify(); err != nil {
			t.Fatal(err)
		}
	})
}

// A machine drives builders by a program of bytes. It keeps a few pointers,
// orphans and texts to work on.
type machine struct {
	m       *Message
	program []byte
	ptrs    []PtrBuilder
	orphans []*Orphan

	external bool // there is data that is not the message's to clear
	failed   bool // an allocation failed, and so something was left lying
}

func (v *machine) next() int {
	if len(v.program) == 0 {
		return 0
	}
	b := v.program[0]
	v.program = v.program[1:]
	return int(b)
}

func (v *machine) bytes() []byte {
	n := v.next() % 40
	return v.program[:min(len(v.program), n)]
}

func (v *machine) ptr() PtrBuilder { return v.ptrs[v.next()%len(v.ptrs)] }

// keep adds the pointers of what was built, and drops those that may be gone.
func (v *machine) keep(p ...PtrBuilder) {
	v.ptrs = append(v.ptrs, p...)
	if len(v.ptrs) > 40 {
		v.ptrs = append(v.ptrs[:1], v.ptrs[len(v.ptrs)-20:]...)
	}
}

// fresh forgets all pointers: what they lie in was replaced.
func (v *machine) fresh() { v.ptrs = append(v.ptrs[:0], v.m.RootBuilder()) }

func (v *machine) structure(s StructBuilder) {
	s.SetUint64(uint32(v.next()%4*8), uint64(v.next())<<56|uint64(v.next()))
	s.SetBool(uint32(v.next()), true)
	for i := range min(s.Size().Ptrs, 4) {
		v.keep(s.Ptr(i))
	}
}

func (v *machine) size() Size {
	return Size{DataWords: uint16(v.next() % 4), Ptrs: uint16(v.next() % 4)}
}

// step does one thing. A thing that replaces an object makes the pointers
// below it stale, and so all are found again from the root.
func (v *machine) step() {
	switch v.next() % 18 {
	case 0:
		p := v.ptr()
		v.fresh()
		v.structure(p.NewStruct(v.size()))
	case 1:
		p := v.ptr()
		v.fresh()
		v.structure(p.Struct(v.size()))
	case 2:
		v.ptr().SetText(string(v.bytes()))
		v.fresh()
	case 3:
		v.ptr().SetData(v.bytes())
		v.fresh()
	case 4:
		v.external = v.ptr().SetExternalData(padded(v.next()), nil) || v.external
		v.fresh()
	case 5:
		l := v.ptr().NewPtrs(v.next() % 5)
		v.fresh()
		for p := range l.All() {
			v.keep(p)
		}
	case 6:
		l := NewStructs[StructBuilder](v.ptr(), v.size(), v.next()%4)
		v.fresh()
		for s := range l.All() {
			v.structure(s)
		}
	case 7:
		l := EditStructs[StructBuilder](v.ptr(), v.size())
		v.fresh()
		for i := range min(l.Len(), 3) {
			v.structure(l.At(i))
		}
	case 8:
		l := v.ptr().NewBools(v.next())
		v.fresh()
		if i := v.next(); i < l.Len() {
			l.Set(i, true)
		}
	case 9:
		l := NewNumbers[uint32](v.ptr(), v.next()%20)
		v.fresh()
		if i := v.next(); i < l.Len() {
			l.Set(i, 0xdeadbeef)
		}
	case 10:
		v.ptr().NewList(ElemSize(v.next()%7), v.next())
		v.fresh()
	case 11:
		v.ptr().Clear()
		v.fresh()
	case 12:
		if n, err := v.ptr().Reader().TotalWords(); err == nil && n < 1000 {
			src := v.ptr().Reader()
			if n, err := src.TotalWords(); err == nil && n < 1000 {
				v.ptr().Set(src)
				v.fresh()
			}
		}
	case 13:
		v.orphans = append(v.orphans, v.ptr().Disown())
		v.fresh()
	case 14:
		if n := len(v.orphans); n > 0 {
			v.ptr().Adopt(v.orphans[n-1])
			v.orphans = v.orphans[:n-1]
			v.fresh()
		}
	case 15:
		if n := len(v.orphans); n > 0 {
			v.orphans[n-1].Truncate(v.next())
		}
	case 16:
		v.ptr().SetCapability(uint32(v.next()))
		v.fresh()
	case 17:
		if n := len(v.orphans); n > 0 && v.next()%2 == 0 {
			v.orphans[n-1].Discard()
			v.orphans = v.orphans[:n-1]
		} else {
			l := v.ptr().Reader().List()
			if n, err := l.TotalWords(); err == nil && n < 1000 {
				v.orphans = append(v.orphans, v.m.NewOrphanConcat(l, l))
			}
		}
	}
	// What a program does wrong is an error, and the next step goes on.
	v.failed = v.failed || errors.Is(v.m.Err(), ErrArena) || errors.Is(v.m.Err(), ErrLimit)
	v.m.ClearErr()
}

// FuzzRoundTrip builds by a program of bytes, in segments of a size that the
// first byte gives, and then reads, verifies, copies and compares.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 3, 0, 1, 2, 3, 2, 1, 5, 'h', 'e', 'l', 'l', 'o'})
	f.Add(bytes.Repeat([]byte{1, 0, 2, 3, 1, 9, 4, 6, 2}, 12))
	for op := range byte(18) {
		f.Add(append([]byte{op % 4, 0, 0, 3, 3, 1, 2, 3, 4}, bytes.Repeat([]byte{op, 1, 2, 3, op + 1, 2, 9, 2}, 6)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		a := []Arena{fresh{}, &exact{}, &exact{max: 8 * 300}, &keeperOfLittle{}}[b[0]%4]
		m := New(a)
		defer m.Release()
		v := &machine{m: m, program: b[1:min(len(b), 600)]}
		v.fresh()
		for len(v.program) > 0 && m.SizeBytes() < 1<<17 {
			v.step()
		}
		segs, err := m.ToSegments()
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(segs, Options{Limits: Limits{TraversalWords: 1 << 22, Depth: 1000, Segments: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		if err := r.Verify(); err != nil {
			t.Fatalf("what was built is not sound: %v", err)
		}
		words, err := r.Root().TotalWords()
		if err != nil || words < 0 {
			t.Fatal(words, err)
		}
		if n, err := m.Root().TotalWords(); err != nil || n != words {
			t.Fatalf("%d words as built, %d as read, %v", n, words, err)
		}
		if m.Root().Equal(r.Root()) == NotEqual {
			t.Fatal("not equal to what was built")
		}
		if words > 1<<16 {
			return
		}
		c := New(fresh{})
		defer c.Release()
		c.RootBuilder().Set(r.Root())
		if err := c.Err(); err != nil {
			t.Fatal(err)
		}
		if c.Root().Equal(r.Root()) == NotEqual {
			t.Fatal("the copy is not equal")
		}
		k1, err1 := r.Canonical()
		k2, err2 := c.Canonical()
		if !bytes.Equal(k1, k2) || (err1 == nil) != (err2 == nil) || err1 != nil && !errors.Is(err1, ErrMisuse) {
			t.Fatalf("canonical forms differ: %v, %v", err1, err2)
		}
		// Cleared, nothing is left but orphans and what is not ours.
		m.RootBuilder().Clear()
		for _, o := range v.orphans {
			o.Discard()
		}
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		for i, b := range segs {
			if !v.external && !v.failed && len(bytes.Trim(b, "\x00")) != 0 {
				t.Fatalf("segment %d holds something after all was cleared: %#x", i, toWords(b))
			}
		}
	})
}

// keeperOfLittle fails after a while, in the middle of things.
type keeperOfLittle struct{ given int }

func (a *keeperOfLittle) Allocate(n int) ([]byte, error) {
	if a.given+n > 1<<14 {
		return nil, errRefused
	}
	a.given += n
	return make([]byte, n), nil
}
func (a *keeperOfLittle) Free([]byte, int) {}
