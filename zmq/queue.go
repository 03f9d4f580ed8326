package zmq

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// An inbound is what has arrived for a socket and waits to be received: a queue
// a peer, taken from in turn. Its mutex is the last that anybody locks.
type inbound struct {
	mu      sync.Mutex
	ready   []*peer // those with messages
	turn    int     // whose turn it is
	waiting waitList
	closed  bool
	private []*peer // those of pipes
	conns   []*conn // of peers that are not private
	locals  int     // inproc peers

	queued   int64  // messages in all
	received uint64 // messages that were taken to be received
}

// An inbox is one peer's part of an inbound.
type inbox struct {
	// Guarded by the inbound's mutex:
	slabs   []*slab
	head    int // the first of slabs that is not taken yet
	stalled bool
	private bool     // a pipe's: not taken by others
	conn    *conn    // nil while there is none
	waiting waitList // of the pipe
	end     error    // what a pipe receives after the last message

	// Messages and bytes that were taken and are still counted below. They are
	// taken off now and then, for atomic operations cost more than the rest.
	taken, takenBytes int64

	msgs  atomic.Int64
	bytes atomic.Int64
	room  chan struct{} // of capacity 1: tells a stalled reader
}

// takenAtOnce is how many messages are taken until they are counted.
const takenAtOnce = 16

// put queues the messages of a slab, and tells whether somebody was waiting. It
// gives the slab back if the socket or the peer's pipe is closed. If the queue keeps
// only the last message, it returns the others, which the caller releases. read tells
// that whoever has the role of the reader calls it with what was read, and will look
// at the queue.
func (q *inbound) put(p *peer, s *slab, conflate, read bool) (old []arrival, awaited bool) {
	n := s.messages()
	s.refs.Store(int32(n))
	q.mu.Lock()
	if q.closed || p.in.end == ErrClosed {
		q.mu.Unlock()
		s.recycle()
		return nil, false
	}
	for conflate && p.in.head < len(p.in.slabs) {
		old = append(old, q.takeFrom(p))
	}
	b := &p.in
	if b.head == len(b.slabs) {
		b.slabs, b.head = b.slabs[:0], 0
		if !b.private {
			q.ready = append(q.ready, p)
		}
	} else if b.head > 64 && b.head > len(b.slabs)/2 {
		n := copy(b.slabs, b.slabs[b.head:])
		clear(b.slabs[n:])
		b.slabs, b.head = b.slabs[:n], 0
	}
	b.slabs = append(b.slabs, s)
	from := s.from(p)
	from.in.msgs.Add(int64(n))
	from.in.bytes.Add(s.bytes)
	q.queued += int64(n)
	list := &q.waiting
	if b.private {
		list = &b.waiting
	}
	if !read {
		q.kick(p)
	}
	awaited = len(list.list) > 0
	list.tell(n)
	q.mu.Unlock()
	return old, awaited
}

// take takes the next message, in turn among the peers. The caller has the lock.
func (q *inbound) take() (a arrival, ok bool) {
	if len(q.ready) == 0 {
		return a, false
	}
	if q.turn >= len(q.ready) {
		q.turn = 0
	}
	p := q.ready[q.turn]
	left := len(q.ready)
	a = q.takeFrom(p)
	if len(q.ready) == left {
		q.turn++
	}
	return a, true
}

// takeFrom takes the next message of a peer that has one.
func (q *inbound) takeFrom(p *peer) arrival {
	b := &p.in
	s := b.slabs[b.head]
	first, end := s.span(s.next)
	from := s.from(p)
	a := arrival{from, s, int32(first), int32(end)}
	s.next++
	q.queued--
	from.in.taken++
	from.in.takenBytes += size(a.frames())
	last := s.next == s.messages()
	if last {
		b.slabs[b.head] = nil
		b.head++
		if b.head == len(b.slabs) {
			q.unready(p)
		}
	}
	if last || b.taken == takenAtOnce {
		q.settle(from)
	}
	return a
}

// settle counts what was taken from a peer, and makes room for its reader.
func (q *inbound) settle(p *peer) {
	b := &p.in
	b.msgs.Add(-b.taken)
	b.bytes.Add(-b.takenBytes)
	b.taken, b.takenBytes = 0, 0
	if b.stalled && !p.recvFull(2) {
		b.stalled = false
		b.room <- struct{}{}
	}
}

// recvFull tells whether so much of a peer's waits to be received, taken so many times,
// that no more is read. Of its subscriptions an XPUB holds all that it may have besides:
// few programs receive them.
func (p *peer) recvFull(times int64) bool {
	o := &p.s.opt
	most := int64(o.RecvHighWater)
	if p.s.typ == XPub {
		most += int64(o.MaxSubscriptions)
	}
	return times*p.in.msgs.Load() >= most || times*p.in.bytes.Load() >= o.RecvHighWaterBytes
}

