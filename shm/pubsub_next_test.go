package shm

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// TestNext passes messages of all sizes, and keeps none: those that lie in an entry,
// those in a block, and those of many segments.
func TestNext(t *testing.T) {
	const messages = 1500
	for _, policy := range []Policy{DropOldest, DropNewest, Block, Disconnect} {
		t.Run(policy.String(), func(t *testing.T) {
			p := newPublisher(t, PublisherOptions{AllowBlock: true})
			s := subscribe(t, p, SubscriberOptions{Policy: policy, Depth: 64})
			one, many := segment.New(arena.Pool()), segment.New(tiny{})
			defer one.Release()
			defer many.Release()
			for n := uint64(1); n <= messages; n++ {
				msg := one
				if n%50 == 0 {
					msg = many
				}
				msg.Reset()
				if err := p.PublishCopy(briefly(t), numbered(msg, n)); err != nil {
					t.Fatal(err)
				}
				next := s.Next
				if n%5 == 0 {
					next = s.Recv // which gives back what Next gave
				}
				got, err := next(briefly(t))
				if err != nil {
					t.Fatal(err)
				}
				if err := checkNumbered(got, n); err != nil {
					t.Fatal(err)
				}
				if n%5 == 0 {
					got.Release()
				} else if n%3 == 0 {
					s.Done()
				}
			}
			s.Done()
			s.Done()             // again does nothing
			s.feed.Load().tell() // as it does before it waits
			if st := p.Stats(); st.Out != 0 || st.Blocks != 0 || st.Dropped != 0 || st.Published != messages {
				t.Errorf("after all were given back: %+v", st)
			}
			if st := s.Stats(); st.Received != messages || st.Lost != 0 || st.Held != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// What Next gave stays readable when the subscription ends, and its use is what keeps
// the memory.
func TestNextAfterClose(t *testing.T) {
	p := newPublisher(t, PublisherOptions{AllowBlock: true})
	for _, policy := range []Policy{DropOldest, Block} {
		s := subscribe(t, p, SubscriberOptions{Policy: policy})
		publish(t, p, 7, 8)
		msg, err := s.Next(briefly(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := checkNumbered(msg, 7); err != nil {
			t.Error(err)
		}
		if n := usesOf(s.feed.Load()); n != 1 {
			t.Errorf("%d uses of the memory, want that of the message", n)
		}
		if _, err := s.Next(briefly(t)); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if n := usesOf(s.feed.Load()); n != 0 {
			t.Errorf("%d uses of the memory are left", n)
		}
	}
}

// TestBlockKeepsWhatIsHeld holds messages for a time by chance, of which the publisher
// is told late, and releases them on another goroutine.
func TestBlockKeepsWhatIsHeld(t *testing.T) {
	p := newPublisher(t, PublisherOptions{AllowBlock: true})
	const messages = 20_000
	var wg sync.WaitGroup
	var subs []*Subscriber
	for i := range 3 {
		s := subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 16 << (2 * i)})
		subs = append(subs, s)
		held := make(chan *segment.Message, 100)
		wg.Go(func() {
			defer close(held)
			for n := uint64(1); n <= messages; n++ {
				msg, err := s.Recv(briefly(t))
				if err != nil {
					t.Error(err)
					return
				}
				held <- msg
			}
		})
		wg.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(i)))
			type kept struct {
				n   uint64
				msg *segment.Message
			}
			var keep []kept
			n := uint64(0)
			for msg := range held {
				n++
				keep = append(keep, kept{n, msg})
				for len(keep) > random.IntN(40) {
					j := random.IntN(len(keep))
					if err := checkNumbered(keep[j].msg, keep[j].n); err != nil {
						t.Error(err)
					}
					keep[j].msg.Release()
					keep = append(keep[:j], keep[j+1:]...)
				}
			}
			for _, k := range keep {
				k.msg.Release()
			}
		})
	}
	publish(t, p, 1, messages+1)
	wg.Wait()
	for _, s := range subs {
		s.feed.Load().tell()
	}
	if st := p.Stats(); st.Out != 0 || st.Blocks != 0 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
}
