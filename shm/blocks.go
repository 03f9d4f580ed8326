package shm

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/internal/spin"
)

const (
	classes      = 15 // 256 B to 4 MiB
	minShift     = 8
	blockRoom    = 64 // beside the contents: the root pointer and a small struct
	maxClass     = 1<<(minShift+classes-1) + blockRoom
	smallClasses = 4       // those below what a message takes unasked
	maxBlock     = 1 << 30 // the largest segment

	nextRegionBytes = 1 << 20  // the first of the further regions
	mostRegionBytes = 16 << 20 // and how large they become, if no block is larger
	prepareBytes    = 4 << 10  // the most that is cleared at once, and in advance
	// dirtyMark is how much shorter than its capacity a block is that is not clear.
	dirtyMark     = 8
	maxUnanswered = 16 // announcements that the peer has not answered yet
)

// classOf is the smallest class whose blocks have n bytes.
func classOf(n int) int {
	return bits.Len(uint(max(n-blockRoom, 1)-1) >> minShift)
}

func classBytes(class int) int { return 1<<(minShift+class) + blockRoom }

// A block is a piece of our regions. It belongs to the messages that hold it, and
// lies in a free list while none does.
type block struct {
	mem    []byte
	region *region
	offset int
	class  int    // or -1 if it is all of its region
	dirty  int    // how far it had been written when it became free
	holds  int    // one for a message that is built in it, one for each lease
	waits  uint64 // the era in which one who has it began to wait for another
	next   *block // in its free list
}

// A region is memory of ours that the peer has mapped.
type region struct {
	id     int
	shared *mem.Shared
	used   int // bytes that have become blocks
	blocks []*block
	taken  int // blocks that are not free, and one more for what is not a block
	gone   bool
}

// A store is our regions and the blocks in them. The lock of the pipe's outgoing
// side guards it.
type store struct {
	regions   []*region // by number; nil where there is none
	current   *region   // where new blocks are cut from
	nextBytes int       // the size of the next region
	bytes     int64     // of all regions
	idle      int64     // of those whose blocks are all free
	max       int64
	huge      bool
	folder    string // of the further regions; "" for memory of their own
	unit      int    // of which their sizes are multiples
	spins     bool   // linger may
	vain      bool   // the last linger was, and no block has become free since

	free    [classes]*block
	large   []*block // free blocks that have a region of their own, last used last
	byStart map[*byte]*block
	last    *block // the one that was found or taken last
	recent  int    // the class that was taken last
	ready   *block // one that is free, out of its list, and zero
	taken   int    // blocks that are not free
	era     uint64 // begins when a block becomes free
	waits   int    // blocks of those who have begun to wait for another in this era
	waiting []int  // numbers of regions that were given up, until the peer knows
	unswept bool   // one was given up whose blocks remain
	refused bool   // the last region that was asked for could not be made or told of
	unheard bool   // and that was so because the peer has requests to answer

	// announce tells the peer of a region; withdraw that it is gone.
	announce func(*region) error
	withdraw func(id int) error
}

func (s *store) begin(shared *mem.Shared, o *Options) {
	r := &region{shared: shared, used: atBlocks, taken: 1}
	s.regions, s.current = []*region{r}, r
	s.nextBytes = nextRegionBytes
	s.bytes, s.max = int64(len(shared.Bytes())), o.MaxBytes
	s.huge, s.folder, s.unit = o.HugePages, o.HugeFolder, max(o.unit, 1)
	s.spins = o.Wait != Sleep && spin.Allowed()
	s.byStart = make(map[*byte]*block)
	s.era = 1
}

// clean clears a block as far as it was written.
func (b *block) clean() {
	clear(b.mem[:b.dirty])
	b.dirty = 0
}

// forMessage gives the memory of a block that a message is to be built in: cleared,
// or, where that would take long, shorter by dirtyMark.
func (b *block) forMessage() []byte {
	if b.dirty > prepareBytes {
		return b.mem[:len(b.mem)-dirtyMark]
	}
	b.clean()
	return b.mem
}

// dirtyIn tells how far memory that forMessage gave was written before. lock guards
// the store.
func (s *store) dirtyIn(mem []byte, lock *sync.Mutex) int {
	if len(mem) == cap(mem) {
		return 0
	}
	lock.Lock()
	defer lock.Unlock()
	if b := s.find(mem); b != nil {
		return min(b.dirty, len(mem))
	}
	return 0
}

