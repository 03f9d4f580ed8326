package segment

// clearPtr sets the pointer at a to null and zeroes, recursively, what it
// referred to. External data is left as it is, for it is not ours; so is
// whatever a malformed pointer leads to, and what lies deeper than any reader
// goes.
func clearPtr(s *seg, a addr) { clearDeep(s, a, maxDepth) }

func clearDeep(s *seg, a addr, depth int) {
	w := word(s.ld64(a, 0))
	if w == 0 {
		return
	}
	s.st64(a, 0, 0)
	clearUnder(s, a, w, depth)
}

// clearUnder zeroes what the pointer at a referred to when it was w.
func clearUnder(s *seg, a addr, w word, depth int) {
	if w.kind() == kindOther {
		return
	}
	t, ok := s.resolve(a, w)
	if w.kind() == kindFar && ok {
		clearPad(s.msg, w)
	}
	if ok && depth > 0 {
		clearTarget(t, depth-1)
	}
}

// clearPad zeroes the landing pad that the far pointer w leads to.
func clearPad(m *Message, w word) {
	t := m.segs[w.upper()]
	if t.foreign { // somebody changed w: no pad of ours lies there
		return
	}
	t.st64(t.at(w.farWord()), 0, 0)
	if w.double() {
		t.st64(t.at(w.farWord()), 8, 0)
	}
}

// clearTarget zeroes an object and what is below it.
func clearTarget(t target, depth int) {
	switch t.tag.kind() {
	case kindStruct:
		clearStructs(t.seg, t.start, 1, t.tag.size(), 0, depth)
	case kindList:
		switch e := t.tag.elem(); e {
		case Composite:
			if !t.holds(1) {
				return
			}
			tag := word(t.seg.ld64(t.seg.at(t.start), 0))
			clearStructs(t.seg, t.start+1, int64(tag.tagLen()), tag.size(), 1, depth)
		case Pointer:
			clearStructs(t.seg, t.start, int64(t.tag.count()), Size{Ptrs: 1}, 0, depth)
		default:
			t.zero(listWords(e, t.tag.count()))
		}
	}
}

// holds tells whether n words of the target are there to be written.
func (t target) holds(n int64) bool {
	return !t.seg.foreign && n > 0 && t.start|(t.seg.words-t.start-n) >= 0
}

func (t target) zero(n int64) {
	if t.holds(n) {
		clear(t.seg.bytes(t.seg.at(t.start), int(n)*wordBytes))
	}
}

// clearStructs zeroes n structs from a word on, with what is below them, and
// the tag words in front.
func clearStructs(s *seg, start, n int64, sz Size, tagWords int64, depth int) {
	each := int64(sz.Words())
	t := target{seg: s, start: start - tagWords}
	if !t.holds(n*each + tagWords) {
		return
	}
	if sz.Ptrs != 0 {
		for at := start + int64(sz.DataWords); at < start+n*each; at += each {
			for i := range int64(sz.Ptrs) {
				clearDeep(s, s.at(at+i), depth)
			}
		}
	}
	t.zero(n*each + tagWords)
}
