package segment

import "math"

// Struct gives the struct that is there, of size sz at least: one written by
// an older schema is copied to its new size, and the old one zeroed. Where the
// pointer is null a new one is built; what is no struct is an error.
func (p PtrBuilder) Struct(sz Size) StructBuilder { return p.structOr(sz, Struct{}) }

// StructOr is Struct, which in the place of null builds a copy of def.
func (p PtrBuilder) StructOr(sz Size, def Struct) StructBuilder { return p.structOr(sz, def) }

//go:noinline
func (p PtrBuilder) structOr(sz Size, def Struct) StructBuilder {
	if p.seg == nil {
		return StructBuilder{}
	}
	w := p.Reader().load()
	if w == 0 {
		if def.seg == nil {
			return p.NewStruct(sz)
		}
		o, ok := copyStruct(p.seg, def, sz.max(def.Size()))
		p.take(o, ok, def.Message())
		if w = p.Reader().load(); w == 0 {
			return StructBuilder{}
		}
	}
	t, ok := p.seg.resolve(p.at, w)
	old := p.Reader().Struct()
	if !ok || old.seg == nil {
		return StructBuilder{}
	}
	if t.seg.foreign {
		p.seg.msg.fail(ErrReadOnly)
		return StructBuilder{}
	}
	have := old.Size()
	if sz.fits(have) {
		return StructBuilder{old.seg, old.data, sizes{data: old.sz.data, ptrs: old.sz.ptrs}}
	}
	want := sz.max(have)
	o, ok := object(t.seg, int64(want.Words()), structWord(want))
	if !ok {
		return StructBuilder{}
	}
	n := StructBuilder{o.seg, o.seg.at(o.start), sizes{data: uint32(want.DataWords) * wordBytes, ptrs: want.Ptrs}}
	moveStruct(n, old)
	p.relink(o)
	return n
}

// relink lets the pointer refer to an object in the place of the one it
// referred to, whose pointers have been moved away.
func (p PtrBuilder) relink(o target) {
	clearPtr(p.seg, p.at)
	linkTo(p.seg, p.at, o)
}

// moveStruct copies the fields of old and moves its pointers.
func moveStruct(n StructBuilder, old Struct) {
	if b := old.DataBytes(); len(b) != 0 {
		copy(n.seg.bytes(n.base, int(n.sz.data)), b)
	}
	for i := range min(old.sz.ptrs, n.sz.ptrs) {
		from := old.Ptr(i)
		movePtr(n.Ptr(i), PtrBuilder{from.seg, from.at})
	}
}

// movePtr lets dst refer to what src refers to, and makes src null.
func movePtr(dst, src PtrBuilder) {
	w := src.Reader().load()
	src.seg.st64(src.at, 0, 0)
	switch {
	case w == 0:
	case w.kind() == kindStruct || w.kind() == kindList:
		linkTo(dst.seg, dst.at, target{src.seg, src.seg.index(src.at) + 1 + w.offset(), w})
	default:
		dst.seg.st64(dst.at, 0, uint64(w)) // far pointers and capabilities do not depend on their place
	}
}

// List gives the list that is there, to be used with elements of size e, which
// is not Composite: see [PtrBuilder.StructList]. It is empty where the pointer
// is null. A list that can't be used so is an error.
func (p PtrBuilder) List(e ElemSize) ListBuilder {
	if p.seg == nil {
		return ListBuilder{}
	}
	l := p.Reader().list(e)
	if l.seg == nil {
		return ListBuilder{}
	}
	if l.seg.foreign {
		p.seg.msg.fail(ErrReadOnly)
		return ListBuilder{}
	}
	return ListBuilder{l.seg, l.base, l.sz, l.n}
}

// StructList gives the list of structs that is there, its elements of size sz
// at least: one written by an older schema, of smaller structs or of numbers
// or pointers, is copied to its new size, and the old one zeroed. It is empty
// where the pointer is null. A list of bits is an error.
//
//go:noinline
func (p PtrBuilder) StructList(sz Size) ListBuilder {
	l := p.List(anyElem)
	if l.seg == nil {
		return ListBuilder{}
	}
	old := l.Reader()
	if !old.usable(Composite) {
		return ListBuilder{}
	}
	have := old.StructSize()
	if l.n.elem == Composite && sz.fits(have) {
		return l
	}
	want := sz.max(have)
	each := int64(want.Words())
	words := each * int64(l.n.count)
	if words >= maxSegmentWords {
		p.tooLong("words of a list", maxSegmentWords-1, int(min(words, math.MaxInt)))
		return ListBuilder{}
	}
	o, ok := object(l.seg, words+1, listWord(Composite, uint32(words)))
	if !ok {
		return ListBuilder{}
	}
	o.seg.st64(o.seg.at(o.start), 0, uint64(tagWord(l.n.count, want)))
	n := ListBuilder{
		o.seg, target{seg: o.seg, start: o.start + 1}.place(),
		sizes{data: uint32(want.DataWords) * wordBytes, ptrs: want.Ptrs},
		length{l.n.count, Composite},
	}
	for i, e := range old.Structs().Indexed() {
		moveStruct(StructBuilder{n.seg, n.place(i), n.sz}, e)
	}
	p.relink(o)
	return n
}

// ListOr is List, which in the place of null builds a copy of def.
func (p PtrBuilder) ListOr(e ElemSize, def List) ListBuilder {
	if p.IsNull() {
		p.SetList(def)
	}
	return p.List(e)
}

// StructListOr is StructList, which in the place of null builds a copy of def.
func (p PtrBuilder) StructListOr(sz Size, def List) ListBuilder {
	if p.IsNull() {
		p.SetList(def)
	}
	return p.StructList(sz)
}
