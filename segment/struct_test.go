package segment_test

import (
	"math"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Every setter writes where its getter reads, little-endian, and nowhere else.
func TestFieldTypes(t *testing.T) {
	nan32 := math.Float32frombits(0x7fc12345)
	for _, c := range []struct {
		name string
		set  func(s StructBuilder)
		get  func(s Struct) any
		want any
		at   int // byte offset
		raw  []byte
	}{
		{"bool", func(s StructBuilder) { s.SetBool(13, true) }, func(s Struct) any { return s.Bool(13) }, true, 1, []byte{0x20}},
		{"uint8", func(s StructBuilder) { s.SetUint8(7, 0x81) }, func(s Struct) any { return s.Uint8(7) }, uint8(0x81), 7, []byte{0x81}},
		{"int8", func(s StructBuilder) { s.SetInt8(7, -2) }, func(s Struct) any { return s.Int8(7) }, int8(-2), 7, []byte{0xfe}},
		{"uint16", func(s StructBuilder) { s.SetUint16(6, 0x8123) }, func(s Struct) any { return s.Uint16(6) }, uint16(0x8123), 6, []byte{0x23, 0x81}},
		{"int16", func(s StructBuilder) { s.SetInt16(6, -2) }, func(s Struct) any { return s.Int16(6) }, int16(-2), 6, []byte{0xfe, 0xff}},
		{"uint32", func(s StructBuilder) { s.SetUint32(12, 0x81234567) }, func(s Struct) any { return s.Uint32(12) }, uint32(0x81234567), 12, []byte{0x67, 0x45, 0x23, 0x81}},
		{"int32", func(s StructBuilder) { s.SetInt32(12, math.MinInt32) }, func(s Struct) any { return s.Int32(12) }, int32(math.MinInt32), 12, []byte{0, 0, 0, 0x80}},
		{"uint64", func(s StructBuilder) { s.SetUint64(8, math.MaxUint64-1) }, func(s Struct) any { return s.Uint64(8) }, uint64(math.MaxUint64 - 1), 8, []byte{0xfe, 255, 255, 255, 255, 255, 255, 255}},
		{"int64", func(s StructBuilder) { s.SetInt64(8, math.MinInt64) }, func(s Struct) any { return s.Int64(8) }, int64(math.MinInt64), 8, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}},
		{"float32", func(s StructBuilder) { s.SetFloat32(4, -1.5) }, func(s Struct) any { return s.Float32(4) }, float32(-1.5), 4, []byte{0, 0, 0xc0, 0xbf}},
		{"float64", func(s StructBuilder) { s.SetFloat64(0, -1.5) }, func(s Struct) any { return s.Float64(0) }, -1.5, 0, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0xbf}},
		{"a NaN's payload", func(s StructBuilder) { s.SetFloat32(4, nan32) }, func(s Struct) any { return math.Float32bits(s.Float32(4)) }, uint32(0x7fc12345), 4, []byte{0x45, 0x23, 0xc1, 0x7f}},
		{"negative zero", func(s StructBuilder) { s.SetFloat64(0, math.Copysign(0, -1)) }, func(s Struct) any { return math.Signbit(s.Float64(0)) }, true, 7, []byte{0x80}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := builder(t, fresh{})
			s := m.NewRoot(Size{DataWords: 2})
			c.set(s)
			if got := c.get(s.Reader()); got != c.want {
				t.Errorf("read %v, want %v", got, c.want)
			}
			expect := make([]byte, 16)
			copy(expect[c.at:], c.raw)
			want(t, "bytes", string(s.Reader().DataBytes()), string(expect))
			if got := c.get(reread(t, m).Root().Struct()); got != c.want {
				t.Errorf("reread %v, want %v", got, c.want)
			}
		})
	}
}

// A default is XORed with the data by generated code: zero on the wire is the
// default, and a NaN or a float's exact bits survive.
func TestDefaultsByXOR(t *testing.T) {
	const nan = 0x7ff4_0000_dead_beef // signalling, with a payload
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 3})
	get := func(off uint32, def uint64) uint64 { return s.Reader().Uint64(off) ^ def }
	want(t, "unset field", get(0, nan), nan)
	s.SetUint64(8, math.Float64bits(1e300)^nan)
	want(t, "set field", math.Float64frombits(get(8, nan)), 1e300)
	for _, v := range []uint64{nan, 0} {
		s.SetUint64(16, v^nan)
		want(t, "raw word", s.Reader().Uint64(16), v^nan)
		want(t, "set field", get(16, nan), v)
	}
	const def = true
	want(t, "true by default, in a short struct", openWords(t, []uint64{structPtr(0, 0, 0)}).Root().Struct().Bool(5) != def, true)
	for _, v := range []bool{true, false} {
		s.SetBool(7, v != def)
		want(t, "true by default, set", s.Reader().Bool(7) != def, v)
	}
}

