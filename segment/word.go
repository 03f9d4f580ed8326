package segment

import "fmt"

// A word is 8 bytes of a message, read as a pointer. The layouts, from
// https://capnproto.org/encoding.html, least significant bit first:
//
//	struct  | 0 | 30 bits signed offset | 16 bits data words | 16 bits pointers |
//	list    | 1 | 30 bits signed offset | 3 bits ElemSize | 29 bits count       |
//	far     | 2 | double? | 29 bits word in segment | 32 bits segment           |
//	other   | 3 | 30 zero bits (capability) | 32 bits index                     |
//
// The tag in front of a Composite list is a struct pointer whose offset is the
// number of elements.
type word uint64

// The pointer kinds.
const (
	kindStruct = 0
	kindList   = 1
	kindFar    = 2
	kindOther  = 3
)

const (
	wordBytes = 8
	// maxSegmentWords bounds a segment: offsets and list counts have 29 bits.
	maxSegmentWords = 1<<29 - 1
	// maxListLen bounds a list's number of elements.
	maxListLen = 1<<29 - 1
)

func (w word) kind() uint8       { return uint8(w & 3) }
func (w word) offset() int64     { return int64(int32(uint32(w)) >> 2) }
func (w word) upper() uint32     { return uint32(w >> 32) }
func (w word) data() uint16      { return uint16(w >> 32) } // words
func (w word) ptrs() uint16      { return uint16(w >> 48) }
func (w word) elem() ElemSize    { return ElemSize(w >> 32 & 7) }
func (w word) count() uint32     { return uint32(w >> 35) }
func (w word) double() bool      { return w&4 != 0 }
func (w word) farWord() int64    { return int64(uint32(w) >> 3) }
func (w word) isCap() bool       { return uint32(w) == kindOther }
func (w word) tagLen() uint32    { return uint32(w) >> 2 & maxListLen }
func (w word) size() Size        { return Size{DataWords: w.data(), Ptrs: w.ptrs()} }
func (w word) detached() word    { return w &^ 0xfffffffc } // without its offset
func (w word) to(off int64) word { return w.detached() | word(uint32(int32(off)<<2)) }

func structWord(sz Size) word { return word(sz.DataWords)<<32 | word(sz.Ptrs)<<48 }

func listWord(e ElemSize, count uint32) word {
	return kindList | word(e)<<32 | word(count)<<35
}

func farWord(segment uint32, at int64, double bool) word {
	w := word(segment)<<32 | word(uint32(at)<<3) | kindFar
	if double {
		w |= 4
	}
	return w
}

func tagWord(count uint32, sz Size) word { return structWord(sz) | word(count<<2) }

// String describes the pointer for error messages and inspection.
func (w word) String() string {
	switch {
	case w == 0:
		return "null"
	case w.kind() == kindStruct:
		return fmt.Sprintf("struct pointer (offset %d, %d data words, %d pointers)", w.offset(), w.data(), w.ptrs())
	case w.kind() == kindList:
		return fmt.Sprintf("list pointer (offset %d, %s elements, count %d)", w.offset(), w.elem(), w.count())
	case w.kind() == kindFar && w.double():
		return fmt.Sprintf("double-far pointer (segment %d, word %d)", w.upper(), w.farWord())
	case w.kind() == kindFar:
		return fmt.Sprintf("far pointer (segment %d, word %d)", w.upper(), w.farWord())
	case w.isCap():
		return fmt.Sprintf("capability %d", w.upper())
	default:
		return fmt.Sprintf("unknown pointer %#016x", uint64(w))
	}
}

// Size is the size of a struct's two sections.
type Size struct {
	DataWords uint16 // 8-byte words of the data section
	Ptrs      uint16 // pointers of the pointer section
}

// Words is the whole size of a struct in 8-byte words.
func (s Size) Words() int { return int(s.DataWords) + int(s.Ptrs) }

func (s Size) fits(in Size) bool { return s.DataWords <= in.DataWords && s.Ptrs <= in.Ptrs }

func (s Size) max(o Size) Size {
	return Size{DataWords: max(s.DataWords, o.DataWords), Ptrs: max(s.Ptrs, o.Ptrs)}
}

// ElemSize is the size of a list's elements, with the encoding's numbers.
type ElemSize uint8

// The element sizes.
const (
	Void       ElemSize = iota // no bits
	Bit                        // 1 bit: Bool
	Byte                       // Int8, UInt8, Text, Data
	TwoBytes                   // Int16, UInt16, enums
	FourBytes                  // Int32, UInt32, Float32
	EightBytes                 // Int64, UInt64, Float64
	Pointer                    // one pointer: lists, text, data, capabilities
	Composite                  // structs of any size, with a tag word in front
)

var elemNames = [8]string{"void", "bit", "1-byte", "2-byte", "4-byte", "8-byte", "pointer", "struct"}

func (e ElemSize) String() string {
	if int(e) < len(elemNames) {
		return elemNames[e]
	}
	return fmt.Sprintf("ElemSize(%d)", uint8(e))
}

// elemData and elemPtrs are what one element of a size has, in bytes and in
// pointers. Bits are not bytes; the callers treat them apart.
var (
	elemData = [8]uint32{Byte: 1, TwoBytes: 2, FourBytes: 4, EightBytes: 8}
	elemPtrs = [8]uint16{Pointer: 1}
	elemBits = [8]uint64{Bit: 1, Byte: 8, TwoBytes: 16, FourBytes: 32, EightBytes: 64, Pointer: 64}
)

// listWords is the size of a list of count elements of size e (not Composite).
func listWords(e ElemSize, count uint32) int64 {
	return int64((elemBits[e&7]*uint64(count) + 63) / 64)
}
