package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// consumedEvery is how often the count of taken messages is published: often
	// enough that a sender that waits for a quarter of the ring sees it.
	consumedEvery = slots / 4
	// glances is how often a receiver looks for a message before it waits: for some
	// 4 µs.
	glances = 160
	// lateRegion is how long a region may be named before it has arrived.
	lateRegion = 5 * time.Second
)

// incoming is the receiving side of a pipe.
type incoming struct {
	pipe *Pipe
	own  *words
	peer *words

	mu       sync.Mutex
	regions  []*mem.Shared // of the peer, by number; nil where there is none
	ranges   atomic.Pointer[ranges]
	size     int64 // of all
	max      int64
	unsealed bool   // regions of a folder are accepted
	taken    uint64 // messages taken
	told     uint64 // and as the peer knows
	peeked   uint64 // up to this message its leases were taken already
	rung     sleep  // the sleep of the peer that was ended last
	closed   bool
	wait     waiter
	awaited  *mem.Line // the slot that wait waits for
	seq      uint32    // and its sequence

	many int // messages in a row that were there at once

	backs  [8]lease    // leases that came back in slots
	kept   int         // and how many of them there are
	packs  []*received // blocks of many messages that Recv has begun with
	member *member     // of the Poller that the pipe belongs to
	opened int64       // messages that hold our mappings
	bytes  uint64
	packed uint64 // messages beside the first of each slot
	gauge  gauge
}

// Messages iterates over the messages that arrive. The caller releases each. The
// iteration ends when the peer has closed, or after the first error, which it
// gives.
func (p *Pipe) Messages(ctx context.Context) iter.Seq2[*segment.Message, error] {
	return func(yield func(*segment.Message, error) bool) {
		for {
			msg, err := p.Recv(ctx)
			if err == io.EOF || !yield(msg, err) || err != nil {
				return
			}
		}
	}
}

// Recv waits for the next message and returns it. It is read where the peer built
// it, and the peer can still write there: see [segment.Shared]. A message of at
// most 56 bytes is private. The caller releases it, before or after Close; until
// then the peer cannot use its blocks again.
//
// The error is io.EOF if the peer closed after its last message, [ErrClosed] after
// Close, the end of ctx, [ErrDisconnected] if the peer died, with [ErrCorrupt] if
// it broke the protocol. What the peer had sent before it closed or died is
// received first. An error of package segment is about one message, which is left
// out.
func (p *Pipe) Recv(ctx context.Context) (*segment.Message, error) {
	msg, err := p.recv(ctx)
	return msg, p.count(err)
}

// Buffered tells whether Recv has a message at hand.
func (p *Pipe) Buffered() bool {
	in := &p.in
	in.mu.Lock()
	defer in.mu.Unlock()
	return !in.closed && (len(in.packs) > 0 || in.arrived())
}

func (p *Pipe) recv(ctx context.Context) (*segment.Message, error) {
	return p.message(ctx, nil)
}

// message is Recv, or for a member that of its Poller, which does not wait: then
// errNothing says that there is nothing.
func (p *Pipe) message(ctx context.Context, by *member) (*segment.Message, error) {
	r := receiveds.Get().(*received)
	if err := p.receive(ctx, r, by); err != nil {
		receiveds.Put(r)
		return nil, err
	}
	o := segment.Options{Limits: p.limits, Owner: r}
	if r.pipe != nil {
		o.Trust = segment.Shared
	}
	msg, err := segment.Open(r.segs, o)
	if err != nil {
		r.Release()
		return nil, fmt.Errorf("shm: receive: %w", err)
	}
	return msg, nil
}

// errNothing says that no message is there.
var errNothing = errors.New("shm: nothing received")

