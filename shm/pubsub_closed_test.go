package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

var allPolicies = []Policy{DropOldest, DropNewest, Block, Disconnect}

// holds receives messages, and holds those that lie with the publisher.
func holds(t testing.TB, s *Subscriber, from, to uint64) map[uint64]*segment.Message {
	t.Helper()
	held := map[uint64]*segment.Message{}
	for n := from; n < to; n++ {
		msg, err := s.Recv(briefly(t))
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if msg.Trust() != segment.Shared {
			msg.Release()
			continue
		}
		held[n] = msg
	}
	return held
}

// unchanged looks that messages are as they were published.
func unchanged(t testing.TB, held map[uint64]*segment.Message) {
	t.Helper()
	for n, msg := range held {
		if err := checkNumbered(msg, n); err != nil {
			t.Errorf("message %d, which is held: %v", n, err)
		}
	}
}

func closed(t testing.TB, s *Subscriber) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// left waits until a publisher has all back that closed subscribers had.
func left(t testing.TB, p *Publisher) {
	t.Helper()
	awaitStats(t, p, func(st PublisherStats) bool {
		return st.Subscribers == 0 && st.Leaving == 0 && st.Out == 0 && st.Blocks == 0
	})
}

// TestClosedSubscriberHolds closes a subscriber that holds messages, and publishes so
// much that all other memory is used again and again. What it holds does not change;
// each release gives its memory back, and the last one everything.
func TestClosedSubscriberHolds(t *testing.T) {
	warm := newPublisher(t, PublisherOptions{}) // opens what stays open
	closed(t, subscribe(t, warm, SubscriberOptions{}))
	if err := warm.Close(); err != nil {
		t.Fatal(err)
	}
	for _, policy := range allPolicies {
		for _, next := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, next %t", policy, next), func(t *testing.T) {
				before := descriptors(t)
				p := newPublisher(t, PublisherOptions{AllowBlock: true})
				s, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{Policy: policy, Depth: 128})
				if err != nil {
					t.Fatal(err)
				}
				publish(t, p, 1, 101) // of which most are not received
				held := holds(t, s, 1, 21)
				const last = 21
				lent := (*segment.Message)(nil)
				out := len(held)
				if next {
					if lent, err = s.Next(briefly(t)); err != nil || lent.Trust() != segment.Shared {
						t.Fatalf("%v, %v", lent, err)
					}
					out++
				}
				closed(t, s)
				awaitStats(t, p, func(st PublisherStats) bool {
					return st.Subscribers == 0 && st.Leaving == 1 && st.Out == out
				})
				if st := s.Stats(); st.Held != out {
					t.Errorf("%+v, want %d held", st, out)
				}
				for n := uint64(1000); n < 1000+2*pubEntries; n += 500 {
					publish(t, p, n, n+500)
					unchanged(t, held)
					if next {
						if err := checkNumbered(lent, last); err != nil {
							t.Fatalf("what Next lent: %v", err)
						}
					}
				}
				if _, err := s.Recv(briefly(t)); !errors.Is(err, ErrClosed) { // which gives back what Next lent
					t.Errorf("receive: %v", err)
				}
				if st := p.Stats(); st.Out != len(held) {
					t.Errorf("%+v, want %d out", st, len(held))
				}
				for n, msg := range held {
					msg.Release()
					delete(held, n)
					if st := p.Stats(); st.Out > len(held) {
						t.Errorf("%+v after a release, want %d out", st, len(held))
					}
					publish(t, p, 5000, 5100)
					unchanged(t, held)
				}
				left(t, p)
				if n := usesOf(s.feed.Load()); n != 0 {
					t.Errorf("%d uses of the subscriber's memory are left", n)
				}
				if err := p.Close(); err != nil {
					t.Fatal(err)
				}
				if after := descriptors(t); after > before {
					t.Errorf("%d descriptors open, %d before", after, before)
				}
			})
		}
	}
}