// takeDirty gives a free block of at least n bytes with one hold; nil if there is no
// room. It is not cleared.
func (s *store) takeDirty(n int) *block {
	var b *block
	s.unheard = false
	if n > maxClass {
		b = s.takeLarge(n)
	} else if class := classOf(n); s.ready != nil && s.ready.class == class {
		b, s.ready = s.ready, nil
	} else {
		if b = s.takeClass(class); b == nil {
			b = s.takeLarge(n)
		}
		s.recent = class
	}
	if b == nil {
		return nil
	}
	s.took(b)
	s.last = b
	return b
}

// atHand tells whether takeDirty gives a block of at least n bytes without another
// region.
func (s *store) atHand(n int) bool {
	if n > maxClass {
		return slices.ContainsFunc(s.large, func(b *block) bool { return b.suits(n) })
	}
	class := classOf(n)
	return s.free[class] != nil || s.ready != nil && s.ready.class == class || s.fits(class)
}

// fits tells whether the current region has room for one more block of a class.
func (s *store) fits(class int) bool {
	return s.current.used+classBytes(class) <= len(s.current.shared.Bytes())
}

// mostLinger is how long we look at most for a large block to come back.
const mostLinger = time.Millisecond

// linger looks for a while whether collect brings back what a block of n bytes can be
// had from, if it is large and there is none: about as long as it takes the system to
// clear another. A peer that is at work brings it, and then the messages of a stream
// go round in few blocks, which the processors have in their caches, instead of in all
// the memory that there may be. After it was in vain it does not look again until some
// block has become free. The caller has the lock, which others do without for so long.
func (s *store) linger(n int, collect func()) {
	if n <= lazyBytes || !s.spins || s.vain || s.atHand(n) {
		return
	}
	budget := min(time.Duration(n)*time.Microsecond/4096, mostLinger)
	for began := clock(); clock()-began < budget; {
		for range spinRounds {
			if collect(); s.atHand(n) {
				return
			}
			mem.Pause(1)
		}
	}
	s.vain = true
}

// took counts a block that was free, which has one hold now.
func (s *store) took(b *block) {
	b.holds = 1
	s.taken++
	if b.region.taken == 0 {
		s.idle -= int64(len(b.region.shared.Bytes()))
	}
	b.region.taken++
}

// wait is told that one who has these blocks waits for another, and waited that the wait
// is over.
func (s *store) wait(has []*block) {
	for _, b := range has {
		if b.waits != s.era {
			b.waits = s.era
			s.waits++
		}
	}
}

func (s *store) waited(has []*block) {
	for _, b := range has {
		if b.waits == s.era {
			b.waits = 0
			s.waits--
		}
	}
}

// stuck tells whether one who has these blocks waits for another in vain: those who have
// the other blocks wait as well, and have looked since one became free. It uses up has.
func (s *store) stuck(has []*block) bool {
	only := has[:0] // those that nobody else waits with, each once
	for _, b := range has {
		if b.waits != s.era {
			b.waits = s.era
			only = append(only, b)
		}
	}
	for _, b := range only {
		b.waits = 0
	}
	return s.taken <= s.waits+len(only)
}

// prepare clears a block of the class that was taken last, for the next message.
func (s *store) prepare() {
	b := s.free[s.recent]
	if b == nil || s.ready != nil && s.ready.class == s.recent || b.dirty > prepareBytes {
		return
	}
	if s.ready != nil {
		s.ready.next, s.free[s.ready.class] = s.free[s.ready.class], s.ready
	}
	s.free[s.recent], b.next = b.next, nil
	b.clean()
	s.ready = b
}

// another gives a free block of the size of b with one hold, to be kept for a message
// that is not begun yet, and asks for what of it will be written first; nil if none
// is at hand. It leaves one that is not kept, so that nobody who waits for such a
// block waits for a message that is never sent.
func (s *store) another(b *block) *block {
	if b.class < 0 {
		return nil
	}
	if s.free[b.class] == nil {
		s.free[b.class] = s.cut(b.class)
	}
	n := s.free[b.class]
	switch {
	case n == nil:
		return nil
	case n.next != nil:
		s.free[b.class], n.next = n.next, nil
	default:
		if n = s.cut(b.class); n == nil {
			return nil
		}
	}
	s.took(n)
	mem.PrefetchWrite(n.mem[:max(n.dirty, 8)])
	return n
}

func (s *store) takeClass(class int) *block {
	if b := s.free[class]; b != nil {
		s.free[class], b.next = b.next, nil
		return b
	}
	if b := s.cut(class); b != nil {
		return b
	}
	if s.grow(classBytes(class), largeOnly) {
		return s.cut(class)
	}
	for c := class + 1; c < classes; c++ { // rather a large block than none
		if b := s.free[c]; b != nil {
			s.free[c], b.next = b.next, nil
			return b
		}
	}
	if s.grow(classBytes(class), anyRegion) {
		return s.cut(class)
	}
	return nil
}

