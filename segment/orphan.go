package segment

import "math"

// Orphan is an object of a message that no pointer refers to. It can be
// adopted by a pointer of the same message, once; an orphan that was adopted
// or discarded is empty, and using it again is [ErrMisuse]. An orphan that is
// never adopted stays in the message as room that is not used.
type Orphan struct {
	m    *Message
	o    target
	used bool
}

// Disown takes the object from under the pointer, which becomes null.
func (p PtrBuilder) Disown() *Orphan {
	if p.seg == nil {
		return &Orphan{}
	}
	w := p.Reader().load()
	k, t := p.Reader().objectOf(w)
	if k == KindInvalid {
		return &Orphan{m: p.seg.msg}
	}
	if w.kind() == kindFar {
		clearPad(p.seg.msg, w)
	}
	p.seg.st64(p.at, 0, 0)
	return &Orphan{m: p.seg.msg, o: t}
}

// Adopt lets the pointer refer to the orphan, which lies in the same message.
func (p PtrBuilder) Adopt(o *Orphan) {
	if p.seg == nil || !o.usable() {
		return
	}
	if o.m != p.seg.msg {
		p.seg.msg.fail(misuse("an orphan can be adopted only inside its own message"))
		return
	}
	clearPtr(p.seg, p.at)
	linkTo(p.seg, p.at, o.o)
	o.used, o.o = true, target{}
}

// usable records the use of an orphan that is gone.
func (o *Orphan) usable() bool {
	if o.m == nil {
		return false
	}
	if o.used {
		o.m.fail(misuse("the orphan was adopted or discarded before"))
		return false
	}
	return o.m.built && !o.m.released()
}

// nursery gives the null pointer under which orphans are looked at and built: a
// word of the message that is used for nothing else.
func (m *Message) nursery() (PtrBuilder, bool) {
	if m.cradle.seg == nil {
		root := m.RootBuilder()
		if root.seg == nil {
			return PtrBuilder{}, false
		}
		t, ok := object(root.seg, 1, 0)
		if !ok {
			return PtrBuilder{}, false
		}
		m.cradle = PtrBuilder{t.seg, t.seg.at(t.start)}
	}
	return m.cradle, true
}

func (m *Message) orphan(build func(p PtrBuilder)) *Orphan {
	p, ok := m.nursery()
	if !ok {
		return &Orphan{m: m}
	}
	build(p)
	return p.Disown()
}

// NewOrphanStruct builds a struct that no pointer refers to yet.
func (m *Message) NewOrphanStruct(sz Size) *Orphan {
	return m.orphan(func(p PtrBuilder) { p.NewStruct(sz) })
}

// NewOrphanList builds a list that no pointer refers to yet.
func (m *Message) NewOrphanList(e ElemSize, n int) *Orphan {
	return m.orphan(func(p PtrBuilder) { p.NewList(e, n) })
}

// NewOrphanStructList builds a list of structs that no pointer refers to yet.
func (m *Message) NewOrphanStructList(sz Size, n int) *Orphan {
	return m.orphan(func(p PtrBuilder) { p.NewStructList(sz, n) })
}

// NewOrphanText copies text that no pointer refers to yet.
func (m *Message) NewOrphanText(v string) *Orphan {
	return m.orphan(func(p PtrBuilder) { p.SetText(v) })
}

// NewOrphanData copies data that no pointer refers to yet.
func (m *Message) NewOrphanData(v []byte) *Orphan {
	return m.orphan(func(p PtrBuilder) { p.SetData(v) })
}

// NewOrphanExternal takes data without copying it. See
// [PtrBuilder.SetExternalData].
func (m *Message) NewOrphanExternal(v []byte, release func()) *Orphan {
	given := false
	o := m.orphan(func(p PtrBuilder) {
		given = true
		p.SetExternalData(v, release)
	})
	if !given && release != nil {
		release()
	}
	return o
}

// NewOrphanCopy copies deeply what src refers to, from any message.
func (m *Message) NewOrphanCopy(src Ptr) *Orphan {
	return m.orphan(func(p PtrBuilder) { p.Set(src) })
}