// A publisher that waits for a subscriber goes on when that closes, whatever it holds.
func TestPublisherDoesNotWaitForClosed(t *testing.T) {
	for _, wait := range []Wait{Adaptive, Spin, Sleep} {
		t.Run(wait.String(), func(t *testing.T) {
			p := newPublisher(t, PublisherOptions{AllowBlock: true, Wait: wait})
			s := subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 4})
			publish(t, p, 1, 5)
			held := holds(t, s, 1, 4)
			done := make(chan struct{})
			go func() {
				defer close(done)
				publish(t, p, 5, 1000)
			}()
			for p.Stats().Published < 7 { // its queue is full then
				time.Sleep(100 * time.Microsecond)
			}
			closed(t, s)
			<-done
			unchanged(t, held)
			for _, msg := range held {
				msg.Release()
			}
			left(t, p)
		})
	}
}

// A subscriber closes while a Recv is under way, of which nobody knows how far it is.
func TestSubscriberClosedDuringRecv(t *testing.T) {
	for _, policy := range allPolicies {
		t.Run(policy.String(), func(t *testing.T) {
			p := newPublisher(t, PublisherOptions{AllowBlock: true})
			stop, published := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(published)
				for n := uint64(1); ; n++ {
					select {
					case <-stop:
						return
					default:
						publish(t, p, n, n+1)
					}
				}
			}()
			for round := range 40 {
				s, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{Policy: policy, Depth: 16})
				if err != nil {
					t.Fatal(err)
				}
				held := map[uint64]*segment.Message{}
				received := make(chan error)
				go func() {
					for {
						msg, err := s.Recv(context.Background())
						if err != nil {
							received <- err
							return
						}
						n := msg.Root().Struct().Uint64(0)
						if held[n] = msg; len(held) > 20 {
							for m, msg := range held {
								msg.Release()
								delete(held, m)
								break
							}
						}
					}
				}()
				time.Sleep(time.Duration(round%7) * 50 * time.Microsecond)
				closed(t, s)
				if err := <-received; !errors.Is(err, ErrClosed) && !errors.Is(err, ErrSlow) {
					t.Errorf("receive: %v", err)
				}
				for at := p.Stats().Published; p.Stats().Published < at+100; {
					time.Sleep(50 * time.Microsecond)
				}
				unchanged(t, held)
				for _, msg := range held {
					msg.Release()
				}
			}
			close(stop)
			<-published
			left(t, p)
		})
	}
}

// A publisher closes while closed subscribers hold its messages.
func TestPublisherClosesBeforeRelease(t *testing.T) {
	for _, policy := range allPolicies {
		p := newPublisher(t, PublisherOptions{AllowBlock: true})
		s := subscribe(t, p, SubscriberOptions{Policy: policy})
		publish(t, p, 1, 31)
		held := holds(t, s, 1, 21)
		closed(t, s)
		awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 1 })
		building := numbered(p.NewMessage(0), 9)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		building.NewRoot(segment.Size{Ptrs: 1}).SetData(0, make([]byte, 3000))
		building.Release()
		if st := p.Stats(); st.Out != 0 || st.Blocks != 0 || st.Leaving != 0 {
			t.Errorf("%s: %+v", policy, st)
		}
		unchanged(t, held)
		for _, msg := range held {
			msg.Release()
		}
	}
}

// What a closed subscriber holds is taken away last of all where there is no memory
// left, as from any other; from one with the policy Block it is not.
func TestClosedSubscriberHasAllMemory(t *testing.T) {
	const size = 5 << 20
	big := func(p *Publisher) *segment.Message {
		msg := p.NewMessage(size)
		msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size-64)[0] = 1
		return msg
	}
	for _, policy := range []Policy{DropOldest, Block} {
		p := newPublisher(t, PublisherOptions{AllowBlock: true, MaxBytes: 12 << 20})
		s := subscribe(t, p, SubscriberOptions{Policy: policy})
		var held []*segment.Message
		for range 2 {
			if err := p.Publish(briefly(t), big(p)); err != nil {
				t.Fatal(err)
			}
			msg, err := s.Recv(briefly(t))
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, msg)
		}
		closed(t, s)
		awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 1 && st.Out == 2 })
		if policy == Block {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			if err := p.Publish(ctx, big(p)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("publish without memory: %v", err)
			}
			cancel()
			time.AfterFunc(5*time.Millisecond, held[0].Release)
			held = held[1:]
		}
		if err := p.Publish(briefly(t), big(p)); err != nil {
			t.Errorf("%s: %v", policy, err)
		}
		if st, want := p.Stats(), boolInt(policy == Block); st.Leaving != want || st.Out != want {
			t.Errorf("%s: %+v", policy, st)
		}
		for _, msg := range held {
			msg.Release()
		}
		left(t, p)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Who has closed and still holds counts, so that nobody can have more than is allowed