// A setter of one bit changes that bit.
func TestOneBit(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 1})
	for _, start := range []uint64{0, math.MaxUint64, 0xa5a5a5a5a5a5a5a5} {
		for bit := range uint32(64) {
			for _, v := range []bool{true, false} {
				s.SetUint64(0, start)
				s.SetBool(bit, v)
				expect := start &^ (1 << bit)
				if v {
					expect |= 1 << bit
				}
				if got := s.Reader().Uint64(0); got != expect {
					t.Fatalf("bit %d of %#x set to %v gives %#x", bit, start, v, got)
				}
			}
		}
	}
}

// What is beyond the end of a struct reads as zero and can't be written.
func TestBeyondTheEnd(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 1, Ptrs: 1})
	s.SetUint64(0, math.MaxUint64)
	before := nonZeroBytes(t, m)
	r := s.Reader()
	for _, off := range []uint32{8, 9, 16, 1 << 20, math.MaxUint32 - 8, math.MaxUint32 - 7, math.MaxUint32 - 1, math.MaxUint32} {
		s.SetUint8(off, 0xee)
		s.SetUint16(off, 0xeeee)
		s.SetUint32(off, 0xeeeeeeee)
		s.SetUint64(off, math.MaxUint64)
		if r.Uint8(off) != 0 || r.Uint16(off) != 0 || r.Uint32(off) != 0 || r.Uint64(off) != 0 || r.Float32(off) != 0 || r.Float64(off) != 0 {
			t.Errorf("a field at byte %d is not zero", off)
		}
	}
	for _, off := range []uint32{1, 7} { // begins inside and ends outside
		s.SetUint64(off, 0)
		want(t, "Uint64 across the end", r.Uint64(off), 0)
	}
	s.SetUint32(5, 0)
	s.SetUint16(7, 0)
	for _, bit := range []uint32{64, 65, 1 << 30, math.MaxUint32} {
		s.SetBool(bit, true)
		want(t, "Bool", r.Bool(bit), false)
	}
	want(t, "bytes that are not zero", nonZeroBytes(t, m), before)
	want(t, "data", r.Uint64(0), uint64(math.MaxUint64))
	for _, i := range []uint16{1, 2, 65535} {
		want(t, "Has", r.Has(i), false)
		want(t, "Text", r.Text(i), "")
		want(t, "List", r.List(i).Len(), 0)
		mustPanic(t, "out of range", func() { s.Ptr(i) })
	}
	noErr(t, m)
}

// The largest struct of all.
func TestLargestStruct(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 65535, Ptrs: 65535})
	s.SetUint8(65535*8-1, 9)
	s.SetBool(65535*64-1, true)
	s.SetText(65534, "last")
	r := reread(t, m).Root().Struct()
	want(t, "Uint8", r.Uint8(65535*8-1), 0x89)
	want(t, "Text", r.Text(65534), "last")
	want(t, "Size", r.Size(), Size{DataWords: 65535, Ptrs: 65535})
	mustPanic(t, "out of range", func() { s.Ptr(65535) })
}

// The zero handles read as defaults, build nothing and do not panic.
func TestZeroHandles(t *testing.T) {
	var s Struct
	if s.Uint8(0) != 0 || s.Uint64(0) != 0 || s.Bool(0) || s.Float64(8) != 0 || s.Has(0) || s.Text(0) != "" || s.DataBytes() != nil {
		t.Error("the zero Struct is not all zero")
	}
	want(t, "Message", s.Message(), nil)
	want(t, "Struct", s.Struct(0), Struct{})
	var l List
	want(t, "Len", l.Len(), 0)
	want(t, "Structs", l.Structs().Len(), 0)
	want(t, "Ptrs", l.Ptrs().Len(), 0)
	want(t, "Bools", l.Bools().Len(), 0)
	want(t, "Numbers", NumbersOf[int32](l).Len(), 0)
	want(t, "List.Message", l.Message(), nil)
	var p Ptr
	want(t, "Kind", p.Kind(), KindNull)
	want(t, "Equal", p.Equal(Ptr{}), Equal)
	if n, err := p.TotalWords(); n != 0 || err != nil {
		t.Errorf("TotalWords is %d, %v", n, err)
	}
	var b StructBuilder
	b.SetUint64(0, 1)
	b.SetBool(0, true)
	b.SetText(0, "x")
	b.SetData(0, []byte("x"))
	b.Clear()
	b.CopyFrom(s)
	b.NewStruct(9, Size{DataWords: 1}).NewStruct(1, Size{Ptrs: 1}).SetText(0, "x")
	want(t, "NewData", b.NewData(0, 5) == nil, true)
	var q PtrBuilder
	q.Clear()
	q.SetCapability(1)
	q.Set(p)
	q.SetStruct(s)
	q.SetList(l)
	q.Adopt(q.Disown())
	want(t, "NewText", q.NewText(4) == nil, true)
	want(t, "Data", q.Data() == nil, true)
	want(t, "IsNull", q.IsNull(), true)
	q.NewStructList(Size{DataWords: 1}, 3)
	want(t, "Struct", q.Struct(Size{DataWords: 1}), StructBuilder{})
	want(t, "StructList", q.StructList(Size{DataWords: 1}).Len(), 0)
}

