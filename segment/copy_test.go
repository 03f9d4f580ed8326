package segment_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// fillAll puts one of everything under root, which has fillPtrs pointers.
func fillAll(root StructBuilder) {
	root.SetUint64(0, 0xfeedface)
	for i, k := range orphanKinds {
		k.build(root.Ptr(uint16(i)))
	}
}

var fillSize = Size{DataWords: 1, Ptrs: uint16(len(orphanKinds))}

func checkAll(t *testing.T, s Struct) {
	t.Helper()
	want(t, "data", s.Uint64(0), 0xfeedface)
	for i, k := range orphanKinds {
		want(t, k.name, k.read(s.Ptr(uint16(i))), k.want)
	}
	noErr(t, s.Message())
}

func TestCopyBetweenMessages(t *testing.T) {
	for _, from := range arenas {
		for _, to := range arenas {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				m := builder(t, from.make())
				fillAll(m.NewRoot(fillSize))
				src := reread(t, m)

				c := builder(t, to.make())
				c.RootBuilder().Set(src.Root())
				checkAll(t, reread(t, c).Root().Struct())
				want(t, "Verify", reread(t, c).Verify(), nil)

				d := builder(t, to.make())
				d.RootBuilder().SetStruct(m.Root().Struct()) // straight from the builder
				checkAll(t, reread(t, d).Root().Struct())

				e := builder(t, to.make())
				s := e.NewRoot(fillSize)
				s.CopyFrom(src.Root().Struct())
				s.CopyFrom(src.Root().Struct()) // over what is there
				checkAll(t, reread(t, e).Root().Struct())
				want(t, "Equal", reread(t, e).Root().Equal(c.Root()), UnknownCapabilities)
			})
		}
	}
}

// CopyFrom a struct of another size: what fits is copied, the rest is cleared.
func TestCopyToAnotherSize(t *testing.T) {
	m := builder(t, fresh{})
	src := m.NewRoot(Size{DataWords: 2, Ptrs: 2})
	src.SetUint64(0, 1)
	src.SetUint64(8, 2)
	src.SetText(0, "zero")
	src.SetText(1, "one")
	for _, sz := range []Size{{}, {DataWords: 1}, {Ptrs: 1}, {DataWords: 1, Ptrs: 3}, {DataWords: 3, Ptrs: 1}, {DataWords: 4, Ptrs: 4}} {
		t.Run(fmt.Sprint(sz), func(t *testing.T) {
			c := builder(t, fresh{})
			dst := c.NewRoot(sz)
			for i := range uint32(sz.DataWords) {
				dst.SetUint64(8*i, 0xffffffffffffffff)
			}
			for i := range sz.Ptrs {
				dst.SetText(i, "OLD")
			}
			dst.CopyFrom(src.Reader())
			r := reread(t, c).Root().Struct()
			for i := range uint32(sz.DataWords) {
				want(t, "data", r.Uint64(8*i), src.Reader().Uint64(8*i))
			}
			for i := range sz.Ptrs {
				want(t, "text", r.Text(i), src.Reader().Text(i))
			}
			want(t, "old text", holds(t, c, "OLD"), false)
			want(t, "Size", r.Size(), sz)
		})
	}
	c := builder(t, fresh{})
	dst := c.NewRoot(Size{DataWords: 1, Ptrs: 1})
	dst.SetUint64(0, 5)
	dst.SetText(0, "OLD")
	dst.CopyFrom(Struct{})
	want(t, "data", dst.Reader().Uint64(0), 0)
	want(t, "Has", dst.Has(0), false)
}

// chain is a struct with a number and a text over the same, n deep.
func chain(s StructBuilder, n int) {
	s.SetUint64(0, uint64(n))
	s.SetText(1, fmt.Sprint("level ", n))
	if n > 0 {
		chain(s.NewStruct(0, chainSize), n-1)
	}
}

var chainSize = Size{DataWords: 1, Ptrs: 2}

func chainText(s Struct) string {
	out := fmt.Sprintf("%d %q", s.Uint64(0), s.Text(1))
	if s.Has(0) {
		out += " > " + chainText(s.Struct(0))
	}
	return out
}

const chain3 = `3 "level 3" > 2 "level 2" > 1 "level 1" > 0 "level 0"`

