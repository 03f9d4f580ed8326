package segment

// What the tests outside the package need to see of its inside.

// NativeViews tells whether this build hands lists of numbers out as slices.
const NativeViews = nativeViews

// MaxSpare is how much bookkeeping a recycled message keeps.
const MaxSpare = maxSpare

// Spares is how much it keeps now.
func (m *Message) Spares() int { return len(m.spare) }

// Metered tells whether reading still costs budget, and Budget how much is left.
func (m *Message) Metered() bool { return m.metered }
func (m *Message) Budget() int64 { return m.budget }

func WordString(w uint64) string { return word(w).String() }

// InSegment tells whether the handle's address is that of a word in use.
func (s Struct) InSegment() bool { return s.seg.inUse(s.data) }

// InSegment tells whether the handle's address is that of a word in use.
func (l List) InSegment() bool { return l.seg.inUse(l.base) }

func (s *seg) inUse(a addr) bool { i := s.index(a); return i >= 0 && i < s.words }
