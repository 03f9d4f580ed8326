package shm

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// What a message has to wait for.
type shortage int

const (
	nothing shortage = iota
	noSlot           // the submit ring is full
	memoryOrLease
)

const (
	// shortWait is how long a sender that is short of memory sleeps at first,
	// until many leases have come back; then it takes up with one.
	shortWait = 2 * time.Millisecond
	// longestWait is how long it sleeps where the system had no memory for another
	// region, and does not tell when it has.
	longestWait = 50 * time.Millisecond
)

// slotsAhead is how far in advance a slot is asked for: the peer looks at the next one
// all the time, and at the one behind it if it finds many messages.
const slotsAhead = 4

// outgoing is the sending side of a pipe.
type outgoing struct {
	pipe *Pipe
	own  *words
	peer *words

	mu        sync.Mutex
	store     store
	loans     loans
	sent      uint64 // messages published
	consumed  uint64 // as far as we have looked at the peer's count
	collected uint32 // entries of the peer's release ring taken
	rung      sleep  // the sleep of the peer that was ended last
	carries   bool   // the slot that is being written has a lease that goes back
	closed    bool
	wait      waiter
	freed     atomic.Uint32      // counts what came back past the release ring
	was       uint32             // freed when the wait began
	over      []*segment.Message // that were kept for the peer, which is done with them
	few       [slotPlaces]*block
	blocks    []*block // of the message that is sent

	bytes, copied, packed uint64
	gauge                 gauge
}

// NewMessage starts a message of about sizeHint bytes, 0 if that is not known, in
// memory that the peer can see. It belongs to the caller until it is sent.
//
// It never blocks, but unless Options.Wait is Sleep it looks for up to a millisecond
// for a block of more than 64 KiB that the peer gives back, before it takes more memory
// from the system, which takes as long. While the regions are full (see
// Options.MaxBytes) the message is built in the heap, and copied when it is sent. So it
// is on a pipe that has ended, of which Send tells.
func (p *Pipe) NewMessage(sizeHint int) *segment.Message {
	if sizeHint > 0 && sizeHint <= 1<<(minShift+smallClasses-1) {
		return segment.NewSized(&p.small[classOf(sizeHint)], probe)
	}
	return segment.NewSized(&p.memory, max(sizeHint, 0))
}

// Send passes a message to the peer, which sees it at once. The message belongs to
// the pipe from now on in every case. Never release it as well, not even by a
// defer made before. Who needs it further, to read it or to send it to others,
// retains it first; nobody may write to it any more.
//
// What lies in blocks of this pipe is not copied, nor are messages of at most 56
// bytes, which travel in the slot. Nor is external data of a message of two or three
// segments that is part of another message of this pipe's memory, or part of one that
// was received from the peer, which reads its own memory then: the caller holds that
// other message until the data's release function is called. Everything else, such as
// a message of another arena, is copied into one block.
//
// Send blocks while 512 messages wait that the peer has not taken, while the peer
// holds 1,024 messages, and while there is no room for a copy; the end of ctx ends
// that, and then nothing was sent. After any other error nobody knows whether the
// peer takes what was sent before.
func (p *Pipe) Send(ctx context.Context, msg *segment.Message) error {
	return p.send(ctx, msg, nil, !p.manual)
}

// SendAll sends several messages as Send does, and wakes the peer once. It takes
// over all of them in every case, and stops at the first that cannot be sent.
func (p *Pipe) SendAll(ctx context.Context, msgs []*segment.Message) error {
	for i, msg := range msgs {
		behind := msgs[i+1:]
		if err := p.send(ctx, msg, behind, len(behind) == 0); err != nil {
			for _, m := range behind {
				m.Release()
			}
			p.wakeReceiver()
			return err
		}
	}
	return nil
}

// Flush wakes the peer if it sleeps and has messages that were sent since. It is
// needed with Options.ManualFlush only.
func (p *Pipe) Flush() error {
	o := &p.out
	o.mu.Lock()
	err := p.sendable()
	o.mu.Unlock()
	if err != nil {
		return p.count(err)
	}
	p.wakeReceiver()
	return nil
}

// sendable gives the reason why nothing can be sent.
func (p *Pipe) sendable() error {
	switch p.over.Load() {
	case overClosed:
		return ErrClosed
	case overGone:
		return p.gone()
	}
	return nil
}

// ended is sendable of a pipe that may be about to end.
func (p *Pipe) ended() error {
	if p.cause.Load() != nil {
		return p.gone()
	}
	return p.sendable()
}

