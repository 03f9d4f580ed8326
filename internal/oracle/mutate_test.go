package oracle

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// A seed is a message that mutants are made of.
type seed struct {
	name string
	root Type
	segs [][]byte
	// ptrs are the words that hold pointers.
	ptrs []place
}

func newSeed(t testing.TB, name string, root Type, msg []byte) seed {
	s := seed{name: name, root: root, segs: splitSegments(t, msg)}
	pointerPlaces(t, s.segs, func(p place, _ uint64) { s.ptrs = append(s.ptrs, p) })
	return s
}

// seeds are the goldens in every form.
func seeds(t testing.TB) []seed {
	t.Helper()
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	var out []seed
	for _, g := range goldens {
		out = append(out,
			newSeed(t, g.Name+"/binary", g.Root, g.Binary),
			newSeed(t, g.Name+"/canonical", g.Root, oneSegment(g.Canonical)),
			newSeed(t, g.Name+"/double", g.Root, doubleFar(t, g.Binary)),
			newSeed(t, g.Name+"/graft", Everything, graft(t, g.Canonical, g.Flat)),
		)
		for _, n := range SegmentSizes {
			out = append(out, newSeed(t, g.Name+"/segments", g.Root, g.Segmented[n]))
		}
	}
	return out
}

// A builder fills structs at random with package segment.
type builder struct {
	rng  *rand.Rand
	defs *defaults
	left int // objects that may still be built
}

// randomSeed builds a message by the schema, in segments of some small size.
func randomSeed(t testing.TB, rng *rand.Rand, defs *defaults) seed {
	t.Helper()
	roots := []Type{Everything, Everything, Everything, Defaults, Choice, Old, New, Point, Link}
	root := roots[rng.IntN(len(roots))]
	m := segment.New(smallArena{[]int{1, 2, 7, 30, 4096}[rng.IntN(5)]})
	defer m.Release()
	b := builder{rng, defs, 4 + rng.IntN(60)}
	s := defs.structs[root.String()]
	b.fill(s, m.NewRoot(sizeOf(s)))
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	return newSeed(t, "random", root, joinSegments(segs))
}

func sizeOf(s *Struct) segment.Size {
	return segment.Size{DataWords: uint16(s.DataWords), Ptrs: uint16(s.Pointers)}
}

func (b *builder) fill(s *Struct, v segment.StructBuilder) {
	chance := b.rng.Float64() * 0.5
	for i := range s.DataWords {
		if b.rng.Float64() < chance {
			v.SetUint64(uint32(8*i), b.rng.Uint64()>>(8*b.rng.IntN(8)))
		}
	}
	which := -1
	if s.Discriminant >= 0 {
		which = b.rng.IntN(7)
		v.SetUint16(uint32(2*s.Discriminant), uint16(which))
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		switch {
		case f.When >= 0 && f.When != which:
		case f.Group != nil:
			b.fill(f.Group, v)
		case f.Type.IsPointer() && b.left > 0 && b.rng.Float64() < chance:
			b.left--
			b.object(f.Type, v.Ptr(uint16(f.Offset)))
		}
	}
}

func (b *builder) object(t *FieldType, p segment.PtrBuilder) {
	n := b.rng.IntN(6)
	if b.rng.IntN(8) == 0 {
		n = b.rng.IntN(70)
	}
	switch t.Kind {
	case KindText:
		fillBytes(b.rng, p.NewText(n))
	case KindData:
		fillBytes(b.rng, p.NewData(n))
	case KindStruct:
		b.fill(t.Struct, p.NewStruct(sizeOf(t.Struct)))
	case KindAny:
		if b.rng.IntN(8) == 0 {
			p.SetCapability(b.rng.Uint32N(4))
			return
		}
		all := []*FieldType{
			{Kind: KindText},
			{Kind: KindStruct, Struct: b.defs.structs["Point"]},
			{Kind: KindStruct, Struct: b.defs.structs["Nothing"]},
			{Kind: KindList, Elem: &FieldType{Kind: TypeKind(b.rng.IntN(int(KindAny)))}},
			{Kind: KindList, Elem: &FieldType{Kind: KindStruct, Struct: b.defs.structs["Choice"]}},
		}
		b.object(all[b.rng.IntN(len(all))], p)
	case KindList:
		b.list(t.Elem, p, n)
	}
}

