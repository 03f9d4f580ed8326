package segment

import (
	"fmt"
	"math"
)

// start takes the first segment and its root pointer.
func (m *Message) start() bool {
	if !m.built || m.released() {
		m.fail(m.unwritable())
		return false
	}
	s := m.grow(1)
	if s == nil {
		if len(m.segs) > 0 { // its memory was refused, and must not be the first segment
			m.give(&m.first)
			m.segs, m.cur = m.segs[:0], nil
		}
		return false
	}
	s.words = 1
	return true
}

// firstWords is what a first segment is asked to have where no size is known:
// room for most messages, and a page.
const firstWords = 512

// maxAllocWords is the largest segment whose bytes an int can count.
const maxAllocWords = min(maxSegmentWords, math.MaxInt/wordBytes)

// grow adds a segment with room for words, doubling what the message has, so
// that segments and the far pointers between them stay few.
func (m *Message) grow(words int64) *seg {
	if words > maxAllocWords {
		m.overLimit("words of a segment", maxAllocWords, uint64(words))
		return nil
	}
	ask := max(words, int64(m.hint+wordBytes-1)/wordBytes, firstWords)
	if len(m.segs) > 0 {
		var have int64
		for _, s := range m.segs {
			if !s.foreign {
				have += s.words
			}
		}
		ask = max(words, have)
	}
	ask = min(ask, maxAllocWords)
	if m.kept != nil {
		if int64(len(m.kept)) >= ask*wordBytes {
			return m.reuse(words)
		}
		m.dropKept()
	}
	mem, err := m.arena.Allocate(int(ask) * wordBytes)
	if err != nil && ask > words {
		ask = words // rather a small segment than none
		mem, err = m.arena.Allocate(int(ask) * wordBytes)
	}
	if err != nil {
		if m.refused != nil { // the cause, where the arena has one segment only
			err = fmt.Errorf("%w, after %w", err, m.refused)
		}
		m.fail(fmt.Errorf("%w: %w", ErrArena, err))
		return nil
	}
	if !m.accept(mem, int(ask)*wordBytes) {
		return nil
	}
	s := m.newSeg()
	s.bind(mem)
	if m.soiled == nil || !m.soil(s, words) {
		s.limit = m.window(s, words)
	}
	m.cur = s
	if s.limit < words {
		return nil
	}
	return s
}

// reuse makes what the arena has left with the message the first segment.
func (m *Message) reuse(words int64) *seg {
	m.keeper.Take(m.kept)
	s := m.newSeg()
	s.bind(m.kept)
	m.kept = nil
	s.limit = m.window(s, words)
	m.cur = s
	return s
}

// dropKept gives back what the arena has left with the message, if it has.
func (m *Message) dropKept() {
	if m.kept != nil {
		m.keeper.Take(m.kept)
		m.arena.Free(m.kept, 0)
		m.kept = nil
	}
}

// soil says how much of a new segment is dirty, if any is, and clears words of it.
func (m *Message) soil(s *seg, words int64) bool {
	n := min(m.soiled.Dirty(s.mem), len(s.mem))
	if n <= 0 {
		return false
	}
	s.dirty = min(int64(n+wordBytes-1)/wordBytes, int64(len(s.mem)/wordBytes))
	m.sweepTo(s, min(max(words, firstSweepWords), s.dirty))
	return true
}

// accept checks what the arena gave.
func (m *Message) accept(mem []byte, minBytes int) bool {
	var err error
	switch {
	case len(mem) < minBytes:
		err = fmt.Errorf("%w: gave %d bytes, asked for %d", ErrArena, len(mem), minBytes)
	case !aligned(mem):
		err = fmt.Errorf("%w: gave memory that is not 8-byte aligned", ErrArena)
	default:
		return true
	}
	if mem != nil {
		m.arena.Free(mem, 0)
	}
	m.fail(err)
	return false
}

// window is how far a segment may be filled: to the end of its memory where
// the arena promises that it is zero, else as far as it was looked at, which
// is now done up to words.
func (m *Message) window(s *seg, words int64) int64 {
	have := min(int64(len(s.mem)/wordBytes), maxSegmentWords)
	if m.zeroed {
		return have
	}
	if have < words {
		return s.limit
	}
	for w := s.words; w < words; w++ {
		if s.ld64(s.at(w), 0) != 0 {
			m.fail(fmt.Errorf("%w: gave memory that is not zero", ErrArena))
			return s.limit
		}
	}
	return words
}

