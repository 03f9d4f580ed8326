package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// collectEvery is after how many messages a publisher looks what came back.
const collectEvery = 32

// A Publisher publishes messages to any number of processes that come and go. Each
// message lies once in memory of the publisher, whoever reads it, and its blocks are
// used again when the last subscriber has released it. A subscriber that dies gives
// back what it held.
//
// All methods may be called from any goroutine. Every subscriber gets messages in
// the order in which Publish accepted them.
type Publisher struct {
	o        PublisherOptions
	listener *Listener // used for its socket only
	running  sync.WaitGroup
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc

	mu        sync.Mutex
	store     store
	shared    *mem.Shared // the first region
	table     []mem.Word
	entries   []published
	free      []int // entries
	subs      []*subscription
	leaving   []*subscription // those that have closed and still hold messages
	to        []*subscription // those who get the message that is published, where not all do
	slack     int             // how many messages all of subs have room for, whatever they do
	joining   int
	files     map[int]pubFile // of the further regions, for those who come later
	answers   map[int]int     // subscribers that have still to say that they know a region is gone
	withdrawn []int           // regions that were given up just now
	history   []int           // entries, oldest first
	number    uint64
	collected uint64 // number when it was looked what came back
	segs      [][]byte
	found     []*block        // of segs
	ringing   []*subscription // by the Publish that has the lock
	waiting   bool            // a Publish waits, and has the turn
	turn      chan struct{}   // closed when it does not any more; nil if nobody wants to know
	closed    bool
	left      bool

	generation, base, before uint64        // see the words of the greetings
	old                      bool          // another publisher has taken the place
	replaced                 chan struct{} // closed when another publisher takes the place

	stats PublisherStats
	bytes uint64 // published
	gauge gauge

	closing  sync.Once
	closeErr error
}

// published is a message that is out, by its entry in the table.
type published struct {
	blocks []*block
	kind   uint64 // segments, or words of the message
	refs   int    // subscribers that have it in their queue or hold it, and the history
}

// pubFile is a region's descriptor and its size.
type pubFile struct{ fd, size int }

// PublisherStats are counts of what a publisher has done.
type PublisherStats struct {
	Subscribers  int
	Leaving      int    // subscribers that have closed, and still hold messages
	Published    uint64 // messages
	Copied       uint64 // of them, those that were not built in the publisher's memory
	Delivered    uint64 // put into a subscriber's queue
	Dropped      uint64 // left out for a subscriber that did not keep up
	Disconnected uint64 // subscribers that were too slow
	Out          int    // messages that some subscriber has, or the history
	Blocks       int    // that they have, and messages that are being built
	Bytes        int64  // of memory
}

// NewPublisher listens at path for subscribers. The rules for the path are those of
// [Listen]. The caller closes the publisher.
func NewPublisher(path string, o PublisherOptions) (*Publisher, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	p := &Publisher{o: o, files: map[int]pubFile{}, answers: map[int]int{}, replaced: make(chan struct{})}
	if err := p.begin(); err != nil {
		return nil, fmt.Errorf("shm: publish: %w", err)
	}
	l, err := listen(path, Options{UIDs: o.UIDs, Replace: o.Replace}, p.succeed)
	if err != nil {
		p.store.release()
		return nil, fmt.Errorf("shm: publish: %w", err)
	}
	p.listener = l
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Add(1)
	go p.accept()
	return p, nil
}

func (p *Publisher) begin() error {
	shared, err := mem.NewShared(regionName, pubRegionBytes, mem.SharedOptions{Populate: true, Huge: p.o.HugePages})
	if err != nil {
		return err
	}
	w, err := mem.Words(shared.Bytes())
	if err != nil {
		return errors.Join(err, shared.Release())
	}
	w[0].SetPlain(pubMagic)
	w[1].SetPlain(pubVersion)
	p.gauge = gaugeOf(w)
	p.shared, p.table = shared, w[atPubTable/8:atPubBlocks/8]
	p.store.begin(shared, &Options{
		MaxBytes: p.o.MaxBytes, HugePages: p.o.HugePages, HugeFolder: p.o.HugeFolder, Wait: p.o.Wait, unit: p.o.unit,
	})
	p.store.current.used = atPubBlocks
	p.store.announce, p.store.withdraw = p.announce, p.withdraw
	p.entries = make([]published, pubEntries)
	for i := pubEntries - 1; i >= 0; i-- {
		p.free = append(p.free, i)
	}
	return nil
}

