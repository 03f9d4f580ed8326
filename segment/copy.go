package segment

// A deep copy first makes the new object and then lets the pointer refer to
// it. So the source may lie below or above the pointer, and is intact as long
// as it is read.

// copyObject copies what src refers to into near's message.
func copyObject(near *seg, src Ptr) (target, bool) {
	switch k, t := src.object(); k {
	case KindStruct:
		if s := src.structAt(t); s.seg != nil {
			return copyStruct(near, s, s.Size())
		}
	case KindList:
		if l := src.listAt(t, anyElem); l.seg != nil {
			return copyList(near, l)
		}
	case KindCapability:
		return target{tag: capability(near.msg, src.seg.msg, t.tag)}, true
	case KindNull:
		return t, true
	}
	return target{}, false
}

// copyStruct copies a struct, to size sz.
func copyStruct(near *seg, src Struct, sz Size) (target, bool) {
	o, ok := object(near, int64(sz.Words()), structWord(sz))
	if !ok {
		return o, false
	}
	if sz.Words() != 0 {
		fillStruct(o.seg, o.seg.at(o.start), sz, src)
	}
	return o, true
}

// fillStruct copies src into a struct that is all zero.
func fillStruct(s *seg, base addr, sz Size, src Struct) {
	data := uint32(sz.DataWords) * wordBytes
	if n := int(min(data, src.sz.data)); n != 0 {
		copy(s.bytes(base, n), src.seg.bytes(src.data, n))
	}
	for i := range min(sz.Ptrs, src.sz.ptrs) {
		if o, ok := copyObject(s, src.Ptr(i)); ok {
			linkTo(s, step(base, uint(data)+uint(i)*wordBytes), o)
		}
	}
}

func copyList(near *seg, src List) (target, bool) {
	if src.n.elem == Composite {
		return copyComposite(near, src, src.StructSize())
	}
	count := src.n.count
	o, ok := object(near, listWords(src.n.elem, count), listWord(src.n.elem, count))
	if !ok {
		return o, false
	}
	if src.n.elem == Pointer {
		for i := range count {
			if c, ok := copyObject(o.seg, Ptrs{src}.At(int(i))); ok {
				linkTo(o.seg, o.seg.at(o.start+int64(i)), c)
			}
		}
		return o, true
	}
	copyBits(o, src)
	return o, true
}

// copyBits copies a list of numbers or bits, and leaves its padding zero.
func copyBits(o target, src List) {
	bits := elemBits[src.n.elem] * uint64(src.n.count)
	n := int((bits + 7) / 8)
	if n == 0 {
		return
	}
	dst := o.seg.bytes(o.seg.at(o.start), n)
	copy(dst, src.seg.bytes(src.base, n))
	if rest := bits % 8; rest != 0 {
		dst[n-1] &= 1<<rest - 1
	}
}

// copyComposite copies a list of structs, each to size sz.
func copyComposite(near *seg, src List, sz Size) (target, bool) {
	each := int64(sz.Words())
	words := each * int64(src.n.count)
	if words > maxSegmentWords {
		near.msg.overLimit("words of a list", maxSegmentWords, uint64(words))
		return target{}, false
	}
	o, ok := object(near, words+1, listWord(Composite, uint32(words)))
	if !ok {
		return o, false
	}
	o.seg.st64(o.seg.at(o.start), 0, uint64(tagWord(src.n.count, sz)))
	if each == 0 {
		return o, true
	}
	for i, e := range src.Structs().Indexed() {
		fillStruct(o.seg, o.seg.at(o.start+1+int64(i)*each), sz, e)
	}
	return o, true
}

// overwriteStruct copies src over a struct that holds something.
func overwriteStruct(s *seg, base addr, sz sizes, src Struct) {
	if s == src.seg && base == src.data {
		return
	}
	if s.foreign || !s.msg.built {
		s.msg.fail(ErrReadOnly)
		return
	}
	// The source may lie above what is set, or below it and be cleared with it.
	// So everything is copied before anything is set.
	var few [8]target
	objects := few[:0]
	for i := range sz.ptrs {
		o, ok := copyObject(s, src.Ptr(i))
		if !ok {
			o = target{}
		}
		objects = append(objects, o)
	}
	if sz.data != 0 {
		dst := s.bytes(base, int(sz.data))
		clear(dst[copy(dst, src.DataBytes()):])
	}
	for i, o := range objects {
		PtrBuilder{s, step(base, uint(sz.data)+uint(i)*wordBytes)}.take(o, true, src.Message())
	}
}
