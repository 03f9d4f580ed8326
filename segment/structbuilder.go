package segment

import "math"

// StructBuilder builds a struct in place. It is a small value, valid until its
// message's Release or until the pointer that refers to the struct is set to
// something else. A setter of a failed builder, such as one from an arena
// that is full, does nothing; the message's [Message.Err] tells.
//
// Fields are given as for [Struct]. Setting a field beyond the struct's end
// does nothing: get the struct by [PtrBuilder.Struct], which makes it as large
// as the schema wants.
type StructBuilder struct {
	seg  *seg
	base addr
	sz   sizes
}

// Reader gives the same struct for reading, at no cost.
func (s StructBuilder) Reader() Struct {
	return Struct{s.seg, s.base, sizes{s.sz.data, s.sz.ptrs, math.MaxUint16}}
}

// Message is the message that the struct lies in, or nil for a failed builder.
func (s StructBuilder) Message() *Message {
	if s.seg == nil {
		return nil
	}
	return s.seg.msg
}

// Size is the size of the struct as it lies there.
func (s StructBuilder) Size() Size { return s.Reader().Size() }

// SetBool sets the bit at a bit offset.
func (s StructBuilder) SetBool(bit uint32, v bool) {
	if off := bit >> 3; off < s.sz.data {
		var one uint8 // without a branch, which random values would mispredict
		if v {
			one = 1
		}
		s.seg.st8(s.base, off, s.seg.ld8(s.base, off)&^(1<<(bit&7))|one<<(bit&7))
	}
}

// SetUint8 sets the byte at a byte offset.
func (s StructBuilder) SetUint8(off uint32, v uint8) {
	if off < s.sz.data {
		s.seg.st8(s.base, off, v)
	}
}

// SetUint16 sets 2 bytes at a byte offset.
func (s StructBuilder) SetUint16(off uint32, v uint16) {
	if uint64(off)+2 <= uint64(s.sz.data) {
		s.seg.st16(s.base, off, v)
	}
}

// SetUint32 sets 4 bytes at a byte offset.
func (s StructBuilder) SetUint32(off, v uint32) {
	if uint64(off)+4 <= uint64(s.sz.data) {
		s.seg.st32(s.base, off, v)
	}
}

// SetUint64 sets 8 bytes at a byte offset.
func (s StructBuilder) SetUint64(off uint32, v uint64) {
	if uint64(off)+8 <= uint64(s.sz.data) {
		s.seg.st64(s.base, off, v)
	}
}

// SetInt8 sets the byte at a byte offset.
func (s StructBuilder) SetInt8(off uint32, v int8) { s.SetUint8(off, uint8(v)) }

// SetInt16 sets 2 bytes at a byte offset.
func (s StructBuilder) SetInt16(off uint32, v int16) { s.SetUint16(off, uint16(v)) }

// SetInt32 sets 4 bytes at a byte offset.
func (s StructBuilder) SetInt32(off uint32, v int32) { s.SetUint32(off, uint32(v)) }

// SetInt64 sets 8 bytes at a byte offset.
func (s StructBuilder) SetInt64(off uint32, v int64) { s.SetUint64(off, uint64(v)) }

// SetFloat32 sets 4 bytes at a byte offset.
func (s StructBuilder) SetFloat32(off uint32, v float32) { s.SetUint32(off, math.Float32bits(v)) }

// SetFloat64 sets 8 bytes at a byte offset.
func (s StructBuilder) SetFloat64(off uint32, v float64) { s.SetUint64(off, math.Float64bits(v)) }

// Ptr gives pointer i for building. It panics where the struct has no such,
// but for a failed builder, whose pointers do nothing.
func (s StructBuilder) Ptr(i uint16) PtrBuilder {
	if i < s.sz.ptrs {
		return PtrBuilder{s.seg, step(s.base, uint(s.sz.data)+uint(i)*wordBytes)}
	}
	if s.seg != nil {
		_ = none[:s.sz.ptrs][i]
	}
	return PtrBuilder{}
}

// Has tells whether pointer i is not null.
func (s StructBuilder) Has(i uint16) bool { return s.Reader().Has(i) }

// NewStruct builds a struct of size sz, all zero, under pointer i.
//
//go:noinline
func (s StructBuilder) NewStruct(i uint16, sz Size) StructBuilder {
	if i >= s.sz.ptrs {
		return s.Ptr(i).newStructSlow(sz)
	}
	g, at := s.seg, step(s.base, uint(s.sz.data)+uint(i)*wordBytes)
	n := int64(sz.DataWords) + int64(sz.Ptrs)
	start := g.words
	if n == 0 || start+n > g.limit || g.ld64(at, 0) != 0 {
		return g.structBeside(at, sz)
	}
	g.words = start + n
	to := g.at(start)
	g.st64(at, 0, uint64(link(structWord(sz), at, to)))
	return StructBuilder{g, to, sizes{data: uint32(sz.DataWords) * wordBytes, ptrs: sz.Ptrs}}
}

