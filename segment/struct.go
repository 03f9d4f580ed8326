package segment

import "math"

// sizes are the two sections of a struct, and how deep below it may be read.
// They are a struct of their own because Go keeps a handle in registers only
// if it has at most four fields at each level.
type sizes struct {
	data  uint32 // bytes
	ptrs  uint16
	depth uint16
}

// Struct reads a struct. It is a small value, valid until its message's
// Release; the zero Struct reads as all defaults.
//
// Getters take the place of a field as its schema gives it: a byte offset into
// the data section (for Bool a bit), or the index of a pointer. A field beyond
// the struct's end, as an older sender leaves it, reads as zero; generated
// code XORs the default. Bytes are little-endian on every machine.
type Struct struct {
	seg  *seg
	data addr
	sz   sizes
}

// Message is the message that the struct lies in, or nil for the zero Struct.
func (s Struct) Message() *Message {
	if s.seg == nil {
		return nil
	}
	return s.seg.msg
}

// Size is the size of the struct as it lies there, the data section rounded up
// to words.
func (s Struct) Size() Size {
	return Size{DataWords: uint16((s.sz.data + 7) / 8), Ptrs: s.sz.ptrs}
}

// DataBytes is the data section as it lies there, not to be modified.
func (s Struct) DataBytes() []byte {
	if s.sz.data == 0 {
		return nil
	}
	return s.seg.bytes(s.data, int(s.sz.data))
}

// Bool reads the bit at a bit offset.
func (s Struct) Bool(bit uint32) bool {
	if bit>>3 < s.sz.data {
		return s.seg.ld8(s.data, bit>>3)>>(bit&7)&1 != 0
	}
	return false
}

// Uint8 reads the byte at a byte offset.
func (s Struct) Uint8(off uint32) uint8 {
	if off < s.sz.data {
		return s.seg.ld8(s.data, off)
	}
	return 0
}

// Uint16 reads 2 bytes at a byte offset.
func (s Struct) Uint16(off uint32) uint16 {
	if uint64(off)+2 <= uint64(s.sz.data) {
		return s.seg.ld16(s.data, off)
	}
	return 0
}

// Uint32 reads 4 bytes at a byte offset.
func (s Struct) Uint32(off uint32) uint32 {
	if uint64(off)+4 <= uint64(s.sz.data) {
		return s.seg.ld32(s.data, off)
	}
	return 0
}

// Uint64 reads 8 bytes at a byte offset.
func (s Struct) Uint64(off uint32) uint64 {
	if uint64(off)+8 <= uint64(s.sz.data) {
		return s.seg.ld64(s.data, off)
	}
	return 0
}

// Int8 reads the byte at a byte offset.
func (s Struct) Int8(off uint32) int8 { return int8(s.Uint8(off)) }

// Int16 reads 2 bytes at a byte offset.
func (s Struct) Int16(off uint32) int16 { return int16(s.Uint16(off)) }

// Int32 reads 4 bytes at a byte offset.
func (s Struct) Int32(off uint32) int32 { return int32(s.Uint32(off)) }

// Int64 reads 8 bytes at a byte offset.
func (s Struct) Int64(off uint32) int64 { return int64(s.Uint64(off)) }

// Float32 reads 4 bytes at a byte offset.
func (s Struct) Float32(off uint32) float32 { return math.Float32frombits(s.Uint32(off)) }

// Float64 reads 8 bytes at a byte offset.
func (s Struct) Float64(off uint32) float64 { return math.Float64frombits(s.Uint64(off)) }

// Ptr gives pointer i, or the null pointer where the struct has no such.
func (s Struct) Ptr(i uint16) Ptr {
	if i < s.sz.ptrs {
		return Ptr{s.seg, step(s.data, uint(s.sz.data)+uint(i)*wordBytes), s.sz.depth}
	}
	return Ptr{}
}

// Has tells whether pointer i is not null.
func (s Struct) Has(i uint16) bool { return !s.Ptr(i).IsNull() }

// Struct reads the struct that pointer i refers to.
//
//go:noinline
func (s Struct) Struct(i uint16) Struct {
	if i >= s.sz.ptrs {
		return Struct{}
	}
	g, at := s.seg, step(s.data, uint(s.sz.data)+uint(i)*wordBytes)
	w := word(g.ld64(at, 0))
	start := g.index(at) + 1 + w.offset()
	n := int64(w.data()) + int64(w.ptrs())
	// Near, and not without size, which null is too.
	if w.kind() != kindStruct || n == 0 || s.sz.depth == 0 || start|(g.words-start-n) < 0 {
		return Ptr{g, at, s.sz.depth}.structSlow(w)
	}
	if m := g.msg; m.metered {
		if m.budget < n {
			return Ptr{g, at, s.sz.depth}.structSlow(w)
		}
		m.budget -= n
	}
	return Struct{g, g.at(start), sizes{uint32(w.data()) * wordBytes, w.ptrs(), s.sz.depth - 1}}
}

// Text copies the text that pointer i refers to. See [Ptr.Text].
func (s Struct) Text(i uint16) string { return string(s.TextBytes(i)) }

// TextBytes gives the text that pointer i refers to without copying it. See
// [Ptr.TextBytes].
func (s Struct) TextBytes(i uint16) []byte { return textBytes(s.seg, s.data, s.sz, i) }

// textBytes takes a Struct in parts: of one passed whole, Go stores the pointers
// to the stack at once.
//
//go:noinline
func textBytes(g *seg, data addr, sz sizes, i uint16) []byte {
	if i >= sz.ptrs {
		return nil
	}
	at := step(data, uint(sz.data)+uint(i)*wordBytes)
	w := word(g.ld64(at, 0))
	start := g.reach(at, w)
	last := int64(w>>35) - 1 // the byte that must be NUL
	// A near list of bytes, not empty, and within the segment.
	if w&(3|7<<32) != kindList|word(Byte)<<32 || start|last|(g.words*wordBytes-wordBytes-1-start-last) < 0 {
		return Ptr{g, at, sz.depth}.textSlow(w)
	}
	a := g.reached(start)
	if g.ld8(a, uint32(last)) != 0 {
		return Ptr{g, at, sz.depth}.textSlow(w)
	}
	if m := g.msg; m.metered {
		words := (last + wordBytes) / wordBytes
		if m.budget < words {
			return Ptr{g, at, sz.depth}.textSlow(w)
		}
		m.budget -= words
	}
	return g.list(a, last)
}

// Data gives the bytes that pointer i refers to without copying them. See
// [Ptr.Data].
func (s Struct) Data(i uint16) []byte { return s.Ptr(i).Data() }

// List reads the list that pointer i refers to, whatever its elements are.
func (s Struct) List(i uint16) List { return s.Ptr(i).List() }
