package shm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// briefly is a context for what has to come about soon.
func briefly(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func newPublisher(t testing.TB, o PublisherOptions) *Publisher {
	t.Helper()
	needSharedMemory(t)
	dir := filepath.Join(t.TempDir(), "p")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := NewPublisher(filepath.Join(dir, "s"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if !p.left {
			t.Errorf("the publisher still has %d blocks taken", p.store.taken)
		}
	})
	return p
}

func subscribe(t testing.TB, p *Publisher, o SubscriberOptions) *Subscriber {
	t.Helper()
	s, err := Subscribe(briefly(t), p.Path(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := usesOf(s.feed.Load()); n != 0 {
			t.Errorf("%d uses of a subscriber's memory are left", n)
		}
	})
	return s
}

// usesOf tells how many uses of the memory of a feed are left.
func usesOf(f *feed) int64 { return f.opened.Load() + 1 - f.left.Load() }

// awaitStats waits until what a publisher tells is as wanted.
func awaitStats(t testing.TB, p *Publisher, wanted func(PublisherStats) bool) {
	t.Helper()
	for i := 0; !wanted(p.Stats()); i++ {
		if time.Sleep(time.Millisecond); i > 10_000 {
			t.Fatalf("the publisher still has %+v", p.Stats())
		}
	}
}

func publish(t testing.TB, p *Publisher, from, to uint64) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := p.Publish(briefly(t), numbered(p.NewMessage(0), n)); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
	}
}

func receive(t testing.TB, s *Subscriber, from, to uint64) {
	t.Helper()
	for n := from; n < to; n++ {
		msg, err := s.Recv(briefly(t))
		if err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		if err := checkNumbered(msg, n); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		msg.Release()
	}
}

// none looks that nothing waits.
func none(t testing.TB, s *Subscriber) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if msg, err := s.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v and %v, want nothing", msg, err)
	}
}

func TestPublish(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	publish(t, p, 1, 10) // to nobody
	a, b := subscribe(t, p, SubscriberOptions{}), subscribe(t, p, SubscriberOptions{Wait: Sleep})
	for n := uint64(10); n < 2000; n += 30 { // more than once around the queue
		publish(t, p, n, n+30)
		receive(t, a, n, n+30)
		receive(t, b, n, n+30)
	}
	none(t, a)
	st := p.Stats()
	if st.Copied != 0 || st.Dropped != 0 || st.Out != 0 || st.Blocks != 0 || st.Delivered != 2*(st.Published-9) {
		t.Errorf("%+v", st)
	}
	if a.Stats().Lost != 0 || a.Stats().Held != 0 {
		t.Errorf("%+v", a.Stats())
	}
	if a.Peer().PID != os.Getpid() {
		t.Errorf("published by %+v", a.Peer())
	}
}

// A message lies once, however many receive it.
func TestPublishCopiesNothing(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	subs := []*Subscriber{subscribe(t, p, SubscriberOptions{}), subscribe(t, p, SubscriberOptions{}), subscribe(t, p, SubscriberOptions{})}
	const size = 6 << 20 // a region of its own
	msg := p.NewMessage(size)
	msg.NewRoot(segment.Size{Ptrs: 1}).SetData(0, make([]byte, size-64))
	if err := p.Publish(briefly(t), msg); err != nil {
		t.Fatal(err)
	}
	if st := p.Stats(); st.Blocks != 1 || st.Copied != 0 || st.Bytes > size+pubRegionBytes+8192 {
		t.Errorf("%+v", st)
	}
	var got []*segment.Message
	for _, s := range subs {
		m, err := s.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		if m.Trust() != segment.Shared || len(m.Root().Struct().Data(0)) != size-64 {
			t.Errorf("%v, %d bytes", m.Trust(), len(m.Root().Struct().Data(0)))
		}
		got = append(got, m)
	}
	if st := p.Stats(); st.Out != 1 || st.Blocks != 1 {
		t.Errorf("while it is held: %+v", st)
	}
	for _, m := range got {
		m.Release()
	}
	if st := p.Stats(); st.Out != 0 || st.Blocks != 0 {
		t.Errorf("after its release: %+v", st)
	}
}