// What may be given up for a new region.
type victims int

const (
	largeOnly victims = iota // free regions of large blocks
	anyRegion                // all regions that are free
)

// cut makes a new block.
func (s *store) cut(class int) *block {
	if !s.fits(class) {
		return nil
	}
	r, n := s.current, classBytes(class)
	point("block.cut")
	b := s.newBlock(r, r.used, n, class)
	r.used += n
	return b
}

func (s *store) newBlock(r *region, offset, n, class int) *block {
	b := &block{mem: r.shared.Bytes()[offset : offset+n : offset+n], region: r, offset: offset, class: class}
	s.byStart[&b.mem[0]] = b
	r.blocks = append(r.blocks, b)
	return b
}

// grow adds a region that new blocks of n bytes can be cut from, a smaller one where
// there is no room for a larger.
func (s *store) grow(n int, instead victims) bool {
	least := mem.RoundUp(n)
	for size := mem.RoundUp(max(s.nextBytes, 4*n)); ; size = max(mem.RoundUp(size/2), least) {
		if r := s.add(size, instead); r != nil {
			s.current = r
			s.nextBytes = min(2*size, mostRegionBytes)
			return true
		}
		if size == least {
			return false
		}
	}
}

// add makes a region of size bytes and tells the peer of it.
func (s *store) add(size int, instead victims) *region {
	size = (size + s.unit - 1) / s.unit * s.unit
	if s.bytes+int64(size) > s.max && !s.shrink(size, instead) {
		return nil
	}
	id := s.freeID()
	s.refused = id >= 0 // unless all goes well
	if id < 0 {
		return nil
	}
	shared, err := mem.NewShared(regionName, size, mem.SharedOptions{Populate: true, Huge: s.huge, Folder: s.folder})
	if err != nil {
		return nil
	}
	point("region.made")
	r := &region{id: id, shared: shared}
	if err := s.announce(r); err != nil {
		s.unheard = errors.Is(err, errUnanswered)
		_ = shared.Release()
		return nil
	}
	_ = shared.CloseDescriptor()
	point("region.announced")
	s.refused = false
	s.regions[id] = r
	s.bytes += int64(size)
	s.idle += int64(size)
	return r
}

// freeID gives a number for a new region, or -1.
func (s *store) freeID() int {
	for id, r := range s.regions {
		if r == nil && !s.isWaiting(id) {
			return id
		}
	}
	if len(s.regions) == maxRegions {
		return -1
	}
	s.regions = append(s.regions, nil)
	return len(s.regions) - 1
}

func (s *store) isWaiting(id int) bool {
	for _, w := range s.waiting {
		if w == id {
			return true
		}
	}
	return false
}

