package segment

// A target is an object that a pointer was followed to, through far pointers
// where there are any. It is not checked yet.
type target struct {
	seg   *seg
	start int64 // the object's first word
	tag   word  // the pointer that describes it, its offset used up
}

// follow goes through a far pointer w at place a. The landing pad is checked
// and counts against the traversal limit.
//
//go:noinline
func (s *seg) follow(a addr, w word) (target, bool) {
	m := s.msg
	if uint64(w.upper()) >= uint64(len(m.segs)) {
		s.malformed(a, "%v: there are %d segments", w, len(m.segs))
		return target{}, false
	}
	t := m.segs[w.upper()]
	pad := w.farWord()
	n := int64(1)
	if w.double() {
		n = 2
	}
	if t.words-pad-n < 0 {
		s.malformed(a, "%v: its landing pad is beyond the segment's %d words", w, t.words)
		return target{}, false
	}
	if !m.charge(n) {
		return target{}, false
	}
	w1 := word(t.ld64(t.at(pad), 0))
	if !w.double() {
		if w1.kind() == kindFar {
			s.malformed(a, "%v lands on another far pointer", w)
			return target{}, false
		}
		return target{t, pad + 1 + w1.offset(), w1}, true
	}
	tag := word(t.ld64(t.at(pad), 8))
	if w1.kind() != kindFar || w1.double() {
		s.malformed(a, "%v lands on a %v, not on a far pointer", w, w1)
		return target{}, false
	}
	if uint64(w1.upper()) >= uint64(len(m.segs)) {
		s.malformed(a, "%v leads to %v: there are %d segments", w, w1, len(m.segs))
		return target{}, false
	}
	if tag.kind() == kindFar {
		s.malformed(a, "%v leads to the tag %v", w, tag)
		return target{}, false
	}
	return target{m.segs[w1.upper()], w1.farWord(), tag}, true
}

// resolve finds what the pointer w at place a refers to. w is not null.
func (s *seg) resolve(a addr, w word) (target, bool) {
	if w.kind() == kindFar {
		return s.follow(a, w)
	}
	return target{s, s.index(a) + 1 + w.offset(), w}, true
}

// charge takes words off what may still be read.
func (m *Message) charge(words int64) bool {
	if !m.metered {
		return true
	}
	if m.budget < words {
		m.overLimit("TraversalWords", uint64(m.limits.TraversalWords), uint64(m.limits.TraversalWords-m.budget+words))
		return false
	}
	m.budget -= words
	return true
}

// check sees that the target's n words lie in its segment, and charges them.
// An object without size lies anywhere.
func (t target) check(p Ptr, n int64) bool {
	if n == 0 {
		return true
	}
	if t.start|(t.seg.words-t.start-n) < 0 {
		p.seg.malformed(p.at, "%v: %d words from word %d of segment %d, which has %d", t.tag, n, t.start, t.seg.id, t.seg.words)
		return false
	}
	return t.seg.msg.charge(n)
}

// place is where the target lies. An object at the very end of its segment, or
// outside it, has no size; it is given the segment's base, for a pointer past
// the end of an allocation would confuse the garbage collector.
func (t target) place() addr {
	if t.start < 0 || t.start >= t.seg.words {
		return t.seg.base
	}
	return t.seg.at(t.start)
}

func (t target) bytes(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	return t.seg.bytes(t.place(), n)
}