// by closing and coming again.
func TestClosedSubscribersCount(t *testing.T) {
	p := newPublisher(t, PublisherOptions{MaxSubscribers: 2})
	a, b := subscribe(t, p, SubscriberOptions{}), subscribe(t, p, SubscriberOptions{})
	publish(t, p, 3, 5)
	held := holds(t, a, 3, 5)
	closed(t, a)
	awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 1 && st.Subscribers == 1 })
	if _, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{}); !errors.Is(err, ErrOverloaded) {
		t.Errorf("one too many: %v", err)
	}
	for _, msg := range held {
		msg.Release()
	}
	awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 0 })
	c := subscribe(t, p, SubscriberOptions{})
	publish(t, p, 5, 7)
	receive(t, b, 3, 7)
	receive(t, c, 5, 7)
}

// Small messages are copied: who has only such ones holds nothing.
func TestClosedSubscriberWithCopies(t *testing.T) {
	p := newPublisher(t, PublisherOptions{AllowBlock: true})
	for _, policy := range allPolicies {
		s := subscribe(t, p, SubscriberOptions{Policy: policy})
		small := p.NewMessage(0)
		small.NewRoot(segment.Size{DataWords: 1}).SetUint64(0, 77)
		if err := p.Publish(briefly(t), small); err != nil {
			t.Fatal(err)
		}
		msg, err := s.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		closed(t, s)
		left(t, p)
		if v := msg.Root().Struct().Uint64(0); v != 77 {
			t.Errorf("%s: %d is read, want 77", policy, v)
		}
		msg.Release()
	}
}

// Regions are given up and others get their numbers while closed subscribers, which
// are told nothing of that, hold messages in some.
func TestClosedSubscriberAmongRegions(t *testing.T) {
	p := newPublisher(t, PublisherOptions{MaxBytes: 48 << 20})
	always := subscribe(t, p, SubscriberOptions{})
	var held []*segment.Message
	check := func(msg *segment.Message, n byte) {
		t.Helper()
		if data := msg.Root().Struct().Data(0); len(data) < 3<<20 || data[0] != n || data[len(data)-1] != n {
			t.Errorf("message %d of %d bytes is not what it was", n, len(data))
		}
	}
	most := 0
	for n := byte(1); n <= 60; n++ {
		passing := subscribe(t, p, SubscriberOptions{})
		size := 3<<20 + int(n)*int(n)*7%5<<20
		msg := p.NewMessage(size)
		data := msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size)
		data[0], data[size-1] = n, n
		if err := p.Publish(briefly(t), msg); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		got, err := passing.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, got)
		closed(t, passing)
		if st := passing.Stats(); st.Bytes != pubRegionBytes {
			t.Errorf("a closed subscriber has %d bytes mapped beside its message", st.Bytes-pubRegionBytes)
		}
		msg, err = always.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		check(msg, n)
		msg.Release()
		if len(held) == 4 {
			check(held[0], n-3)
			held[0].Release()
			held = held[1:]
		}
		p.mu.Lock()
		most = max(most, len(p.store.regions))
		p.mu.Unlock()
	}
	for i, msg := range held {
		check(msg, byte(58+i))
		msg.Release()
	}
	awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 0 && st.Out == 0 })
	if st := p.Stats(); st.Disconnected != 0 || most > 20 {
		t.Errorf("%+v, %d regions", st, most)
	}
}

// A publisher that does not read its socket, or has no time, keeps nobody from closing.
func TestSubscriberClosesWithoutWaiting(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	s := subscribe(t, p, SubscriberOptions{})
	publish(t, p, 3, 7)
	held := holds(t, s, 3, 7)
	p.mu.Lock()
	err := s.Close()
	p.mu.Unlock()
	if err != nil {
		t.Error(err)
	}
	awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 1 })
	for _, msg := range held {
		msg.Release()
	}
	left(t, p)
}