// Path is where subscribers find the publisher.
func (p *Publisher) Path() string { return filepath.Join(p.listener.folder.Name(), p.listener.name) }

// NewMessage starts a message of about sizeHint bytes, 0 if that is not known, in
// memory that subscribers can see. It belongs to the caller until it is published.
// Large ones may look for a block that comes back, as those of [Pipe.NewMessage]. While
// there is no room it is built in the heap, and copied when it is published.
func (p *Publisher) NewMessage(sizeHint int) *segment.Message {
	return segment.NewSized((*pubMemory)(p), max(sizeHint, 0))
}

// Publish gives a message to every subscriber. It belongs to the publisher from now
// on in every case; nobody may write to it any more.
//
// It waits only for subscribers with the policy [Block]; the end of ctx ends that,
// and then nobody gets the message. While there is no room for the message, the
// history is cut, then the subscriber that has most is disconnected. If even what
// such a one holds is needed, or one that has closed, it is taken away: what it reads
// there may change. From one with the policy Block nothing is taken away, also when it
// has closed: Publish waits until it releases something.
func (p *Publisher) Publish(ctx context.Context, msg *segment.Message) error {
	err := p.publishAll(ctx, msg, true)
	msg.Release()
	if err != nil {
		return fmt.Errorf("shm: publish: %w", err)
	}
	return nil
}

// PublishCopy is Publish for a message that stays the caller's, to be built again or
// published elsewhere: the quickest way for small ones. What is larger than 56 bytes
// is copied into one block.
func (p *Publisher) PublishCopy(ctx context.Context, msg *segment.Message) error {
	if err := p.publishAll(ctx, msg, false); err != nil {
		return fmt.Errorf("shm: publish: %w", err)
	}
	return nil
}

// publishAll publishes a message, and wakes who sleeps. ours says that what lies in
// blocks of ours need not be copied.
func (p *Publisher) publishAll(ctx context.Context, msg *segment.Message, ours bool) error {
	if msg.Segments() == 0 {
		msg.RootBuilder() // takes the first segment
	}
	if err := msg.Err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	p.mu.Lock()
	err := p.takeTurn(ctx)
	if err != nil {
		p.mu.Unlock()
		return err
	}
	err = p.publish(ctx, msg, ours)
	if !p.left {
		p.show()
	}
	point("publish.queued")
	for i, s := range p.ringing {
		if !s.gone {
			_ = s.bell.Ring() // never blocks; its goroutine learns if it is gone
		}
		p.ringing[i] = nil
	}
	p.ringing = p.ringing[:0]
	p.mu.Unlock()
	return err
}

