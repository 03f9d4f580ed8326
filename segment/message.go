package segment

import (
	"fmt"
	"math"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Message is a Cap'n Proto message: the segments that hold its objects, its
// limits, its first fault, and the arena that gets the memory back.
//
// It is either built ([New]), in memory that it takes from an arena, or read
// ([FromSegments], [Open]), where the bytes arrived. Release it once it is no
// longer needed: that returns its memory, and neither the message nor a handle
// or slice taken from it may be used afterwards, for both are recycled.
//
// One goroutine at a time may use a message; a private message that
// [Message.Verify] found to be sound may be read by many. Retain and Release
// may be called from any goroutine.
type Message struct {
	budget  int64 // words left to read, if metered
	metered bool
	trust   Trust
	built   bool // made by New: segments can be added
	debug   bool
	refs    int32 // 0 = released; atomic where more than one holds it
	segs    []*seg
	cur     *seg // where an object goes that its parent's segment has no room for
	fault   atomic.Pointer[error]
	looked  atomic.Bool // in debug mode: somebody asked for the fault
	arena   Arena
	grower  grower // the arena, if it can lengthen a segment
	soiled  soiled // the arena, if it gives memory that is not cleared
	keeper  keeper // the arena, if it leaves memory with a message
	kept    []byte // what it has left
	refused error  // why the last Grow failed
	owner   Owner
	caps    CapTable
	limits  Limits
	zeroed  bool // the arena promises zeroed memory
	knows   bool // the arena's traits are known
	hint    int
	first   seg
	cradle  PtrBuilder // see nursery
	spare   []*seg     // bookkeeping of further segments, kept for the next message
}

// A seg is one segment. A handle refers to it, and so it never moves.
type seg struct {
	base    addr
	words   int64 // in use: no object may lie beyond
	limit   int64 // how far words may grow; 0 where nothing can be added
	dirty   int64 // from limit up to here memory may hold what an earlier message left; 0 if none
	msg     *Message
	mem     []byte // all of the memory, in use or not
	id      uint32
	foreign bool   // memory that belongs to the caller: never written, never cleared
	release func() // told when foreign memory is no longer needed
}

// Messages that nobody has: those that were built, with the memory that their arena has
// left with them, and those that were read.
var builtMessages, readMessages = sync.Pool{New: newMessage}, sync.Pool{New: newMessage}

func newMessage() any { return new(Message) }

// New starts a message in memory from a. The first segment is taken when the
// first object is built. The message belongs to the caller, who releases it or
// hands it to something that says it takes it over.
func New(a Arena) *Message { return NewSized(a, 0) }

// NewSized is [New] for a message of about sizeHint bytes: its first segment
// is at least that large, so that all of it lies in one segment. Without a
// hint it is 4 KiB, or what the arena has if that is less.
func NewSized(a Arena, sizeHint int) *Message {
	m := builtMessages.Get().(*Message)
	m.built = true
	m.refs = 1
	m.hint = sizeHint
	if !m.knows || m.arena != a {
		m.meet(a)
	}
	return m
}

// meet looks at what an arena offers beside its duty. A recycled message
// remembers its last arena, if it is a pointer and so can be compared.
func (m *Message) meet(a Arena) {
	m.dropKept()
	m.arena = a
	m.zeroed = promisesZero(a)
	m.debug = debugs(a)
	m.grower, _ = a.(grower)
	m.soiled, _ = a.(soiled)
	m.keeper, _ = a.(keeper)
	m.knows = reflect.TypeOf(a).Kind() == reflect.Pointer
}

// Reset empties a message that is built, to build the next one in its first
// segment's memory: in a loop that sends each message before it builds the
// next, nothing is taken from the arena or given back. What was taken from the
// message is no longer valid. Memory that the next message does not come to is
// cleared when that is released. It panics if somebody else holds the message.
func (m *Message) Reset() {
	if !m.built || atomic.LoadInt32(&m.refs) != 1 {
		panic("segment: Reset of a message that is read, shared or released")
	}
	if m.fault.Load() != nil {
		m.fault.Store(nil)
	}
	m.refused, m.cradle = nil, PtrBuilder{}
	if m.caps != nil {
		m.dropCaps()
	}
	if len(m.segs) == 0 {
		return
	}
	if len(m.segs) > 1 {
		for _, s := range m.segs[1:] {
			m.give(s)
		}
		m.recycleSegs()
	}
	s := &m.first
	if s.words > sweepWords {
		// The rest is cleared when the next message comes that far, shortly before
		// it is written.
		s.dirty = max(s.dirty, s.words)
		s.limit, s.words = sweepWords, sweepWords
	}
	clear(s.mem[:s.words*wordBytes])
	s.words = 1
	m.cur = s
}

// Renew gives a built message's memory back, and begins another in new memory from
// the same arena, of about sizeHint bytes: it is Release followed by [NewSized], but
// for the bookkeeping that is kept. What was taken from the message is no longer
// valid. It panics if somebody else holds the message.
func (m *Message) Renew(sizeHint int) {
	if !m.built || atomic.LoadInt32(&m.refs) != 1 {
		panic("segment: Renew of a message that is read, shared or released")
	}
	m.vacate()
	m.noSegs()
	if m.refused != nil {
		m.refused = nil
	}
	if m.cradle.seg != nil {
		m.cradle = PtrBuilder{}
	}
	m.hint = sizeHint
}

// Options says how a message is to be read. The zero value is useful.
type Options struct {
	// Limits bound what reading costs; zero fields mean the defaults.
	Limits Limits
	// Trust says who can write the memory. Default Private.
	Trust Trust
	// Owner, if not nil, is told when the message is released.
	Owner Owner
	// Debug keeps the message from being recycled, so that its use after
	// Release, a second Release, and a fault that nobody looked at are found.
	Debug bool
}

// FromSegments reads a message where its segments lie, with the default
// limits, trusting that nobody writes to them. See [Open].
func FromSegments(segs [][]byte) (*Message, error) { return open(segs, &defaultLimits) }

// Open reads a message where its segments lie; the first holds the root. The
// memory must stay unchanged (unless it is shared, see [Trust]) until the
// message's Release, which calls the options' Owner. On an error the Owner is
// not called.
//
// A segment's length must be a multiple of 8. A segment that does not start at
// a multiple of 8 is copied, once.
func Open(segs [][]byte, o Options) (*Message, error) {
	lim := defaultLimits
	if o.Limits != (Limits{}) {
		lim = o.Limits.WithDefaults()
	}
	m, err := open(segs, &lim)
	if err != nil {
		return nil, err
	}
	m.trust, m.owner, m.debug = o.Trust, o.Owner, o.Debug
	return m, nil
}

func open(segs [][]byte, lim *Limits) (*Message, error) {
	if len(segs) != 1 || !soleSegment(segs[0]) {
		if err := checkSegments(segs, lim.Segments); err != nil {
			return nil, err
		}
	}
	m := readMessages.Get().(*Message)
	m.refs = 1
	m.limits = *lim
	m.read(segs)
	return m, nil
}

// read makes the segments those of a message that has none, and gives it its
// whole budget.
func (m *Message) read(segs [][]byte) {
	m.budget = m.limits.TraversalWords
	m.metered = m.budget != Unlimited
	for _, b := range segs {
		m.addReadable(b)
	}
}

// Reopen makes a message that is read read another, where its segments lie,
// with the limits and the trust that it was opened with: in a loop that is done
// with each message before it reads the next, bookkeeping is neither taken nor
// given back. What was taken from the message is no longer valid, and its Owner
// and its table of capabilities are told so, as by Release; the new memory has
// none, and must stay unchanged until the next Reopen or the message's Release.
//
// Segments are as for [Open]. On an error the message is left empty, to be
// reopened or released. It panics if the message was built, or if somebody else
// holds it.
func (m *Message) Reopen(segs [][]byte) error {
	if m.built || atomic.LoadInt32(&m.refs) != 1 {
		panic("segment: Reopen of a message that is built, shared or released")
	}
	if len(segs) == 1 && len(m.segs) == 1 && soleSegment(segs[0]) && m.owner == nil && m.caps == nil && !m.debug && m.fault.Load() == nil {
		m.budget = m.limits.TraversalWords
		m.metered = m.budget != Unlimited
		m.first.read(segs[0])
		return nil
	}
	return m.reopenSlow(segs)
}

func (m *Message) reopenSlow(segs [][]byte) error {
	m.vacate()
	m.noSegs()
	if err := checkSegments(segs, m.limits.Segments); err != nil {
		return err
	}
	m.read(segs)
	return nil
}

// soleSegment tells, at once, that a message can be read from b where it lies,
// as most can.
func soleSegment(b []byte) bool {
	return len(b)%wordBytes == 0 && uint(len(b))-1 < maxSegmentWords*wordBytes && aligned(b)
}

func (s *seg) read(b []byte) {
	s.bind(b[:len(b):len(b)])
	s.words = int64(len(b) / wordBytes)
}

// checkSegments tells whether a message can be read from segs at all.
func checkSegments(segs [][]byte, most int) error {
	if len(segs) == 0 || len(segs[0]) == 0 {
		return &Fault{Kind: ErrMalformed, Detail: "no first segment, and so no root pointer"}
	}
	if len(segs) > most {
		return &LimitError{Limit: "Segments", Max: uint64(most), Got: uint64(len(segs))}
	}
	for i, b := range segs {
		if len(b)%wordBytes != 0 {
			return &Fault{Kind: ErrMalformed, Segment: uint32(i), Detail: fmt.Sprintf("%d bytes are not a multiple of 8", len(b))}
		}
		if uint64(len(b))/wordBytes > maxSegmentWords {
			return &LimitError{Limit: "words of a segment", Max: maxSegmentWords, Got: uint64(len(b)) / wordBytes}
		}
	}
	return nil
}

func (m *Message) addReadable(b []byte) {
	if !aligned(b) {
		b = alignedCopy(b)
	}
	m.newSeg().read(b)
}

func alignedCopy(b []byte) []byte {
	// The allocator aligns anything of a multiple of 8 bytes to 8.
	c := make([]byte, len(b))
	copy(c, b)
	return c
}

// newSeg adds the bookkeeping of one more segment.
func (m *Message) newSeg() *seg {
	if n := len(m.segs); n > 0 || cap(m.segs) == 0 {
		return m.newSegSlow(n)
	}
	m.segs = m.segs[:1] // a recycled message has its first there already
	return &m.first
}

func (m *Message) newSegSlow(n int) *seg {
	var s *seg
	switch {
	case n == 0:
		s = &m.first
	case len(m.spare) > 0:
		s = m.spare[len(m.spare)-1]
		m.spare = m.spare[:len(m.spare)-1]
	default:
		s = new(seg)
	}
	s.msg = m
	s.id = uint32(n)
	m.segs = append(m.segs, s)
	return s
}

// Retain adds a holder: the message's memory stays until each holder has
// called Release. It returns m.
func (m *Message) Retain() *Message {
	atomic.AddInt32(&m.refs, 1)
	return m
}

func (m *Message) released() bool { return atomic.LoadInt32(&m.refs) <= 0 }

// Release gives up the caller's hold; the last one returns the memory to where
// it came from. No handle, slice or string view of the message may be used
// afterwards. Releasing nil does nothing, and so does releasing once more a
// message that is not in use again; with an arena in debug mode messages are
// never used again, and any use after Release gives [ErrReleased].
func (m *Message) Release() {
	if m == nil {
		return
	}
	if atomic.LoadInt32(&m.refs) != 1 {
		if n := atomic.AddInt32(&m.refs, -1); n > 0 {
			return
		} else if n < 0 {
			atomic.AddInt32(&m.refs, 1)
			if m.debug {
				debugLog("segment: released a message that was released before", "stack", string(debug.Stack()))
			}
			return
		}
	}
	m.refs = 0
	m.free()
}

// vacate returns the message's memory to whom it belongs, and forgets its fault.
func (m *Message) vacate() {
	if m.debug {
		m.reportUnread()
		m.looked.Store(false)
	}
	if m.caps != nil {
		m.dropCaps()
	}
	for _, s := range m.segs {
		m.give(s)
	}
	if m.owner != nil {
		m.owner.Release()
		m.owner = nil
	}
	if m.fault.Load() != nil {
		m.fault.Store(nil)
	}
}

func (m *Message) free() {
	m.vacate()
	if m.debug {
		return
	}
	m.noSegs()
	if !m.built {
		m.metered, m.trust = false, Private
		readMessages.Put(m)
		return
	}
	m.built = false
	if m.refused != nil {
		m.refused = nil
	}
	if m.cradle.seg != nil {
		m.cradle = PtrBuilder{}
	}
	builtMessages.Put(m)
}

// noSegs forgets the segments, whose memory was given back.
func (m *Message) noSegs() {
	if len(m.segs) > 1 {
		m.recycleSegs()
	}
	m.segs = m.segs[:0]
	m.cur = nil
}

// give returns a segment's memory to whom it belongs. A stale handle finds an
// empty segment.
func (m *Message) give(s *seg) {
	if s.foreign {
		if s.release != nil {
			s.release()
		}
		s.foreign, s.release = false, nil
	} else if m.built {
		used := int(max(s.words, s.dirty)) * wordBytes
		if s == &m.first && m.keeper != nil && m.keeper.Keep(s.mem, used) {
			m.kept = s.mem
		} else {
			m.arena.Free(s.mem, used)
		}
	}
	if m.debug {
		// The memory stays bound, so that a stale handle meets a bounds check
		// and not a nil slice in the twin without unsafe.
		s.words, s.limit, s.dirty = 0, 0, 0
		return
	}
	s.base, s.mem, s.words, s.limit, s.dirty = *new(addr), nil, 0, 0, 0
}

// maxSpare bounds the bookkeeping that a recycled message keeps.
const maxSpare = 64

func (m *Message) recycleSegs() {
	rest := m.segs[1:]
	for i, s := range rest {
		if len(m.spare) < maxSpare {
			m.spare = append(m.spare, s)
		}
		rest[i] = nil
	}
	m.segs = m.segs[:1]
}

// Err gives the first fault met in reading or building the message, or nil.
func (m *Message) Err() error {
	if m.released() {
		return ErrReleased
	}
	if f := m.fault.Load(); f != nil {
		if m.debug {
			m.looked.Store(true)
		}
		return *f
	}
	return nil
}

// ClearErr forgets the first fault, so that reading can be tried again. In a
// message that is built it says that what could not be written is not missed:
// the rest can then be sent.
func (m *Message) ClearErr() { m.fault.Store(nil) }

// Limits are what a message that is read is held to.
func (m *Message) Limits() Limits { return m.limits }

// ResetLimits gives a message that is read its whole budget again, or a new
// one. Zero fields of l mean the defaults.
func (m *Message) ResetLimits(l Limits) {
	m.limits = l.WithDefaults()
	m.budget = m.limits.TraversalWords
	m.metered = !m.built && m.budget != Unlimited
}

// Root gives the root pointer for reading.
func (m *Message) Root() Ptr {
	if len(m.segs) == 0 || m.first.words == 0 {
		if m.released() {
			m.fail(ErrReleased)
		}
		return Ptr{}
	}
	return Ptr{&m.first, m.first.at(0), m.depth()}
}

// depth is the nesting that a handle made here allows. What we build ourselves
// is not limited but for what a handle can count.
func (m *Message) depth() uint16 {
	if m.built {
		return math.MaxUint16
	}
	return uint16(m.limits.Depth)
}

// RootBuilder gives the root pointer for building. In a message that is read
// it records [ErrReadOnly] and gives a builder that does nothing.
func (m *Message) RootBuilder() PtrBuilder {
	if len(m.segs) == 0 && !m.start() {
		return PtrBuilder{}
	}
	if !m.built || m.first.words == 0 {
		m.fail(m.unwritable())
		return PtrBuilder{}
	}
	return PtrBuilder{&m.first, m.first.at(0)}
}

// unwritable tells why nothing can be built.
func (m *Message) unwritable() error {
	if m.released() {
		return ErrReleased
	}
	return ErrReadOnly
}

// NewRoot builds a struct of size sz as the message's root.
func (m *Message) NewRoot(sz Size) StructBuilder { return m.RootBuilder().NewStruct(sz) }

// AppendSegments appends each segment's bytes to dst, in order, unframed. They
// are the message's own memory, valid until Release; nothing is copied. A
// message with a fault gives the fault instead, so that nothing half-built
// leaves.
func (m *Message) AppendSegments(dst [][]byte) ([][]byte, error) {
	if err := m.Err(); err != nil {
		return dst, err
	}
	if len(m.segs) == 0 && !m.start() {
		return dst, m.Err()
	}
	for i := range m.segs {
		dst = append(dst, m.Segment(i))
	}
	return dst, nil
}

// ToSegments gives each segment's bytes. See [Message.AppendSegments], which
// does the same without allocating.
func (m *Message) ToSegments() ([][]byte, error) {
	return m.AppendSegments(make([][]byte, 0, max(1, len(m.segs))))
}

// Segments is the number of segments.
func (m *Message) Segments() int { return len(m.segs) }

// Segment gives the bytes of one segment, unframed: the message's own memory,
// valid until Release. It panics where there is no such. Whoever sends them
// looks at [Message.Err] first.
func (m *Message) Segment(i int) []byte {
	s := m.segs[i]
	n := s.words * wordBytes
	return s.mem[:n:n]
}

// OwnsMemory tells whether all segments lie in memory from the message's arena.
// Others, external data and whatever a message was opened on, may be a mapped
// file that somebody shortens while it is read.
func (m *Message) OwnsMemory() bool {
	for _, s := range m.segs {
		if s.foreign {
			return false
		}
	}
	return m.built
}

// SizeBytes is the size of all segments together, in bytes, unframed.
func (m *Message) SizeBytes() int64 {
	var n int64
	for _, s := range m.segs {
		n += s.words
	}
	return n * wordBytes
}

// Snapshot copies the message as it is into private memory, byte for byte.
// Where it is shared, nothing that its writer does later shows in the copy,
// whose trust is [Snapshot]. The caller releases both. A message that is built
// gives its first fault instead.
func (m *Message) Snapshot() (*Message, error) {
	if m.released() {
		return nil, ErrReleased
	}
	if m.built && (m.Err() != nil || len(m.segs) == 0 && !m.start()) {
		return nil, m.Err()
	}
	var words int64
	for _, s := range m.segs {
		words += s.words
	}
	all := make([]byte, 0, words*wordBytes)
	segs := make([][]byte, len(m.segs))
	for i, s := range m.segs {
		at := len(all)
		all = append(all, s.mem[:s.words*wordBytes]...)
		segs[i] = all[at:len(all):len(all)]
	}
	lim := defaultLimits
	if !m.built {
		lim = m.limits
	}
	lim.Segments = max(lim.Segments, len(segs))
	return Open(segs, Options{Limits: lim, Trust: Snapshot})
}