// receive waits for the next message, unless it is for a member of a Poller, and makes r
// hold it.
func (p *Pipe) receive(ctx context.Context, r *received, by *member) error {
	wait := by == nil
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("shm: receive: %w", err)
	}
	in := &p.in
	in.mu.Lock()
	for {
		over := p.over.Load() // before the slot: what the peer sent last is received
		if over == overClosed || in.closed {
			in.mu.Unlock()
			return ErrClosed
		}
		if by != nil && by.parted {
			in.mu.Unlock()
			return errNothing
		}
		if len(in.packs) > 0 {
			found, err := in.unpack(r)
			if found || err != nil {
				in.mu.Unlock()
				return p.broken(err)
			}
		}
		ready := in.arrived()
		if ready || wait && over == overNot && in.glance() {
			back, late, err := in.take(r)
			if late < 0 {
				point("receive.taken")
				ring := in.consume()
				in.show()
				if back != 0 {
					in.keep(back)
				}
				in.lookAhead(ready)
				if err == nil && r.pack.left > 0 && !r.reader {
					in.begin(r)
					_, err = in.unpack(r)
				}
				in.mu.Unlock()
				if ring {
					p.ringSender()
				}
				return p.broken(err)
			}
			if wait || over != overNot {
				err = in.awaitRegion(ctx, late)
			} else {
				err = errNothing // its arrival will be told
			}
			if err != nil {
				in.mu.Unlock()
				return err
			}
			continue
		}
		err := errNothing
		if over == overGone {
			err = p.eof()
		} else if stray := in.strayed(); stray != nil {
			err = stray
		} else if wait {
			err = in.await(ctx, r)
		}
		if err != nil {
			in.mu.Unlock()
			return err
		}
	}
}

// broken ends the pipe if there is an error.
func (p *Pipe) broken(err error) error {
	if err != nil {
		p.end(err)
	}
	return err
}

// arrived tells whether the next message is there. The caller has the lock.
func (in *incoming) arrived() bool {
	return uint32(in.peer.slot(in.taken)[0].Load()>>32) == uint32(in.taken+1)
}

// manyWaiting is how many messages in a row were there at once where we look ahead.
// Before that we would only take the slot from the peer while it writes there.
const manyWaiting = 4

// lookAhead asks for what the next messages are read from, if they come faster than
// we take them. ready tells whether the last one was there at once. The caller has
// the lock.
func (in *incoming) lookAhead(ready bool) {
	if !ready {
		in.many = 0
		return
	}
	if in.many++; in.many < manyWaiting {
		return
	}
	next := in.peer.slot(in.taken)
	mem.PrefetchLine(in.peer.slot(in.taken + 1))
	if w0 := next[0].Load(); uint32(w0>>32) == uint32(in.taken+1) && w0>>24&0xff != kindInline {
		if b, late, err := in.at(place(next[2].Plain())); late < 0 && err == nil {
			mem.Prefetch(b)
		}
	}
}

// strayed ends the pipe of a peer that has put into the next slot a number that is
// not due yet: whoever waits for that slot would wait for nothing. The caller has
// the lock.
func (in *incoming) strayed() error {
	seq, due := uint32(in.peer.slot(in.taken)[0].Load()>>32), uint32(in.taken+1)
	if int32(seq-due) <= 0 {
		return nil
	}
	return in.pipe.broken(corrupt("message %d is in the slot of message %d", seq, due))
}

// keep keeps a lease that came back in a slot, until there is time for it. The
// caller has the lock.
func (in *incoming) keep(back lease) {
	if in.kept == len(in.backs) {
		in.settleBacks()
	}
	in.backs[in.kept] = back
	in.kept++
}

// settleBacks takes back what was kept. The caller has the lock.
func (in *incoming) settleBacks() {
	if in.kept == 0 {
		return
	}
	in.pipe.takeBack(in.backs[:in.kept])
	in.kept = 0
}

// glance waits a moment for the next message. It keeps the lock, which others can
// do without for so long, because what it takes to give it up and take it again
// would count for a peer that answers at once. The caller has the lock.
func (in *incoming) glance() bool {
	if w := &in.wait; !w.spins || w.busy || w.mode == Adaptive && w.patience.Spent() {
		return false
	}
	in.settleBacks()
	in.pipe.out.prepare()
	line, seq := in.peer.slot(in.taken), uint32(in.taken+1)
	for range glances {
		mem.Pause(1)
		if uint32(line[0].Load()>>32) == seq {
			in.wait.patience.Hit()
			return true
		}
	}
	return false
}

// readyToReceive is what a receiver waits for. It runs without the lock. Another
// call may have taken the message, and then the slot is further on.
func (p *Pipe) readyToReceive() bool {
	return int32(uint32(p.in.awaited[0].Load()>>32)-p.in.seq) >= 0 || p.over.Load() != overNot
}

