package segment_test

import (
	"math"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Unions and groups have no form of their own on the wire: a discriminant and
// members that share places. What generated code does with them is this.

func TestUnionMembersShareTheirPlace(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 2, Ptrs: 1})
	s.SetUint16(0, 1)
	s.SetUint32(8, 0xffffffff)
	want(t, "discriminant", s.Reader().Uint16(0), 1)
	s.SetUint16(0, 2)
	s.ClearData(64, 64)
	s.SetBool(64, true)
	want(t, "the other member", s.Reader().Uint64(8), 1)
	s.SetUint16(0, 3)
	s.SetText(0, "third")
	r := reread(t, m).Root().Struct()
	want(t, "discriminant", r.Uint16(0), 3)
	want(t, "pointer member", r.Text(0), "third")
}

// A discriminant that no schema knows survives reading and copying.
func TestUnknownDiscriminantSurvives(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 1})
	s.SetUint16(2, 0xfffe)
	c := builder(t, fresh{})
	c.RootBuilder().Set(reread(t, m).Root())
	want(t, "discriminant", c.Root().Struct().Uint16(2), 0xfffe)
}

func TestClearData(t *testing.T) {
	for _, c := range []struct {
		name string
		bit  uint32
		bits uint64
		want [2]uint64
	}{
		{"nothing", 5, 0, [2]uint64{math.MaxUint64, math.MaxUint64}},
		{"a bit", 5, 1, [2]uint64{^uint64(1 << 5), math.MaxUint64}},
		{"bits in a byte", 1, 6, [2]uint64{^uint64(0x7e), math.MaxUint64}},
		{"a byte", 8, 8, [2]uint64{^uint64(0xff00), math.MaxUint64}},
		{"across bytes", 7, 10, [2]uint64{^uint64(0x1ff80), math.MaxUint64}},
		{"across words", 63, 2, [2]uint64{math.MaxUint64 >> 1, math.MaxUint64 - 1}},
		{"a word", 64, 64, [2]uint64{math.MaxUint64, 0}},
		{"all", 0, 128, [2]uint64{}},
		{"beyond the end", 120, 1 << 40, [2]uint64{math.MaxUint64, math.MaxUint64 >> 8}},
		{"from beyond the end", 128, 8, [2]uint64{math.MaxUint64, math.MaxUint64}},
		{"from the last bit there is", math.MaxUint32, math.MaxUint32, [2]uint64{math.MaxUint64, math.MaxUint64}},
		{"all that there may be", 64, math.MaxUint64, [2]uint64{math.MaxUint64, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := builder(t, fresh{})
			s := m.NewRoot(Size{DataWords: 2, Ptrs: 1})
			s.SetText(0, "kept")
			s.SetUint64(0, math.MaxUint64)
			s.SetUint64(8, math.MaxUint64)
			s.ClearData(c.bit, c.bits)
			want(t, "data", [2]uint64{s.Reader().Uint64(0), s.Reader().Uint64(8)}, c.want)
			want(t, "pointer", s.Reader().Text(0), "kept")
		})
	}
}

// Initialising a group zeroes its members and no other field.
func TestInterleavedGroups(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 3, Ptrs: 4})
	for i := range uint32(6) {
		s.SetUint32(4*i, 0x01010101*(i+1))
	}
	for i := range uint16(4) {
		s.SetText(i, string(rune('a'+i)))
	}
	for _, word := range []uint32{0, 2, 4} { // the group that has every other place
		s.ClearData(word*32, 32)
	}
	s.Ptr(0).Clear()
	s.Ptr(2).Clear()
	r := s.Reader()
	for i := range uint32(6) {
		expect := uint32(0)
		if i%2 == 1 {
			expect = 0x01010101 * (i + 1)
		}
		want(t, "field", r.Uint32(4*i), expect)
	}
	want(t, "pointers", r.Text(0)+r.Text(1)+r.Text(2)+r.Text(3), "bd")
	want(t, "Has", [4]bool{r.Has(0), r.Has(1), r.Has(2), r.Has(3)}, [4]bool{false, true, false, true})
	s.Clear()
	want(t, "TotalWords", must(t)(s.Reader().TotalWords()), 7)
	want(t, "what is not zero", nonZeroBytes(t, m), 2) // the sizes in the root pointer
}
