package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// A Subscriber receives what a [Publisher] of another process publishes. Messages
// are read where the publisher built them: see [segment.Shared].
//
// One goroutine at a time calls Recv. All else, and the release of messages, may be
// done from any goroutine.
type Subscriber struct {
	conn   *net.UnixConn
	user   Peer
	o      SubscriberOptions
	shared *mem.Shared // what we write
	theirs *mem.Shared // the queue
	own    subWords
	queue  queueWords
	table  []mem.Word // of the publisher
	bell   *mem.Doorbell
	nap    nap

	// Of the one who calls Recv.
	at   uint64 // how far we have got in the queue
	last uint64 // number of the last message
	rung sleep  // the sleep of the publisher that was ended last

	mu       sync.Mutex
	regions  []*mem.Shared // by number; the lock guards it
	size     int64
	received uint64
	arrived  chan struct{} // closed when another region is there

	backMu   sync.Mutex
	backRung sleep // as rung, of those who release

	over     atomic.Uint32
	cause    atomic.Pointer[error]
	users    atomic.Int64 // ourselves, each message, and a Recv
	lost     atomic.Uint64
	running  sync.WaitGroup
	closing  sync.Once
	closeErr error
}

// SubscriberStats are counts of what a subscriber has done.
type SubscriberStats struct {
	Received uint64 // messages
	Lost     uint64 // messages that were published between two that were received
	Held     int    // received and not released
	Sleeps   uint64 // how often Recv slept
	Bytes    int64  // of the publisher's memory that are mapped
}

// Subscribe subscribes to the publisher at path, which must be of one of the users
// of the options. The caller closes the subscriber.
func Subscribe(ctx context.Context, path string, o SubscriberOptions) (*Subscriber, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("shm: subscribe to %s: %w", path, err)
	}
	s := &Subscriber{conn: conn, o: o, arrived: make(chan struct{})}
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
		return nil, fmt.Errorf("shm: subscribe to %s: %w", path, err)
	}
	s.users.Store(1)
	s.running.Add(1)
	go s.listen()
	return s, nil
}

func (s *Subscriber) greet() error {
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
func (s *Subscriber) meet(b []byte, fds []int) error {
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

// Peer tells who publishes.
func (s *Subscriber) Peer() Peer { return s.user }

// Messages iterates over the messages that arrive, as [Pipe.Messages] does.
func (s *Subscriber) Messages(ctx context.Context) iter.Seq2[*segment.Message, error] {
	return func(yield func(*segment.Message, error) bool) {
		for {
			msg, err := s.Recv(ctx)
			if err == io.EOF || !yield(msg, err) || err != nil {
				return
			}
		}
	}
}

// Recv waits for the next message and returns it. The caller releases it, before or
// after Close; until then the publisher cannot use its blocks again.
//
// The error is io.EOF if the publisher closed, after its last message; [ErrClosed]
// after Close; the end of ctx; [ErrSlow]; [ErrDisconnected] if the publisher died,
// with [ErrCorrupt] if it broke the protocol. An error of package segment is about
// one message, which is left out.
func (s *Subscriber) Recv(ctx context.Context) (*segment.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("shm: receive: %w", err)
	}
	if !s.enter() {
		return nil, ErrClosed
	}
	msg, err := s.recv(ctx)
	if msg == nil { // else the use of the memory is the message's
		s.leave()
	}
	return msg, err
}

func (s *Subscriber) recv(ctx context.Context) (*segment.Message, error) {
	for {
		over := s.over.Load() // before the queue: what was published last is received
		if over == overClosed {
			return nil, ErrClosed
		}
		msg, err := s.next(ctx)
		switch {
		case err != nil || msg != nil:
			return msg, err
		case over == overGone:
			return nil, s.gone()
		case s.queue.state.Load() == stateSlow:
			return nil, ErrSlow
		}
		if err := s.nap.wait(ctx, 0); err != nil {
			if err != ctx.Err() {
				s.end(errGone)
				continue
			}
			return nil, fmt.Errorf("shm: receive: %w", err)
		}
	}
}

// enter begins one use of the mappings, if there still are any.
func (s *Subscriber) enter() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// ready is what Recv waits for.
func (s *Subscriber) ready() bool {
	return uint32(s.queue.ring[s.at%pubQueue].Load()>>32) == uint32(s.at+1) || s.over.Load() != overNot ||
		s.queue.floor.Load() > s.at || s.queue.state.Load() != stateOpen
}

// maxTries is how many messages are passed by before a subscriber looks up.
const maxTries = 64

// next takes the next message, if there is one.
func (s *Subscriber) next(ctx context.Context) (*segment.Message, error) {
	for tries := 0; ; tries++ {
		// A publisher can take away faster than this takes.
		if tries > 0 && tries%maxTries == 0 {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("shm: receive: %w", err)
			}
			if s.over.Load() == overClosed {
				return nil, ErrClosed
			}
		}
		if f := s.queue.floor.Load(); f > s.at { // that much was taken away from us
			s.at = f
			s.own.cursor.Swap(s.at)
		}
		e := s.queue.ring[s.at%pubQueue].Load()
		if uint32(e>>32) != uint32(s.at+1) {
			// It may be behind one that was written over since we read the floor.
			if s.queue.floor.Load() > s.at {
				continue
			}
			return nil, nil
		}
		id := int(uint32(e))
		if id >= pubEntries {
			return nil, s.broken(corrupt("a message has entry %d of %d", id, pubEntries))
		}
		point("take.found")
		// The hold, then the floor: the publisher does it the other way round.
		s.own.holds[id].Swap(1)
		point("take.held")
		if s.queue.floor.Load() > s.at {
			s.own.holds[id].Swap(0)
			continue
		}
		r := s.take(id)
		point("take.copied")
		s.pass()
		point("take.passed")
		if s.last != 0 && r.number > s.last {
			s.lost.Add(r.number - s.last - 1)
		}
		s.last = r.number
		if s.o.Latest && tries < maxTries && uint32(s.queue.ring[s.at%pubQueue].Load()>>32) == uint32(s.at+1) {
			r.giveUp() // there is a newer one
			s.lost.Add(1)
			continue
		}
		late, err := s.find(r)
		for late >= 0 && err == nil {
			if err = s.awaitRegion(ctx, late); err == nil {
				late, err = s.find(r)
			}
		}
		if err != nil {
			r.giveUp()
			if errors.Is(err, ErrCorrupt) {
				err = s.broken(err)
			}
			return nil, err
		}
		msg, err := segment.Open(r.segs, segment.Options{Limits: s.o.Limits, Trust: segment.Shared, Owner: r})
		if err != nil {
			r.giveUp()
			return nil, fmt.Errorf("shm: receive: %w", err)
		}
		return msg, nil
	}
}