// await waits for the next message, which r is to hold. The caller has the lock.
func (in *incoming) await(ctx context.Context, r *received) error {
	w := &in.wait
	if w.busy {
		changed := w.changes()
		in.mu.Unlock()
		defer in.mu.Lock()
		select {
		case <-changed:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("shm: receive: %w", ctx.Err())
		}
	}
	w.busy = true
	ring := in.confirm()
	in.awaited, in.seq = in.peer.slot(in.taken), uint32(in.taken+1)
	in.settleBacks()
	in.mu.Unlock()
	if ring {
		in.pipe.ringSender()
	}
	r.rest(in.pipe)
	in.pipe.flushLarge()
	point("receive.wait")
	err := w.wait(ctx, 0)
	in.mu.Lock()
	w.busy = false
	w.signal()
	if err != nil {
		return fmt.Errorf("shm: receive: %w", err)
	}
	return nil
}

// awaitRegion waits until a region that a slot names has arrived: it was sent
// before the slot was published, and so it is on its way. The caller has the lock.
func (in *incoming) awaitRegion(ctx context.Context, id int) error {
	point("receive.late")
	late := time.NewTimer(lateRegion)
	defer late.Stop()
	for !in.pipe.drained.Load() && !in.known(id) {
		changed := in.wait.changes()
		in.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = fmt.Errorf("shm: receive: %w", ctx.Err())
		case <-late.C:
			err = corrupt("a message names region %d, which does not come", id)
			in.pipe.end(err)
		}
		in.mu.Lock()
		if err != nil {
			return err
		}
	}
	if in.pipe.over.Load() == overClosed { // the peer's memory may be gone
		return ErrClosed
	}
	if !in.known(id) {
		in.pipe.end(corrupt("a message names region %d, which it does not have", id))
		in.taken++ // never to be read
		return in.pipe.eof()
	}
	return nil
}

func (in *incoming) known(id int) bool { return id < len(in.regions) && in.regions[id] != nil }

// take makes r hold the message of the next slot. Each word is loaded once; what is
// checked is what is used. late is the number of a region that has not arrived yet,
// or -1. The caller has the lock.
func (in *incoming) take(r *received) (back lease, late int, err error) {
	line := in.peer.slot(in.taken)
	point("receive.slot")
	w0 := line[0].Load()
	kind, n, size := int(w0>>24&0xff), int(w0>>16&0xff), int(w0&0xffff)
	if kind == kindInline {
		if size == 0 || size > inlineBytes || size%8 != 0 || n != 1 {
			return 0, -1, corrupt("a message of %d bytes and %d segments is in a slot", size, n)
		}
		for i := 0; i < size; i += 8 {
			binary.NativeEndian.PutUint64(r.inline[i:], line[1+i/8].Plain())
		}
		r.segs = append(r.few[:0], r.inline[:size:size])
		in.bytes += uint64(size)
		return 0, -1, nil
	}
	w1 := line[1].Plain()
	r.lease, back = lease(w1>>32), lease(uint32(w1))
	if r.lease.index() >= leases {
		return 0, -1, corrupt("a message is lent under %v", r.lease)
	}
	r.segs = r.few[:0]
	switch kind {
	case kindPlaces:
		if n == 0 || n > slotPlaces {
			return 0, -1, corrupt("a slot has %d segments", n)
		}
		for i := range n {
			if late, err = in.add(r, place(line[2+i].Plain())); late >= 0 || err != nil {
				break
			}
			mem.Prefetch(r.segs[i])
		}
	case kindTable:
		late, err = in.addTable(r, place(line[2].Plain()))
	case kindSpans:
		if n == 0 || n > mostSpans {
			return 0, -1, corrupt("a slot has %d spans", n)
		}
		for i := range n {
			if late, err = in.addSpan(r, line[2+2*i].Plain(), line[3+2*i].Plain()); late >= 0 || err != nil {
				break
			}
		}
	case kindPacked:
		if late, err = in.add(r, place(line[2].Plain())); late < 0 && err == nil {
			err = r.pack.begin(r.segs[0], line[3].Plain())
		}
	default:
		return 0, -1, corrupt("a slot is of kind %d", kind)
	}
	if late >= 0 || err != nil {
		r.dropOwn(&in.pipe.out)
		r.dropRegions()
		return 0, late, err
	}
	if in.taken < in.peeked {
		back = 0
	}
	bytes := 0
	for _, b := range r.segs {
		bytes += len(b)
	}
	if kind == kindPacked {
		in.packed += uint64(r.pack.left) - 1
	}
	r.large = bytes > lazyBytes
	in.bytes += uint64(bytes)
	r.pipe = in.pipe
	if !r.stays {
		in.opened++
	}
	r.stays = false
	return back, -1, nil
}

