package shm

import (
	"sync"
	"sync/atomic"
)

// returns are the leases that we give back to the peer. Any goroutine may.
//
// The last one given back waits in the box for a message that goes to the peer anyway,
// because a second cache line that changes hands costs as much as the message. It
// goes through the release ring as soon as another takes its place, when we sleep,
// and when the peer says that it is short; if it is large, before we spin.
type returns struct {
	box atomic.Uint64 // a lease, or 0

	mu     sync.Mutex
	next   uint32 // how many went through the ring
	rung   sleep  // the sleep of the peer that was ended last
	closed bool   // the peer's memory must not be touched any more
}

const (
	// lazyBytes is how large a message may be for its lease to wait in the box
	// while we spin.
	lazyBytes = 64 << 10

	largeLease = 1 << 32 // a bit of what is in the box
)

// giveBack gives a lease back to the peer. A large one is flushed before we spin.
func (p *Pipe) giveBack(l lease, large bool) {
	x := uint64(l)
	if large {
		x |= largeLease
	}
	if old := p.back.box.Swap(x); old != 0 {
		p.push(lease(uint32(old)))
	}
	point("return.boxed")
	// After the exchange: either this sees that the peer is short, or the peer's
	// request to hurry finds the lease in the box.
	if p.peerShort() {
		p.flushReturns()
	}
}

// peerShort tells whether the peer sleeps until it gets leases back.
func (p *Pipe) peerShort() bool {
	s := sleep(p.peer.sendSleep.Load())
	return s.asleep() && s.what() == untilReleased
}

// flushReturns puts what waits for a message into the release ring.
func (p *Pipe) flushReturns() {
	if p.back.box.Load() == 0 {
		return
	}
	if l := p.back.box.Swap(0); l != 0 {
		p.push(lease(uint32(l)))
	}
}

// flushLarge is flushReturns for a message so large that the peer may well wait for
// its memory.
func (p *Pipe) flushLarge() {
	if p.back.box.Load()&largeLease != 0 {
		p.flushReturns()
	}
}

// push puts a lease into the release ring, which has room for all there can be, and
// wakes the peer if that is what it waits for.
func (p *Pipe) push(l lease) {
	r := &p.back
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	entry := p.own.release(r.next)
	point("return.push")
	r.next++
	entry.Swap(uint64(r.next)<<32 | uint64(l))
	point("return.pushed")
	s := sleep(p.peer.sendSleep.Load())
	ring := s.asleep() && s.what() == untilReleased && s != r.rung && int32(r.next-s.count()) >= 0
	if ring {
		r.rung = s
	}
	r.mu.Unlock()
	if ring {
		p.ringSender()
	}
}