// known is told that the peer knows that a region is gone.
func (s *store) known(id int) bool {
	for i, w := range s.waiting {
		if w == id {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// takeLarge gives a block with a region of its own: one that is free and not much
// too large, of several the one used last, or a new one.
func (s *store) takeLarge(n int) *block {
	best := -1
	for i, b := range s.large {
		if b.suits(n) && (best < 0 || len(b.mem) <= len(s.large[best].mem)) {
			best = i
		}
	}
	if best >= 0 {
		b := s.large[best]
		s.large = append(s.large[:best], s.large[best+1:]...)
		return b
	}
	r := s.add(mem.RoundUp(n), anyRegion)
	if r == nil {
		return nil
	}
	r.used = len(r.shared.Bytes())
	return s.newBlock(r, 0, r.used, -1)
}

// shrink gives up free regions until one of size bytes has room: those of large blocks
// first, of them those that were not used for the longest time.
func (s *store) shrink(size int, instead victims) bool {
	if s.bytes-s.idle+int64(size) > s.max {
		return false
	}
	least := s.bytes
	for _, b := range s.large {
		least -= int64(len(b.region.shared.Bytes()))
	}
	if instead == largeOnly && least+int64(size) > s.max {
		return false
	}
	defer s.sweep()
	for _, b := range s.large {
		if s.bytes+int64(size) <= s.max {
			return true
		}
		if !s.giveUp(b.region) {
			return false
		}
	}
	for _, r := range s.regions {
		if s.bytes+int64(size) <= s.max {
			return true
		}
		if r != nil && r.taken == 0 && !s.giveUp(r) {
			return false
		}
	}
	return true
}

// giveUp gives up a region whose blocks are all free, after the peer was told. They
// remain until sweep.
func (s *store) giveUp(r *region) bool {
	if err := s.withdraw(r.id); err != nil {
		s.unheard = errors.Is(err, errUnanswered)
		return false
	}
	r.gone, s.unswept = true, true
	for _, b := range r.blocks {
		delete(s.byStart, &b.mem[0])
	}
	s.regions[r.id] = nil
	s.waiting = append(s.waiting, r.id)
	s.bytes -= int64(len(r.shared.Bytes()))
	s.idle -= int64(len(r.shared.Bytes()))
	point("region.removed")
	_ = r.shared.Release()
	return true
}

// sweep forgets the blocks of regions that were given up.
func (s *store) sweep() {
	if !s.unswept {
		return
	}
	s.unswept = false
	gone := func(b *block) bool { return b != nil && b.region.gone }
	for class := range s.free {
		for at := &s.free[class]; *at != nil; {
			if gone(*at) {
				*at = (*at).next
			} else {
				at = &(*at).next
			}
		}
	}
	s.large = slices.DeleteFunc(s.large, gone)
	if gone(s.last) {
		s.last = nil
	}
	if gone(s.ready) {
		s.ready = nil
	}
	if s.current.gone {
		s.current = s.regions[0]
	}
}

// find gives the block that a segment begins in, nil if it is not ours.
func (s *store) find(segment []byte) *block {
	if len(segment) == 0 {
		return nil
	}
	if b := s.last; b != nil && &b.mem[0] == &segment[0] {
		return b
	}
	b := s.byStart[&segment[0]]
	if b == nil || b.holds == 0 || len(segment) > len(b.mem) {
		return nil
	}
	s.last = b
	return b
}

// drop gives up one hold.
func (s *store) drop(b *block) {
	b.holds--
	if b.holds > 0 {
		return
	}
	s.vain = false
	s.era++
	s.waits = 0
	s.taken--
	if b.region.taken--; b.region.taken == 0 {
		s.idle += int64(len(b.region.shared.Bytes()))
	}
	point("block.free")
	if b.class < 0 {
		s.large = append(s.large, b)
		return
	}
	b.next, s.free[b.class] = s.free[b.class], b
}

// release gives all regions back.
func (s *store) release() {
	for i, r := range s.regions {
		if r != nil {
			_ = r.shared.Release()
			s.regions[i] = nil
		}
	}
}

// memory is an arena of a pipe: what its messages are built in.
type memory struct {
	out   *outgoing
	least int
}

// probe is the size hint of a message that is to have a small block. It is more
// than any arena gives, so that the message takes what there is.
const probe = int(^uint(0)>>1) - 7

// Allocate gives a block, or memory of the heap if the regions are full or the pipe
// has ended.
func (m *memory) Allocate(minBytes int) ([]byte, error) {
	if minBytes > maxBlock {
		return nil, errTooLarge
	}
	o := m.out
	o.mu.Lock()
	if o.pipe.sendable() != nil { // Send tells why
		o.mu.Unlock()
		return arena.Pool().Allocate(minBytes)
	}
	b := o.find(max(minBytes+dirtyMark, m.least))
	o.mu.Unlock()
	if b == nil {
		return arena.Pool().Allocate(minBytes)
	}
	return b.forMessage(), nil
}

// Free gives up a message's hold of a block.
func (m *memory) Free(mem []byte, used int) {
	o := m.out
	o.mu.Lock()
	b := o.store.find(mem)
	if b == nil {
		o.mu.Unlock()
		arena.Pool().Free(mem, used)
		return
	}
	b.dirty = max(b.dirty, used)
	o.dropAndUnlock(b)
}

// release gives up the hold of a block.
func (o *outgoing) release(b *block) {
	o.mu.Lock()
	o.dropAndUnlock(b)
}

// dropAndUnlock gives up a hold, and with the last after Close all of the memory.
func (o *outgoing) dropAndUnlock(b *block) {
	o.store.drop(b)
	o.free()
	last := o.closed && o.store.taken == 0
	o.mu.Unlock()
	if last {
		o.pipe.leaveItself()
	}
}

// Dirty tells how far a block was written before, of what Allocate did not clear.
func (m *memory) Dirty(mem []byte) int { return m.out.store.dirtyIn(mem, &m.out.mu) }

// Zeroed says that blocks are zero, but for that.
func (m *memory) Zeroed() bool { return true }

var errTooLarge = fmt.Errorf("%w: a segment is at most %d bytes", ErrFull, maxBlock)
