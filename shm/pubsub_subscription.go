package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// noEntry is at a place of a queue whose message was taken away.
const noEntry = pubEntries

// A subscription is what a publisher knows of one subscriber. Its lock guards it.
type subscription struct {
	conn    *net.UnixConn
	shared  *mem.Shared // the queue
	theirs  *mem.Shared // what the subscriber writes
	queue   queueWords
	sub     subWords
	bell    *mem.Doorbell
	nap     nap
	policy  Policy
	depth   int
	maxHeld int

	sent      uint64 // put into the queue
	floor     uint64 // taken away below it
	cursor    uint64 // as far as we have looked
	collected uint64 // places of the queue that are settled
	ids       [pubQueue]uint16
	held      []uint16 // entries that it had when we looked last
	rung      sleep    // the sleep that was ended last
	unknown   []int    // regions that it has not said yet to know to be gone
	ending    bool     // it gets nothing more, and may still hold messages
	gone      bool
	over      atomic.Bool // gone, for who does not have the lock
	resigned  atomic.Bool // the subscriber has closed, and held messages
	users     int         // a Publish that waits for it
}

// passed is how far the subscriber has got, or was made to.
func (s *subscription) passed() uint64 { return max(s.cursor, s.floor) }

// outstanding is how many messages it has.
func (s *subscription) outstanding() int { return int(s.sent-s.collected) + len(s.held) }

// taken is how many of them are not in the queue any more.
func (s *subscription) taken() int { return len(s.held) + int(s.passed()-s.collected) }

// fits tells whether there is room for a message, as far as we know.
func (s *subscription) fits() bool {
	return s.sent-s.passed() < uint64(s.depth) && s.taken() < s.maxHeld
}

// roomFor tells whether there is room for a message.
func (p *Publisher) roomFor(s *subscription) bool {
	if s.ending || s.fits() {
		return true
	}
	s.collect(p)
	return s.gone || s.fits()
}

// admit tells whether a subscriber gets the next message, for which room is made if
// that is its policy.
func (p *Publisher) admit(s *subscription) bool {
	if s.ending {
		return false
	}
	if !p.roomFor(s) {
		switch {
		case s.policy == Disconnect:
			p.disconnect(s)
			return false
		case s.policy == DropOldest && s.taken() < s.maxHeld:
			p.stats.Dropped++
			s.dropOldest(p)
		default:
			p.stats.Dropped++
			return false
		}
	}
	return !s.gone
}

// enqueue puts a message into the queue of a subscriber that has room for it.
// visible makes it, and all that was written before, seen by everybody at once.
func (p *Publisher) enqueue(s *subscription, id int, visible bool) {
	p.entries[id].refs++
	p.stats.Delivered++
	at := s.sent % pubQueue
	s.ids[at] = uint16(id)
	s.sent++
	if w := s.sent<<32 | uint64(id); visible {
		s.queue.ring[at].Swap(w)
	} else {
		s.queue.ring[at].SetPlain(w)
	}
	point("publish.offered")
}

// sleeping tells whether the subscriber has to be rung, which the caller then does.
func (s *subscription) sleeping() bool {
	w := sleep(s.sub.sleep.Load())
	if !w.asleep() || w == s.rung {
		return false
	}
	s.rung = w
	return true
}

// dropOldest takes the message away that has waited longest.
func (s *subscription) dropOldest(p *Publisher) {
	at := s.passed()
	s.floor = at + 1
	s.queue.floor.Swap(s.floor)
	point("publish.floor")
	s.settle(p, at)
}

// settle looks whether the subscriber holds what was at a place that is passed.
func (s *subscription) settle(p *Publisher, at uint64) {
	id := s.ids[at%pubQueue]
	if id == noEntry {
		return
	}
	s.ids[at%pubQueue] = noEntry
	if s.sub.holds[id].Load() != 0 {
		s.held = append(s.held, id)
		return
	}
	p.unref(int(id))
}