// extend makes room for words more in a segment, in place.
func (m *Message) extend(s *seg, words int64) bool {
	if s.limit == 0 || s.foreign || m.fault.Load() != nil {
		return false
	}
	need := s.words + words
	if need > maxAllocWords {
		return false
	}
	if need > int64(len(s.mem)/wordBytes) {
		if m.grower == nil {
			return false
		}
		mem, err := m.grower.Grow(s.mem, int(need)*wordBytes)
		if err != nil {
			m.refused = err
			return false
		}
		if int64(len(mem)/wordBytes) < need {
			m.refused = fmt.Errorf("the arena grew a segment to %d bytes, asked for %d", len(mem), need*wordBytes)
			return false
		}
		if &mem[0] != &s.mem[0] {
			m.fail(fmt.Errorf("%w: Grow moved a segment", ErrArena))
			return false
		}
		s.bind(mem)
	}
	if s.dirty != 0 {
		m.sweep(s, s.dirty)
	}
	if need > s.limit {
		s.limit = m.window(s, need)
	}
	return need <= s.limit
}

// take bumps n words off s. The caller knows that they are there.
func (s *seg) take(n int64) int64 {
	at := s.words
	s.words = at + n
	return at
}

// sweepWords is how much of what Reset left is cleared at a time: little enough
// to be still in the nearest cache when it is written.
const sweepWords = 512

// firstSweepWords is how much of a new segment is cleared at once: little, for often
// all the rest is one list that its contents are copied to.
const firstSweepWords = 64

// sweep clears what the last message left, up to need and somewhat beyond.
func (m *Message) sweep(s *seg, need int64) {
	m.sweepTo(s, min(max(need, s.limit+sweepWords), s.dirty))
}

func (m *Message) sweepTo(s *seg, to int64) {
	clear(s.mem[s.limit*wordBytes : to*wordBytes])
	s.limit = to
	if to == s.dirty {
		s.dirty = 0
		s.limit = m.window(s, to)
	}
}

// room makes sure that n words can be taken from s.
func (s *seg) room(n int64) bool { return s.words+n <= s.limit || s.more(n) }

//go:noinline
func (s *seg) more(n int64) bool {
	m := s.msg
	if s.dirty != 0 && s.words+n <= int64(len(s.mem)/wordBytes) {
		m.sweep(s, s.words+n)
		if s.words+n <= s.limit {
			return true
		}
	}
	return (m.grower != nil || !m.zeroed) && m.extend(s, n)
}

// roomElsewhere finds a segment with n words, other than one that was tried.
func (m *Message) roomElsewhere(n int64) *seg {
	if m.released() {
		m.fail(ErrReleased)
	}
	if m.fault.Load() != nil {
		return nil
	}
	if m.cur != nil && m.cur.room(n) {
		return m.cur
	}
	if m.fault.Load() != nil {
		return nil
	}
	return m.grow(n)
}

// unswept takes room for a list of n bytes, which the pointer at a then refers to,
// and leaves it dirty, for the caller to overwrite. It is nil where nothing would
// have to be cleared, or where the room is elsewhere.
func (s *seg) unswept(a addr, n int) []byte {
	start := s.words
	end := start + int64(n+wordBytes-1)/wordBytes
	if end <= s.limit || end > min(int64(len(s.mem)/wordBytes), maxSegmentWords) || !s.msg.built || s.ld64(a, 0) != 0 {
		return nil
	}
	to := s.at(start)
	s.st64(a, 0, uint64(link(listWord(Byte, uint32(n)), a, to)))
	s.st64(s.at(end-1), 0, 0) // the padding
	s.words, s.limit = end, end
	if end >= s.dirty {
		s.dirty = 0
		s.limit = s.msg.window(s, end)
	}
	return s.bytes(to, n)
}

// neighbour is the segment that objects now go to, where it has room for a
// landing pad and n words behind it, and the null pointer at a can refer to it.
// It is what place finds where the pointer's own segment is full, as it is for
// most objects of a message of many segments. It is nil where there is none, or
// where s itself may have room beyond its limit.
func (s *seg) neighbour(a addr, n int64) *seg {
	m := s.msg
	c := m.cur
	if c == nil || c == s || s.dirty != 0 || !m.zeroed || c.words+n >= c.limit || s.ld64(a, 0) != 0 {
		return nil
	}
	return c
}

// pad lets the pointer at a refer to a new landing pad in c.
func (s *seg) pad(a addr, c *seg) addr {
	at := c.take(1)
	s.st64(a, 0, uint64(farWord(c.id, at, false)))
	return c.at(at)
}

// structBeside, listBeside and textBeside do what NewStruct, NewStructList and
// setText do, where that can't be done at once in the pointer's own segment.
//
//go:noinline
func (s *seg) structBeside(a addr, sz Size) StructBuilder {
	n := int64(sz.Words())
	c := s.neighbour(a, n)
	if n == 0 || c == nil {
		return PtrBuilder{s, a}.newStructSlow(sz)
	}
	return StructBuilder{c, s.pad(a, c), sizes{ptrs: 1}}.NewStruct(0, sz)
}