// What a subscriber may not say over the socket ends its subscription.
func TestSubscriberSaysWhatItMayNot(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	for name, kinds := range map[string][]uint32{
		"closed twice":          {controlResign, controlResign},
		"an answer after that":  {controlResign, controlDrop},
		"an answer to nothing":  {controlDrop},
		"what a publisher says": {controlAdd},
		"no such kind":          {99},
	} {
		s, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, p, 3, 5)
		held := holds(t, s, 3, 5)
		for _, kind := range kinds {
			var b [controlBytes]byte
			binary.NativeEndian.PutUint32(b[:], kind)
			if _, err := s.feed.Load().conn.Write(b[:]); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		left(t, p)
		if _, err := s.Recv(briefly(t)); !errors.Is(err, ErrDisconnected) && err != io.EOF {
			t.Errorf("%s: receive: %v", name, err)
		}
		for _, msg := range held {
			msg.Release()
		}
		closed(t, s)
	}
}

// Messages of several publishers are held by a subscriber that has closed.
func TestClosedSubscriberHoldsOfMany(t *testing.T) {
	path := newPath(t)
	p := publishAs(t, path, PublisherOptions{AllowBlock: true})
	s, err := Subscribe(briefly(t), path, SubscriberOptions{Policy: Block, Reconnect: true, History: 2})
	if err != nil {
		t.Fatal(err)
	}
	publishers := []*Publisher{p}
	held := map[uint64]*segment.Message{}
	for n := uint64(3); n < 9; n += 2 {
		publish(t, p, n, n+2)
		for n, msg := range holds(t, s, n, n+2) {
			held[n] = msg
		}
		p = publishAs(t, path, PublisherOptions{AllowBlock: true, Replace: true, History: 2})
		publishers = append(publishers, p)
	}
	publish(t, p, 9, 11)
	for n, msg := range holds(t, s, 9, 11) {
		held[n] = msg
	}
	closed(t, s)
	if st := s.Stats(); st.Held != len(held) {
		t.Errorf("%+v, want %d held", st, len(held))
	}
	publish(t, p, 100, 2000)
	for _, old := range publishers[:3] {
		for range 100 {
			m := numbered(old.NewMessage(0), 77)
			m.NewRoot(segment.Size{Ptrs: 1}).SetData(0, make([]byte, 3000))
			m.Release()
		}
		if st := old.Stats(); st.Leaving != 1 {
			t.Errorf("%+v", st)
		}
	}
	unchanged(t, held)
	for _, msg := range held {
		msg.Release()
	}
	for i, p := range publishers {
		history := 2 * boolInt(i > 0)
		awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 0 && st.Out == history })
	}
	if st := s.Stats(); st.Held != 0 || len(s.old) != 0 {
		t.Errorf("%+v, %d old publishers", st, len(s.old))
	}
}

// The number of a region that is given up can be used again though a subscriber closes
// before it has said that it knows.
func TestClosedSubscriberDoesNotKeepNumbers(t *testing.T) {
	p := newPublisher(t, PublisherOptions{MaxBytes: 12 << 20})
	s := subscribe(t, p, SubscriberOptions{})
	publish(t, p, 3, 5)
	held := holds(t, s, 3, 5)
	region := func(size int) {
		msg := p.NewMessage(size)
		msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size-64)
		if err := p.Publish(briefly(t), msg); err != nil {
			t.Fatal(err)
		}
	}
	region(5 << 20)
	msg, err := s.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	msg.Release()
	f := s.feed.Load()
	f.mu.Lock() // it hears nothing
	region(8 << 20)
	p.mu.Lock()
	if len(p.answers) != 1 {
		t.Errorf("%d regions are given up, want 1", len(p.answers))
	}
	p.mu.Unlock()
	done := make(chan error)
	go func() { done <- s.Close() }()
	for f.over.Load() != overClosed {
		time.Sleep(100 * time.Microsecond)
	}
	time.Sleep(5 * time.Millisecond) // from now on it says nothing either
	f.mu.Unlock()
	if err := <-done; err != nil {
		t.Error(err)
	}
	awaitStats(t, p, func(st PublisherStats) bool { return st.Leaving == 1 })
	p.mu.Lock()
	if len(p.answers) != 0 {
		t.Errorf("of %d regions it is waited for an answer", len(p.answers))
	}
	p.mu.Unlock()
	for _, msg := range held {
		msg.Release()
	}
	left(t, p)
}
