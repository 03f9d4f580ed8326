package segment_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
	"pgregory.net/rapid"
)

// A node is a tree of objects, as a model to build from and to compare with.
type node struct {
	kind  string // null, struct, structs, ptrs, text, data, numbers, bools, voids
	data  []uint64
	nodes []*node // pointers of a struct or elements
	bytes []byte
	bools []bool
	size  Size // of the elements of structs
	n     int

	external bool // its data was lent to the message, which does not clear it
}

func (n *node) lent() bool { return n.external || slices.ContainsFunc(n.nodes, (*node).lent) }

func genNode(t *rapid.T, depth int) *node {
	kinds := []string{"null", "text", "data", "numbers", "bools", "voids"}
	if depth > 0 {
		kinds = append(kinds, "struct", "structs", "ptrs", "struct", "structs")
	}
	n := &node{kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
	word := rapid.Custom(func(t *rapid.T) uint64 {
		return rapid.SampledFrom([]uint64{0, 0, 1, 1 << 63, 0xffffffffffffffff, 0x7ff8000000000001}).Draw(t, "word")
	})
	switch n.kind {
	case "text", "data":
		n.bytes = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
	case "numbers":
		n.data = rapid.SliceOfN(word, 0, 8).Draw(t, "numbers")
	case "bools":
		n.bools = rapid.SliceOfN(rapid.Bool(), 0, 80).Draw(t, "bools")
	case "voids":
		n.n = rapid.IntRange(0, 5).Draw(t, "voids")
	case "struct":
		n.data = rapid.SliceOfN(word, 0, 3).Draw(t, "data")
		for range rapid.IntRange(0, 3).Draw(t, "pointers") {
			n.nodes = append(n.nodes, genNode(t, depth-1))
		}
	case "ptrs":
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			n.nodes = append(n.nodes, genNode(t, depth-1))
		}
	case "structs":
		n.size = Size{DataWords: rapid.Uint16Range(0, 2).Draw(t, "data words"), Ptrs: rapid.Uint16Range(0, 2).Draw(t, "pointers")}
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			e := &node{kind: "struct", data: rapid.SliceOfN(word, int(n.size.DataWords), int(n.size.DataWords)).Draw(t, "data")}
			for range n.size.Ptrs {
				e.nodes = append(e.nodes, genNode(t, depth-1))
			}
			n.nodes = append(n.nodes, e)
		}
	}
	return n
}

// build writes the node under p; how says which of the ways to do it.
func (n *node) build(p PtrBuilder, how func(n int) int) {
	if p.Message() != nil && how(4) == 0 {
		o := p.Message().NewOrphanStruct(Size{Ptrs: 1})
		q := o.Struct(Size{Ptrs: 1})
		if q.Size().Ptrs == 1 {
			n.write(q.Ptr(0), how)
			p.Adopt(q.Ptr(0).Disown())
			o.Discard()
			return
		}
	}
	if how(4) == 0 {
		p.SetText("something to be overwritten")
	}
	n.write(p, how)
}

func (n *node) write(p PtrBuilder, how func(n int) int) {
	switch n.kind {
	case "null":
		p.Clear()
	case "text":
		p.SetText(string(n.bytes))
	case "data":
		if how(2) == 0 {
			copy(p.NewData(len(n.bytes)), n.bytes)
		} else if v := slices.Clone(n.bytes); how(2) == 0 {
			n.external = p.SetExternalData(append(v, make([]byte, 8)...)[:len(v)], nil)
		} else {
			p.SetData(v)
		}
	case "numbers":
		l := NewNumbers[uint64](p, len(n.data))
		for i, v := range n.data {
			l.Set(i, v)
		}
	case "bools":
		l := p.NewBools(len(n.bools))
		for i, v := range n.bools {
			l.Set(i, v)
		}
	case "voids":
		p.NewList(Void, n.n)
	case "struct":
		sz := Size{DataWords: uint16(len(n.data)), Ptrs: uint16(len(n.nodes))}
		var s StructBuilder
		if how(3) == 0 && sz.DataWords > 0 { // small at first, upgraded then
			p.NewStruct(Size{DataWords: sz.DataWords - 1}).SetUint8(0, 0)
			s = p.Struct(sz)
		} else {
			s = p.NewStruct(sz)
		}
		n.fill(s, how)
	case "structs":
		l := NewStructs[StructBuilder](p, n.size, len(n.nodes))
		if how(3) == 0 {
			l = EditStructs[StructBuilder](p, n.size)
		}
		for i := range l.Len() {
			n.nodes[i].fill(l.At(i), how)
		}
	case "ptrs":
		l := p.NewPtrs(len(n.nodes))
		for i, e := range n.nodes {
			e.build(l.At(i), how)
		}
	}
}