// takeTurn waits until no other Publish waits, which does not have the lock
// meanwhile. The caller has it.
func (p *Publisher) takeTurn(ctx context.Context) error {
	for p.waiting {
		if p.turn == nil {
			p.turn = make(chan struct{})
		}
		turn := p.turn
		p.mu.Unlock()
		select {
		case <-turn:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// publish is Publish with the turn and the lock.
func (p *Publisher) publish(ctx context.Context, msg *segment.Message, ours bool) (err error) {
	if err := p.over(); err != nil {
		return err
	}
	if p.slack == 0 && p.number-p.collected >= collectEvery {
		p.collected = p.number
		p.collect()
	}
	p.segs, err = msg.AppendSegments(p.segs[:0])
	if err != nil {
		return err
	}
	id, err := p.enter(ctx, ours)
	clear(p.segs)
	clear(p.found)
	if err != nil {
		return err
	}
	e := &p.entries[id]
	e.refs = 1 // ours, until all have it
	to := p.subs
	if p.slack > 0 {
		p.slack--
	} else {
		if err := p.awaitBlocking(ctx); err != nil {
			p.unref(id)
			return err
		}
		to = p.choose()
		p.slack = p.lookAhead()
	}
	point("publish.entered")
	p.number++
	p.table[8*id].SetPlain(p.number<<pubNumber | e.kind)
	p.stats.Published++
	p.bytes += uint64(msg.SizeBytes())
	p.deliver(to, id)
	if p.o.History > 0 {
		if len(p.history) == p.o.History {
			p.unref(p.history[0])
			copy(p.history, p.history[1:])
			p.history = p.history[:len(p.history)-1]
		}
		p.history = append(p.history, id)
		e.refs++
	}
	p.unref(id)
	return nil
}

// choose finds out who gets the next message, doing with the others what their
// policies say.
func (p *Publisher) choose() []*subscription {
	p.to = p.to[:0]
	// From the last: one that is disconnected leaves the list.
	for i := len(p.subs) - 1; i >= 0; i-- {
		if s := p.subs[i]; p.admit(s) {
			p.to = append(p.to, s)
		}
	}
	return p.to
}

// lookAhead tells for how many messages after the next one all have room. Until so
// many are published nobody's words have to be looked at.
func (p *Publisher) lookAhead() int {
	n := collectEvery
	for _, s := range p.subs {
		if s.ending || s.taken() >= s.maxHeld {
			return 0
		}
		n = min(n, s.depth-int(s.sent-s.passed())-1)
	}
	return max(n, 0)
}

// deliver puts a message into the queues. The first exchange makes the message
// visible before any queue has it, the last one all queues before it is looked who
// sleeps. Those in between need none of their own, each of which would wait for a
// cache line that its subscriber reads.
func (p *Publisher) deliver(to []*subscription, id int) {
	last := len(to) - 1
	for i, s := range to {
		p.enqueue(s, id, i == 0 || i == last)
	}
	for _, s := range to {
		if s.sleeping() {
			p.ringing = append(p.ringing, s)
		}
	}
}

// awaitBlocking waits until every subscriber with the policy Block has room.
func (p *Publisher) awaitBlocking(ctx context.Context) error {
	for {
		if err := p.over(); err != nil {
			return err
		}
		var full *subscription
		for i := len(p.subs) - 1; i >= 0; i-- { // one that breaks the protocol leaves the list
			if s := p.subs[i]; s.policy == Block && !p.roomFor(s) {
				full = s
				break
			}
		}
		if full == nil {
			return nil
		}
		if err := p.await(ctx, full); err != nil {
			return err
		}
	}
}

// await waits until a subscriber has taken a message, or given one back, or is gone.
// It gives the lock back meanwhile.
func (p *Publisher) await(ctx context.Context, s *subscription) error {
	// Until three quarters of the queue are free: a wake-up costs more than many
	// messages, and what is left keeps the subscriber busy until we are awake.
	s.nap.what, s.nap.count = untilConsumed, uint32(s.sent)-uint32(s.depth)+uint32(max(1, 3*s.depth/4))
	limit := time.Duration(0)
	if s.sent-s.passed() < uint64(s.depth) {
		// Which of its messages it will release is not known.
		s.nap.what, s.nap.count, limit = untilReleased, 0, shortWait
	}
	s.users++
	p.waiting = true
	p.mu.Unlock()
	err := s.nap.wait(ctx, limit)
	point("publish.waited")
	p.mu.Lock()
	p.waiting = false
	if p.turn != nil {
		close(p.turn)
		p.turn = nil
	}
	s.users--
	if err != nil && err != ctx.Err() {
		p.remove(s) // its end of the doorbell is closed
		err = nil
	}
	s.leave()
	if err != nil {
		return err
	}
	s.collect(p)
	return nil
}

// enter makes an entry of p.segs, which may lie in blocks of ours.
func (p *Publisher) enter(ctx context.Context, ours bool) (int, error) {
	for {
		if err := p.over(); err != nil {
			return 0, err
		}
		id, err := p.tryEnter(ours)
		if id >= 0 || err != nil {
			return id, err
		}
		if err := p.makeRoom(ctx); err != nil {
			return 0, err
		}
	}
}

// makeRoom is called when there is no memory or no entry left.
func (p *Publisher) makeRoom(ctx context.Context) error {
	if p.collect() {
		return nil
	}
	if len(p.history) > 0 {
		p.unref(p.history[0])
		copy(p.history, p.history[1:])
		p.history = p.history[:len(p.history)-1]
		return nil
	}
	var most *subscription
	for _, list := range [...][]*subscription{p.subs, p.leaving} {
		for _, s := range list {
			if most == nil || s.outstanding() > most.outstanding() {
				most = s
			}
		}
	}
	switch {
	case most == nil || most.outstanding() == 0:
		return fmt.Errorf("%w: MaxBytes is %d, and messages that are being built have %d blocks", ErrFull, p.o.MaxBytes, p.store.taken)
	case most.policy == Block:
		return p.await(ctx, most)
	default:
		p.disconnect(most)
		return nil
	}
}

// tryEnter is enter without waiting. It returns -1 if there is no room.
func (p *Publisher) tryEnter(ours bool) (int, error) {
	if len(p.free) == 0 {
		return -1, nil
	}
	n := len(p.segs)
	if n == 1 && len(p.segs[0]) <= pubWords && len(p.segs[0]) > 0 {
		return p.enterInline(p.segs[0]), nil
	}
	if n >= pubMost {
		return 0, fmt.Errorf("%w for %d segments: at most %d", ErrFull, n, pubMost-1)
	}
	p.found = p.found[:0]
	extra := 0
	if n > pubPlaces {
		extra = roundBlock(8 * n)
	}
	for _, seg := range p.segs {
		var b *block
		if ours {
			b = p.store.find(seg)
		}
		p.found = append(p.found, b)
		if b == nil {
			extra += roundBlock(len(seg))
		}
	}
	var spare *block
	if extra > 0 {
		if extra > maxBlock || int64(extra) > p.o.MaxBytes {
			return 0, fmt.Errorf("%w for %d bytes: MaxBytes is %d", ErrFull, extra, p.o.MaxBytes)
		}
		if spare = p.take(extra); spare == nil {
			return -1, nil
		}
		spare.dirty = max(spare.dirty, extra)
		p.stats.Copied++
	}
	id, e, line := p.newEntry()
	e.kind = uint64(n)
	at := 0
	if n > pubPlaces {
		at = roundBlock(8 * n)
		line[1].SetPlain(uint64(placeOf(spare.region.id, spare.offset, 8*n)))
	}
	for i, seg := range p.segs {
		var where place
		if b := p.found[i]; b != nil {
			b.holds++
			e.blocks = append(e.blocks, b)
			where = placeOf(b.region.id, b.offset, len(seg))
		} else {
			copy(spare.mem[at:], seg)
			where = placeOf(spare.region.id, spare.offset+at, len(seg))
			at += roundBlock(len(seg))
		}
		if n > pubPlaces {
			binary.NativeEndian.PutUint64(spare.mem[8*i:], uint64(where))
		} else {
			line[1+i].SetPlain(uint64(where))
		}
	}
	if spare != nil {
		e.blocks = append(e.blocks, spare)
	}
	return id, nil
}

// enterInline makes an entry that has the message itself.
func (p *Publisher) enterInline(b []byte) int {
	id, e, line := p.newEntry()
	for i := 0; i+8 <= len(b); i += 8 {
		line[1+i/8].SetPlain(binary.NativeEndian.Uint64(b[i:]))
	}
	e.kind = inEntry + uint64(len(b)/8)
	return id
}

// newEntry takes a free entry, of which there is one. Its w0 is written last.
func (p *Publisher) newEntry() (int, *published, *mem.Line) {
	id := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return id, &p.entries[id], (*mem.Line)(p.table[8*id : 8*id+8])
}

// unref gives up one use of an entry. The last makes it free.
func (p *Publisher) unref(id int) {
	e := &p.entries[id]
	if e.refs--; e.refs > 0 {
		return
	}
	for i, b := range e.blocks {
		p.store.drop(b)
		e.blocks[i] = nil
	}
	e.blocks = e.blocks[:0]
	p.free = append(p.free, id)
}

// collect looks what came back, and tells whether something did.
func (p *Publisher) collect() bool {
	before := len(p.free)
	for _, list := range [...][]*subscription{p.subs, p.leaving} {
		for i := len(list) - 1; i >= 0; i-- {
			list[i].collect(p)
		}
	}
	return len(p.free) > before
}

// Stats tells what the publisher has done.
func (p *Publisher) Stats() PublisherStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.collect()
	}
	st := p.stats
	st.Subscribers, st.Leaving = len(p.subs), len(p.leaving)
	st.Out = pubEntries - len(p.free)
	st.Blocks, st.Bytes = p.store.taken, p.store.bytes
	return st
}

// Close ends publishing and removes the socket. Subscribers receive what waits for
// them, then the end. Messages that are being built stay valid until they are
// released. Closing again gives the same.
func (p *Publisher) Close() error {
	p.closing.Do(func() {
		p.mu.Lock()
		p.closed = true
		for _, s := range p.subs {
			if !p.old && !s.ending {
				s.queue.state.Swap(stateClosed)
			}
		}
		for _, list := range [...][]*subscription{p.subs, p.leaving} {
			for i := len(list) - 1; i >= 0; i-- {
				p.remove(list[i])
			}
		}
		p.mu.Unlock()
		l := p.listener
		err := errors.Join(l.unlink(), l.ln.Close())
		p.cancel()
		p.running.Wait()
		p.mu.Lock()
		_ = p.takeTurn(context.Background()) // nobody publishes any more
		for _, id := range p.history {
			p.unref(id)
		}
		p.history = nil
		p.leave()
		p.mu.Unlock()
		err = errors.Join(err, l.folder.Close())
		if err != nil {
			p.closeErr = fmt.Errorf("shm: close: %w", err)
		}
	})
	return p.closeErr
}

// leave gives the memory back once the publisher is closed and no message is built.
func (p *Publisher) leave() {
	if p.closed && !p.left && p.store.taken == 0 {
		p.left = true
		p.store.release()
		for id, f := range p.files {
			closeAll([]int{f.fd})
			delete(p.files, id)
		}
	}
}

// pubMemory is a publisher as the arena of its messages.
type pubMemory Publisher

// Allocate gives a block, or memory of the heap if there is no room.
func (m *pubMemory) Allocate(minBytes int) ([]byte, error) {
	if minBytes > maxBlock {
		return nil, errTooLarge
	}
	p := (*Publisher)(m)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	n := minBytes + dirtyMark
	if len(p.subs) > 0 {
		p.store.linger(n, func() { p.collect() })
	}
	b := p.take(n)
	if b == nil && p.collect() {
		b = p.take(n)
	}
	p.mu.Unlock()
	if b == nil {
		return arena.Pool().Allocate(minBytes)
	}
	return b.forMessage(), nil
}

// take takes a block from the store, which may give up regions for it. It is not
// cleared.
func (p *Publisher) take(n int) *block {
	b := p.store.takeDirty(n)
	for _, id := range p.withdrawn {
		p.answered(id)
	}
	p.withdrawn = p.withdrawn[:0]
	return b
}

// Free gives up a message's hold of a block.
func (m *pubMemory) Free(segment []byte, used int) {
	p := (*Publisher)(m)
	p.mu.Lock()
	b := p.store.find(segment)
	if b != nil {
		b.dirty = max(b.dirty, used)
		p.store.drop(b)
		p.leave()
	}
	p.mu.Unlock()
	if b == nil {
		arena.Pool().Free(segment, used)
	}
}

// Dirty tells how far a block was written before, of what Allocate did not clear.
func (m *pubMemory) Dirty(mem []byte) int { return m.store.dirtyIn(mem, &m.mu) }

// Zeroed says that blocks are zero, but for that.
func (m *pubMemory) Zeroed() bool { return true }
