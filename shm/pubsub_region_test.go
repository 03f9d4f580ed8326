package shm

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// publishLarge publishes a message that needs a region of its own.
func publishLarge(t testing.TB, p *Publisher, size int, mark byte) {
	t.Helper()
	msg := p.NewMessage(size)
	msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size)[size/2] = mark
	if err := p.Publish(briefly(t), msg); err != nil {
		t.Fatal(err)
	}
}

func receiveLarge(t testing.TB, s *Subscriber, size int, mark byte) {
	t.Helper()
	msg, err := s.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	if d := msg.Root().Struct().Data(0); len(d) != size || d[size/2] != mark {
		t.Errorf("received %d bytes, want %d", len(d), size)
	}
}

// A context that ends while the region of a message is on its way loses no message.
func TestContextEndsBeforeRegion(t *testing.T) {
	for _, policy := range allPolicies {
		for _, next := range []bool{false, true} {
			p := newPublisher(t, PublisherOptions{AllowBlock: true})
			s := subscribe(t, p, SubscriberOptions{Policy: policy})
			const size = 5 << 20
			publishLarge(t, p, size, 7)
			f := s.feed.Load()
			for ctx := briefly(t); ; time.Sleep(100 * time.Microsecond) {
				f.mu.Lock()
				if f.known(1) {
					break
				}
				f.mu.Unlock()
				if ctx.Err() != nil {
					t.Fatal("the region does not come")
				}
			}
			region := f.regions[1] // as if it had not arrived
			f.regions[1] = nil
			f.mu.Unlock()
			take := s.Recv
			if next {
				take = s.Next
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			if _, err := take(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("policy %s: %v", policy, err)
			}
			cancel()
			f.mu.Lock()
			f.regions[1] = region
			f.signal()
			f.mu.Unlock()
			receiveLarge(t, s, size, 7)
			if st := s.Stats(); st.Received != 1 || st.Lost != 0 {
				t.Errorf("policy %s: %+v", policy, st)
			}
		}
	}
}

// A publisher that closes before it has heard that a region was given up has still told
// of the next one.
func TestPublisherClosesBeforeAnswer(t *testing.T) {
	for range 20 {
		p := newPublisher(t, PublisherOptions{MaxBytes: 8 << 20})
		s := subscribe(t, p, SubscriberOptions{})
		publishLarge(t, p, 5<<20, 1)
		receiveLarge(t, s, 5<<20, 1)
		f := s.feed.Load()
		f.mu.Lock() // so that it does not hear anything yet
		publishLarge(t, p, 6<<20, 2)
		err := p.Close()
		f.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		receiveLarge(t, s, 6<<20, 2)
		if _, err := s.Recv(briefly(t)); err != io.EOF {
			t.Errorf("after the last message: %v", err)
		}
	}
}