// wakeReceiver rings the peer if it sleeps and was not rung yet.
func (p *Pipe) wakeReceiver() {
	o := &p.out
	o.mu.Lock()
	ring := !o.closed && o.sleeping()
	o.mu.Unlock()
	if ring {
		p.ringReceiver()
	}
}

// sleeping tells whether the peer has to be rung, which the caller then does.
func (o *outgoing) sleeping() bool {
	s := sleep(o.peer.receiveSleep.Load())
	if !s.asleep() || s == o.rung {
		return false
	}
	o.rung = s
	return true
}

// send publishes a message, while the sender has those behind it. wake says that a peer
// that sleeps is rung now.
func (p *Pipe) send(ctx context.Context, msg *segment.Message, behind []*segment.Message, wake bool) error {
	err := p.sound(ctx, msg)
	what := sending{msg: msg, behind: behind, ours: true}
	if err == nil {
		err = p.publish(ctx, wake, &what)
	}
	if !what.kept {
		msg.Release()
	}
	return p.count(err)
}

// A sending is what is to be published.
type sending struct {
	msg    *segment.Message   // nil for the Writer's block of many, or that it needs one
	behind []*segment.Message // those that SendAll has yet to send
	ours   bool               // what lies in blocks of ours need not be copied
	by     *Writer            // nil for the pipe's Send
	kept   bool               // the message was kept, until the peer is done with it
	full   bool               // it waits for a block
}

// submit publishes it if it can. The caller has the lock.
func (s *sending) submit(o *outgoing) (shortage, error) {
	if s.msg == nil {
		return o.submitPack(s)
	}
	if short, err := o.slot(); short != nothing || err != nil {
		return short, err
	}
	switch first := s.msg.Segment(0); {
	case s.msg.Segments() == 1 && len(first) <= inlineBytes:
		o.submitInline(first)
		return nothing, nil
	case s.by != nil && s.msg == s.by.own:
		return o.submitNest(s)
	}
	return o.submitPlaces(s)
}

// blocks gives those that the sender has itself: they do not come back as long as it
// waits. The caller has the lock.
func (s *sending) blocks(o *outgoing) (has []*block) {
	if w := s.by; w != nil {
		has = append(has, w.nest.has...)
		if w.nest.next != nil {
			has = append(has, w.nest.next)
		}
		if w.block != nil {
			has = append(has, w.block)
		}
	}
	if s.msg != nil && (s.by == nil || s.msg != s.by.own) {
		has = o.blocksOf(s.msg, has)
	}
	for _, m := range s.behind {
		has = o.blocksOf(m, has)
	}
	return has
}

// blocksOf adds the blocks that a message refers to.
func (o *outgoing) blocksOf(msg *segment.Message, has []*block) []*block {
	for i := range msg.Segments() {
		if b, _ := o.store.within(msg.Segment(i)); b != nil {
			has = append(has, b)
		}
	}
	return has
}

// publish publishes something, waiting until that is possible.
func (p *Pipe) publish(ctx context.Context, wake bool, what *sending) error {
	o := &p.out
	o.mu.Lock()
	err := p.sendable()
	if err == nil {
		var short shortage
		if short, err = what.submit(o); short != nothing {
			err = o.until(ctx, short, what)
		}
	}
	ring := false
	if err == nil {
		o.show()
		ring = wake && o.sleeping()
	}
	o.unlock()
	if ring {
		p.ringReceiver()
	}
	return err
}

// until waits for what is short, as long as something is, to publish something. The
// caller has the lock.
func (o *outgoing) until(ctx context.Context, short shortage, what *sending) (err error) {
	for limit := shortWait; short != nothing; {
		var has []*block
		if what.full {
			has = what.blocks(o)
			o.store.wait(has)
		}
		if o.wait.busy {
			err = o.queue(ctx)
		} else {
			err = o.await(ctx, short, limit)
			limit = longestWait
		}
		o.store.waited(has)
		if err == nil {
			err = o.pipe.sendable()
		}
		if err != nil {
			return err
		}
		what.full = false
		short, err = what.submit(o)
	}
	return err
}

// sound tells whether a message can be sent.
func (p *Pipe) sound(ctx context.Context, msg *segment.Message) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("shm: send: %w", err)
	}
	if msg.Segments() == 0 {
		msg.RootBuilder() // takes the first segment
	}
	return msg.Err()
}

// count counts an error.
func (p *Pipe) count(err error) error {
	if err != nil && err != io.EOF {
		p.errors.Add(1)
	}
	return err
}