//go:noinline
func (s *seg) listBeside(a addr, sz Size, n int) ListBuilder {
	c := s.neighbour(a, int64(sz.Words())*int64(n)+1)
	if c == nil {
		return PtrBuilder{s, a}.newStructListSlow(sz, n)
	}
	return StructBuilder{c, s.pad(a, c), sizes{ptrs: 1}}.NewStructList(0, sz, n)
}

//go:noinline
func (s *seg) textBeside(a addr, v string) {
	c := s.neighbour(a, textWords(v))
	if c == nil {
		PtrBuilder{s, a}.setTextSlow(v)
		return
	}
	setText(c, s.pad(a, c), sizes{ptrs: 1}, 0, v)
}

// A spot is where a new object goes: its segment and first word, and the place
// of the pointer that describes it, which is the pointer itself or its landing
// pad. A spot without a segment is a failure that the message knows of.
type spot struct {
	seg   *seg
	start int64
	tag   addr
}

// place finds n words for a new object under the pointer at a. What the
// pointer referred to before is cleared. The pointer itself is written here
// only if it has to be a far pointer.
func place(s *seg, a addr, n int64) spot {
	if s == nil {
		return spot{}
	}
	m := s.msg
	if s.foreign || !m.built {
		m.fail(ErrReadOnly)
		return spot{}
	}
	if s.ld64(a, 0) != 0 {
		clearPtr(s, a)
	}
	if n > maxSegmentWords {
		m.overLimit("words of a segment", maxSegmentWords, uint64(n))
		return spot{}
	}
	if s.room(n) {
		return spot{s, s.take(n), a}
	}
	// A landing pad and the object behind it, in another segment.
	t := m.roomElsewhere(n + 1)
	if t == nil {
		return spot{}
	}
	pad := t.take(n + 1)
	s.st64(a, 0, uint64(farWord(t.id, pad, false)))
	return spot{t, pad + 1, t.at(pad)}
}

// describe writes the pointer for the object at the spot.
func (p spot) describe(w word) {
	p.seg.st64(p.tag, 0, uint64(w.to(p.start-p.seg.index(p.tag)-1)))
}

// object finds n words for an object that nothing refers to yet, near a
// segment if there is room. Without size it needs no place.
func object(near *seg, n int64, tag word) (target, bool) {
	m := near.msg
	switch {
	case near.foreign || !m.built:
		m.fail(ErrReadOnly)
		return target{}, false
	case n > maxSegmentWords:
		m.overLimit("words of a segment", maxSegmentWords, uint64(n))
		return target{}, false
	case n == 0:
		return target{near, near.words, tag}, true
	case near.room(n):
		return target{near, near.take(n), tag}, true
	}
	t := m.roomElsewhere(n)
	if t == nil {
		return target{}, false
	}
	return target{t, t.take(n), tag}, true
}

// linkTo makes the null pointer at a refer to an object that is there already.
func linkTo(s *seg, a addr, o target) {
	switch {
	case o.seg == nil || o.tag.kind() == kindOther:
		s.st64(a, 0, uint64(o.tag)) // null, or a capability
	case o.tag.kind() == kindStruct && o.tag.size() == Size{}:
		s.st64(a, 0, uint64(o.tag.to(-1)))
	case s == o.seg:
		s.st64(a, 0, uint64(o.tag.to(o.start-s.index(a)-1)))
	case o.tag.kind() == kindList && o.tag.elem() != Composite && listWords(o.tag.elem(), o.tag.count()) == 0:
		s.st64(a, 0, uint64(o.tag.to(0))) // without size, it lies anywhere
	default:
		linkFar(s, a, o)
	}
}

// linkFar is linkTo between two segments.
func linkFar(s *seg, a addr, o target) {
	if o.seg.room(1) {
		pad := o.seg.take(1)
		o.seg.st64(o.seg.at(pad), 0, uint64(o.tag.to(o.start-pad-1)))
		s.st64(a, 0, uint64(farWord(o.seg.id, pad, false)))
		return
	}
	// No free word beside the object: a double-far pad anywhere else.
	p := s
	if !p.room(2) {
		if p = s.msg.roomElsewhere(2); p == nil {
			return
		}
	}
	pad := p.take(2)
	p.st64(p.at(pad), 0, uint64(farWord(o.seg.id, o.start, false)))
	p.st64(p.at(pad), 8, uint64(o.tag.detached()))
	s.st64(a, 0, uint64(farWord(p.id, pad, true)))
}
