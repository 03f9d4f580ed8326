package shm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// A Subscriber receives what a [Publisher] of another process publishes. Messages
// are read where the publisher built them: see [segment.Shared]. Those of at most 56
// bytes are copied, and private.
//
// One goroutine at a time calls Recv, Next and Done. All else, and the release of
// messages, may be done from any goroutine.
//
// With SubscriberOptions.Reconnect it outlives publishers: when one has closed, was
// replaced or has died, what it had published is received, and then what the next one
// at the same path publishes.
type Subscriber struct {
	path string
	o    SubscriberOptions
	feed atomic.Pointer[feed]

	life context.Context // ends with Close
	kill context.CancelFunc

	// Of the one who calls Recv.
	ended   error    // why the feed is at its end
	restart *Restart // to be told with the next message

	mu       sync.Mutex // guards what follows, and that feed changes
	past     SubscriberStats
	old      []*feed // of which messages may be held
	closing  sync.Once
	closeErr error
}

// A Restart tells that messages now come from another publisher than before.
type Restart struct {
	// Ended is why the publisher before is not received any more: io.EOF if it
	// closed, an error that matches [ErrReplaced] or [ErrDisconnected].
	Ended error
	// Missed is how many messages were published between the last that was received
	// and the first of the new publisher. SubscriberStats.Lost counts them too.
	Missed uint64
	// Exact says that Missed is all. It is where the new publisher has replaced the
	// one before. Where that had died or closed, nobody knows whether there was
	// another one in between.
	Exact bool
}

// SubscriberStats are counts of what a subscriber has done.
type SubscriberStats struct {
	Received uint64 // messages
	Lost     uint64 // messages that were published between two that were received
	Held     int    // of Recv, not copied and not released; that of Next counts after Close
	Sleeps   uint64 // how often Recv slept
	Bytes    int64  // of the publisher's memory that are mapped
	Restarts uint64 // how often another publisher took the place of the one before
}

// Subscribe subscribes to the publisher at path, which must be of one of the users
// of the options. The caller closes the subscriber.
func Subscribe(ctx context.Context, path string, o SubscriberOptions) (*Subscriber, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	f, err := openFeed(ctx, path, o)
	if err != nil {
		return nil, fmt.Errorf("shm: subscribe to %s: %w", path, err)
	}
	s := &Subscriber{path: path, o: o}
	s.life, s.kill = context.WithCancel(context.Background())
	s.feed.Store(f)
	return s, nil
}

// Peer tells who publishes.
func (s *Subscriber) Peer() Peer { return s.feed.Load().user }

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
// The error is io.EOF if the publisher closed, after its last message; [ErrReplaced]
// if another one has taken its place, and [ErrDisconnected] if it died, neither of
// them with SubscriberOptions.Reconnect; ErrDisconnected with [ErrCorrupt] if it broke
// the protocol; [ErrClosed] after Close; the end of ctx; [ErrSlow]. An error of package segment is about
// one message, which is left out.
func (s *Subscriber) Recv(ctx context.Context) (*segment.Message, error) {
	return s.receive(ctx, (*feed).recv)
}

// Next is Recv for a program that is done with each message before it takes the
// next: the same Message reads one after the other, and nothing is taken or given
// back for each. It is valid until Done, or the next call of Next or Recv, belongs to
// the Subscriber, and is neither released nor retained. It counts as shared even if
// it is small.
func (s *Subscriber) Next(ctx context.Context) (*segment.Message, error) {
	return s.receive(ctx, (*feed).read)
}

// Done gives the message of Next back, for a program that does something else before
// it calls Next again.
func (s *Subscriber) Done() { s.feed.Load().done() }

