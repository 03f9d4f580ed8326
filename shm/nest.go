package shm

import "github.com/fairlead-go/fairlead/arena"

// A nest is the arena of a Writer's own message. It keeps the block for the next one,
// so that no lock is taken to begin a message.
type nest struct {
	out   *outgoing
	least int // how large the first segment's block is to be

	next *block   // kept, or nil
	has  []*block // those of the message, in the order in which it got them
	sent sharing
}

// sharing tells what was made of the blocks of a message.
type sharing int

const (
	notShared  sharing = iota
	shared             // the peer has them too
	handedOver         // they are the peer's alone
)

// Allocate gives a block, or memory of the heap if the regions are full or the pipe
// has ended.
func (a *nest) Allocate(minBytes int) ([]byte, error) {
	if minBytes > maxBlock {
		return nil, errTooLarge
	}
	n := minBytes
	if len(a.has) == 0 {
		n = max(n, a.least)
	}
	b := a.next
	if len(a.has) == 0 && b != nil && b.suits(n) {
		a.next = nil
	} else if b = a.out.take(n); b == nil {
		return arena.Pool().Allocate(minBytes)
	}
	a.has = append(a.has, b)
	return b.mem, nil
}

// suits tells whether a block for n bytes is of this size.
func (b *block) suits(n int) bool {
	if b.class >= 0 {
		return n <= maxClass && b.class == classOf(n)
	}
	return n <= len(b.mem) && len(b.mem)/2 <= n
}

// holds gives the number of the block that memory begins in, or -1.
func (a *nest) holds(mem []byte) int {
	for i, b := range a.has {
		if len(mem) > 0 && &b.mem[0] == &mem[0] {
			return i
		}
	}
	return -1
}

// Free keeps the block, or gives it up.
func (a *nest) Free(mem []byte, used int) {
	i := a.holds(mem)
	if i < 0 {
		if a.sent != handedOver {
			arena.Pool().Free(mem, used)
		}
		return
	}
	b := a.has[i]
	b.dirty = max(b.dirty, used)
	a.has[i] = a.has[len(a.has)-1]
	a.has = a.has[:len(a.has)-1]
	if a.next == nil && a.sent == notShared {
		a.next = b
	} else {
		a.out.release(b)
	}
}

// Dirty tells how far a block was written before.
func (a *nest) Dirty(mem []byte) int {
	if i := a.holds(mem); i >= 0 {
		return a.has[i].dirty
	}
	return 0
}

// Zeroed says that blocks are zero, but for that.
func (a *nest) Zeroed() bool { return true }

// leave gives up what is kept.
func (a *nest) leave() {
	if a.next != nil {
		a.out.release(a.next)
		a.next = nil
	}
}

// take gives a block of at least n bytes that belongs to a message, nil if there is no
// room or the pipe has ended.
func (o *outgoing) take(n int) *block {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.pipe.sendable() != nil { // Send tells why
		return nil
	}
	return o.find(n)
}

// submitNest publishes the message in a nest, and keeps a block for the next.
func (o *outgoing) submitNest(s *sending) (shortage, error) {
	msg, a := s.msg, &s.by.nest
	first := msg.Segment(0)
	if msg.Segments() > 1 || a.holds(first) != 0 {
		short, err := o.submitPlaces(s)
		if short == nothing && err == nil {
			a.sent = shared
		}
		return short, err
	}
	if !o.lendable() {
		return memoryOrLease, nil
	}
	b := a.has[0]
	b.dirty = max(b.dirty, len(first))
	l, ln := o.loans.lend()
	ln.blocks = append(ln.blocks, b) // the hold that the message had
	a.has, a.sent = a.has[:0], handedOver
	o.submitPlace(l, b, len(first))
	o.collect(8)
	if a.next == nil {
		a.next = o.store.another(b)
	}
	return nothing, nil
}