// collect looks what the subscriber has released.
func (s *subscription) collect(p *Publisher) {
	if s.gone {
		return
	}
	c := s.sub.cursor.Load()
	if c < s.cursor || c > s.sent {
		p.remove(s) // it breaks the protocol
		return
	}
	s.cursor = c
	p.slack = 0 // it may hold more now
	for to := s.passed(); s.collected < to; s.collected++ {
		s.settle(p, s.collected)
	}
	still := s.held[:0]
	for _, id := range s.held {
		if s.sub.holds[id].Load() != 0 {
			still = append(still, id)
		} else {
			p.unref(int(id))
		}
	}
	s.held = still
}

// disconnect ends a subscription because the subscriber is too slow. If it was
// ended before, what it still holds is taken away.
func (p *Publisher) disconnect(s *subscription) {
	if s.ending {
		p.remove(s)
		return
	}
	p.stats.Disconnected++
	s.queue.state.Swap(stateSlow)
	p.finish(s)
	_ = s.bell.Ring()
}

// finish takes away what waits for a subscriber, which gets nothing more. It keeps
// what it holds.
func (p *Publisher) finish(s *subscription) {
	s.ending = true
	p.slack = 0
	for s.passed() < s.sent {
		s.dropOldest(p)
	}
	s.collect(p)
}

// resign is told that a subscriber has closed. It is one of those that are leaving
// until it has released what it holds, and nobody waits for it to take anything.
func (p *Publisher) resign(s *subscription) {
	p.subs = without(p.subs, s)
	p.leaving = append(p.leaving, s)
	s.resigned.Store(true)
	s.nap.watch.Interrupt()
	s.knowAll(p)
	p.finish(s)
}

// without gives list, whose order may change, without s.
func without(list []*subscription, s *subscription) []*subscription {
	i := slices.Index(list, s)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i], list[last] = list[last], nil
	return list[:last]
}

// knowAll counts a subscriber that reads its socket no more as one that knows of all
// regions that are gone: it looks into none but those of messages that it has.
func (s *subscription) knowAll(p *Publisher) {
	for _, id := range s.unknown {
		p.answered(id)
	}
	s.unknown = nil
}

// remove forgets a subscriber, and takes everything back.
func (p *Publisher) remove(s *subscription) {
	if s.gone {
		return
	}
	s.gone = true
	s.over.Store(true)
	p.subs, p.leaving = without(p.subs, s), without(p.leaving, s)
	for ; s.collected < s.sent; s.collected++ {
		if id := s.ids[s.collected%pubQueue]; id != noEntry {
			p.unref(int(id))
		}
	}
	for _, id := range s.held {
		p.unref(int(id))
	}
	s.held = nil
	s.knowAll(p)
	_ = s.conn.Close() // its goroutine ends
	s.nap.watch.Close(true)
	s.leave()
}

// leave gives the memory of a subscription back, once nobody needs it.
func (s *subscription) leave() {
	if !s.gone || s.users > 0 || s.bell == nil {
		return
	}
	_ = s.bell.Close()
	_ = s.shared.Release()
	_ = s.theirs.Release()
	s.bell = nil
}

// tellTimeout is how long a subscriber may leave its socket full. It takes no time but
// where thousands of messages lie there unread, and else only where this process gets
// no processor.
const tellTimeout = 100 * time.Millisecond

// tell writes to the subscriber. One that does not read is not waited for.
func (s *subscription) tell(kind uint32, id int, size int, fds ...int) error {
	var b [controlBytes]byte
	binary.NativeEndian.PutUint32(b[:], kind)
	binary.NativeEndian.PutUint32(b[4:], uint32(id))
	binary.NativeEndian.PutUint64(b[8:], uint64(size))
	if err := s.conn.SetWriteDeadline(time.Now().Add(tellTimeout)); err != nil {
		return err
	}
	return mem.SendDescriptors(s.conn, b[:], fds...)
}

// announce tells everybody of a new region.
func (p *Publisher) announce(r *region) error {
	fd, err := mem.Duplicate(r.shared.Descriptor())
	if err != nil {
		return err
	}
	p.files[r.id] = pubFile{fd, len(r.shared.Bytes())}
	for i := len(p.subs) - 1; i >= 0; i-- {
		if s := p.subs[i]; s.tell(controlAdd, r.id, len(r.shared.Bytes()), fd) != nil {
			p.remove(s)
		}
	}
	return nil
}

