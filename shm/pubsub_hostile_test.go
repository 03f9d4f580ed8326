package shm

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// A subscriber writes anything into all that it can write. The publisher and the
// other subscribers do not notice, but that it may be gone.
func TestHostileSubscriber(t *testing.T) {
	p := newPublisher(t, PublisherOptions{AllowBlock: true, History: 2})
	good := subscribe(t, p, SubscriberOptions{})
	const many = 3000
	for round := range 20 {
		policy := Policy(round % 4)
		random := rand.New(rand.NewPCG(7, uint64(round)))
		bad, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{Policy: policy, Depth: 1 + random.IntN(20)})
		if err != nil {
			t.Fatal(err)
		}
		words, err := mem.Words(bad.feed.Load().shared.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var mutator sync.WaitGroup
		mutator.Add(1)
		go func() {
			defer mutator.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				at := random.IntN(len(words))
				if i%3 == 0 { // mostly where it matters
					at = [2]int{atSubCursor / 8, atSubSleep / 8}[random.IntN(2)]
				}
				v := random.Uint64() >> random.IntN(64)
				switch random.IntN(3) {
				case 0: // nearly right
					v = words[at].Load() + uint64(random.IntN(5)) - 1
				case 1:
					v = 0
				}
				words[at].Store(v)
				if i%200 == 0 {
					time.Sleep(10 * time.Microsecond)
				}
			}
		}()
		for n := uint64(round * many / 20); n < uint64((round+1)*many/20); n++ {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			err := p.Publish(ctx, numbered(p.NewMessage(0), n+1))
			cancel()
			if errors.Is(err, context.DeadlineExceeded) { // of others only where there was no processor for so long
				if policy == Block {
					_ = bad.feed.Load().conn.Close() // it stops those whom it may stop, and only so long as it is there
				}
				err = p.Publish(briefly(t), numbered(p.NewMessage(0), n+1))
			}
			if err != nil {
				t.Fatal(err)
			}
			receive(t, good, n+1, n+2)
		}
		close(stop)
		mutator.Wait()
		if err := bad.Close(); err != nil && policy != Block {
			t.Error(err)
		}
		p.mu.Lock()
		for len(p.subs) > 1 {
			p.mu.Unlock()
			time.Sleep(100 * time.Microsecond)
			p.mu.Lock()
		}
		p.mu.Unlock()
	}
	if st := p.Stats(); st.Out != 2 || st.Blocks != 2 {
		t.Errorf("%+v", st)
	}
}

// A publisher writes anything into all that a subscriber reads, while that walks
// what it receives.
func TestHostilePublisher(t *testing.T) {
	for round := range 10 {
		p := newPublisher(t, PublisherOptions{})
		s, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{Policy: Policy(round % 2), Depth: 30})
		if err != nil {
			t.Fatal(err)
		}
		publish(t, p, 1, 20)
		random := rand.New(rand.NewPCG(9, uint64(round)))
		p.mu.Lock()
		shared := p.subs[0].shared
		shared.Retain()
		p.mu.Unlock()
		queue, err := mem.Words(shared.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		region, err := mem.Words(p.shared.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		var mutator sync.WaitGroup
		mutator.Add(1)
		go func() {
			defer mutator.Done()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				at := readSoon(random)
				words := queue
				if i%2 == 0 {
					words, at = region, random.IntN(len(region))
					if i%4 == 0 {
						at = atPubTable/8 + random.IntN(8*32)
					}
				}
				v := random.Uint64() >> random.IntN(64)
				if random.IntN(2) == 0 {
					v = words[at].Load() ^ 1<<random.IntN(64)
				}
				if i%2 == 1 && at == atQueueState/8 && random.IntN(100) > 0 {
					continue // that ends it at once
				}
				words[at].Store(v)
				if i%100 == 0 {
					time.Sleep(10 * time.Microsecond)
				}
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		for {
			msg, err := s.Recv(ctx)
			if err != nil {
				known := errors.Is(err, ErrCorrupt) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrSlow) ||
					errors.Is(err, io.EOF)
				limit := errors.Is(err, segment.ErrLimit) || errors.Is(err, segment.ErrMalformed)
				if !known && !limit {
					t.Errorf("round %d: %v", round, err)
				}
				if limit {
					continue
				}
				break
			}
			_ = msg.Verify()
			_ = msg.Root().Struct().Data(0)
			msg.Release()
		}
		cancel()
		close(stop)
		mutator.Wait()
		if err := errors.Join(s.Close(), shared.Release()); err != nil {
			t.Error(err)
		}
		if n := usesOf(s.feed.Load()); n != 0 {
			t.Errorf("%d uses of the memory are left", n)
		}
	}
}

// readSoon gives a word of a queue that is looked at.
func readSoon(random *rand.Rand) int {
	if random.IntN(3) == 0 {
		return [3]int{atQueueFloor / 8, atQueueSleep / 8, atQueueState / 8}[random.IntN(3)]
	}
	return atQueueRing/8 + random.IntN(pubQueue)
}

// What a stranger sends to a publisher's socket.
func TestPublisherRefusesStrangers(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	before := descriptors(t)
	control, err := mem.NewShared(regionName, mem.RoundUp(subBytes), mem.SharedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer control.Release()
	small, err := mem.NewShared(regionName, mem.PageSize(), mem.SharedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Release()
	bell, far, err := mem.NewDoorbell()
	if err != nil {
		t.Fatal(err)
	}
	defer bell.Close()
	defer closeAll([]int{far})
	good := greeting{greetMagic: subMagic, greetVersion: pubVersion, subGreetDepth: 10}
	change := func(at int, v uint64) greeting { g := good; g[at] = v; return g }
	for name, c := range map[string]struct {
		g   greeting
		fds []int
	}{
		"a pipe":            {greeting{greetMagic: magic, greetVersion: version}, []int{control.Descriptor(), far}},
		"another version":   {change(greetVersion, pubVersion+1), []int{control.Descriptor(), far}},
		"no such policy":    {change(subGreetPolicy, 4), []int{control.Descriptor(), far}},
		"no depth":          {change(subGreetDepth, 0), []int{control.Descriptor(), far}},
		"too much depth":    {change(subGreetDepth, MaxDepth+1), []int{control.Descriptor(), far}},
		"too much history":  {change(subGreetHistory, 11), []int{control.Descriptor(), far}},
		"no descriptors":    {good, nil},
		"one descriptor":    {good, []int{control.Descriptor()}},
		"too many":          {good, []int{control.Descriptor(), far, far}},
		"too little memory": {good, []int{small.Descriptor(), far}},
		"no memory":         {good, []int{far, far}},
		"no bell":           {good, []int{control.Descriptor(), control.Descriptor()}},
	} {
		conn, err := dial(briefly(t), p.Path())
		if err != nil {
			t.Fatal(err)
		}
		if err := mem.SendDescriptors(conn, c.g.bytes(), c.fds...); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if n, err := io.ReadFull(conn, make([]byte, greetBytes)); err == nil {
			t.Errorf("%s: it was answered with %d bytes", name, n)
		}
		_ = conn.Close()
	}
	// One that says nothing does not keep the others, or Close, from anything.
	silent, err := dial(briefly(t), p.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := subscribe(t, p, SubscriberOptions{})
	publish(t, p, 1, 3)
	receive(t, s, 1, 3)
	if err := errors.Join(s.Close(), p.Close(), silent.Close()); err != nil {
		t.Error(err)
	}
	if after := descriptors(t); after > before+5 { // /dev/null, and the files of this test
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}
