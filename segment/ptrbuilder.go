package segment

import "math"

// PtrBuilder builds what a pointer refers to: what a schema calls AnyPointer.
// It is a small value, valid until its message's Release or until the object
// that holds the pointer is replaced. A failed PtrBuilder does nothing.
//
// Setting a pointer that refers to something already zeroes that object, and
// all that is below it, so that nothing of it leaks into the message; its room
// is not used again.
type PtrBuilder struct {
	seg *seg
	at  addr
}

// Reader gives the same pointer for reading, at no cost.
func (p PtrBuilder) Reader() Ptr { return Ptr{p.seg, p.at, math.MaxUint16} }

// Message is the message that the pointer lies in, or nil for a failed builder.
func (p PtrBuilder) Message() *Message {
	if p.seg == nil {
		return nil
	}
	return p.seg.msg
}

// IsNull tells whether the pointer is null.
func (p PtrBuilder) IsNull() bool { return p.Reader().IsNull() }

// Clear sets the pointer to null and zeroes what it referred to.
func (p PtrBuilder) Clear() {
	if p.seg != nil {
		clearPtr(p.seg, p.at)
	}
}

// NewStruct builds a struct of size sz, all zero.
func (p PtrBuilder) NewStruct(sz Size) StructBuilder { return p.field().NewStruct(0, sz) }

// field gives the pointer as the only one of a struct, so that a pointer and a
// struct's pointer have one way to be set, which takes one call.
func (p PtrBuilder) field() StructBuilder {
	if p.seg == nil {
		return StructBuilder{}
	}
	return StructBuilder{p.seg, p.at, sizes{ptrs: 1}}
}

//go:noinline
func (p PtrBuilder) newStructSlow(sz Size) StructBuilder {
	if p.seg != nil && sz == (Size{}) {
		// An object without size lies at the pointer itself.
		s := p.seg
		if s.foreign || !s.msg.built {
			s.msg.fail(ErrReadOnly)
			return StructBuilder{}
		}
		clearPtr(s, p.at)
		s.st64(p.at, 0, uint64(structWord(sz).to(-1)))
		return StructBuilder{seg: s, base: s.base}
	}
	o := place(p.seg, p.at, int64(sz.Words()))
	if o.seg == nil {
		return StructBuilder{}
	}
	o.describe(structWord(sz))
	return StructBuilder{o.seg, o.seg.at(o.start), sizes{data: uint32(sz.DataWords) * wordBytes, ptrs: sz.Ptrs}}
}

// newBytes takes room for a list of n bytes.
//
//go:noinline
func (p PtrBuilder) newBytes(n int) []byte {
	o := place(p.seg, p.at, int64(n+7)/wordBytes)
	if o.seg == nil {
		return nil
	}
	o.describe(listWord(Byte, uint32(n)))
	return target{seg: o.seg, start: o.start}.bytes(n)
}

// newDirtyBytes is newBytes for who overwrites them all, but for a NUL at their end.
func (p PtrBuilder) newDirtyBytes(n int) []byte {
	if p.seg != nil && p.seg.dirty != 0 {
		if b := p.seg.unswept(p.at, n); b != nil {
			return b
		}
	}
	return p.newBytes(n)
}

// maxText is how long text can be: a list of bytes with the NUL at its end.
const maxText = maxListLen - 1

// SetText copies text, and the NUL that ends it on the wire. It need not be
// UTF-8 and may have NULs inside. Its length is at most 2^29 - 2 bytes.
func (p PtrBuilder) SetText(v string) { p.field().SetText(0, v) }

//go:noinline
func (p PtrBuilder) setTextSlow(v string) {
	if len(v) > maxText {
		p.tooLong("bytes of a text", maxText, len(v))
		return
	}
	copy(p.newDirtyBytes(len(v)+1), v)
}

// NewText gives n bytes of a text to be filled, whose NUL is there already.
// The slice is the message's memory. It is nil for a failed builder.
func (p PtrBuilder) NewText(n int) []byte {
	if uint(n) > maxText {
		p.tooLong("bytes of a text", maxText, n)
		return nil
	}
	b := p.newBytes(n + 1)
	if b == nil {
		return nil
	}
	return b[:n:n]
}