// Struct gives the struct under pointer i, of size sz at least. See
// [PtrBuilder.Struct].
func (s StructBuilder) Struct(i uint16, sz Size) StructBuilder { return s.Ptr(i).Struct(sz) }

// SetText copies text under pointer i. See [PtrBuilder.SetText].
func (s StructBuilder) SetText(i uint16, v string) { setText(s.seg, s.base, s.sz, i, v) }

// setText takes a StructBuilder in parts: of one passed whole, Go stores the
// pointers to the stack at once.
//
//go:noinline
func setText(g *seg, base addr, in sizes, i uint16, v string) {
	if i >= in.ptrs || len(v) > shortText {
		setLongText(g, base, in, i, v)
		return
	}
	at := step(base, uint(in.data)+uint(i)*wordBytes)
	start := g.words
	end := start + textWords(v)
	if end > g.limit || g.ld64(at, 0) != 0 {
		g.textBeside(at, v)
		return
	}
	n := uint(len(v))
	g.words = end
	to := g.at(start)
	g.st64(at, 0, uint64(link(listWord(Byte, 1)+word(n)<<35, at, to)))
	// Short texts are what most messages hold; moves that overlap copy one
	// faster than a call would.
	if n >= 16 {
		if n <= 32 {
			g.move16(to, v, 0)
			g.move16(to, v, n-16)
			return
		}
		if n > 64 {
			g.move(to, v)
			return
		}
		g.move16(to, v, 0)
		g.move16(to, v, 16)
		g.move16(to, v, n-32)
		g.move16(to, v, n-16)
		return
	}
	if n >= 8 {
		g.move8(to, v, 0)
		g.move8(to, v, n-8)
		return
	}
	if n >= 4 {
		g.move4(to, v, 0)
		g.move4(to, v, n-4)
		return
	}
	for off := range n {
		g.move1(to, v, off)
	}
}

//go:noinline
func setLongText(g *seg, base addr, in sizes, i uint16, v string) {
	StructBuilder{g, base, in}.Ptr(i).setTextSlow(v)
}

// textWords is the room that text takes, with its NUL.
func textWords(v string) int64 { return int64(uint(len(v))/wordBytes) + 1 }

// SetData copies data under pointer i.
func (s StructBuilder) SetData(i uint16, v []byte) { s.Ptr(i).SetData(v) }

// NewData gives n zero bytes under pointer i, to be filled. See
// [PtrBuilder.NewData].
func (s StructBuilder) NewData(i uint16, n int) []byte { return s.Ptr(i).NewData(n) }

// SetExternalData puts bytes under pointer i without copying them. See
// [PtrBuilder.SetExternalData].
func (s StructBuilder) SetExternalData(i uint16, v []byte, release func()) (uncopied bool) {
	return s.Ptr(i).SetExternalData(v, release)
}

// SetExternalText puts text under pointer i without copying it. See
// [PtrBuilder.SetExternalText].
func (s StructBuilder) SetExternalText(i uint16, v []byte, release func()) (uncopied bool) {
	return s.Ptr(i).SetExternalText(v, release)
}

// Clear sets every field to zero and every pointer to null.
func (s StructBuilder) Clear() {
	s.ClearData(0, uint64(s.sz.data)*8)
	for i := range s.sz.ptrs {
		s.Ptr(i).Clear()
	}
}

// ClearData zeroes bits of the data section, from a bit offset on: the fields
// of a group that becomes the member of a union. Bits beyond the end are not
// there to be zeroed.
func (s StructBuilder) ClearData(bit uint32, bits uint64) {
	end := uint64(s.sz.data) * 8
	if bits < end { // so the sum can't overflow
		end = min(end, uint64(bit)+bits)
	}
	for at := uint64(bit); at < end; {
		if at%8 == 0 && end-at >= 8 {
			s.seg.st8(s.base, uint32(at/8), 0)
			at += 8
			continue
		}
		s.SetBool(uint32(at), false)
		at++
	}
}

// CopyFrom copies every field and, deeply, what every pointer refers to from
// src, which may lie in any message. What is beyond either struct's end reads
// as zero or is lost.
func (s StructBuilder) CopyFrom(src Struct) {
	if s.seg != nil {
		overwriteStruct(s.seg, s.base, s.sz, src)
	}
}