// queue waits until the call that waits for the peer is done. The caller has the
// lock.
func (o *outgoing) queue(ctx context.Context) error {
	changed := o.wait.changes()
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shm: send: %w", ctx.Err())
	}
}

// await waits for the peer to take messages or to give leases back. The caller has
// the lock.
func (o *outgoing) await(ctx context.Context, short shortage, limit time.Duration) error {
	p, w := o.pipe, &o.wait
	if short == noSlot {
		// Until a quarter of the ring is free: a wake-up a message would cost more
		// than the message.
		w.what, w.count, limit = untilConsumed, uint32(o.sent-slots*3/4), 0
	} else {
		many := 1
		if limit == shortWait {
			many = max(1, o.loans.lent/4)
		} else if !o.store.refused {
			limit = 0
		}
		w.what, w.count = untilReleased, o.collected+uint32(many)
		o.was = o.freed.Load()
	}
	w.still = w.what == untilReleased
	point("send.short")
	w.busy = true
	ring := o.sleeping() // before any wait, or both sides sleep
	o.mu.Unlock()
	if ring {
		p.ringReceiver()
	}
	point("send.wait")
	err := w.wait(ctx, limit)
	o.mu.Lock()
	w.busy = false
	w.signal()
	if err != nil {
		return fmt.Errorf("shm: send: %w", err)
	}
	return nil
}

// ask is called when the peer can see that we sleep. The leases that we wait for may be
// in the pile of a peer that does nothing with us now, or in slots that we have not come
// to. It is no use before: the peer could lay one there after it was asked, and see
// only later that we are short. Now it gives back at once, and rings after it has sent
// one in a slot.
func (p *Pipe) ask() {
	if p.out.wait.what == untilReleased {
		p.hurry()
		p.peek()
	}
}

// free is called when a lease or memory came back past the release ring. The caller
// has the lock.
func (o *outgoing) free() {
	o.freed.Add(1)
	if o.wait.busy && o.wait.what == untilReleased {
		o.wait.watch.Interrupt()
	}
}

// readyToSend is what a sender waits for. It runs without the lock.
func (p *Pipe) readyToSend() bool {
	if p.over.Load() != overNot {
		return true
	}
	w := &p.out.wait
	if w.what == untilConsumed {
		return int32(uint32(p.peer.consumed.Load())-w.count) >= 0
	}
	return uint32(p.peer.release(w.count-1).Load()>>32) == w.count || p.out.freed.Load() != p.out.was
}

// submitPack publishes a Writer's block of many messages, or gives it one.
func (o *outgoing) submitPack(s *sending) (shortage, error) {
	w := s.by
	if w.block == nil {
		var err error
		if w.block, err = o.spare(packBytes, s); w.block == nil {
			return shortOrNot(err), err
		}
		return nothing, nil
	}
	if short, err := o.slot(); short != nothing || err != nil {
		return short, err
	}
	if !o.lendable() {
		return memoryOrLease, nil
	}
	b := w.block
	b.dirty = max(b.dirty, w.at)
	l, ln := o.loans.lend()
	ln.blocks = append(ln.blocks, b) // the hold that the writer had
	w1 := o.leases(l)
	line := o.own.slot(o.sent)
	line[1].SetPlain(w1)
	line[2].SetPlain(uint64(placeOf(b.region.id, b.offset, w.at)))
	line[3].SetPlain(w.count)
	o.packed += w.count - 1
	o.commit(line, kindPacked, 1, 0, w.at)
	return nothing, nil
}

// slot tells whether there is a slot for one more message.
func (o *outgoing) slot() (shortage, error) {
	if o.sent-o.consumed < slots {
		return nothing, nil
	}
	if err := o.refresh(); err != nil || o.sent-o.consumed < slots {
		return nothing, err
	}
	return noSlot, nil
}

// lendable tells whether one more message can be lent.
func (o *outgoing) lendable() bool {
	if !o.loans.room() {
		o.collect(leases)
	}
	return o.loans.room()
}

// leases is the word of a slot that has the new lease, and one that goes back.
func (o *outgoing) leases(l lease) uint64 {
	if o.pipe.back.pile.Load() == 0 || o.pipe.peerShort() {
		return uint64(l) << 32
	}
	back, others := o.pipe.back.takeOne()
	o.carries = back != 0
	o.pipe.push(others)
	return uint64(l)<<32 | uint64(back)
}