// A failed list keeps the length that was asked for, so that a loop that fills
// it or reads it back does nothing instead of panicking.
func TestFailedListKeepsItsLength(t *testing.T) {
	m := builder(t, &exact{max: 64})
	root := m.NewRoot(Size{Ptrs: 4})
	l := NewStructs[StructBuilder](root.Ptr(0), Size{DataWords: 4, Ptrs: 1}, 100)
	n := NewNumbers[float64](root.Ptr(1), 100)
	b := root.Ptr(2).NewBools(10_000)
	p := root.Ptr(3).NewPtrs(100)
	want(t, "lengths", [4]int{l.Len(), n.Len(), b.Len(), p.Len()}, [4]int{100, 100, 10_000, 100})
	for i := range 100 {
		l.At(i).SetUint64(0, 1)
		l.At(i).SetText(0, "x")
		l.Set(i, root.Reader())
		n.Set(i, 1)
		b.Set(i, true)
		p.At(i).SetText("x")
		if n.At(i) != 0 || b.At(i) || !p.At(i).IsNull() {
			t.Fatal("a failed list has something in it")
		}
	}
	want(t, "Copy", n.Copy(make([]float64, 3)), 3)
	mustPanic(t, "out of range", func() { n.Set(100, 0) })
	if !refused(m, errRefused) {
		t.Errorf("Err is %v", m.Err())
	}
	if _, err := m.ToSegments(); err == nil {
		t.Error("a message with a fault leaves")
	}
}

// The readers of failed builders are as good as empty.
func TestFailedBuildersReader(t *testing.T) {
	m := builder(t, &exact{max: 64})
	root := m.NewRoot(Size{Ptrs: 1})
	b := root.Ptr(0).NewBools(10_000)
	for range b.Reader().All() {
	}
	n := NewNumbers[int32](root.Ptr(0), 100)
	for range n.Reader().All() {
	}
	want(t, "Copy", n.Reader().Copy(make([]int32, 1)) <= 1, true)
	p := root.Ptr(0).NewPtrs(100)
	for q := range p.Reader().All() {
		want(t, "IsNull", q.IsNull(), true)
	}
	l := NewStructs[StructBuilder](root.Ptr(0), Size{DataWords: 4}, 100)
	want(t, "Equal", l.List().Reader().Equal(List{}) != UnknownCapabilities, true)
	root.Ptr(0).SetList(l.List().Reader())
	if _, err := l.List().Reader().TotalWords(); err != nil {
		t.Error(err)
	}
}

// A list that is longer than any list can be keeps its length too.
func TestTooLongListKeepsItsLength(t *testing.T) {
	m := builder(t, fresh{})
	n := NewNumbers[uint8](m.RootBuilder(), 1<<29)
	want(t, "Len", n.Len(), 1<<29)
	l := NewStructs[StructBuilder](m.RootBuilder(), Size{}, 1<<29)
	want(t, "Len", l.Len(), 1<<29)
	wantLimit(t, m.Err(), "elements of a list", 1<<29-1)
	n.Set(1<<29-1, 1)
	l.At(1<<29-1).SetUint8(0, 1)
}

func TestNegativeLengthsPanic(t *testing.T) {
	m := builder(t, fresh{})
	p := m.RootBuilder()
	mustPanic(t, "negative", func() { p.NewList(Byte, -1) })
	mustPanic(t, "negative", func() { p.NewStructList(Size{DataWords: 1}, -1) })
	mustPanic(t, "negative", func() { p.NewData(-1) })
	mustPanic(t, "negative", func() { p.NewText(-1) })
	mustPanic(t, "struct", func() { p.NewList(Composite, 1) })
}
