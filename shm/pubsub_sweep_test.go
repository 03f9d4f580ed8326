package shm

import (
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// A subscriber that has still to say that one region is gone turns out to be gone itself
// while another region is given up. No block of that is used again.
func TestRegionGivenUpWithSubscriber(t *testing.T) {
	p := newPublisher(t, PublisherOptions{MaxBytes: 8 << 20})
	s := subscribe(t, p, SubscriberOptions{})
	build := func(size int) {
		msg := p.NewMessage(size)
		msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size)
		msg.Release()
	}
	build(5 << 20)
	f := s.feed.Load()
	f.mu.Lock() // so that it says nothing
	defer f.mu.Unlock()
	build(6 << 20) // in place of the first
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.subs) != 1 || len(p.subs[0].unknown) != 1 {
		t.Fatal("the region was not given up")
	}
	if err := p.subs[0].conn.Close(); err != nil {
		t.Fatal(err)
	}
	b := p.take(7 << 20) // in place of the second
	if b == nil {
		t.Fatal("there is no room")
	}
	p.store.drop(b)
	for _, b := range p.store.large {
		if b.region.gone {
			t.Errorf("a block of %d bytes of a region that is gone is still used", len(b.mem))
		}
	}
}
