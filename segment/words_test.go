package segment_test

import (
	"errors"
	"slices"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// The words that the builder writes, bit for bit.
func TestWireWords(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(m *Message)
		want  []uint64
	}{
		{"nothing", func(m *Message) {}, []uint64{0}},
		{"empty struct", func(m *Message) { m.NewRoot(Size{}) }, []uint64{0x00000000_fffffffc}},
		{"struct", func(m *Message) {
			s := m.NewRoot(Size{DataWords: 1, Ptrs: 2})
			s.SetUint16(0, 0x1234)
			s.SetText(1, "abc")
		}, []uint64{structPtr(0, 1, 2), 0x1234, 0, listPtr(0, Byte, 4), textWord("abc")}},
		{"empty data", func(m *Message) { m.RootBuilder().SetData([]byte{}) }, []uint64{listPtr(0, Byte, 0)}},
		{"empty text", func(m *Message) { m.RootBuilder().SetText("") }, []uint64{listPtr(0, Byte, 1), 0}},
		{"bits", func(m *Message) {
			l := m.RootBuilder().NewBools(10)
			l.Set(0, true)
			l.Set(9, true)
		}, []uint64{listPtr(0, Bit, 10), 0x201}},
		{"void list", func(m *Message) { m.RootBuilder().NewList(Void, 5) }, []uint64{listPtr(0, Void, 5)}},
		{"float32 list has 4-byte elements", func(m *Message) {
			NewNumbers[float32](m.RootBuilder(), 3).Copy([]float32{1, 2, -1})
		}, []uint64{listPtr(0, FourBytes, 3), 0x40000000_3f800000, 0xbf800000}},
		{"struct list", func(m *Message) {
			l := NewStructs[StructBuilder](m.RootBuilder(), Size{DataWords: 1}, 2)
			l.At(1).SetUint8(7, 0xff)
		}, []uint64{listPtr(0, Composite, 2), listTag(2, 1, 0), 0, 0xff << 56}},
		{"empty struct list", func(m *Message) {
			m.RootBuilder().NewStructList(Size{DataWords: 1, Ptrs: 1}, 0)
		}, []uint64{listPtr(0, Composite, 0), listTag(0, 1, 1)}},
		{"list of empty structs", func(m *Message) {
			m.RootBuilder().NewStructList(Size{}, 3)
		}, []uint64{listPtr(0, Composite, 0), listTag(3, 0, 0)}},
		{"capability", func(m *Message) { m.RootBuilder().SetCapability(0xdeadbeef) }, []uint64{0xdeadbeef_00000003}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := builder(t, fresh{})
			c.build(m)
			segs, err := m.ToSegments()
			if err != nil {
				t.Fatal(err)
			}
			if got := toWords(segs[0]); len(segs) != 1 || !slices.Equal(got, c.want) {
				t.Errorf("%d segments, the first %#x, want %#x", len(segs), got, c.want)
			}
			want(t, "SizeBytes", m.SizeBytes(), int64(8*len(c.want)))
			if err := reread(t, m).Verify(); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

func TestWordText(t *testing.T) {
	for w, text := range map[uint64]string{
		0:                                    "null",
		structPtr(-1, 0, 0):                  "struct pointer (offset -1, 0 data words, 0 pointers)",
		structPtr(-1<<29, 65535, 3):          "struct pointer (offset -536870912, 65535 data words, 3 pointers)",
		listPtr(1<<29-1, Composite, 1<<29-1): "list pointer (offset 536870911, struct elements, count 536870911)",
		farPtr(7, 1<<29-1):                   "far pointer (segment 7, word 536870911)",
		doubleFarPtr(1<<32-1, 2):             "double-far pointer (segment 4294967295, word 2)",
		capPtr(9):                            "capability 9",
		7:                                    "unknown pointer 0x0000000000000007",
	} {
		want(t, "text", WordString(w), text)
	}
	want(t, "ElemSize", ElemSize(9).String(), "ElemSize(9)")
	want(t, "Kind", KindInvalid.String(), "invalid")
}

// An address outside of the segment is an error, whichever way it is outside.
func TestBounds(t *testing.T) {
	const minOff, maxOff = -1 << 29, 1<<29 - 1
	for _, c := range []struct {
		name string
		w    uint64
		ok   bool
	}{
		{"struct that ends with the segment", structPtr(1, 1, 1), true},
		{"struct one past the end", structPtr(2, 1, 1), false},
		{"struct far past the end", structPtr(maxOff, 1, 0), false},
		{"struct as large as can be", structPtr(0, 65535, 65535), false},
		{"struct at a negative offset that is there", structPtr(-1, 1, 0), true},
		{"struct in front of the segment", structPtr(-2, 1, 0), false},
		{"struct at the most negative offset", structPtr(minOff, 1, 0), false},
		{"struct from in front into the segment", structPtr(-2, 4, 0), false},
		{"empty struct outside", structPtr(maxOff, 0, 0), true},
		{"list that ends with the segment", listPtr(0, EightBytes, 3), true},
		{"list one past the end", listPtr(0, EightBytes, 4), false},
		{"list of a byte too many", listPtr(0, Byte, 25), false},
		{"list of a bit too many", listPtr(0, Bit, 193), false},
		{"list of bits that ends with the segment", listPtr(0, Bit, 192), true},
		{"list as long as can be", listPtr(0, EightBytes, 1<<29-1), false},
		{"pointer list as long as can be", listPtr(maxOff, Pointer, 1<<29-1), false},
		{"list in front of the segment", listPtr(-2, Byte, 1), false},
		{"list at the most negative offset", listPtr(minOff, Byte, 1), false},
		{"empty list outside", listPtr(minOff, EightBytes, 0), true},
		{"struct list past the end", listPtr(0, Composite, 3), false},
		{"struct list without room for its tag", listPtr(3, Composite, 0), false},
		{"struct list in front of the segment", listPtr(-3, Composite, 0), false},
		{"struct list as long as can be", listPtr(0, Composite, 1<<29-1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, []uint64{c.w, 0, 0, 0})
			err := m.Verify()
			if c.ok != (err == nil) || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("Verify is %v, want ok: %v", err, c.ok)
			}
			m.ClearErr()
			m.Root().Struct()
			m.Root().List()
			m.Root().Data()
			m.Root().TextBytes()
		})
	}
}

func TestStructListTag(t *testing.T) {
	for _, c := range []struct {
		name  string
		count uint32 // words in the pointer
		tag   uint64
		part  string // of the error; none if it is valid
	}{
		{"exact", 2, listTag(2, 1, 0), ""},
		{"with words to spare", 2, listTag(1, 1, 0), ""},
		{"a word short", 2, listTag(3, 1, 0), "list of 3 structs of 1 words in 2 words"},
		{"a product beyond 32 bits", 2, listTag(1<<29-1, 65535, 65535), "list of 536870911 structs of 131070 words in 2 words"},
		{"a list as its tag", 2, listPtr(1, Byte, 0), "as its tag"},
		{"a far pointer as its tag", 2, farPtr(0, 1), "as its tag"},
		{"a capability as its tag", 2, capPtr(1), "as its tag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, []uint64{listPtr(0, Composite, c.count), c.tag, 1, 2})
			l := m.Root().List()
			if c.part == "" {
				noErr(t, m)
				want(t, "Len", l.Len(), int(uint32(c.tag)>>2))
				return
			}
			wantErr(t, m, ErrMalformed, c.part)
			want(t, "Len", l.Len(), 0)
		})
	}
}