func (n *node) fill(s StructBuilder, how func(n int) int) {
	for i, w := range n.data {
		s.SetUint64(uint32(8*i), w)
	}
	for i, e := range n.nodes {
		e.build(s.Ptr(uint16(i)), how)
	}
}

// diff compares what p leads to with the node. With exact structs have just
// the sizes that they were built with.
func (n *node) diff(p Ptr) error {
	bad := func(got any) error { return fmt.Errorf("%s is %v, want %+v", n.kind, got, *n) }
	switch n.kind {
	case "null":
		if !p.IsNull() {
			return bad(p.Kind())
		}
	case "text":
		if got := p.Text(); got != string(n.bytes) || p.IsNull() {
			return bad(got)
		}
	case "data":
		if got := p.Data(); !bytes.Equal(got, n.bytes) || got == nil {
			return bad(got)
		}
	case "numbers":
		got := make([]uint64, len(n.data)+1)
		if c := ReadNumbers[uint64](p).Copy(got); !slices.Equal(got[:c], n.data) || p.IsNull() {
			return bad(got[:c])
		}
	case "bools":
		if got := slices.Collect(p.Bools().All()); !slices.Equal(got, n.bools) || p.IsNull() {
			return bad(got)
		}
	case "voids":
		if l := p.List(); l.Len() != n.n || l.ElemSize() != Void || p.IsNull() {
			return bad(l.Len())
		}
	case "struct":
		if p.Kind() != KindStruct {
			return bad(p.Kind())
		}
		return n.diffStruct(p.Struct())
	case "structs":
		l := ReadStructs[Struct](p)
		if l.Len() != len(n.nodes) || p.IsNull() {
			return bad(l.Len())
		}
		for i, e := range n.nodes {
			if err := e.diffStruct(l.At(i)); err != nil {
				return err
			}
		}
	case "ptrs":
		l := p.Ptrs()
		if l.Len() != len(n.nodes) || p.IsNull() {
			return bad(l.Len())
		}
		for i, e := range n.nodes {
			if err := e.diff(l.At(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (n *node) diffStruct(s Struct) error {
	for i, w := range n.data {
		if got := s.Uint64(uint32(8 * i)); got != w {
			return fmt.Errorf("word %d of a struct is %#x, want %#x", i, got, w)
		}
	}
	for i, e := range n.nodes {
		if err := e.diff(s.Ptr(uint16(i))); err != nil {
			return err
		}
	}
	return nil
}

// What is built of a tree, in segments of any size, is that tree again: read
// in place, through its segments, as a snapshot, as a copy, in canonical form.
func TestPropertyTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := genNode(t, 4)
		// The largest single object has 26 words; less makes it fail.
		segment := rapid.SampledFrom([]int{0, 26, 30, 50, 200}).Draw(t, "segment words")
		how := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "how") }
		m := New(&exact{max: 8 * segment})
		defer m.Release()
		tree.build(m.RootBuilder(), how)
		check := func(what string, p Ptr) {
			if err := tree.diff(p); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if err := p.Message().Err(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if err := m.Err(); err != nil {
			t.Fatal(err)
		}
		check("as built", m.RootBuilder().Reader())
		segs, err := m.ToSegments()
		if err != nil {
			t.Fatal(err)
		}
		r, err := FromSegments(segs)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		check("through segments", r.Root())
		if err := r.Verify(); err != nil {
			t.Fatal(err)
		}
		s, err := r.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Release()
		check("snapshot", s.Root())
		c := New(&exact{max: 8 * segment})
		defer c.Release()
		c.RootBuilder().Set(r.Root())
		check("copy", c.Root())
		if c.Root().Equal(r.Root()) != Equal {
			t.Fatal("the copy is not equal")
		}
		words, err := r.Root().TotalWords()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.Root().TotalWords(); n != words || err != nil {
			t.Fatalf("the copy has %d words, the message %d, %v", n, words, err)
		}
		canon, err := r.Canonical()
		if err != nil {
			t.Fatal(err)
		}
		k, err := FromSegments([][]byte{canon})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Release()
		check("canonical form", k.Root())
		other, err := c.Canonical()
		if err != nil || !bytes.Equal(canon, other) {
			t.Fatalf("the copy's canonical form differs, %v", err)
		}
		if is, err := k.IsCanonical(); !is || err != nil {
			t.Fatalf("IsCanonical is %v, %v", is, err)
		}
		// Cleared, it leaves nothing but what is orphaned: the text that was
		// overwritten is gone in any case.
		for _, b := range segs {
			if bytes.Contains(b, []byte("to be overwritten")) {
				t.Fatal("what was overwritten is still there")
			}
		}
		m.RootBuilder().Clear()
		for i, b := range segs {
			if !tree.lent() && len(bytes.Trim(b, "\x00")) != 0 {
				t.Fatalf("segment %d holds something after all was cleared", i)
			}
		}
	})
}
