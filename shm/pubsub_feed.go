package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// mostUntold is of how many messages at most a subscriber does not tell the
	// publisher at once that it has taken them. It tells at once of one of more than
	// mostUntoldBytes, whose memory the publisher may well wait for.
	mostUntold      = 32
	mostUntoldBytes = 4 << 10
)

// A feed is what a subscriber has of one publisher, for as long as that publishes or
// its messages are held.
type feed struct {
	conn   *net.UnixConn
	user   Peer
	o      SubscriberOptions
	shared *mem.Shared // what we write
	theirs *mem.Shared // the queue
	own    subWords
	queue  queueWords

	generation, base, before uint64     // see the words of the greetings
	table                    []mem.Word // of the publisher
	bell                     *mem.Doorbell
	nap                      nap

	// Recv, Next and Done have the turn while they run, and Close at the end. It guards
	// what follows.
	turn   sync.Mutex
	shut   bool     // Close had the turn
	at     uint64   // how far we have got in the queue
	told   uint64   // and as the publisher knows
	every  int      // after how many messages it is told; more than 1 with Block only
	fresh  []*taken // received since it was told
	spare  []*taken // of no message
	lent   taken    // what Next gave
	msg    *segment.Message
	busy   bool   // it is in use, until Done
	last   uint64 // number of the last message
	counts bool   // there was one, or last is that before the first
	rung   sleep  // the sleep of the publisher that was ended last

	mu      sync.Mutex
	regions []*mem.Shared // by number; the lock guards it
	size    int64
	drained bool          // all that the publisher said was read
	arrived chan struct{} // closed when another region is there, or all was read

	backMu   sync.Mutex
	backRung sleep // as rung, of those who release

	over    atomic.Uint32
	cause   atomic.Pointer[error]
	opened  atomic.Int64  // messages that keep the mappings: those of Recv that lie there
	left    atomic.Int64  // of them and of ourselves, what does so no more: see leave
	final   atomic.Int64  // how many there are to leave, 0 until that is known
	passing atomic.Uint64 // other messages: copied ones, those of Next, those that could not be opened
	lost    atomic.Uint64
	running sync.WaitGroup
	closing sync.Once
}

// openFeed greets the publisher at path.
func openFeed(ctx context.Context, path string, o SubscriberOptions) (*feed, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &feed{conn: conn, o: o, arrived: make(chan struct{})}
	free := bounded(ctx, conn)
	err = s.greet()
	free()
	if err == nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		err = errors.Join(err, conn.Close())
		if s.bell != nil {
			err = errors.Join(err, s.bell.Close())
		}
		for _, m := range append(s.regions, s.shared, s.theirs) {
			if m != nil {
				err = errors.Join(err, m.Release())
			}
		}
		return nil, err
	}
	s.every = 1
	if o.Policy == Block {
		s.every = min(max(1, o.Depth/8), mostUntold)
	}
	s.running.Add(1)
	go s.listen()
	return s, nil
}

func (s *feed) greet() error {
	user, err := admit(s.conn, &Options{UIDs: s.o.UIDs})
	if err != nil {
		return err
	}
	s.user = user
	if s.shared, err = mem.NewShared(regionName, mem.RoundUp(subBytes), mem.SharedOptions{Populate: true}); err != nil {
		return err
	}
	if s.own, err = subWordsOf(s.shared.Bytes()); err != nil {
		return err
	}
	var far int
	if s.bell, far, err = mem.NewDoorbell(); err != nil {
		return err
	}
	g := greeting{
		greetMagic: subMagic, greetVersion: pubVersion,
		subGreetPolicy: uint64(s.o.Policy), subGreetDepth: uint64(s.o.Depth), subGreetHistory: uint64(s.o.History),
	}
	err = mem.SendDescriptors(s.conn, g.bytes(), s.shared.Descriptor(), far)
	closeAll([]int{far})
	if err != nil {
		return disconnected(err)
	}
	_ = s.shared.CloseDescriptor()
	point("subscribe.greeted")
	b := make([]byte, greetBytes)
	fds, err := mem.ReceiveDescriptors(s.conn, b, pubGreetDescriptors)
	if err != nil {
		return disconnected(err)
	}
	return s.meet(b, fds)
}