// A copy may come from below or above the place it goes to.
func TestCopyWithinOneMessage(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(root StructBuilder)
		want string
	}{
		{"an ancestor into its descendant", func(root StructBuilder) {
			root.Ptr(0).Reader().Struct()
			root.Struct(0, chainSize).Ptr(0).SetStruct(root.Reader())
		}, `3 "level 3" > 2 "level 2" > ` + chain3},
		{"a pointer into what it leads to", func(root StructBuilder) {
			d := root.Struct(0, chainSize).Struct(0, chainSize)
			d.Ptr(0).Set(root.Ptr(0).Reader())
		}, `3 "level 3" > 2 "level 2" > 1 "level 1" > 2 "level 2" > 1 "level 1" > 0 "level 0"`},
		{"a descendant over its ancestor", func(root StructBuilder) {
			root.Ptr(0).Set(root.Struct(0, chainSize).Struct(0, chainSize).Ptr(0).Reader())
		}, `3 "level 3" > 0 "level 0"`},
		{"a pointer onto itself", func(root StructBuilder) { root.Ptr(0).Set(root.Ptr(0).Reader()) }, chain3},
		{"a struct onto itself", func(root StructBuilder) { root.CopyFrom(root.Reader()) }, chain3},
		{"the contents of a child over its parent", func(root StructBuilder) {
			root.CopyFrom(root.Reader().Struct(0))
		}, `2 "level 2" > 1 "level 1" > 0 "level 0"`},
		{"the contents of a grandchild over its grandparent", func(root StructBuilder) {
			root.CopyFrom(root.Reader().Struct(0).Struct(0))
		}, `1 "level 1" > 0 "level 0"`},
		{"the contents of a parent over its child", func(root StructBuilder) {
			root.Struct(0, chainSize).CopyFrom(root.Reader())
		}, `3 "level 3" > ` + chain3},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachArena(t, func(t *testing.T, a Arena) {
				m := builder(t, a)
				root := m.NewRoot(chainSize)
				chain(root, 3)
				c.do(root)
				r := reread(t, m)
				want(t, "tree", chainText(r.Root().Struct()), c.want)
				want(t, "Verify", r.Verify(), nil)
			})
		})
	}
}

// A struct list's element is set to what lies below it.
func TestSetElementFromBelow(t *testing.T) {
	m := builder(t, fresh{})
	l := NewStructs[StructBuilder](m.RootBuilder(), chainSize, 2)
	chain(l.At(0), 2)
	l.Set(0, l.At(0).Reader().Struct(0))
	want(t, "element", chainText(l.At(0).Reader()), `1 "level 1" > 0 "level 0"`)
	l.Set(1, l.At(0).Reader())
	want(t, "other element", chainText(l.At(1).Reader()), `1 "level 1" > 0 "level 0"`)
	noErr(t, m)
}

// Padding of the source does not travel.
func TestCopyLeavesPaddingBehind(t *testing.T) {
	for _, seg := range [][]uint64{
		{listPtr(0, Bit, 3), 0xffffffffffffffff},
		{listPtr(0, Byte, 3), 0xffffffffff636261},
		{listPtr(0, TwoBytes, 3), 0xffff333322221111},
		{listPtr(0, FourBytes, 1), 0xffffffff11111111},
		{listPtr(0, Composite, 2), listTag(1, 1, 0), 1, 0xffffffffffffffff},
	} {
		m := openWords(t, seg)
		c := builder(t, fresh{})
		c.RootBuilder().Set(m.Root())
		segs, _ := c.ToSegments()
		if strings.Contains(string(segs[0]), "\xff\xff") || segs[0][8] > 0x80 {
			t.Errorf("padding of %#x was copied: %#x", seg, toWords(segs[0]))
		}
		want(t, "Equal", c.Root().Equal(m.Root()), Equal)
	}
}

// What can't be read can't be copied in silence.
func TestCopyOfAFault(t *testing.T) {
	m := openWords(t, []uint64{structPtr(0, 1, 2), 5, structPtr(100, 1, 0), listPtr(0, Byte, 2), textWord("x")})
	c := builder(t, fresh{})
	c.RootBuilder().Set(m.Root())
	wantErr(t, c, ErrMalformed, "segment 0, word 2")
	s := c.Root().Struct()
	want(t, "data", s.Uint64(0), 5)
	want(t, "text", s.Text(1), "x")
	want(t, "Has", s.Has(0), false)

	m = openBytes(t, segsOf([]uint64{listPtr(0, EightBytes, 4), 1, 2, 3, 4}), Options{Limits: Limits{TraversalWords: 3}})
	c.RootBuilder().Set(m.Root())
	wantLimit(t, c.Err(), "TraversalWords", 3)
	c.ClearErr()
	want(t, "IsNull", c.Root().IsNull(), true)
}

// Elements of a list that was upgraded are copied with their size rounded up.
func TestCopyElementOfPrimitiveList(t *testing.T) {
	m := openWords(t, []uint64{listPtr(0, Byte, 3), 0x332211})
	c := builder(t, fresh{})
	c.RootBuilder().SetStruct(ReadStructs[Struct](m.Root()).At(1))
	want(t, "Size", c.Root().Struct().Size(), Size{DataWords: 1})
	want(t, "data", c.Root().Struct().Uint64(0), 0x22)
	p := openWords(t, []uint64{listPtr(0, Pointer, 1), listPtr(0, Byte, 2), textWord("x")})
	c.RootBuilder().SetStruct(ReadStructs[Struct](p.Root()).At(0))
	want(t, "Size", c.Root().Struct().Size(), Size{Ptrs: 1})
	want(t, "text", c.Root().Struct().Text(0), "x")
}

// Data may be set to a part of itself.
func TestSetDataToItself(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{Ptrs: 1})
		root.SetData(0, []byte("some data"))
		root.SetData(0, root.Reader().Data(0)[5:])
		want(t, "data", string(root.Reader().Data(0)), "data")
		root.Ptr(0).SetData(root.Ptr(0).Data())
		want(t, "data", string(root.Reader().Data(0)), "data")
		if holds(t, m, "some") {
			t.Error("what was there before still is")
		}
		root.SetData(0, nil)
		noErr(t, m)
		if holds(t, m, "data") {
			t.Error("what was there before still is")
		}
	})
}