func (b *builder) list(elem *FieldType, p segment.PtrBuilder, n int) {
	switch elem.Kind {
	case KindVoid:
		p.NewList(segment.Void, n)
	case KindBool:
		l := p.NewBools(n)
		for i := range n {
			l.Set(i, b.rng.IntN(2) == 0)
		}
	case KindI8, KindU8:
		randomNumbers[uint8](b.rng, p, n)
	case KindI16, KindU16, KindEnum:
		randomNumbers[uint16](b.rng, p, n)
	case KindI32, KindU32, KindF32:
		randomNumbers[uint32](b.rng, p, n)
	case KindI64, KindU64, KindF64:
		randomNumbers[uint64](b.rng, p, n)
	case KindStruct:
		l := segment.NewStructs[segment.StructBuilder](p, sizeOf(elem.Struct), n)
		for i := range n {
			b.fill(elem.Struct, l.At(i))
		}
	default:
		l := p.NewPtrs(n)
		for i := range n {
			if b.rng.IntN(4) != 0 {
				b.left--
				b.object(elem, l.At(i))
			}
		}
	}
}

func randomNumbers[T uint8 | uint16 | uint32 | uint64](rng *rand.Rand, p segment.PtrBuilder, n int) {
	l := segment.NewNumbers[T](p, n)
	for i := range n {
		l.Set(i, T(rng.Uint64()))
	}
}

func fillBytes(rng *rand.Rand, b []byte) {
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
}

// A mutator makes cases of seeds.
type mutator struct {
	rng   *rand.Rand
	seeds []seed
}

func (m *mutator) next() Case {
	s := &m.seeds[m.rng.IntN(len(m.seeds))]
	c := Case{Root: s.root, Other: s.segs}
	if m.rng.IntN(4) == 0 {
		c.Root = Type(m.rng.IntN(int(AnyRoot) + 1))
	}
	c.Upgrade = c.Root == Old || c.Root == New || m.rng.IntN(8) == 0
	c.CopyWords = []uint32{0, 1, 2, 5, 16, 1024}[m.rng.IntN(6)]
	// Dumps grow with the limit, and so the time; what lies beyond the default
	// limit is no different in kind.
	c.Limit = 20000
	if m.rng.IntN(4) == 0 {
		c.Limit = rootCharge + 1 + m.rng.Uint64N(200)
	}
	c.Nesting = DefaultNesting
	if m.rng.IntN(5) == 0 {
		c.Nesting = 1 + m.rng.Uint32N(8)
	}
	segs := make([][]byte, len(s.segs))
	for i := range segs {
		segs[i] = bytes.Clone(s.segs[i])
	}
	for range 1 + m.rng.IntN(4) {
		segs = m.mutate(segs, s)
	}
	c.Segments = segs
	return c
}

// where picks a word, a pointer more often than not.
func (m *mutator) where(segs [][]byte, s *seed) (seg []byte, at int, p place, ok bool) {
	if m.rng.IntN(4) != 0 {
		p = s.ptrs[m.rng.IntN(len(s.ptrs))]
		// Half of a struct's pointers are null; the others are more telling.
		for range 3 {
			if p.segment < len(segs) && p.word < len(segs[p.segment])/8 && word(segs[p.segment], p.word) != 0 {
				break
			}
			p = s.ptrs[m.rng.IntN(len(s.ptrs))]
		}
	} else {
		p.segment = m.rng.IntN(len(segs))
		p.word = m.rng.IntN(1 + len(segs[p.segment])/8)
	}
	if p.segment >= len(segs) || p.word >= len(segs[p.segment])/8 {
		return nil, 0, p, false
	}
	return segs[p.segment], 8 * p.word, p, true
}

func word(seg []byte, i int) uint64 { return binary.LittleEndian.Uint64(seg[8*i:]) }