// meet takes what the publisher answers.
func (s *feed) meet(b []byte, fds []int) error {
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	var err error
	switch {
	case word(greetMagic) != pubMagic || word(greetVersion) != pubVersion:
		err = corrupt("its greeting is %#x version %d, want %#x version %d", word(greetMagic), word(greetVersion), uint64(pubMagic), pubVersion)
	case word(greetStatus) == statusOverloaded:
		err = fmt.Errorf("%w: the publisher has as many subscribers as it may have", ErrOverloaded)
	case word(greetStatus) == statusNotAllowed:
		err = fmt.Errorf("%w: the publisher does not allow this user, or the policy %s", ErrAuth, s.o.Policy)
	case word(greetStatus) != statusOK || len(fds) != pubGreetDescriptors:
		err = corrupt("its greeting has status %d and %d descriptors", word(greetStatus), len(fds))
	}
	if err != nil {
		closeAll(fds)
		return err
	}
	s.generation, s.base, s.before = word(pubGreetGeneration), word(pubGreetNumber), word(pubGreetBefore)
	first, err := mem.OpenShared(fds[0], mem.OpenOptions{Size: pubRegionBytes, Populate: true})
	if err != nil {
		closeAll(fds[1:])
		return disconnected(err)
	}
	s.regions, s.size = []*mem.Shared{first}, pubRegionBytes
	if s.theirs, err = mem.OpenShared(fds[1], mem.OpenOptions{Size: mem.RoundUp(pubQueueBytes), Populate: true}); err != nil {
		closeAll(fds[2:])
		return disconnected(err)
	}
	if err = s.bell.Connect(fds[2]); err != nil {
		return disconnected(err)
	}
	if s.queue, err = queueWordsOf(s.theirs.Bytes()); err != nil {
		return err
	}
	w, err := mem.Words(first.Bytes())
	if err != nil {
		return err
	}
	if m, v := w[0].Load(), w[1].Load(); m != pubMagic || v != pubVersion {
		return corrupt("its region begins with %#x version %d", m, v)
	}
	s.table = w[atPubTable/8 : atPubBlocks/8]
	s.nap.begin(s.bell, s.own.sleep, s.o.Wait, s.ready)
	return nil
}

// takeTurn takes the turn for Recv or Next, and gives back what Next lent before.
func (s *feed) takeTurn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("shm: receive: %w", err)
	}
	s.turn.Lock()
	s.giveBack()
	if s.shut {
		s.turn.Unlock()
		return ErrClosed
	}
	return nil
}

// recv is Recv.
func (s *feed) recv(ctx context.Context) (*segment.Message, error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer s.turn.Unlock()
	r := s.get()
	msg, err := s.open(ctx, r)
	if err != nil {
		s.spare = append(s.spare, r)
		return nil, err
	}
	if r.lends {
		s.opened.Add(1)
	} else {
		s.passing.Add(1)
	}
	if s.every > 1 {
		if r.lends {
			r.state.Store(takenFresh)
			s.fresh = append(s.fresh, r)
		}
		s.passed(r)
	}
	return msg, nil
}

// open receives a message whose memory r holds.
func (s *feed) open(ctx context.Context, r *taken) (*segment.Message, error) {
	if err := s.await(ctx, r); err != nil {
		return nil, err
	}
	o := segment.Options{Limits: s.o.Limits, Trust: segment.Shared, Owner: r}
	if !r.lends {
		o.Trust = segment.Private
	}
	msg, err := segment.Open(r.segs, o)
	if err != nil {
		r.drop()
		s.passing.Add(1)
		return nil, fmt.Errorf("shm: receive: %w", err)
	}
	return msg, nil
}

// await waits for the next message, and makes r hold it.
func (s *feed) await(ctx context.Context, r *taken) error {
	for {
		over, state := s.over.Load(), s.queue.state.Load() // before the queue: what was published last is received
		if over == overClosed {
			return ErrClosed
		}
		found, err := s.next(ctx, r)
		switch {
		case err != nil || found:
			return err
		case state == stateReplaced:
			return ErrReplaced
		case over == overGone:
			return s.gone()
		case s.queue.state.Load() == stateSlow:
			return ErrSlow
		}
		if s.told != s.at { // before any wait
			s.tell()
		}
		if err := s.nap.wait(ctx, 0); err != nil {
			if err != ctx.Err() {
				s.end(errGone)
				continue
			}
			return fmt.Errorf("shm: receive: %w", err)
		}
	}
}