// NewOrphanConcat builds a list of the elements of lists, copied deeply in
// their order. Their elements are all of one size, or all structs, whose size
// becomes that of the largest.
func (m *Message) NewOrphanConcat(lists ...List) *Orphan {
	if len(lists) == 0 {
		return &Orphan{m: m}
	}
	var n int
	var sz Size
	for _, l := range lists {
		n = min(n+l.Len(), maxListLen+1) // and so the sum can't overflow
		if l.n.elem == Composite {
			sz = sz.max(l.StructSize())
		}
		if l.n.elem != lists[0].n.elem {
			m.fail(misuse("a list of " + l.n.elem.String() + " elements can't be joined to one of " + lists[0].n.elem.String() + " elements"))
			return &Orphan{m: m}
		}
	}
	if n > maxListLen {
		m.overLimit("elements of a list", maxListLen, uint64(n))
		return &Orphan{m: m}
	}
	if lists[0].n.elem == Composite {
		// A list of many small structs beside one large one must not cost more
		// than reading as much would.
		for _, l := range lists {
			if !l.seg.msg.charge(int64(l.n.count) * int64(sz.Words())) {
				m.fail(l.seg.msg.Err())
				return &Orphan{m: m}
			}
		}
		return m.orphan(func(p PtrBuilder) {
			dst, i := (StructsBuilder[StructBuilder]{p.NewStructList(sz, n)}), 0
			for _, l := range lists {
				for e := range l.Structs().All() {
					dst.Set(i, e)
					i++
				}
			}
		})
	}
	return m.orphan(func(p PtrBuilder) {
		dst, i := p.NewList(lists[0].n.elem, n), 0
		for _, l := range lists {
			dst.copyAt(i, l)
			i += l.Len()
		}
	})
}

// copyAt copies src, whose elements have the same size, to element i and on.
func (l ListBuilder) copyAt(i int, src List) {
	if l.seg == nil || src.seg == nil {
		return
	}
	switch l.n.elem {
	case Void:
	case Bit:
		for j, v := range (Bools{src}).Indexed() {
			BoolsBuilder{l}.Set(i+j, v)
		}
	case Pointer:
		for j, v := range (Ptrs{src}).Indexed() {
			PtrsBuilder{l}.At(i + j).Set(v)
		}
	default:
		size := int(l.sz.data)
		if n := src.Len() * size; n != 0 {
			copy(l.seg.bytes(l.place(i), n), src.seg.bytes(src.base, n))
		}
	}
}

// IsNull tells whether there is nothing: the pointer was null, building
// failed, or the orphan was adopted.
func (o *Orphan) IsNull() bool { return o.o.seg == nil && o.o.tag == 0 }

// with calls f with a pointer to the object that is taken away again.
func (o *Orphan) with(f func(p PtrBuilder)) {
	if !o.usable() || o.o.seg == nil {
		return
	}
	p, ok := o.m.nursery()
	if !ok {
		return
	}
	linkTo(p.seg, p.at, o.o)
	w := p.Reader().load()
	f(p)
	if d := p.Disown(); !d.IsNull() {
		o.o = d.o
	}
	o.m.givePadBack(w)
}

// givePadBack takes back the landing pad of w, which is cleared, if it lies at
// the end of its segment.
func (m *Message) givePadBack(w word) {
	if w.kind() != kindFar || int64(w.upper()) >= int64(len(m.segs)) {
		return
	}
	n := int64(1)
	if w.double() {
		n = 2
	}
	if t := m.segs[w.upper()]; !t.foreign && t.words == w.farWord()+n {
		t.words -= n
	}
}

// Struct gives the orphan for building, as a struct of size sz at least.
func (o *Orphan) Struct(sz Size) (s StructBuilder) {
	o.with(func(p PtrBuilder) { s = p.Struct(sz) })
	return s
}

// List gives the orphan for building, as a list of elements of size e.
func (o *Orphan) List(e ElemSize) (l ListBuilder) {
	o.with(func(p PtrBuilder) { l = p.List(e) })
	return l
}

// StructList gives the orphan for building, as a list of structs of size sz at
// least.
func (o *Orphan) StructList(sz Size) (l ListBuilder) {
	o.with(func(p PtrBuilder) { l = p.StructList(sz) })
	return l
}

// Data gives the bytes of an orphan that is data, or text with its NUL, to be
// overwritten in place.
func (o *Orphan) Data() (b []byte) {
	o.with(func(p PtrBuilder) { b = p.Data() })
	return b
}

// Discard zeroes the object, which is then gone.
func (o *Orphan) Discard() {
	if !o.usable() {
		return
	}
	if o.o.seg != nil {
		clearTarget(o.o, maxDepth)
	}
	o.used, o.o = true, target{}
}

// Truncate makes a list, text or data shorter; what is cut off is zeroed, and
// given back if it lies at the end of its segment. n is the number of elements
// without a text's NUL, text telling that it is one. A larger n than there is
// extends it by zero elements, in place if there is room, else by moving it.
func (o *Orphan) Truncate(n int) { o.resize(n, false) }

// TruncateText is [Orphan.Truncate] for text, which keeps the NUL at its end.
func (o *Orphan) TruncateText(n int) { o.resize(n, true) }