// The tag has room for 30 bits of element count, of which the reference reads
// 29: the top one changes nothing, and so does not make a list longer than any
// list can be.
func TestStructListCountOf30Bits(t *testing.T) {
	m := openWords(t, []uint64{listPtr(0, Composite, 2), listTag(1<<29+2, 1, 0), 1, 2})
	want(t, "Len", m.Root().List().Len(), 2)
	want(t, "element", ReadStructs[Struct](m.Root()).At(1).Uint64(0), 2)
	noErr(t, m)
	want(t, "Verify", m.Verify(), nil)

	m = openWords(t, []uint64{listPtr(0, Composite, 2), listTag(1<<29+3, 1, 0), 1, 2})
	want(t, "Len", m.Root().List().Len(), 0)
	wantErr(t, m, ErrMalformed, "list of 3 structs of 1 words in 2 words")

	m = openWords(t, []uint64{listPtr(0, Composite, 2), listTag(1<<30-1, 0, 0), 1, 2})
	want(t, "Len", m.Root().List().Len(), 0)
	wantLimit(t, m.Err(), "TraversalWords", DefaultTraversalWords)
}

// An object without size at the end of its segment must not be given the
// address behind it: that may be another allocation's, which the collector
// would then keep, or none.
func TestNoAddressPastTheEnd(t *testing.T) {
	for _, segs := range [][][]uint64{
		{{listPtr(0, EightBytes, 0)}},
		{{listPtr(0, Void, 3)}},
		{{listPtr(1<<20, Byte, 0)}},
		{{listPtr(-1<<20, Byte, 0)}},
		{{structPtr(0, 0, 0) | 4}},
		{{structPtr(1<<20, 0, 0)}},
		{{listPtr(0, Composite, 0), listTag(3, 0, 0)}},
		{{listPtr(0, Composite, 0), listTag(0, 1, 1)}},
		{{farPtr(1, 0)}, {structPtr(0, 0, 0)}},
		{{farPtr(1, 0)}, {listPtr(0, Byte, 0)}},
	} {
		m := openWords(t, segs...)
		var inside bool
		if m.Root().Kind() == KindStruct {
			inside = m.Root().Struct().InSegment()
		} else {
			inside = m.Root().List().InSegment()
		}
		if !inside {
			t.Errorf("%#x gives an address outside of its segment", segs)
		}
		noErr(t, m)
		b := builder(t, &exact{max: 8 * 20})
		b.RootBuilder().Set(m.Root())
		if k := b.Root().Kind(); k == KindList && !b.Root().List().InSegment() || k == KindStruct && !b.Root().Struct().InSegment() {
			t.Errorf("the copy of %#x gives an address outside of its segment", segs)
		}
		noErr(t, b)
	}
}

