package shm

import (
	"sync"
	"sync/atomic"
)

// returns are the leases that we give back to the peer. Any goroutine may.
//
// They wait in a pile first. The uppermost goes with a message that is sent to the peer
// anyway, because a second cache line that changes hands costs as much as the message.
// All go through the release ring when they have become many, when we sleep, and when
// the peer says that it is short; if one is large, as soon as we wait for long.
type returns struct {
	// pile is the uppermost lease, largeLease if any is large, and how many there are:
	// 0 if there is none.
	pile  atomic.Uint64
	below [leases]atomic.Uint32 // by index, of what is in the pile, what lies below it

	mu     sync.Mutex
	next   uint32 // how many went through the ring
	rung   sleep  // the sleep of the peer that was ended last
	closed bool   // the peer's memory must not be touched any more
}

const (
	// lazyBytes is how large a message may be for its lease to wait in the pile
	// while we spin.
	lazyBytes = 64 << 10
	// mostWaiting is how many leases wait in the pile at most.
	mostWaiting = 16

	largeLease = 1 << 32 // a bit of the pile
	oneWaiting = 1 << 33 // their count is above it
)

// giveBack gives a lease back to the peer.
func (p *Pipe) giveBack(l lease, large bool) {
	r := &p.back
	x := uint64(l)
	if large {
		x |= largeLease
	}
	for {
		old := r.pile.Load()
		if old != 0 {
			r.below[l.index()].Store(uint32(old))
		}
		now := old&^uint64(largeLease-1) + oneWaiting | x
		if !r.pile.CompareAndSwap(old, now) {
			continue
		}
		point("return.boxed")
		// After the exchange: either this sees that the peer is short, or the peer's
		// request to hurry finds the lease in the pile.
		if now >= mostWaiting*oneWaiting || old != 0 && now&largeLease != 0 || p.peerShort() {
			p.flushReturns()
		}
		return
	}
}

// peerShort tells whether the peer sleeps until it gets leases back.
func (p *Pipe) peerShort() bool { return sleep(p.peer.sendSleep.Load()).short() }

// takePile takes what waits, for push.
func (r *returns) takePile() (pile uint64) {
	if r.pile.Load() == 0 {
		return 0
	}
	return r.pile.Swap(0)
}

// takeOne takes what waits apart: the uppermost, 0 if there is none, and the others.
func (r *returns) takeOne() (l lease, others uint64) {
	pile := r.takePile()
	l = lease(uint32(pile))
	if pile >= 2*oneWaiting {
		others = pile&^uint64(1<<32-1) - oneWaiting | uint64(r.below[l.index()].Load())
	}
	return l, others
}

// rest gives back all that can be, before a sleep and for a peer that is short: also
// what was kept for messages that the peer is done with.
func (p *Pipe) rest() {
	o := &p.out
	o.mu.Lock()
	o.collectAll()
	o.unlock()
	p.flushReturns()
}

// flushReturns puts what waits for a message into the release ring.
func (p *Pipe) flushReturns() { p.push(p.back.takePile()) }

// flushLarge is flushReturns if a message was so large that the peer may well wait
// for its memory.
func (p *Pipe) flushLarge() {
	if p.back.pile.Load()&largeLease != 0 {
		p.flushReturns()
	}
}

// push puts a pile into the release ring, which has room for all there can be, and
// wakes the peer if that is what it waits for. After the end of the pipe it does not:
// the peer takes everything back itself then, and may have yet to receive what was sent
// back to it.
func (p *Pipe) push(pile uint64) {
	n := pile / oneWaiting
	if n == 0 {
		return
	}
	r := &p.back
	r.mu.Lock()
	if r.closed || p.over.Load() != overNot {
		r.mu.Unlock()
		return
	}
	point("return.push")
	for l := lease(uint32(pile)); ; n-- {
		// Once the peer has it, it may come again and be laid elsewhere.
		below := lease(r.below[l.index()].Load())
		entry := p.own.release(r.next)
		r.next++
		if n == 1 {
			entry.Swap(uint64(r.next)<<32 | uint64(l))
			break
		}
		entry.Release(uint64(r.next)<<32 | uint64(l))
		l = below
	}
	point("return.pushed")
	s := sleep(p.peer.sendSleep.Load())
	ring := s.short() && s != r.rung && int32(r.next-s.count()) >= 0
	if ring {
		r.rung = s
	}
	r.mu.Unlock()
	if ring {
		p.ringSender()
	}
	if sleep(p.own.sendSleep.Load()).short() {
		// With what we gave back the peer may be done with what it had sent back to us,
		// and it was asked for that before.
		p.hurry()
	}
}