// withdraw tells everybody that a region is gone. Its number can be used again when
// all have said that they know, and the store has done with it.
func (p *Publisher) withdraw(id int) error {
	closeAll([]int{p.files[id].fd})
	delete(p.files, id)
	p.answers[id] = 1 // the store's
	p.withdrawn = append(p.withdrawn, id)
	for i := len(p.subs) - 1; i >= 0; i-- {
		s := p.subs[i]
		if s.tell(controlDrop, id, 0) != nil {
			p.remove(s)
			continue
		}
		s.unknown = append(s.unknown, id)
		p.answers[id]++
	}
	return nil
}

func (p *Publisher) answered(id int) {
	if p.answers[id]--; p.answers[id] == 0 {
		delete(p.answers, id)
		p.store.known(id)
	}
}

// accept serves all who connect, each in a goroutine of its own.
func (p *Publisher) accept() {
	defer p.running.Done()
	for {
		conn, err := p.listener.ln.AcceptUnix()
		if err != nil {
			p.mu.Lock()
			closed := p.closed
			p.mu.Unlock()
			if closed || !isShortage(err) {
				return
			}
			time.Sleep(10 * time.Millisecond) // others have to go first
			continue
		}
		p.mu.Lock()
		full := p.joining >= maxGreeting
		if !full {
			p.joining++
		}
		p.mu.Unlock()
		if full {
			_ = conn.Close()
			continue
		}
		p.running.Add(1)
		go p.serve(conn)
	}
}

// serve is the goroutine of a subscriber.
func (p *Publisher) serve(conn *net.UnixConn) {
	defer p.running.Done()
	defer conn.Close()
	s, err := p.welcome(conn)
	p.mu.Lock()
	p.joining--
	p.mu.Unlock()
	if err != nil {
		return
	}
	for {
		var b [controlBytes]byte
		if _, err = mem.ReceiveDescriptors(conn, b[:], 0); err != nil {
			break
		}
		if !p.obey(s, binary.NativeEndian.Uint32(b[:]), int(binary.NativeEndian.Uint32(b[4:]))) {
			break
		}
	}
	p.mu.Lock()
	p.remove(s)
	p.mu.Unlock()
}

// obey does what a subscriber says, and tells whether it may say that.
func (p *Publisher) obey(s *subscription, kind uint32, id int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case s.gone || s.resigned.Load():
	case kind == controlResign:
		p.resign(s)
		return true
	case kind == controlDrop && s.forget(id):
		p.answered(id)
		return true
	}
	return false
}

// forget is told that the subscriber knows that a region is gone.
func (s *subscription) forget(id int) bool {
	for i, u := range s.unknown {
		if u == id {
			s.unknown = append(s.unknown[:i], s.unknown[i+1:]...)
			return true
		}
	}
	return false
}

