package segment

import "math"

// length is a list's number of elements and their size as written.
type length struct {
	count uint32
	elem  ElemSize
}

// List reads a list of any elements: what a schema calls AnyList. It is a
// value of 32 bytes, valid until its message's Release. The typed lists
// ([Structs], [Numbers], [Bools], [Texts], [Datas], [Ptrs]) are made from it.
type List struct {
	seg  *seg
	base addr
	sz   sizes // of one element; depth is what may follow below the list
	n    length
}

// Len is the number of elements.
func (l List) Len() int { return int(l.n.count) }

// ElemSize is the elements' size as written.
func (l List) ElemSize() ElemSize { return l.n.elem }

// StructSize is the size of the elements of a Composite list.
func (l List) StructSize() Size {
	return Size{DataWords: uint16((l.sz.data + 7) / 8), Ptrs: l.sz.ptrs}
}

// Message is the message that the list lies in, or nil for the zero List.
func (l List) Message() *Message {
	if l.seg == nil {
		return nil
	}
	return l.seg.msg
}

// stride is the distance between two elements in bytes. Bits have none.
func (l List) stride() uint { return uint(l.sz.data) + uint(l.sz.ptrs)*wordBytes }

// place is where element i lies. The caller has compared i with the length.
func (l List) place(i int) addr { return step(l.base, uint(i)*l.stride()) }

// none stands in for a list where an index is out of its range: indexing it
// panics as a slice does, at no cost to the inlining of those that do.
var none [math.MaxInt32]struct{}

// lenOf is a length as a failed list keeps it.
func lenOf(n int) uint32 { return uint32(min(n, math.MaxInt32)) }

// anyElem asks for a list without saying what its elements should be.
const anyElem ElemSize = 0xff

// List reads the list that the pointer refers to, whatever its elements are.
func (p Ptr) List() List { return p.list(anyElem) }

// list reads a list that is to be used with elements of a size. Upgrades are
// as the encoding allows: see [compatible].
func (p Ptr) list(want ElemSize) List { return p.listOf(p.load(), want) }

// listOf is list for a pointer that was loaded.
//
//go:noinline
func (p Ptr) listOf(w word, want ElemSize) List {
	if w == 0 || !p.descend() {
		return List{}
	}
	s := p.seg
	t, ok := s.resolve(p.at, w)
	if !ok {
		return List{}
	}
	if t.tag.kind() != kindList {
		s.malformed(p.at, "expected a list, found a %v", t.tag)
		return List{}
	}
	return p.listAt(t, want)
}

// listAt reads the list that the pointer was followed to.
func (p Ptr) listAt(t target, want ElemSize) List {
	if !p.descend() {
		return List{}
	}
	ok := true
	l := List{seg: t.seg, n: length{t.tag.count(), t.tag.elem()}}
	l.sz.depth = p.depth - 1
	if l.n.elem == Composite {
		l, ok = t.composite(p, l)
		if !ok {
			return List{}
		}
	} else {
		l.sz.data, l.sz.ptrs = elemData[l.n.elem], elemPtrs[l.n.elem]
		words := listWords(l.n.elem, l.n.count)
		if !t.check(p, words) {
			return List{}
		}
		if l.n.elem == Void && !t.seg.msg.charge(int64(l.n.count)) {
			return List{}
		}
		l.base = t.place()
	}
	if want != anyElem && !compatible(l, want) {
		p.seg.malformed(p.at, "expected a list of %s elements, found %s elements (%d bytes of data, %d pointers)", want, l.n.elem, l.sz.data, l.sz.ptrs)
		return List{}
	}
	return l
}

// composite reads the tag in front of a list of structs.
func (t target) composite(p Ptr, l List) (List, bool) {
	words := int64(t.tag.count())
	if t.start|(t.seg.words-t.start-words-1) < 0 {
		p.seg.malformed(p.at, "%v: %d words and a tag from word %d of segment %d, which has %d", t.tag, words, t.start, t.seg.id, t.seg.words)
		return l, false
	}
	if !t.seg.msg.charge(words + 1) {
		return l, false
	}
	tag := word(t.seg.ld64(t.seg.at(t.start), 0))
	if tag.kind() != kindStruct {
		p.seg.malformed(p.at, "list of structs with a %v as its tag", tag)
		return l, false
	}
	l.n.count = tag.tagLen()
	l.sz.data, l.sz.ptrs = uint32(tag.data())*wordBytes, tag.ptrs()
	each := int64(tag.size().Words())
	if int64(l.n.count)*each > words {
		p.seg.malformed(p.at, "list of %d structs of %d words in %d words", l.n.count, each, words)
		return l, false
	}
	if each == 0 && !t.seg.msg.charge(int64(l.n.count)) {
		return l, false
	}
	l.base = target{t.seg, t.start + 1, tag}.place()
	return l, true
}

// compatible tells whether a list can be used with elements of size want: any
// list but one of bits as structs, a list of structs by their first data or
// first pointer, and a list of numbers as narrower ones.
func compatible(l List, want ElemSize) bool {
	if l.n.elem == Bit || want == Bit {
		return l.n.elem == want || want == Void
	}
	return l.sz.data >= elemData[want&7] && l.sz.ptrs >= elemPtrs[want&7]
}
