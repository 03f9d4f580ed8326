package compile

import "math"

// The places of a struct's fields follow from the order of their ordinals and
// from nothing else, so that a schema can grow without moving what is there.
// The rules are those of the reference compiler, where they have grown over the
// years; a difference in the smallest of them would make messages unreadable.
//
// Sizes are given by their binary logarithm in bits: 0 is a Bool, 6 a word. An
// offset counts units of the size that it goes with.

const (
	lgEnum = 4 // also the size of a discriminant
	lgWord = 6
)

// holes are the gaps in data that is taken: at most one of each size below a
// word, by its offset. A gap is never at offset 0, so 0 stands for none.
type holes [lgWord]uint32

// take gives a gap of the size, splitting a larger one if it has to.
func (h *holes) take(lg uint) (uint32, bool) {
	if lg >= lgWord {
		return 0, false
	}
	if off := h[lg]; off != 0 {
		h[lg] = 0
		return off, true
	}
	next, ok := h.take(lg + 1)
	if !ok {
		return 0, false
	}
	h[lg] = next*2 + 1
	return next * 2, true
}

// addAtEnd adds the gaps between a field's end, at off, and the next multiple
// of the size limit.
func (h *holes) addAtEnd(lg uint, off uint32, limit uint) {
	for ; lg < limit; lg++ {
		h[lg] = off
		off = (off + 1) / 2
	}
}

// expand joins data at off with the gaps behind it until it is by sizes larger.
// It changes nothing if it can't.
func (h *holes) expand(lg uint, off uint32, by uint) bool {
	if by == 0 {
		return true
	}
	if lg >= lgWord || h[lg] != off+1 || !h.expand(lg+1, off>>1, by-1) {
		return false
	}
	h[lg] = 0
	return true
}

// smallest gives the size of the smallest gap that is no smaller than lg.
func (h *holes) smallest(lg uint) (uint, bool) {
	for ; lg < lgWord; lg++ {
		if h[lg] != 0 {
			return lg, true
		}
	}
	return 0, false
}

// space is what fields are placed in: a whole struct, or a member of a union.
type space interface {
	addVoid()
	addData(lg uint) uint32
	addPtr() uint32
	// expandData makes data that lies at off larger by by sizes, in place.
	expandData(lg uint, off uint32, by uint) bool
}

// structSpace is a whole struct.
type structSpace struct {
	words, ptrs uint32
	gaps        holes
}

func (s *structSpace) addVoid() {}

func (s *structSpace) addData(lg uint) uint32 {
	if off, ok := s.gaps.take(lg); ok {
		return off
	}
	off := s.words << (lgWord - lg)
	s.words++
	s.gaps.addAtEnd(lg, off+1, lgWord)
	return off
}

func (s *structSpace) addPtr() uint32 {
	s.ptrs++
	return s.ptrs - 1
}

func (s *structSpace) expandData(lg uint, off uint32, by uint) bool {
	return s.gaps.expand(lg, off, by)
}

// dataPlace is a piece of data that the members of a union share.
type dataPlace struct {
	lg  uint
	off uint32
}

// unionSpace is a union: places for the largest of its members, and where the
// discriminant is.
type unionSpace struct {
	parent  space
	members int // how many members have a field that was placed
	places  []dataPlace
	ptrs    []uint32

	hasDiscriminant bool
	discriminant    uint32
}

// addDiscriminant places the discriminant unless that has happened.
func (u *unionSpace) addDiscriminant() bool {
	if u.hasDiscriminant {
		return false
	}
	u.discriminant = u.parent.addData(lgEnum)
	u.hasDiscriminant = true
	return true
}

// expandTo makes a place larger, which moves nothing.
func (u *unionSpace) expandTo(p *dataPlace, lg uint) bool {
	if lg <= p.lg {
		return true
	}
	by := lg - p.lg
	if !u.parent.expandData(p.lg, p.off, by) {
		return false
	}
	p.off >>= by
	p.lg = lg
	return true
}

// placeUse is how much of a place a member of the union uses: a piece of the
// size lg at its start, in which there are gaps.
type placeUse struct {
	used bool
	lg   uint
	gaps holes
}

// memberSpace is one member of a union: a group, or a single field or union
// that counts as one. A group that is in no union has no space of its own.
type memberSpace struct {
	union *unionSpace
	begun bool
	uses  []placeUse // for each of the union's places, as far as looked at
	ptrs  int        // how many of the union's pointers are used
}