// pass says that we are done with a place in the queue.
func (s *Subscriber) pass() {
	s.at++
	s.own.cursor.Swap(s.at)
	w := sleep(s.queue.sleep.Load())
	if w.asleep() && w != s.rung && w.what() == untilConsumed && int32(uint32(s.at)-w.count()) >= 0 {
		s.rung = w
		_ = s.bell.Ring()
	}
}

// listen reads what the publisher says until the end.
func (s *Subscriber) listen() {
	defer s.running.Done()
	err := s.obey()
	if err == io.EOF {
		err = errGone
	}
	s.end(err)
}

func (s *Subscriber) obey() error {
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
				_, err = s.conn.Write(b[:])
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
func (s *Subscriber) end(cause error) {
	if !s.cause.CompareAndSwap(nil, &cause) {
		return
	}
	s.over.CompareAndSwap(overNot, overGone)
	s.nap.watch.Close(true)
	_ = s.conn.CloseRead()
	_ = s.conn.CloseWrite()
	s.mu.Lock()
	s.signal()
	s.mu.Unlock()
}

// broken ends the subscription because the publisher broke the protocol.
func (s *Subscriber) broken(err error) error {
	s.end(err)
	return s.gone()
}

// gone gives the reason why the publisher is gone.
func (s *Subscriber) gone() error {
	err := errGone
	if c := s.cause.Load(); c != nil {
		err = *c
	}
	switch state := s.queue.state.Load(); {
	case errors.Is(err, ErrCorrupt):
	case state == stateClosed:
		return io.EOF
	case state == stateSlow:
		return ErrSlow
	}
	return err
}

// leave ends one use of the mappings. The last gives them back.
func (s *Subscriber) leave() {
	if s.users.Add(-1) > 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.regions {
		if m != nil {
			_ = m.Release()
			s.regions[i] = nil
		}
	}
	_ = s.shared.Release()
	_ = s.theirs.Release()
	_ = s.bell.Close()
}

// Close ends the subscription and a Recv that waits, and waits until no goroutine of
// it is left. Messages that were received stay valid until they are released.
// Closing again gives the same.
func (s *Subscriber) Close() error {
	s.closing.Do(func() {
		s.over.Store(overClosed)
		s.nap.watch.Close(true)
		err := s.conn.Close()
		s.running.Wait()
		s.leave()
		if err != nil {
			s.closeErr = fmt.Errorf("shm: close: %w", err)
		}
	})
	return s.closeErr
}

// Stats tells what the subscriber has done.
func (s *Subscriber) Stats() SubscriberStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SubscriberStats{
		Received: s.received, Lost: s.lost.Load(),
		Held:   int(max(0, s.users.Load()-1)),
		Sleeps: s.nap.sleeps.Load(), Bytes: s.size,
	}
}