// welcome greets who has connected, and makes it a subscriber.
func (p *Publisher) welcome(conn *net.UnixConn) (*subscription, error) {
	free := bounded(p.ctx, conn)
	defer free()
	if _, err := admit(conn, &Options{UIDs: p.o.UIDs}); err != nil {
		return nil, errors.Join(err, refuseSubscriber(conn, statusNotAllowed))
	}
	b := make([]byte, greetBytes)
	fds, err := mem.ReceiveDescriptors(conn, b, subGreetDescriptors)
	if err != nil {
		if p.listener.isLost() {
			p.handOver() // to one that died before it could ask for that
		}
		return nil, err
	}
	var g greeting
	for i := range g {
		g[i] = binary.NativeEndian.Uint64(b[8*i:])
	}
	if g[greetMagic] == pubMagic && g[greetStatus] == statusReplace {
		closeAll(fds)
		return nil, p.giveUp(conn)
	}
	s := &subscription{conn: conn, policy: Policy(g[subGreetPolicy]), maxHeld: p.o.MaxHeld}
	history := g[subGreetHistory]
	switch {
	case g[greetMagic] != subMagic || g[greetVersion] != pubVersion || len(fds) != subGreetDescriptors,
		g[subGreetPolicy] > uint64(Disconnect), g[subGreetDepth] == 0 || g[subGreetDepth] > MaxDepth,
		history > g[subGreetDepth]:
		closeAll(fds)
		return nil, corrupt("its greeting is %x with %d descriptors", g, len(fds))
	case s.policy == Block && !p.o.AllowBlock:
		closeAll(fds)
		return nil, refuseSubscriber(conn, statusNotAllowed)
	}
	s.depth = int(g[subGreetDepth])
	if s.theirs, err = mem.OpenShared(fds[0], mem.OpenOptions{Size: mem.RoundUp(subBytes), Populate: true}); err != nil {
		closeAll(fds[1:])
		return nil, err
	}
	far, err := s.begin(fds[1], p.o.Wait)
	if err == nil {
		err = p.join(s, far, int(history))
		closeAll([]int{far})
	}
	if err != nil {
		s.gone = true
		if s.bell != nil {
			err = errors.Join(err, s.bell.Close())
		}
		if s.shared != nil {
			err = errors.Join(err, s.shared.Release())
		}
		return nil, errors.Join(err, s.theirs.Release())
	}
	return s, nil
}

// begin makes our part of a subscription, and takes bell over. It returns the
// descriptor by which the subscriber hears us.
func (s *subscription) begin(bell int, mode Wait) (far int, err error) {
	if s.bell, far, err = mem.NewDoorbell(); err != nil {
		closeAll([]int{bell})
		return -1, err
	}
	if err = s.bell.Connect(bell); err == nil {
		s.shared, err = mem.NewShared(regionName, mem.RoundUp(pubQueueBytes), mem.SharedOptions{Populate: true})
	}
	if err == nil {
		s.queue, err = queueWordsOf(s.shared.Bytes())
	}
	if err == nil {
		s.sub, err = subWordsOf(s.theirs.Bytes())
	}
	if err != nil {
		closeAll([]int{far})
		return -1, err
	}
	s.nap.begin(s.bell, s.queue.sleep, mode, s.ready)
	return far, nil
}

// ready tells a Publish that waits whether to look again. It runs without the lock.
func (s *subscription) ready() bool {
	return s.over.Load() ||
		s.nap.what == untilConsumed && (s.resigned.Load() || int32(uint32(s.sub.cursor.Load())-s.nap.count) >= 0)
}

// join makes a subscriber one of those who get what is published.
func (p *Publisher) join(s *subscription, far, history int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return ErrClosed
	case len(p.subs)+len(p.leaving) >= p.o.MaxSubscribers:
		return refuseSubscriber(s.conn, statusOverloaded)
	}
	g := greeting{
		greetMagic: pubMagic, greetVersion: pubVersion,
		pubGreetGeneration: p.generation, pubGreetNumber: p.base, pubGreetBefore: p.before,
	}
	if err := mem.SendDescriptors(s.conn, g.bytes(), p.shared.Descriptor(), s.shared.Descriptor(), far); err != nil {
		return err
	}
	point("join.greeted")
	for id, f := range p.files {
		if err := s.tell(controlAdd, id, f.size, f.fd); err != nil {
			return err
		}
	}
	if err := s.shared.CloseDescriptor(); err != nil {
		return err
	}
	p.subs = append(p.subs, s)
	p.slack = 0
	point("join.added")
	for _, id := range p.history[max(0, len(p.history)-history):] {
		p.enqueue(s, id, true)
	}
	if s.sleeping() {
		_ = s.bell.Ring()
	}
	if p.old {
		s.replace()
	}
	return nil
}

func refuseSubscriber(conn *net.UnixConn, status uint64) error {
	g := greeting{greetMagic: pubMagic, greetVersion: pubVersion, greetStatus: status}
	_, err := conn.Write(g.bytes())
	return errors.Join(fmt.Errorf("shm: a subscriber was refused, status %d", status), err)
}