// begin notes that the member has a field. The second member to have one is
// what makes a discriminant necessary.
func (m *memberSpace) begin() {
	if m.begun {
		return
	}
	m.begun = true
	m.union.members++
	if m.union.members == 2 {
		m.union.addDiscriminant()
	}
}

func (m *memberSpace) addVoid() {
	m.begin()
	// The union may itself be the member of another one, which must learn that
	// it has a field.
	m.union.parent.addVoid()
}

func (m *memberSpace) addData(lg uint) uint32 {
	m.begin()
	best, bestLg := -1, uint(math.MaxUint)
	for i := range m.union.places {
		if len(m.uses) == i {
			m.uses = append(m.uses, placeUse{})
		}
		if room, ok := m.uses[i].room(&m.union.places[i], lg); ok && room < bestLg {
			best, bestLg = i, room
		}
	}
	if best >= 0 {
		return m.uses[best].place(&m.union.places[best], lg)
	}
	for i := range m.union.places {
		if off, ok := m.uses[i].placeByExpanding(m.union, &m.union.places[i], lg); ok {
			return off
		}
	}
	off := m.union.parent.addData(lg)
	m.union.places = append(m.union.places, dataPlace{lg, off})
	m.uses = append(m.uses, placeUse{used: true, lg: lg})
	return off
}

func (m *memberSpace) addPtr() uint32 {
	m.begin()
	u := m.union
	if m.ptrs == len(u.ptrs) {
		u.ptrs = append(u.ptrs, u.parent.addPtr())
	}
	m.ptrs++
	return u.ptrs[m.ptrs-1]
}

func (m *memberSpace) expandData(lg uint, off uint32, by uint) bool {
	if lg+by > lgWord || off&(1<<by-1) != 0 {
		return false
	}
	for i := range m.uses {
		p, use := &m.union.places[i], &m.uses[i]
		if p.lg < lg || off>>(p.lg-lg) != p.off {
			continue
		}
		local := off - p.off<<(p.lg-lg)
		if local == 0 && use.lg == lg {
			// It is all that the member has here: what is behind it is free.
			return use.expand(m.union, p, lg+by, false)
		}
		return use.gaps.expand(lg, local, by)
	}
	return false
}

// room gives the size of the smallest gap in the place that has room for lg.
func (u *placeUse) room(p *dataPlace, lg uint) (uint, bool) {
	if !u.used {
		return p.lg, lg <= p.lg
	}
	if lg >= u.lg {
		return lg, lg < p.lg
	}
	if gap, ok := u.gaps.smallest(lg); ok {
		return gap, true
	}
	return u.lg, u.lg < p.lg
}

// place takes the room that room has found.
func (u *placeUse) place(p *dataPlace, lg uint) uint32 {
	base := p.off << (p.lg - lg)
	if !u.used {
		u.used, u.lg = true, lg
		return base
	}
	if lg >= u.lg {
		u.gaps.addAtEnd(u.lg, 1, lg)
		u.lg = lg + 1
		return base + 1
	}
	if off, ok := u.gaps.take(lg); ok {
		return base + off
	}
	off := uint32(1) << (u.lg - lg)
	u.gaps.addAtEnd(lg, off+1, u.lg)
	u.lg++
	return base + off
}

// placeByExpanding makes the place larger until there is room in it.
func (u *placeUse) placeByExpanding(union *unionSpace, p *dataPlace, lg uint) (uint32, bool) {
	if !u.used {
		if !union.expandTo(p, lg) {
			return 0, false
		}
		u.used, u.lg = true, lg
		return p.off << (p.lg - lg), true
	}
	if !u.expand(union, p, max(u.lg, lg)+1, true) {
		return 0, false
	}
	off, ok := u.gaps.take(lg)
	return p.off<<(p.lg-lg) + off, ok
}

// expand makes what the member uses of the place larger; what is new becomes
// gaps if the caller does not take all of it.
func (u *placeUse) expand(union *unionSpace, p *dataPlace, lg uint, gaps bool) bool {
	if lg > p.lg && !union.expandTo(p, lg) {
		return false
	}
	if gaps {
		u.gaps.addAtEnd(u.lg, 1, lg)
	}
	u.lg = lg
	return true
}