func TestPublishOfAllKinds(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	s := subscribe(t, p, SubscriberOptions{})
	for n, build := range []func() *segment.Message{
		func() *segment.Message { return p.NewMessage(0) },
		func() *segment.Message { return segment.New(arena.Pool()) },
		func() *segment.Message { return segment.New(tiny{}) },
		func() *segment.Message { return p.NewMessage(3 << 20) },
	} {
		msg := numbered(build(), uint64(n)+1)
		if n == 2 { // with more segments than an entry has places for
			for i := range 10 {
				msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1}).SetData(0, make([]byte, 4096<<i))
			}
			numbered(msg, uint64(n)+1)
			if msg.Segments() <= pubPlaces {
				t.Errorf("%d segments", msg.Segments())
			}
		}
		if err := p.Publish(briefly(t), msg); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, s, 1, 5)
	if st := p.Stats(); st.Copied != 2 {
		t.Errorf("%d copied, want 2", st.Copied)
	}
	bad := numbered(p.NewMessage(0), 1)
	mine := errors.New("mine")
	bad.Fail(mine)
	if err := p.Publish(briefly(t), bad); !errors.Is(err, mine) {
		t.Errorf("a message with a fault: %v", err)
	}
	none(t, s)
}

func TestPublishPolicies(t *testing.T) {
	t.Run("drop oldest", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{})
		s := subscribe(t, p, SubscriberOptions{Depth: 4})
		publish(t, p, 1, 5000)
		receive(t, s, 4996, 5000)
		none(t, s)
		publish(t, p, 5000, 5002)
		receive(t, s, 5000, 5002)
		if st := p.Stats(); st.Dropped != 4995 || st.Out != 0 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("drop newest", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{})
		s := subscribe(t, p, SubscriberOptions{Depth: 4, Policy: DropNewest})
		publish(t, p, 1, 100)
		receive(t, s, 1, 2)
		publish(t, p, 100, 102)
		receive(t, s, 2, 5)
		receive(t, s, 100, 101)
		none(t, s)
		if st, mine := p.Stats(), s.Stats(); st.Dropped != 96 || mine.Lost != 95 || mine.Received != 5 {
			t.Errorf("%+v, %+v", st, mine)
		}
	})
	t.Run("disconnect", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{})
		s := subscribe(t, p, SubscriberOptions{Depth: 4, Policy: Disconnect})
		publish(t, p, 1, 2)
		held, err := s.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		publish(t, p, 2, 100)
		for range 2 {
			if _, err := s.Recv(briefly(t)); !errors.Is(err, ErrSlow) || !errors.Is(err, ErrDisconnected) {
				t.Errorf("receive: %v", err)
			}
		}
		if err := checkNumbered(held, 1); err != nil {
			t.Errorf("what it holds: %v", err)
		}
		if st := p.Stats(); st.Disconnected != 1 || st.Out != 1 {
			t.Errorf("%+v", st)
		}
		held.Release()
		if st := p.Stats(); st.Out != 0 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("block", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{AllowBlock: true})
		s := subscribe(t, p, SubscriberOptions{Depth: 4, Policy: Block})
		other := subscribe(t, p, SubscriberOptions{Depth: 4})
		publish(t, p, 1, 5)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		if err := p.Publish(ctx, numbered(p.NewMessage(0), 5)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("publish to one that does not take: %v", err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			publish(t, p, 5, 1000)
		}()
		receive(t, s, 1, 1000)
		<-done
		receive(t, other, 996, 1000)
		none(t, s)
	})
	t.Run("block, and it goes away", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{AllowBlock: true})
		s := subscribe(t, p, SubscriberOptions{Depth: 4, Policy: Block})
		time.AfterFunc(5*time.Millisecond, func() { _ = s.Close() })
		publish(t, p, 1, 1000)
		if st := p.Stats(); st.Subscribers != 0 || st.Out != 0 {
			t.Errorf("%+v", st)
		}
	})
	t.Run("block, and the publisher is closed", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{AllowBlock: true})
		s := subscribe(t, p, SubscriberOptions{Depth: 4, Policy: Block})
		publish(t, p, 1, 5)
		time.AfterFunc(5*time.Millisecond, func() { _ = p.Close() })
		if err := p.Publish(briefly(t), numbered(p.NewMessage(0), 5)); !errors.Is(err, ErrClosed) {
			t.Errorf("publish: %v", err)
		}
		receive(t, s, 1, 5)
		if _, err := s.Recv(briefly(t)); err != io.EOF {
			t.Errorf("after the last message: %v", err)
		}
	})
	t.Run("block is not allowed", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{})
		if _, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{Policy: Block}); !errors.Is(err, ErrAuth) {
			t.Errorf("subscribe: %v", err)
		}
	})
	t.Run("latest", func(t *testing.T) {
		p := newPublisher(t, PublisherOptions{History: 1})
		publish(t, p, 1, 4)
		s := subscribe(t, p, SubscriberOptions{Latest: true})
		receive(t, s, 3, 4)
		publish(t, p, 4, 1000)
		receive(t, s, 999, 1000)
		none(t, s)
		if st := s.Stats(); st.Lost != 995 || st.Received != 2 {
			t.Errorf("%+v", st)
		}
	})
}