func TestNoRoot(t *testing.T) {
	for _, c := range []struct {
		name string
		segs [][]byte
	}{
		{"no segments", nil},
		{"an empty first segment", [][]byte{{}}},
		{"an empty first segment before another", [][]byte{{}, make([]byte, 8)}},
		{"7 bytes", [][]byte{make([]byte, 7)}},
		{"a second segment of 9 bytes", [][]byte{make([]byte, 8), make([]byte, 9)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if m, err := FromSegments(c.segs); !errors.Is(err, ErrMalformed) || m != nil {
				t.Errorf("FromSegments gives %v, %v", m, err)
			}
		})
	}
}

// A null root is a message of nothing but defaults.
func TestNullRoot(t *testing.T) {
	m := openWords(t, []uint64{0})
	s := m.Root().Struct()
	want(t, "Kind", m.Root().Kind(), KindNull)
	want(t, "Size", s.Size(), Size{})
	want(t, "Uint64", s.Uint64(0), 0)
	want(t, "Text", s.Text(3), "")
	want(t, "Len", m.Root().List().Len(), 0)
	want(t, "Has", s.Has(0), false)
	if m.Root().Data() != nil || m.Root().TextBytes() != nil {
		t.Error("a null pointer has bytes")
	}
	noErr(t, m)
	want(t, "Verify", m.Verify(), nil)
}

// Segments that do not start at a multiple of 8 are copied, and read the same.
func TestUnalignedSegments(t *testing.T) {
	b := toBytes([]uint64{farPtr(1, 0)})
	c := toBytes([]uint64{structPtr(0, 1, 0), 77})
	for shift := range 8 {
		mem := make([]byte, 64)
		at := copy(mem[shift:], b) + shift
		copy(mem[at:], c)
		m := openBytes(t, [][]byte{mem[shift:at:at], mem[at : at+len(c) : at+len(c)]}, Options{})
		want(t, "Uint64", m.Root().Struct().Uint64(0), 77)
		noErr(t, m)
		mem[at+8] = 78
		if shift == 0 {
			want(t, "Uint64 of aligned memory that changed", m.Root().Struct().Uint64(0), 78)
		} else if NativeViews {
			want(t, "Uint64 of unaligned memory that changed", m.Root().Struct().Uint64(0), 77)
		}
	}
}

// ToSegments and FromSegments copy nothing, and the slices can't be appended
// into the message.
func TestSegmentsAreTheMemory(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 1})
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	s.SetUint64(0, 5)
	want(t, "the last byte group", toWords(segs[0])[1], 5)
	want(t, "capacity", cap(segs[0]), len(segs[0]))
	segs[0][8] = 6
	want(t, "Uint64", s.Reader().Uint64(0), 6)
}