// SetData copies data, of 2^29 - 1 bytes at most. v may be what is there, or a
// part of it.
func (p PtrBuilder) SetData(v []byte) {
	if p.seg == nil || len(v) == 0 || len(v) > maxListLen {
		p.NewDirtyData(len(v))
		return
	}
	old := word(p.seg.ld64(p.at, 0))
	if old != 0 {
		p.seg.st64(p.at, 0, 0)
	}
	copy(p.newDirtyBytes(len(v)), v)
	if old != 0 {
		clearUnder(p.seg, p.at, old, maxDepth)
	}
}

// NewData gives n zero bytes, to be filled in place. The slice is the
// message's memory, valid until its Release. It is nil for a failed builder.
func (p PtrBuilder) NewData(n int) []byte {
	if uint(n) > maxListLen {
		p.tooLong("bytes of data", maxListLen, n)
		return nil
	}
	return p.newBytes(n)
}

// NewDirtyData is NewData for who overwrites all of it: clearing much memory
// takes as long as filling it. What is not overwritten may show bytes of earlier
// messages to whoever gets this one.
func (p PtrBuilder) NewDirtyData(n int) []byte {
	if uint(n) > maxListLen {
		p.tooLong("bytes of data", maxListLen, n)
		return nil
	}
	return p.newDirtyBytes(n)
}

func (p PtrBuilder) tooLong(limit string, maximum uint64, got int) {
	if got < 0 {
		panic("segment: a negative length")
	}
	if p.seg != nil {
		p.seg.msg.overLimit(limit, maximum, uint64(got))
	}
}

// TextBytes gives the text that is there, which may be overwritten in place.
func (p PtrBuilder) TextBytes() []byte { return p.writable(p.Reader().TextBytes()) }

// Data gives the bytes that are there, which may be overwritten in place. It
// is nil where the pointer is null. External data is read-only.
func (p PtrBuilder) Data() []byte { return p.writable(p.Reader().Data()) }

// writable refuses to hand out memory that is not the message's to write.
func (p PtrBuilder) writable(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	t, ok := p.seg.resolve(p.at, word(p.seg.ld64(p.at, 0)))
	if !ok || t.seg.foreign || !p.seg.msg.built {
		p.seg.msg.fail(ErrReadOnly)
		return nil
	}
	return b
}

// SetCapability refers to a capability by its index in the caller's table.
func (p PtrBuilder) SetCapability(index uint32) {
	if p.seg == nil {
		return
	}
	clearPtr(p.seg, p.at)
	p.seg.st64(p.at, 0, kindOther|uint64(index)<<32)
}

// Set copies deeply what src refers to, from this message or another; src may
// even hold p. If src's message has a fault afterwards, or had one before, that
// error is also this message's, for the copy may lack something.
func (p PtrBuilder) Set(src Ptr) {
	if p.seg == nil {
		return
	}
	o, ok := copyObject(p.seg, src)
	p.take(o, ok, src.Message())
}

// SetStruct copies a struct deeply. The zero Struct makes the pointer null.
func (p PtrBuilder) SetStruct(src Struct) {
	if p.seg == nil {
		return
	}
	o, ok := target{}, true
	if src.seg != nil {
		o, ok = copyStruct(p.seg, src, src.Size())
	}
	p.take(o, ok, src.Message())
}

// SetList copies a list deeply. The zero List makes the pointer null.
func (p PtrBuilder) SetList(src List) {
	if p.seg == nil {
		return
	}
	o, ok := target{}, true
	if src.seg != nil {
		o, ok = copyList(p.seg, src)
	}
	p.take(o, ok, src.Message())
}

// take refers to an object of this message that nothing refers to yet. The
// zero target is null. from is the message that it was copied from.
func (p PtrBuilder) take(o target, ok bool, from *Message) {
	m := p.seg.msg
	if from != nil && from != m {
		if err := from.Err(); err != nil {
			m.fail(err)
		}
	}
	clearPtr(p.seg, p.at)
	if ok {
		linkTo(p.seg, p.at, o)
	}
}