// counts gives how many messages were received, and how many wait to be.
func (q *inbound) counts() (received uint64, unread int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.received, q.queued
}

func (q *inbound) unready(p *peer) {
	for i, r := range q.ready {
		if r == p {
			last := len(q.ready) - 1
			copy(q.ready[i:], q.ready[i+1:])
			q.ready[last] = nil
			q.ready = q.ready[:last]
			if i < q.turn {
				q.turn--
			}
			return
		}
	}
}

// next waits for a message. The caller releases it.
func (q *inbound) next(ctx context.Context) (arrival, error) {
	if err := ctx.Err(); err != nil {
		return arrival{}, fmt.Errorf("zmq: receive: %w", err)
	}
	q.mu.Lock()
	for {
		if q.closed {
			q.mu.Unlock()
			return arrival{}, ErrClosed
		}
		if a, ok := q.take(); ok {
			q.received++
			q.mu.Unlock()
			a.peer.taken()
			return a, nil
		}
		if err := q.await(ctx, nil); err != nil {
			q.mu.Unlock()
			return arrival{}, fmt.Errorf("zmq: receive: %w", err)
		}
	}
}

// await waits until there may be something to receive, from the pipe's peer p or
// from any. The caller has the lock.
func (q *inbound) await(ctx context.Context, p *peer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c := q.vacant(p); c != nil {
		q.pump(ctx, c)
		return nil
	}
	if p != nil {
		return p.in.waiting.wait(&q.mu, ctx)
	}
	return q.waiting.wait(&q.mu, ctx)
}

// makePrivate makes what arrives from a peer a pipe's own.
func (q *inbound) makePrivate(p *peer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !p.in.private && !q.closed {
		q.unready(p)
		p.in.private = true
		q.private = append(q.private, p)
		if c := p.in.conn; c != nil {
			c.kick() // who reads is not the pipe
			q.strike(c)
		}
	}
}

// nextFrom waits for a message of a pipe's peer. The caller releases it.
func (q *inbound) nextFrom(ctx context.Context, p *peer) (arrival, error) {
	if err := ctx.Err(); err != nil {
		return arrival{}, fmt.Errorf("zmq: receive: %w", err)
	}
	q.mu.Lock()
	for {
		switch {
		case q.closed || p.in.end == ErrClosed:
			q.mu.Unlock()
			return arrival{}, ErrClosed
		case p.in.head < len(p.in.slabs):
			a := q.takeFrom(p)
			q.received++
			q.mu.Unlock()
			p.taken()
			return a, nil
		case p.in.end != nil:
			err := p.in.end
			q.mu.Unlock()
			return arrival{}, err
		}
		if err := q.await(ctx, p); err != nil {
			q.mu.Unlock()
			return arrival{}, fmt.Errorf("zmq: receive: %w", err)
		}
	}
}

// holds tells whether a message of a pipe's peer is there.
func (q *inbound) holds(p *peer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.closed && p.in.end != ErrClosed && p.in.head < len(p.in.slabs)
}

// finish says what a pipe receives after the last message. If that is ErrClosed,
// nothing more is received.
func (q *inbound) finish(p *peer, end error) {
	q.mu.Lock()
	var all []arrival
	if p.in.end != ErrClosed {
		p.in.end = end
	}
	for p.in.end == ErrClosed && p.in.head < len(p.in.slabs) {
		all = append(all, q.takeFrom(p))
	}
	for i, o := range q.private {
		if o == p && p.in.end == ErrClosed {
			q.private = append(q.private[:i], q.private[i+1:]...)
			break
		}
	}
	p.in.waiting.tellAll()
	q.mu.Unlock()
	releaseAll(all)
}

// stall notes that the reader of a peer waits for room, unless there is some.
func (q *inbound) stall(p *peer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || !p.recvFull(1) {
		return false
	}
	p.in.stalled = true
	return true
}

// unstall forgets a reader that waited for room.
func (q *inbound) unstall(p *peer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !p.in.stalled {
		select {
		case <-p.in.room:
		default:
		}
	}
	p.in.stalled = false
}

// close throws away everything and wakes everybody.
func (q *inbound) close() {
	q.mu.Lock()
	q.closed = true
	var all []arrival
	for _, c := range q.conns {
		c.kick()
	}
	for _, p := range q.private {
		if p.in.conn != nil {
			p.in.conn.kick()
		}
		for p.in.head < len(p.in.slabs) {
			all = append(all, q.takeFrom(p))
		}
		p.in.waiting.tellAll()
	}
	q.private = nil
	for {
		a, ok := q.take()
		if !ok {
			break
		}
		all = append(all, a)
	}
	q.waiting.tellAll()
	q.mu.Unlock()
	releaseAll(all)
}

func releaseAll(all []arrival) {
	for _, a := range all {
		a.release()
	}
}