func (m *mutator) mutate(segs [][]byte, s *seed) [][]byte {
	r := m.rng
	seg, at, p, ok := m.where(segs, s)
	if !ok {
		return segs
	}
	w := binary.LittleEndian.Uint64(seg[at:])
	put := func(w uint64) { binary.LittleEndian.PutUint64(seg[at:], w) }
	switch r.IntN(14) {
	case 0, 1, 2:
		put(w ^ 1<<r.IntN(64))
	case 3:
		put(w ^ 1<<r.IntN(64) ^ 1<<r.IntN(64))
	case 4: // another kind, the rest kept
		put(w&^3 | uint64(r.IntN(4)))
	case 5: // a pointer at random
		put(m.pointer(segs))
	case 6: // the offset, a little off or at an extreme
		off := int64(int32(uint32(w)) >> 2)
		switch r.IntN(4) {
		case 0:
			off = -1 << 29
		case 1:
			off = 1<<29 - 1
		default:
			off += int64(r.IntN(7)) - 3
		}
		put(w&^0xfffffffc | uint64(uint32(off)<<2))
	case 7: // the upper half: sizes, counts, segments
		hi := []uint64{0, 1, 7, 6, 0xffffffff, 0xfffffff8, 0xffff, 0xffff0000, 1 << 16, r.Uint64N(1 << 32), w>>32 + r.Uint64N(17) - 8}
		put(w&0xffffffff | hi[r.IntN(len(hi))]<<32)
	case 8: // to what another pointer refers to, or to itself
		if w&2 == 0 {
			target := r.IntN(len(seg)/8 + 1)
			put(w&^0xfffffffc | uint64(uint32(target-p.word-1)<<2))
		}
	case 9: // two words change places
		other := 8 * r.IntN(len(seg)/8)
		x := binary.LittleEndian.Uint64(seg[other:])
		binary.LittleEndian.PutUint64(seg[other:], w)
		put(x)
	case 10: // a pointer copied somewhere else
		q := s.ptrs[r.IntN(len(s.ptrs))]
		if q.segment < len(segs) && q.word < len(segs[q.segment])/8 {
			binary.LittleEndian.PutUint64(segs[q.segment][8*q.word:], w)
		}
	case 11: // a byte
		seg[at+r.IntN(8)] = byte(r.Uint32())
	case 12: // a segment cut, lengthened or split
		i := r.IntN(len(segs))
		n := len(segs[i]) / 8
		switch k := r.IntN(n + 1); r.IntN(3) {
		case 0:
			if i > 0 || k > 0 {
				segs[i] = segs[i][:8*k]
			}
		case 1:
			segs[i] = binary.LittleEndian.AppendUint64(segs[i][:8*n:8*n], m.pointer(segs))
		case 2:
			if k > 0 && len(segs) < 60 {
				segs = append(segs, segs[i][8*k:])
				segs[i] = segs[i][: 8*k : 8*k]
			}
		}
	case 13: // segments lost, doubled, exchanged
		i := 1 + r.IntN(len(segs))
		switch {
		case r.IntN(4) == 0:
			segs = append(segs, nil)
		case i < len(segs) && r.IntN(2) == 0:
			segs[i] = segs[r.IntN(len(segs))]
		case i < len(segs):
			segs = append(segs[:i:i], segs[i+1:]...)
		}
	}
	return segs
}

// pointer makes one up that may well lead somewhere.
func (m *mutator) pointer(segs [][]byte) uint64 {
	r := m.rng
	small := func(n int) uint64 { return uint64(r.IntN(n)) }
	off := uint64(uint32(r.IntN(40)-12) << 2)
	switch r.IntN(8) {
	case 0:
		return off | small(4)<<32 | small(4)<<48
	case 1, 2:
		return 1 | off | small(8)<<32 | small(40)<<35
	case 3, 4:
		return 2 | small(2)<<2 | small(30)<<3 | small(len(segs)+1)<<32
	case 5:
		return 3 | small(3)<<32
	case 6:
		return 1 | off | small(8)<<32 | []uint64{1<<29 - 1, 1 << 28, 5000, 100, 0}[r.IntN(5)]<<35
	}
	return r.Uint64()
}