// With room for one message and both sides asleep a wake-up that is lost is not made
// good by the next.
func TestPublishClosedLoop(t *testing.T) {
	for _, wait := range []Wait{Sleep, Adaptive} {
		p := newPublisher(t, PublisherOptions{AllowBlock: true, Wait: wait})
		s := subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 1, Wait: wait})
		done := make(chan struct{})
		const many = 5_000
		go func() {
			defer close(done)
			publish(t, p, 1, many)
		}()
		receive(t, s, 1, many)
		<-done
	}
}

// As before, but it is the one message that may be held that is waited for.
func TestPublishClosedLoopOfReleases(t *testing.T) {
	p := newPublisher(t, PublisherOptions{AllowBlock: true, MaxHeld: 1, Wait: Sleep})
	s := subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 4, Wait: Sleep})
	done := make(chan struct{})
	const many = 500
	go func() {
		defer close(done)
		publish(t, p, 1, many)
	}()
	receive(t, s, 1, many)
	<-done
}

// A message is taken away, and its memory used for others, while its subscriber is
// about to take it, at each step of that.
func TestPublishTakesAway(t *testing.T) {
	for _, c := range []struct {
		point string
		want  uint64 // what is received
	}{{"take.found", 100}, {"take.held", 100}, {"take.copied", 1}, {"take.passed", 1}} {
		t.Run(c.point, func(t *testing.T) {
			p := newPublisher(t, PublisherOptions{})
			s := subscribe(t, p, SubscriberOptions{Depth: 1})
			publish(t, p, 1, 2)
			done := false
			points = func(name string) {
				if name == c.point && !done {
					done = true
					publish(t, p, 2, 101)
				}
			}
			t.Cleanup(func() { points = nil })
			msg, err := s.Recv(briefly(t))
			if err != nil {
				t.Fatal(err)
			}
			publish(t, p, 101, 140) // its memory would be used again
			if err := checkNumbered(msg, c.want); err != nil {
				t.Error(err)
			}
			msg.Release()
			receive(t, s, 139, 140)
			if st := p.Stats(); st.Out != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestPublishHistory(t *testing.T) {
	p := newPublisher(t, PublisherOptions{History: 5})
	publish(t, p, 1, 20)
	for _, c := range []struct {
		asked int
		from  uint64
	}{{0, 20}, {3, 17}, {5, 15}, {10, 15}} {
		s := subscribe(t, p, SubscriberOptions{History: c.asked})
		receive(t, s, c.from, 20)
		none(t, s)
	}
	if st := p.Stats(); st.Out != 5 || st.Subscribers != 4 {
		t.Errorf("%+v", st)
	}
	late := subscribe(t, p, SubscriberOptions{History: 10})
	publish(t, p, 20, 30)
	receive(t, late, 15, 30)
}

// One that holds too much is served no more, and the others are.
func TestPublishToHoarder(t *testing.T) {
	for _, policy := range []Policy{DropOldest, DropNewest, Disconnect} {
		t.Run(policy.String(), func(t *testing.T) {
			p := newPublisher(t, PublisherOptions{MaxHeld: 10})
			good, hoarder := subscribe(t, p, SubscriberOptions{}), subscribe(t, p, SubscriberOptions{Policy: policy, Depth: 2})
			var held []*segment.Message
			for n := uint64(1); n <= 40; n++ {
				publish(t, p, n, n+1)
				receive(t, good, n, n+1)
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				if msg, err := hoarder.Recv(ctx); err == nil {
					held = append(held, msg)
				}
				cancel()
			}
			// It is looked at only now and then, so that it may get some more.
			if len(held) < 10 || len(held) > 10+collectEvery+2 {
				t.Errorf("the hoarder got %d messages, it may hold 10", len(held))
			}
			for i, msg := range held {
				if err := checkNumbered(msg, uint64(i)+1); err != nil {
					t.Error(err)
				}
				msg.Release()
			}
			publish(t, p, 41, 43)
			receive(t, good, 41, 43)
			if policy == Disconnect {
				if _, err := hoarder.Recv(briefly(t)); !errors.Is(err, ErrSlow) {
					t.Errorf("receive: %v", err)
				}
			}
		})
	}
}

// Where there is no room left, the history is cut, then those are disconnected that
// have most.
func TestPublishWithoutRoom(t *testing.T) {
	p := newPublisher(t, PublisherOptions{MaxBytes: 24 << 20, History: 4})
	good, bad := subscribe(t, p, SubscriberOptions{}), subscribe(t, p, SubscriberOptions{})
	big := func(n uint64) *segment.Message {
		msg := p.NewMessage(5 << 20)
		root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
		root.SetUint64(0, n)
		root.NewData(0, 5<<20-64)[0] = byte(n)
		return msg
	}
	var held []*segment.Message
	for n := uint64(1); n <= 30; n++ {
		if err := p.Publish(briefly(t), big(n)); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		msg, err := good.Recv(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		if root := msg.Root().Struct(); root.Uint64(0) != n || root.Data(0)[0] != byte(n) {
			t.Errorf("message %d is received as %d", n, root.Uint64(0))
		}
		msg.Release()
		if n <= 2 {
			if msg, err = bad.Recv(briefly(t)); err != nil {
				t.Fatal(err)
			}
			held = append(held, msg)
		}
	}
	for _, msg := range held {
		msg.Release()
	}
	if _, err := bad.Recv(briefly(t)); !errors.Is(err, ErrSlow) {
		t.Errorf("the one that did not take: %v", err)
	}
	if st := p.Stats(); st.Disconnected != 1 || st.Bytes > 24<<20 {
		t.Errorf("%+v", st)
	}
	huge := segment.New(arena.Pool())
	huge.NewRoot(segment.Size{Ptrs: 1}).NewData(0, 25<<20)
	if err := p.Publish(briefly(t), huge); !errors.Is(err, ErrFull) {
		t.Errorf("more than there ever is: %v", err)
	}
}

// Regions that nothing lies in are given up for others, and their numbers are used
// again, while subscribers come and go.
func TestPublishInOtherRegions(t *testing.T) {
	p := newPublisher(t, PublisherOptions{MaxBytes: 32 << 20})
	always := subscribe(t, p, SubscriberOptions{})
	most := 0
	for n := uint64(1); n <= 40; n++ {
		passing := subscribe(t, p, SubscriberOptions{})
		size := 5<<20 + int(n*n*7%11)<<20
		msg := p.NewMessage(size)
		msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size-64)[size/2] = byte(n)
		if err := p.Publish(briefly(t), msg); err != nil {
			t.Fatalf("message %d: %v", n, err)
		}
		for _, s := range []*Subscriber{always, passing} {
			got, err := s.Recv(briefly(t))
			if err != nil {
				t.Fatalf("message %d: %v", n, err)
			}
			if data := got.Root().Struct().Data(0); len(data) != size-64 || data[size/2] != byte(n) {
				t.Errorf("message %d of %d bytes is received with %d", n, size, len(data))
			}
			got.Release()
		}
		if err := passing.Close(); err != nil {
			t.Fatal(err)
		}
		for ctx := briefly(t); p.Stats().Subscribers > 1 || p.Stats().Leaving > 0; time.Sleep(time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatal("a subscriber that has left is not noticed")
			}
		}
		p.mu.Lock()
		most = max(most, len(p.store.regions))
		p.mu.Unlock()
	}
	if st := p.Stats(); st.Copied != 0 || st.Disconnected != 0 || st.Bytes > 32<<20 || most > 20 {
		t.Errorf("%+v, %d regions", st, most)
	}
}

func TestSubscribersComeAndGo(t *testing.T) {
	before := descriptors(t)
	p := newPublisher(t, PublisherOptions{History: 3, AllowBlock: true})
	stop := make(chan struct{})
	var publishing, subscribers sync.WaitGroup
	publishing.Add(1)
	go func() {
		defer publishing.Done()
		for n := uint64(1); ; n++ {
			select {
			case <-stop:
				return
			default:
				publish(t, p, n, n+1)
			}
		}
	}()
	for i := range 8 {
		subscribers.Add(1)
		go func() {
			defer subscribers.Done()
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for range 15 {
				err := comeAndGo(p.Path(), SubscriberOptions{
					Policy: Policy(random.IntN(4)), Depth: 1 + random.IntN(40), Wait: Wait(random.IntN(2) * 2),
				}, random)
				if err != nil && !errors.Is(err, ErrSlow) {
					t.Error(err)
					return
				}
			}
		}()
	}
	subscribers.Wait()
	close(stop)
	publishing.Wait()
	awaitStats(t, p, func(st PublisherStats) bool { return st.Subscribers == 0 && st.Leaving == 0 }) // the last ones are noticed soon
	if st := p.Stats(); st.Out != 3 || st.Blocks > 3 {
		t.Errorf("%+v", st)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if after := descriptors(t); after > before+2 { // /dev/null and the poller's stay
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

func comeAndGo(path string, o SubscriberOptions, random *rand.Rand) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Subscribe(ctx, path, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var held []*segment.Message
	defer func() {
		if random.IntN(2) == 0 {
			err = errors.Join(err, s.Close())
			runtime.Gosched() // the others are published to
		}
		for _, msg := range held {
			if e := checkNumbered(msg, msg.Root().Struct().Uint64(0)); e != nil {
				err = errors.Join(err, fmt.Errorf("at the end: %w", e))
			}
			msg.Release()
		}
	}()
	last := uint64(0)
	for range random.IntN(300) {
		msg, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		n := msg.Root().Struct().Uint64(0)
		if n <= last || o.Policy == Block && last != 0 && n != last+1 {
			return fmt.Errorf("message %d after %d with policy %s", n, last, o.Policy)
		}
		last = n
		if err := checkNumbered(msg, n); err != nil {
			return err
		}
		held = append(held, msg)
		for len(held) > 0 && random.IntN(3) > 0 {
			i := random.IntN(len(held))
			if err := checkNumbered(held[i], held[i].Root().Struct().Uint64(0)); err != nil {
				return fmt.Errorf("while it was held: %w", err)
			}
			held[i].Release()
			held = append(held[:i], held[i+1:]...)
		}
	}
	return nil
}

func descriptors(t testing.TB) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("SKIPPED: descriptors cannot be counted: %v", err)
	}
	return len(names)
}

func TestPublisherEnds(t *testing.T) {
	p := newPublisher(t, PublisherOptions{MaxSubscribers: 2})
	a := subscribe(t, p, SubscriberOptions{})
	b := subscribe(t, p, SubscriberOptions{})
	if _, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{}); !errors.Is(err, ErrOverloaded) {
		t.Errorf("one too many: %v", err)
	}
	publish(t, p, 1, 3)
	msg, err := a.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	building := numbered(p.NewMessage(0), 9)
	path := p.Path()
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(briefly(t), building); !errors.Is(err, ErrClosed) {
		t.Errorf("publish after close: %v", err)
	}
	late := p.NewMessage(0)
	late.RootBuilder()
	if !errors.Is(late.Err(), ErrClosed) {
		t.Errorf("build after close: %v", late.Err())
	}
	late.Release()
	if err := checkNumbered(msg, 1); err != nil {
		t.Errorf("what was received: %v", err)
	}
	receive(t, a, 2, 3)
	receive(t, b, 1, 3)
	for range 2 {
		if _, err := a.Recv(briefly(t)); err != io.EOF {
			t.Errorf("after the last: %v", err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := checkNumbered(msg, 1); err != nil {
		t.Errorf("after close: %v", err)
	}
	if _, err := a.Recv(briefly(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("receive after close: %v", err)
	}
	msg.Release()
	if _, err := a.Recv(briefly(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("receive after the last release: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := Subscribe(briefly(t), path, SubscriberOptions{}); err == nil {
		t.Error("subscribed to nobody")
	}
}

func TestSubscriberClosedWhileItWaits(t *testing.T) {
	for _, wait := range []Wait{Adaptive, Sleep, Spin} {
		p := newPublisher(t, PublisherOptions{})
		s := subscribe(t, p, SubscriberOptions{Wait: wait})
		time.AfterFunc(2*time.Millisecond, func() { _ = s.Close() })
		if _, err := s.Recv(briefly(t)); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", wait, err)
		}
	}
}

func TestPubsubOptions(t *testing.T) {
	needSharedMemory(t)
	for _, o := range []PublisherOptions{{History: -1}, {History: MaxDepth + 1}, {MaxSubscribers: -1}, {MaxHeld: -1}, {MaxBytes: 1}, {Wait: 9}} {
		if _, err := NewPublisher("/nowhere/at/all", o); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []SubscriberOptions{
		{Policy: 9},
		{Depth: -1},
		{Depth: MaxDepth + 1},
		{History: -1},
		{History: 5, Depth: 4},
		{Wait: 9},
		{MaxBytes: 1},
		{Latest: true, Depth: 2},
		{Latest: true, Policy: Block},
	} {
		if _, err := Subscribe(briefly(t), "/nowhere/at/all", o); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, subscribers := range []int{1, 4} {
		b.Run(fmt.Sprintf("to %d, batches of 32", subscribers), func(b *testing.B) {
			p := newPublisher(b, PublisherOptions{})
			var subs []*Subscriber
			for range subscribers {
				subs = append(subs, subscribe(b, p, SubscriberOptions{}))
			}
			ctx := b.Context()
			for i := 0; b.Loop(); i++ {
				msg := p.NewMessage(200)
				msg.NewRoot(segment.Size{DataWords: 20})
				if err := p.Publish(ctx, msg); err != nil {
					b.Fatal(err)
				}
				if i%32 != 31 {
					continue
				}
				for _, s := range subs {
					for range 32 {
						got, err := s.Recv(ctx)
						if err != nil {
							b.Fatal(err)
						}
						got.Release()
					}
				}
			}
		})
	}
}