// receive receives from one publisher after the other.
func (s *Subscriber) receive(ctx context.Context, take func(*feed, context.Context) (*segment.Message, error)) (*segment.Message, error) {
	for {
		if s.ended != nil {
			if err := s.renew(ctx); err != nil {
				return nil, err
			}
		}
		f := s.feed.Load()
		msg, err := take(f, ctx)
		if err == nil {
			if s.restart != nil {
				s.tellRestart(f)
			}
			return msg, nil
		}
		if !s.o.Reconnect || !isRestart(err) {
			return nil, err
		}
		s.ended = err
	}
}

// isRestart tells whether after such an error there may be another publisher.
func isRestart(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, ErrReplaced) ||
		errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrSlow)
}

func (s *Subscriber) tellRestart(f *feed) {
	r := s.restart
	s.restart = nil
	r.Missed = f.lost.Load()
	if s.o.OnRestart != nil {
		s.o.OnRestart(*r)
	}
}

const (
	firstRetry   = time.Millisecond
	longestRetry = 100 * time.Millisecond
)

// renew waits until another publisher is there, and subscribes to it.
func (s *Subscriber) renew(ctx context.Context) error {
	last := s.feed.Load()
	last.done()
	_ = last.close() // it is read to its end
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	pause := firstRetry
	for {
		f, err := openFeed(wait, s.path, s.o)
		switch {
		case s.life.Err() != nil:
			if f != nil {
				_ = f.close()
			}
			return ErrClosed
		case err == nil:
			return s.change(last, f)
		case ctx.Err() != nil:
			return fmt.Errorf("shm: receive: %w", ctx.Err())
		case !isTooEarly(err):
			return fmt.Errorf("shm: subscribe to %s again: %w", s.path, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-wait.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, longestRetry)
	}
}

// isTooEarly tells whether a publisher may just not be there yet.
func isTooEarly(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EAGAIN) ||
		errors.Is(err, ErrOverloaded) || errors.Is(err, ErrDisconnected) && !errors.Is(err, ErrCorrupt)
}

// change goes over to the next publisher.
func (s *Subscriber) change(last, f *feed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		_ = f.close()
		return ErrClosed
	}
	f.counts, f.last = true, f.base
	follows := f.before == last.generation
	if follows { // its numbers go on where the other's ended
		f.counts, f.last = last.counts, last.last
	}
	// Of one that was not told, nothing was received, and it need not have followed.
	s.restart = &Restart{Ended: s.ended, Exact: follows && (s.restart == nil || s.restart.Exact)}
	st := last.stats()
	s.past.Received += st.Received
	s.past.Lost += st.Lost
	s.past.Sleeps += st.Sleeps
	s.past.Restarts++
	s.old = append(s.old, last)
	s.forget()
	s.feed.Store(f)
	s.ended = nil
	return nil
}

// forget forgets feeds of which nothing is held any more. The caller has the lock.
func (s *Subscriber) forget() {
	still := s.old[:0]
	for _, f := range s.old {
		if f.held() > 0 {
			still = append(still, f)
		}
	}
	clear(s.old[len(still):])
	s.old = still
}

// Close ends the subscription and a Recv that waits, and waits until no goroutine of
// it is left. Messages that were received stay valid until they are released, and the
// publisher keeps their memory so long; that of Next until Done. It is told that
// nothing more is wanted: it neither queues nor waits for a closed subscriber, which
// counts for its MaxSubscribers, and keeps a socket open, until the last is released.
// Closing again gives the same.
func (s *Subscriber) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.kill()
		f := s.feed.Load()
		s.mu.Unlock()
		if err := f.close(); err != nil {
			s.closeErr = fmt.Errorf("shm: close: %w", err)
		}
	})
	return s.closeErr
}

// Stats tells what the subscriber has done.
func (s *Subscriber) Stats() SubscriberStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.feed.Load().stats()
	st.Received += s.past.Received
	st.Lost += s.past.Lost
	st.Sleeps += s.past.Sleeps
	st.Restarts = s.past.Restarts
	s.forget()
	for _, f := range s.old {
		st.Held += f.held()
	}
	return st
}
