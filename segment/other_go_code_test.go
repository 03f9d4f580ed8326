package segment_test

import (
	"math"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Faults that other Go implementations had.

func TestElementSizeMismatchDoesNotCrash(t *testing.T) {
	for e := Void; e <= Composite; e++ {
		seg := []uint64{listPtr(0, e, 2), listTag(1, 1, 0), 0}
		m := openWords(t, seg)
		p := m.Root()
		for range p.Bools().All() {
		}
		for range ReadNumbers[uint8](p).All() {
		}
		for range ReadNumbers[uint16](p).All() {
		}
		for range ReadNumbers[float32](p).All() {
		}
		for range ReadNumbers[float64](p).All() {
		}
		for range p.Texts().All() {
		}
		for s := range ReadStructs[Struct](p).All() {
			s.Uint64(0)
			s.Text(0)
		}
	}
}

func TestFloat32ListsHave4ByteElements(t *testing.T) {
	m := builder(t, fresh{})
	l := NewNumbers[float32](m.RootBuilder(), 3)
	l.Copy([]float32{1, 2, 3})
	want(t, "ElemSize", l.List().Reader().ElemSize(), FourBytes)
	want(t, "SizeBytes", m.SizeBytes(), 8+16)
	want(t, "as bits", ReadNumbers[uint32](m.Root()).At(2), math.Float32bits(3))
	d := builder(t, fresh{})
	want(t, "float64", NewNumbers[float64](d.RootBuilder(), 3).List().Reader().ElemSize(), EightBytes)
}

func TestBitListsAreCopiedWhole(t *testing.T) {
	for _, n := range []int{1, 8, 9, 64, 65, 1000} {
		m := builder(t, fresh{})
		l := m.RootBuilder().NewBools(n)
		for i := range n {
			l.Set(i, i%7 == 2 || i == n-1)
		}
		c := builder(t, fresh{})
		c.RootBuilder().Set(m.Root())
		for i, v := range c.Root().Bools().Indexed() {
			want(t, "bit", v, i%7 == 2 || i == n-1)
		}
		want(t, "size", c.SizeBytes(), int64(8+(n+63)/64*8))
	}
}

func TestNullPayload(t *testing.T) {
	m := openWords(t, []uint64{structPtr(0, 0, 1), 0})
	c := builder(t, fresh{})
	c.RootBuilder().Set(m.Root().Struct().Ptr(0))
	c.RootBuilder().SetStruct(m.Root().Struct().Struct(0))
	c.RootBuilder().SetList(m.Root().Struct().List(0))
	want(t, "IsNull", c.Root().IsNull(), true)
	c.RootBuilder().NewStruct(Size{Ptrs: 1}).Ptr(0).Set(Struct{}.Ptr(5))
	noErr(t, c)
}

func TestAllZeroMessage(t *testing.T) {
	for n := 1; n < 5; n++ {
		m := openWords(t, make([]uint64, n), make([]uint64, n))
		want(t, "Verify", m.Verify(), nil)
		want(t, "Text", m.Root().Struct().Text(0), "")
		is, err := m.IsCanonical()
		want(t, "IsCanonical", is || err != nil, false)
	}
}

// Lengths are not truncated to int32 nor to 16 bits on their way.
func TestLongBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 80 MB")
	}
	const n = 40_000_000 // more than 2^32 bits hold as a word offset in bits
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	b := root.NewData(0, n)
	want(t, "len", len(b), n)
	b[n-1] = 7
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	r := openBytes(t, segs, Options{}).Root().Struct().Data(0)
	want(t, "len", len(r), n)
	want(t, "last", r[n-1], 7)
}