// ready is what Recv waits for.
func (s *feed) ready() bool {
	return uint32(s.queue.ring[s.at%pubQueue].Load()>>32) == uint32(s.at+1) || s.over.Load() != overNot ||
		s.queue.floor.Load() > s.at || s.queue.state.Load() != stateOpen
}

// maxTries is how many messages are passed by before a subscriber looks up.
const maxTries = 64

// next makes r hold the next message, if there is one.
func (s *feed) next(ctx context.Context, r *taken) (found bool, err error) {
	for tries := 0; ; tries++ {
		// A publisher can take away faster than this takes.
		if tries > 0 && tries%maxTries == 0 {
			if err := ctx.Err(); err != nil {
				return false, fmt.Errorf("shm: receive: %w", err)
			}
			if s.over.Load() == overClosed {
				return false, ErrClosed
			}
		}
		if f := s.queue.floor.Load(); f > s.at { // that much was taken away from us
			s.at = f
			s.tell()
		}
		e := s.queue.ring[s.at%pubQueue].Load()
		if uint32(e>>32) != uint32(s.at+1) {
			// It may be behind one that was written over since we read the floor.
			if s.queue.floor.Load() > s.at {
				continue
			}
			return false, nil
		}
		id := int(uint32(e))
		if id >= pubEntries {
			return false, s.broken(corrupt("a message has entry %d of %d", id, pubEntries))
		}
		point("take.found")
		if !s.take(r, id) {
			continue
		}
		if err := s.findAll(ctx, r); err != nil {
			r.drop() // it is taken again, unless it was taken away
			return false, err
		}
		point("take.copied")
		s.at++
		if s.every == 1 {
			s.tell()
		}
		point("take.passed")
		if s.counts && r.number > s.last {
			s.lost.Add(r.number - s.last - 1)
		}
		s.counts, s.last = true, r.number
		if s.o.Latest && tries < maxTries && uint32(s.queue.ring[s.at%pubQueue].Load()>>32) == uint32(s.at+1) {
			r.drop() // there is a newer one
			s.lost.Add(1)
			continue
		}
		return true, nil
	}
}

// passed tells the publisher, if it is time for that, how far we have got now that
// r was received.
func (s *feed) passed(r *taken) {
	if s.at-s.told >= uint64(s.every) || r.large() || s.awaited() {
		s.tell()
	}
}

// awaited tells whether the publisher waits for us.
func (s *feed) awaited() bool { return sleep(s.queue.sleep.Load()).asleep() }

// tell says how far we have got in the queue, and which of the messages before it we
// hold.
func (s *feed) tell() {
	for i, r := range s.fresh {
		s.fresh[i] = nil
		if r.state.Load() == takenFresh {
			s.own.holds[r.id].SetPlain(1)
			point("tell.held")
			if r.state.CompareAndSwap(takenFresh, takenTold) {
				continue
			}
			s.own.holds[r.id].SetPlain(0) // it was released meanwhile
		}
		s.spare = append(s.spare, r)
	}
	s.fresh = s.fresh[:0]
	s.told = s.at
	s.own.cursor.Swap(s.at)
	point("tell.told")
	w := sleep(s.queue.sleep.Load())
	if w.asleep() && w != s.rung && w.what() == untilConsumed && int32(uint32(s.at)-w.count()) >= 0 {
		s.rung = w
		_ = s.bell.Ring()
	}
}

// listen reads what the publisher says until the end.
func (s *feed) listen() {
	defer s.running.Done()
	err := s.obey()
	if s.over.Load() != overClosed { // else the socket may have to stay
		if err == io.EOF {
			err = errGone
		}
		s.end(err)
	}
	s.mu.Lock()
	s.drained = true
	s.signal()
	s.mu.Unlock()
}

func (s *feed) obey() error {
	var b [controlBytes]byte
	for {
		fds, err := mem.ReceiveDescriptors(s.conn, b[:], 1)
		if err == io.EOF {
			return err
		}
		if err != nil {
			return disconnected(err)
		}
		kind, id := binary.NativeEndian.Uint32(b[:]), int(binary.NativeEndian.Uint32(b[4:]))
		size := binary.NativeEndian.Uint64(b[8:])
		switch {
		case kind == controlAdd && len(fds) == 1:
			err = s.addRegion(id, size, fds[0])
		case kind == controlDrop && len(fds) == 0:
			if err = s.dropRegion(id); err == nil {
				// A publisher that is gone hears no answer, and may have told more before.
				_, _ = s.conn.Write(b[:])
			}
		default:
			closeAll(fds)
			err = corrupt("a request of kind %d with %d descriptors", kind, len(fds))
		}
		if err != nil {
			return err
		}
	}
}