// refresh looks how far the peer has come.
func (o *outgoing) refresh() error {
	c := o.peer.consumed.Load()
	if c-o.consumed > o.sent-o.consumed {
		err := corrupt("it says to have taken %d messages of %d, and %d before", c, o.sent, o.consumed)
		o.pipe.end(err)
		return err
	}
	point("send.refreshed")
	o.consumed = c
	return nil
}

func (o *outgoing) submitInline(b []byte) {
	line := o.own.slot(o.sent)
	for i := 0; i+8 <= len(b); i += 8 {
		line[1+i/8].SetPlain(binary.NativeEndian.Uint64(b[i:]))
	}
	point("send.inline")
	o.commit(line, kindInline, 1, len(b), len(b))
}

// commit publishes the slot, whose other words were written just before: the peer
// looks at it all the time, and each look takes the cache line away from us.
func (o *outgoing) commit(line *mem.Line, kind, segments, bytes, size int) {
	line[0].Swap(head(uint32(o.sent+1), kind, segments, bytes))
	point("send.committed")
	o.sent++
	mem.PrefetchLineWrite(o.own.slot(o.sent + slotsAhead))
	o.bytes += uint64(size)
	point("send.counted")
	if o.carries {
		o.carries = false
		if o.pipe.peerShort() {
			o.pipe.ringSender() // it may not take the message, but the lease
		}
	}
}

// submitPlaces publishes a message by telling where it is.
func (o *outgoing) submitPlaces(s *sending) (shortage, error) {
	msg, ours := s.msg, s.ours
	if !o.lendable() {
		return memoryOrLease, nil
	}
	n := msg.Segments()
	if n == 1 && ours {
		first := msg.Segment(0)
		if b := o.store.find(first); b != nil {
			l, ln := o.loans.lend()
			b.holds++
			ln.blocks = append(ln.blocks, b)
			o.submitPlace(l, b, len(first))
			return nothing, nil
		}
	}
	if found, short, err := o.submitSpans(s); found {
		return short, err
	}
	// What is not in our blocks is copied into one block, which also has the table
	// if there is one: with a single thing to wait for, nobody waits with half of
	// what another needs.
	o.blocks = o.few[:0]
	extra, size := 0, 0
	if n > slotPlaces {
		extra = roundBlock(8 * n)
	}
	for i := range n {
		seg := msg.Segment(i)
		size += len(seg)
		var b *block
		if ours {
			b = o.store.find(seg)
		}
		o.blocks = append(o.blocks, b)
		if b == nil {
			extra += roundBlock(len(seg))
		}
	}
	var spare *block
	if extra > 0 {
		var err error
		if spare, err = o.spare(extra, s); spare == nil {
			return shortOrNot(err), err
		}
	}

	// No locked instruction comes between the first store to memory that the peer
	// has in its cache and the commit: it would wait for that cache line, and only
	// then could the next be asked for.
	l, ln := o.loans.lend()
	w1 := o.leases(l)
	var places [slotPlaces]uint64
	at, kind, used := 0, kindPlaces, n
	if n > slotPlaces {
		kind, at, used = kindTable, roundBlock(8*n), 1
		places[0] = uint64(placeOf(spare.region.id, spare.offset, 8*n))
	}
	for i, b := range o.blocks {
		seg := msg.Segment(i)
		var where place
		if b != nil {
			b.holds++
			ln.blocks = append(ln.blocks, b)
			where = placeOf(b.region.id, b.offset, len(seg))
		} else {
			copy(spare.mem[at:], seg)
			where = placeOf(spare.region.id, spare.offset+at, len(seg))
			at += roundBlock(len(seg))
		}
		if kind == kindTable {
			binary.NativeEndian.PutUint64(spare.mem[8*i:], uint64(where))
		} else {
			places[i] = uint64(where)
		}
	}
	if spare != nil {
		o.lendCopies(ln, spare, extra)
	}
	line := o.own.slot(o.sent)
	line[1].SetPlain(w1)
	for i := range used {
		line[2+i].SetPlain(places[i])
	}
	point("send.places")
	o.commit(line, kind, n&0xff, 0, size)
	return nothing, nil
}

// lendCopies lends the block that what was not in blocks of ours was copied into, with
// the hold that take gave it.
func (o *outgoing) lendCopies(ln *loan, spare *block, bytes int) {
	spare.dirty = max(spare.dirty, bytes)
	ln.blocks = append(ln.blocks, spare)
	o.copied++
	point("send.copied")
}

// submitPlace publishes a message that is in one block, which was lent.
func (o *outgoing) submitPlace(l lease, b *block, bytes int) {
	point("send.lent")
	w1 := o.leases(l)
	line := o.own.slot(o.sent)
	line[1].SetPlain(w1)
	line[2].SetPlain(uint64(placeOf(b.region.id, b.offset, bytes)))
	point("send.place")
	o.commit(line, kindPlaces, 1, 0, bytes)
}

