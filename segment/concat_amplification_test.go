package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// A list of a million empty structs is one word. Joined to a list of one large
// struct each of them took the size of that one.
func TestConcatOfEmptyStructsAndALargeOne(t *testing.T) {
	const many, large = 1 << 20, 12
	b := builder(t, fresh{})
	root := b.NewRoot(Size{Ptrs: 3})
	root.Ptr(0).NewStructList(Size{}, many)
	root.Ptr(1).NewStructList(Size{DataWords: large}, 1)
	root.Ptr(2).NewStructList(Size{}, 100)
	noErr(t, b)
	if n := b.SizeBytes(); n > 200 {
		t.Fatalf("the message has %d bytes, want hardly any", n)
	}
	for _, order := range [][2]uint16{{0, 1}, {1, 0}} {
		in := reread(t, b).Root().Struct()
		out := builder(t, fresh{})
		out.NewRoot(Size{Ptrs: 1})
		o := out.NewOrphanConcat(in.List(order[0]), in.List(order[1]))
		want(t, "IsNull", o.IsNull(), true)
		wantLimit(t, out.Err(), "TraversalWords", DefaultTraversalWords)
		wantLimit(t, in.Message().Err(), "TraversalWords", DefaultTraversalWords)
		if n := out.SizeBytes(); n >= 1<<20 {
			t.Errorf("%d bytes were built", n)
		}
	}

	// What reading as much would cost may be built, and is charged.
	in := reread(t, b).Root().Struct()
	out := builder(t, fresh{})
	small, one := in.List(2), in.List(1)
	left := in.Message().Budget()
	o := out.NewOrphanConcat(small, one)
	noErr(t, out)
	want(t, "elements", o.StructList(Size{}).Len(), 101)
	if cost := left - in.Message().Budget(); cost < 101*large {
		t.Errorf("%d words were charged, want %d at least", cost, 101*large)
	}
}