func (o *Orphan) resize(n int, text bool) {
	if !o.usable() {
		return
	}
	if uint(n) >= maxListLen {
		if n < 0 {
			panic("segment: a negative length")
		}
		o.m.overLimit("elements of a list", maxListLen-1, uint64(n))
		return
	}
	if o.o.seg == nil || o.o.tag.kind() != kindList {
		o.m.fail(misuse("only lists, text and data have a length that can be changed"))
		return
	}
	if o.o.seg.foreign {
		o.m.fail(ErrReadOnly)
		return
	}
	if o.o.tag.elem() == Composite {
		o.resizeStructs(n)
		return
	}
	count := n
	if text {
		count++
	}
	e := o.o.tag.elem()
	have := o.o.tag.count()
	if n := listWords(e, have); n != 0 && !o.o.holds(n) {
		o.m.fail(misuse("the orphan does not lie in its segment"))
		return
	}
	switch {
	case text && (e != Byte || have == 0):
		o.m.fail(misuse("TruncateText of what is not text"))
	case count <= int(have):
		o.zeroTail(e, uint32(count), have)
		if text {
			o.o.seg.bytes(o.o.place(), count)[n] = 0
		}
		o.o.setLen(listWords(e, uint32(count)), listWords(e, have), listWord(e, uint32(count)))
	case o.o.growTo(listWords(e, uint32(count)), listWords(e, have)):
		o.o.tag = listWord(e, uint32(count))
	default:
		old := o.o
		fresh, ok := object(old.seg, listWords(e, uint32(count)), listWord(e, uint32(count)))
		if !ok {
			return
		}
		o.moveList(fresh, old, elemPtrs[e] != 0, listWords(e, have))
	}
}

// zeroTail zeroes the elements of a list from one on, and what is below them.
func (o *Orphan) zeroTail(e ElemSize, from, to uint32) {
	if from == to || elemBits[e] == 0 {
		return
	}
	if e == Pointer {
		for i := from; i < to; i++ {
			clearPtr(o.o.seg, o.o.seg.at(o.o.start+int64(i)))
		}
		return
	}
	bit := elemBits[e] * uint64(from)
	b := o.o.seg.bytes(o.o.place(), int((elemBits[e]*uint64(to)+7)/8))
	at := int((bit + 7) / 8)
	if bit%8 != 0 {
		b[at-1] &= 1<<(bit%8) - 1
	}
	clear(b[at:])
}

// setLen shortens the object, from old to n words, and gives the room behind
// it back if nothing follows.
func (t *target) setLen(n, old int64, tag word) {
	if t.start+old == t.seg.words && n < old {
		t.seg.words = t.start + n
	}
	t.tag = tag
}

// growTo makes the object longer in place if nothing follows.
func (t *target) growTo(n, old int64) bool {
	if n == old {
		return true
	}
	if t.start+old != t.seg.words || old == 0 || !t.seg.room(n-old) {
		return false
	}
	t.seg.take(n - old)
	return true
}

// moveList moves words to a longer list and zeroes the old one.
func (o *Orphan) moveList(fresh, old target, ptrs bool, words int64) {
	if words != 0 {
		if ptrs {
			for i := range words {
				movePtr(PtrBuilder{fresh.seg, fresh.seg.at(fresh.start + i)}, PtrBuilder{old.seg, old.seg.at(old.start + i)})
			}
		} else {
			copy(fresh.seg.bytes(fresh.place(), int(words)*wordBytes), old.seg.bytes(old.place(), int(words)*wordBytes))
		}
		old.zero(words)
	}
	o.o = fresh
}

// resizeStructs is resize for a list of structs.
func (o *Orphan) resizeStructs(n int) {
	s, start := o.o.seg, o.o.start
	if !o.o.holds(1) {
		o.m.fail(misuse("the orphan does not lie in its segment"))
		return
	}
	tag := word(s.ld64(s.at(start), 0))
	sz, have := tag.size(), int64(tag.tagLen())
	each := int64(sz.Words())
	if !o.o.holds(each*have + 1) {
		o.m.fail(misuse("the orphan does not lie in its segment"))
		return
	}
	words := each * int64(n)
	if words >= maxSegmentWords {
		o.m.overLimit("words of a list", maxSegmentWords-1, uint64(min(words, math.MaxInt64)))
		return
	}
	newTag := uint64(tagWord(uint32(n), sz))
	switch {
	case int64(n) <= have:
		clearStructs(s, start+1+words, have-int64(n), sz, 0, maxDepth)
		s.st64(s.at(start), 0, newTag)
		o.o.setLen(words+1, each*have+1, listWord(Composite, uint32(words)))
	case o.o.growTo(words+1, each*have+1):
		s.st64(s.at(start), 0, newTag)
		o.o.tag = listWord(Composite, uint32(words))
	default:
		fresh, ok := object(s, words+1, listWord(Composite, uint32(words)))
		if !ok {
			return
		}
		fresh.seg.st64(fresh.seg.at(fresh.start), 0, newTag)
		secs := sizes{data: uint32(sz.DataWords) * wordBytes, ptrs: sz.Ptrs, depth: math.MaxUint16}
		for i := range have {
			moveStruct(StructBuilder{fresh.seg, fresh.seg.at(fresh.start + 1 + i*each), sizes{data: secs.data, ptrs: secs.ptrs}},
				Struct{s, s.at(start + 1 + i*each), secs})
		}
		o.o.zero(each*have + 1)
		o.o = fresh
	}
}