func roundBlock(n int) int { return (n + blockAlign - 1) &^ (blockAlign - 1) }

// spare takes a block for what has to be copied. Without block and error there will
// be one once others come back.
func (o *outgoing) spare(n int, s *sending) (*block, error) {
	if n > maxBlock || int64(n) > o.store.max {
		return nil, fmt.Errorf("%w for %d bytes: MaxBytes is %d", ErrFull, n, o.store.max)
	}
	b := o.find(n)
	s.full = b == nil
	if b == nil && !o.store.unheard && o.store.stuck(s.blocks(o)) {
		if err := o.pipe.ended(); err != nil { // so that there is no further region
			return nil, err
		}
		return nil, fmt.Errorf("%w for %d bytes: the regions have %d of at most %d", ErrFull, n, o.store.bytes, o.store.max)
	}
	return b, nil
}

// find takes a block of at least n bytes, nil if there is no room.
func (o *outgoing) find(n int) *block {
	o.collect(8)
	if o.loans.lent > 0 {
		o.store.linger(n, o.collectAll)
	}
	b := o.store.takeDirty(n)
	if b == nil {
		o.collect(leases)
		b = o.store.takeDirty(n)
	}
	return b
}

func shortOrNot(err error) shortage {
	if err != nil {
		return nothing
	}
	return memoryOrLease
}

// prepare uses the time of a wait to clear a block for the next message. When it was
// lent last, the peer's processor had it in its cache: to get it back from there
// takes as long as to send a message. A peer that is gone may still read what it was
// lent, although that is free.
func (o *outgoing) prepare() {
	if o.mu.TryLock() {
		if o.pipe.sendable() == nil {
			o.store.prepare()
		}
		o.mu.Unlock()
	}
}

// collect takes back at most so many leases from the release ring.
func (o *outgoing) collect(most int) {
	if o.closed {
		return
	}
	for range most {
		e := o.peer.release(o.collected).Load()
		if uint32(e>>32) != o.collected+1 {
			return
		}
		o.collected++
		if o.collected%entriesLine == 0 {
			mem.PrefetchLine(o.peer.releases(o.collected))
		}
		point("collect.entry")
		if !o.returned(lease(uint32(e))) {
			return
		}
	}
}

// collectAll takes back all leases that have come, also those in slots, which the
// receiving side has kept for when it has time.
func (o *outgoing) collectAll() {
	o.collect(leases)
	if in := &o.pipe.in; in.mu.TryLock() { // whoever has it settles them soon
		if in.kept > 0 {
			o.returnedAll(in.backs[:in.kept])
			in.kept = 0
		}
		in.mu.Unlock()
	}
}

// returnedAll takes leases back that came in slots.
func (o *outgoing) returnedAll(back []lease) {
	for _, l := range back {
		if o.closed || !o.returned(l) {
			break
		}
	}
	o.free()
}

// returned takes a lease back. A false one ends the pipe.
func (o *outgoing) returned(l lease) bool {
	ln := o.loans.find(l)
	if ln == nil {
		o.pipe.end(corrupt("it gave back %v, which it does not have", l))
		return false
	}
	point("collect.found")
	for _, b := range ln.blocks {
		o.store.drop(b)
	}
	point("collect.dropped")
	o.endLoan(l, ln)
	return true
}

// endLoan makes a lease free whose blocks were taken.
func (o *outgoing) endLoan(l lease, ln *loan) {
	if ln.keeps != nil {
		o.over = append(o.over, ln.keeps)
		ln.keeps = nil
	}
	o.loans.end(l, ln)
}

// takeBack is returned for leases that came in slots.
func (p *Pipe) takeBack(back []lease) {
	o := &p.out
	point("collect.slots")
	o.mu.Lock()
	o.returnedAll(back)
	o.mu.Unlock()
}

// reclaim takes everything back from a peer that is gone.
func (o *outgoing) reclaim() {
	o.mu.Lock()
	defer o.unlock()
	point("reclaim.begin")
	for i := range o.loans.all {
		ln := &o.loans.all[i]
		if !ln.lent {
			continue
		}
		for _, b := range ln.blocks {
			o.store.drop(b)
		}
		point("reclaim.loan")
		o.endLoan(leaseOf(i, ln.generation), ln)
	}
	point("reclaim.end")
	o.wait.signal()
}