// at gives the bytes of a place.
func (in *incoming) at(where place) (b []byte, late int, err error) {
	return bytesAt(in.regions, where.region(), where.offset(), where.bytes())
}

// bytesAt gives n bytes of one of the peer's regions from an offset on; both are less
// than 2^33. late is the region's number if it is not there, else -1.
func bytesAt(regions []*mem.Shared, id int, from, n uint64) (b []byte, late int, err error) {
	if id >= len(regions) || regions[id] == nil {
		return nil, id, nil
	}
	b = regions[id].Bytes()
	to := from + n
	if to > uint64(len(b)) {
		return nil, -1, corrupt("a segment is %d bytes at %d of region %d, which has %d", n, from, id, len(b))
	}
	return b[from:to:to], -1, nil
}

// add adds a segment, and holds the region that it is in.
func (in *incoming) add(r *received, where place) (late int, err error) {
	return in.addBytes(r, where.region(), where.offset(), where.bytes())
}

// addBytes is add of n bytes of a region from an offset on. The first region stays as
// long as the pipe.
func (in *incoming) addBytes(r *received, id int, from, n uint64) (late int, err error) {
	b, late, err := bytesAt(in.regions, id, from, n)
	if late >= 0 || err != nil {
		return late, err
	}
	if s := in.regions[id]; id != 0 && !slices.Contains(r.kept[:], s) {
		s.Retain()
		r.regions = append(r.regions, s)
	}
	r.segs = append(r.segs, b)
	return -1, nil
}

// addTable adds the segments that a table tells of.
func (in *incoming) addTable(r *received, where place) (late int, err error) {
	b, late, err := in.at(where)
	if late >= 0 || err != nil {
		return late, err
	}
	w, err := mem.Words(b)
	if err != nil {
		return -1, err
	}
	if len(w) > in.pipe.limits.Segments {
		// Not more of them than Open needs to refuse the message.
		w = w[:in.pipe.limits.Segments+1]
	}
	r.segs = make([][]byte, 0, len(w))
	for i := range w {
		if late, err = in.add(r, place(w[i].Load())); late >= 0 || err != nil {
			return late, err
		}
	}
	return -1, nil
}

// consume counts a message as taken, and tells whether the peer has to be rung. The
// caller has the lock.
func (in *incoming) consume() (ring bool) {
	in.taken++
	if in.taken-in.told < consumedEvery {
		return false
	}
	return in.confirm()
}

// confirm publishes how many messages were taken, and tells whether the peer has to be
// rung. The caller has the lock.
func (in *incoming) confirm() (ring bool) {
	if in.told == in.taken {
		return false
	}
	in.told = in.taken
	in.own.consumed.Swap(in.told)
	point("receive.confirmed")
	s := sleep(in.peer.sendSleep.Load())
	if !s.asleep() || s.what() != untilConsumed || s == in.rung || int32(uint32(in.told)-s.count()) < 0 {
		return false
	}
	in.rung = s
	return true
}

// peek takes the leases out of slots that nobody has received yet: the peer gave
// them back with messages that may be received only after the one that waits for
// them was sent.
func (p *Pipe) peek() {
	in := &p.in
	in.mu.Lock()
	defer in.mu.Unlock()
	in.settleBacks()
	for !in.closed {
		in.peeked = max(in.peeked, in.taken)
		if in.peeked-in.taken >= slots {
			break
		}
		line := in.peer.slot(in.peeked)
		w0 := line[0].Load()
		if uint32(w0>>32) != uint32(in.peeked+1) {
			break
		}
		if w0>>24&0xff != kindInline {
			if back := lease(uint32(line[1].Plain())); back != 0 {
				in.keep(back)
			}
		}
		in.peeked++
	}
	in.settleBacks()
}
