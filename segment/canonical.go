package segment

import (
	"errors"
	"fmt"
)

// Canonical gives the canonical form of the message: one segment without a
// table, its objects in preorder, each cut to what is not zero, so that equal
// messages have equal bytes. The caller owns the result. It costs no budget. A
// message that holds a capability has no canonical form.
//
// See https://capnproto.org/encoding.html#canonicalization.
func (m *Message) Canonical() ([]byte, error) {
	proof, ok := steadyOf(m)
	if !ok {
		snap, err := m.Snapshot()
		if err != nil {
			return nil, err
		}
		defer snap.Release()
		proof, _ = steadyOf(snap)
	}
	return proof.canonical()
}

// canonical looks at each object twice: how large it is cut, and what is in it.
func (p steady) canonical() ([]byte, error) {
	src := p.m
	words, err := src.Root().TotalWords()
	if err != nil {
		return nil, err
	}
	if words >= maxSegmentWords {
		return nil, &LimitError{Limit: "words of a segment", Max: maxSegmentWords, Got: uint64(words) + 1}
	}
	out := NewSized(&sliceArena{}, int((words+1)*wordBytes))
	defer out.Release()
	root := out.RootBuilder()
	budget := src.budget
	o, ok := p.object(root.seg, src.Root())
	root.take(o, ok, src)
	if src.metered {
		src.budget = budget
	}
	if err := out.Err(); err != nil {
		return nil, err
	}
	n := out.first.words * wordBytes
	return out.first.mem[:n:n], nil
}

// sliceArena gives one piece of memory, which stays the caller's.
type sliceArena struct{ given bool }

func (a *sliceArena) Allocate(minBytes int) ([]byte, error) {
	if a.given {
		return nil, errors.New("segment: a canonical message has one segment")
	}
	a.given = true
	return make([]byte, minBytes), nil
}

func (*sliceArena) Free([]byte, int) {}
func (*sliceArena) Zeroed() bool     { return true }

func (p steady) object(near *seg, src Ptr) (target, bool) {
	switch k, t := src.object(); k {
	case KindStruct:
		return p.structure(near, src.structAt(t))
	case KindList:
		return p.list(near, src.listAt(t, anyElem))
	case KindCapability:
		near.msg.fail(fmt.Errorf("%w: a message with capability %d has no canonical form", ErrMisuse, t.tag.upper()))
		return target{}, false
	case KindNull:
		return target{}, true
	}
	return target{}, false
}

// trimmed is the size of a struct without its trailing zero words and null
// pointers.
func (p steady) trimmed(s Struct) Size {
	var sz Size
	data := trimZeros(s.DataBytes())
	sz.DataWords = uint16((len(data) + 7) / wordBytes)
	for sz.Ptrs = s.sz.ptrs; sz.Ptrs > 0 && s.Ptr(sz.Ptrs-1).IsNull(); {
		sz.Ptrs--
	}
	return sz
}

func (p steady) structure(near *seg, src Struct) (target, bool) {
	sz := p.trimmed(src)
	o, ok := object(near, int64(sz.Words()), structWord(sz))
	if ok && sz.Words() != 0 {
		p.fill(o.seg, o.start, sz, src)
	}
	return o, ok
}

func (p steady) fill(s *seg, start int64, sz Size, src Struct) {
	base := s.at(start)
	if n := int(min(uint32(sz.DataWords)*wordBytes, src.sz.data)); n != 0 {
		copy(s.bytes(base, n), src.seg.bytes(src.data, n))
	}
	for i := range min(sz.Ptrs, src.sz.ptrs) {
		if o, ok := p.object(s, src.Ptr(i)); ok {
			linkTo(s, s.at(start+int64(sz.DataWords)+int64(i)), o)
		}
	}
}

func (p steady) list(near *seg, src List) (target, bool) {
	switch src.n.elem {
	case Pointer:
		o, ok := object(near, int64(src.n.count), listWord(Pointer, src.n.count))
		for i := 0; ok && i < src.Len(); i++ {
			if c, ok := p.object(o.seg, Ptrs{src}.At(i)); ok {
				linkTo(o.seg, o.seg.at(o.start+int64(i)), c)
			}
		}
		return o, ok
	case Composite:
		var sz Size
		for e := range src.Structs().All() {
			sz = sz.max(p.trimmed(e))
		}
		each := int64(sz.Words())
		words := each * int64(src.n.count)
		o, ok := object(near, words+1, listWord(Composite, uint32(words)))
		if !ok {
			return o, false
		}
		o.seg.st64(o.seg.at(o.start), 0, uint64(tagWord(src.n.count, sz)))
		for i := 0; each != 0 && i < src.Len(); i++ {
			p.fill(o.seg, o.start+1+int64(i)*each, sz, src.Structs().At(i))
		}
		return o, true
	}
	return copyList(near, src)
}

// IsCanonical tells whether the message is in canonical form as it lies there:
// it has one segment, whose bytes are those of [Message.Canonical].
func (m *Message) IsCanonical() (bool, error) {
	if len(m.segs) != 1 {
		return false, m.Err()
	}
	c, err := m.Canonical()
	if err != nil {
		return false, err
	}
	return string(c) == string(m.first.mem[:m.first.words*wordBytes]), nil
}
