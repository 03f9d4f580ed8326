package segment_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// A peer that shares the memory changes a pointer behind the builder's back.
// The orphan that is then made of it lies outside the segment, and cutting or
// lengthening it faulted, or wrote there.
func TestDisownOfAPointerThatWasChanged(t *testing.T) {
	const far, near = 1 << 28, 100 // both behind the segment's words, near inside its memory
	lists := []struct {
		name  string
		build func(p PtrBuilder)
		word  func(off int32) uint64
	}{
		{
			"bytes", func(p PtrBuilder) { p.SetData(bytes.Repeat([]byte{7}, 64)) },
			func(off int32) uint64 { return listPtr(off, Byte, 64) },
		},
		{
			"text", func(p PtrBuilder) { p.SetText("a text of some length") },
			func(off int32) uint64 { return listPtr(off, Byte, 22) },
		},
		{
			"bits", func(p PtrBuilder) { p.NewList(Bit, 99) },
			func(off int32) uint64 { return listPtr(off, Bit, 99) },
		},
		{
			"eight bytes", func(p PtrBuilder) { p.NewList(EightBytes, 9) },
			func(off int32) uint64 { return listPtr(off, EightBytes, 9) },
		},
		{
			"longest", func(p PtrBuilder) { p.NewList(EightBytes, 9) },
			func(off int32) uint64 { return listPtr(off, EightBytes, 1<<29-1) },
		},
		{
			"pointers", func(p PtrBuilder) { p.NewPtrs(4).At(3).SetText("below") },
			func(off int32) uint64 { return listPtr(off, Pointer, 64) },
		},
		{
			"structs", func(p PtrBuilder) { p.NewStructList(Size{DataWords: 1, Ptrs: 1}, 3) },
			func(off int32) uint64 { return listPtr(off, Composite, 64) },
		},
		{
			"struct", func(p PtrBuilder) { p.NewStruct(Size{DataWords: 3}) },
			func(off int32) uint64 { return structPtr(off, 60, 4) },
		},
	}
	uses := []struct {
		name string
		do   func(o *Orphan)
	}{
		{"Truncate to nothing", func(o *Orphan) { o.Truncate(0) }},
		{"Truncate to 3", func(o *Orphan) { o.Truncate(3) }},
		{"Truncate to more", func(o *Orphan) { o.Truncate(70) }},
		{"TruncateText to nothing", func(o *Orphan) { o.TruncateText(0) }},
		{"TruncateText to more", func(o *Orphan) { o.TruncateText(90) }},
		{"Discard", func(o *Orphan) { o.Discard() }},
		{"Data", func(o *Orphan) { clear(o.Data()) }},
		{"List", func(o *Orphan) { o.List(Byte) }},
		{"StructList", func(o *Orphan) { o.StructList(Size{DataWords: 2, Ptrs: 2}) }},
		{"Struct", func(o *Orphan) { o.Struct(Size{DataWords: 2, Ptrs: 2}) }},
	}
	for _, l := range lists {
		for name, off := range map[string]int32{"far behind": far, "just behind": near, "far before": -far, "just before": -4} {
			for _, u := range uses {
				t.Run(l.name+"/"+name+"/"+u.name, func(t *testing.T) {
					m := builder(t, fresh{})
					root := m.NewRoot(Size{DataWords: 1, Ptrs: 2})
					root.SetUint64(0, 0x0102030405060708)
					l.build(root.Ptr(0))
					root.SetText(1, "neighbour")
					segs, err := m.ToSegments()
					if err != nil {
						t.Fatal(err)
					}
					seg := segs[0]
					binary.LittleEndian.PutUint64(seg[16:], l.word(off))
					before := bytes.Clone(seg)
					clear(before[16:24]) // Disown sets the pointer to null

					o := root.Ptr(0).Disown()
					u.do(o)
					if !bytes.Equal(seg, before) {
						t.Errorf("the segment was written to:\n%x, want\n%x", seg, before)
					}
					for i, b := range seg[len(seg):cap(seg)] {
						if b != 0 {
							t.Fatalf("byte %d behind the segment is %#x", i, b)
						}
					}
					m.ClearErr()
					want(t, "neighbour", root.Reader().Text(1), "neighbour")
				})
			}
		}
	}
}

// The same with the tag of a struct list, that says more than there is.
func TestTruncateOfAListWhoseTagWasChanged(t *testing.T) {
	for name, tag := range map[string]uint64{
		"more elements":     listTag(1000, 1, 1),
		"the most elements": listTag(1<<30-1, 1, 1),
		"larger elements":   listTag(3, 0xffff, 0xffff),
		"the most of both":  listTag(1<<30-1, 0xffff, 0xffff),
	} {
		for _, n := range []int{0, 1, 5, 2000} {
			m := builder(t, fresh{})
			root := m.NewRoot(Size{Ptrs: 2})
			root.Ptr(0).NewStructList(Size{DataWords: 1, Ptrs: 1}, 3)
			root.SetText(1, "neighbour")
			segs, err := m.ToSegments()
			if err != nil {
				t.Fatal(err)
			}
			o := root.Ptr(0).Disown()
			binary.LittleEndian.PutUint64(segs[0][24:], tag)
			before := bytes.Clone(segs[0])
			o.Truncate(n)
			if !bytes.Equal(segs[0], before) {
				t.Errorf("%s, Truncate(%d): the segment was written to:\n%x, want\n%x", name, n, segs[0], before)
			}
			wantErr(t, m, ErrMisuse, "does not lie in its segment")
		}
	}
}