// end ends a subscription because the publisher is gone, or has to be.
func (s *feed) end(cause error) {
	if !s.cause.CompareAndSwap(nil, &cause) {
		return
	}
	s.over.CompareAndSwap(overNot, overGone)
	s.nap.watch.Close(true)
	_ = s.conn.CloseRead()
	_ = s.conn.CloseWrite()
}

// broken ends the subscription because the publisher broke the protocol.
func (s *feed) broken(err error) error {
	s.end(err)
	return s.gone()
}

// gone gives the reason why the publisher is gone.
func (s *feed) gone() error {
	if s.over.Load() == overClosed {
		return ErrClosed
	}
	err := errGone
	if c := s.cause.Load(); c != nil {
		err = *c
	}
	switch state := s.queue.state.Load(); {
	case errors.Is(err, ErrCorrupt):
	case state == stateReplaced:
		return ErrReplaced
	case state == stateClosed:
		return io.EOF
	case state == stateSlow:
		return ErrSlow
	}
	return err
}

// leave ends one use of the mappings and of the socket: that of the feed itself, and of
// each message that lies there. The last gives them back. That there is a last one is known
// after Close only.
func (s *feed) leave() error {
	if s.left.Add(1) != s.final.Load() {
		return nil
	}
	point("leave.last")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropRegions(0)
	_ = s.shared.Release()
	_ = s.theirs.Release()
	_ = s.bell.Close()
	return s.conn.Close()
}

// dropRegions gives up the regions from a number on. The caller has the lock.
func (s *feed) dropRegions(from int) {
	for i := from; i < len(s.regions); i++ {
		if m := s.regions[i]; m != nil {
			s.size -= int64(len(m.Bytes()))
			_ = m.Release()
			s.regions[i] = nil
		}
	}
}

// held tells how many messages that lie there have not been released.
func (s *feed) held() int {
	n := s.opened.Load() - s.left.Load()
	if s.final.Load() != 0 {
		n++ // the feed itself has left
	}
	return int(max(0, n))
}

// close ends a feed, and waits until no call and no goroutine of it is left. The end of
// the socket would give back what is held, so that stays open until all is released.
func (s *feed) close() error {
	var err error
	s.closing.Do(func() {
		s.over.Store(overClosed)
		s.nap.watch.Close(true)
		_ = s.conn.SetDeadline(deadline.Past)
		s.running.Wait()
		s.turn.Lock()
		defer s.turn.Unlock()
		s.shut = true
		s.tellLast()
		s.mu.Lock()
		s.dropRegions(1) // messages hold those that they are in
		s.mu.Unlock()
		s.final.Store(s.opened.Load() + 1)
		if s.held() > 0 {
			s.resign()
		}
		err = s.leave()
	})
	return err
}

// tellLast is tell after the last message. What Next lent is held from now on like a
// message of Recv.
func (s *feed) tellLast() {
	lent := s.busy && s.lent.lends
	if lent {
		s.passing.Add(^uint64(0))
		s.opened.Add(1)
	}
	if s.every == 1 {
		return // all was told
	}
	if lent {
		s.own.holds[s.lent.id].SetPlain(1)
	}
	s.tell()
}

// resign tells the publisher that we want no more messages, and hold some.
func (s *feed) resign() {
	var b [controlBytes]byte
	binary.NativeEndian.PutUint32(b[:], controlResign)
	_ = s.conn.SetWriteDeadline(time.Now().Add(tellTimeout))
	if _, err := s.conn.Write(b[:]); err != nil {
		_ = s.conn.CloseWrite() // it shall not wait for us, if it is still there
	}
	point("close.resigned")
}

// stats tells what was received of a feed.
func (s *feed) stats() SubscriberStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SubscriberStats{
		Received: uint64(s.opened.Load()) + s.passing.Load(), Lost: s.lost.Load(),
		Held: s.held(), Sleeps: s.nap.sleeps.Load(), Bytes: s.size,
	}
}
