package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

func TestEqual(t *testing.T) {
	sp, lp := structPtr, listPtr
	for _, c := range []struct {
		name string
		a, b []uint64
		want Equality
	}{
		{"null and null", []uint64{0}, []uint64{0}, Equal},
		{"null and empty struct", []uint64{0}, []uint64{sp(-1, 0, 0)}, NotEqual},
		{"null and empty list", []uint64{0}, []uint64{lp(0, Void, 0)}, NotEqual},
		{"struct and list", []uint64{sp(-1, 0, 0)}, []uint64{lp(0, Void, 0)}, NotEqual},
		{"same data", []uint64{sp(0, 1, 0), 5}, []uint64{sp(0, 1, 0), 5}, Equal},
		{"other data", []uint64{sp(0, 1, 0), 5}, []uint64{sp(0, 1, 0), 6}, NotEqual},
		{"trailing zero data", []uint64{sp(0, 1, 0), 5}, []uint64{sp(0, 3, 0), 5, 0, 0}, Equal},
		{"trailing data that is not zero", []uint64{sp(0, 1, 0), 5}, []uint64{sp(0, 3, 0), 5, 0, 1}, NotEqual},
		{"trailing null pointers", []uint64{sp(0, 1, 0), 5}, []uint64{sp(0, 1, 2), 5, 0, 0}, Equal},
		{"a pointer more", []uint64{sp(0, 1, 0), 5}, []uint64{sp(0, 1, 1), 5, sp(-1, 0, 0)}, NotEqual},
		{"empty and all zero", []uint64{sp(-1, 0, 0)}, []uint64{sp(0, 1, 1), 0, 0}, Equal},
		{"list of another size", []uint64{lp(0, Byte, 2), 0}, []uint64{lp(0, TwoBytes, 2), 0}, NotEqual},
		{"list of another length", []uint64{lp(0, Byte, 2), 0}, []uint64{lp(0, Byte, 3), 0}, NotEqual},
		{"bytes with other padding", []uint64{lp(0, Byte, 2), 0x112233}, []uint64{lp(0, Byte, 2), 0x2233}, Equal},
		{"other bytes", []uint64{lp(0, Byte, 2), 0x2233}, []uint64{lp(0, Byte, 2), 0x2234}, NotEqual},
		{"bits with other padding", []uint64{lp(0, Bit, 3), 0xfd}, []uint64{lp(0, Bit, 3), 5}, Equal},
		{"other bits", []uint64{lp(0, Bit, 3), 5}, []uint64{lp(0, Bit, 3), 1}, NotEqual},
		{"voids", []uint64{lp(0, Void, 3)}, []uint64{lp(0, Void, 3)}, Equal},
		{"structs of another size", []uint64{lp(0, Composite, 2), listTag(2, 1, 0), 1, 2}, []uint64{lp(0, Composite, 4), listTag(2, 2, 0), 1, 0, 2, 0}, Equal},
		{"other structs", []uint64{lp(0, Composite, 2), listTag(2, 1, 0), 1, 2}, []uint64{lp(0, Composite, 2), listTag(2, 1, 0), 1, 3}, NotEqual},
		{"structs and numbers", []uint64{lp(0, Composite, 2), listTag(2, 1, 0), 1, 2}, []uint64{lp(0, EightBytes, 2), 1, 2}, NotEqual},
		{"behind a far pointer", []uint64{farPtr(0, 1), sp(0, 1, 0), 5}, []uint64{sp(0, 1, 0), 5}, Equal},
		{"capabilities", []uint64{capPtr(1)}, []uint64{capPtr(2)}, UnknownCapabilities},
		{"capabilities below, and a difference", []uint64{sp(0, 1, 1), 1, capPtr(0)}, []uint64{sp(0, 1, 1), 2, capPtr(0)}, NotEqual},
		{"capabilities below", []uint64{sp(0, 0, 1), capPtr(0)}, []uint64{sp(0, 0, 1), capPtr(0)}, UnknownCapabilities},
		{"a difference behind capabilities", []uint64{sp(0, 0, 2), capPtr(0), sp(-1, 0, 0)}, []uint64{sp(0, 0, 2), capPtr(0), 0}, NotEqual},
		{"pointer lists", []uint64{lp(0, Pointer, 2), 0, lp(0, Byte, 1), 7}, []uint64{lp(0, Pointer, 2), 0, farPtr(0, 4), 0, lp(0, Byte, 1), 7}, Equal},
		{"other pointer lists", []uint64{lp(0, Pointer, 1), lp(0, Byte, 1), 7}, []uint64{lp(0, Pointer, 1), lp(0, Byte, 1), 8}, NotEqual},
		{"empty pointer lists", []uint64{lp(0, Pointer, 0)}, []uint64{lp(0, Pointer, 0)}, Equal},
		{"NaNs of the same bits", []uint64{lp(0, EightBytes, 1), 0x7ff8000000000001}, []uint64{lp(0, EightBytes, 1), 0x7ff8000000000001}, Equal},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := openWords(t, c.a), openWords(t, c.b)
			want(t, "a.Equal(b)", a.Root().Equal(b.Root()), c.want)
			want(t, "b.Equal(a)", b.Root().Equal(a.Root()), c.want)
			want(t, "a.Equal(a) is NotEqual", a.Root().Equal(a.Root()) == NotEqual, false)
			noErr(t, a)
			noErr(t, b)
		})
	}
}

// Comparing is metered as any reading is.
func TestEqualIsMetered(t *testing.T) {
	a := openBytes(t, segsOf([]uint64{listPtr(0, EightBytes, 4), 1, 2, 3, 4}), Options{Limits: Limits{TraversalWords: 3}})
	b := openWords(t, []uint64{listPtr(0, EightBytes, 4), 1, 2, 3, 4})
	want(t, "Equal", a.Root().Equal(b.Root()), NotEqual)
	wantLimit(t, a.Err(), "TraversalWords", 3)
}
