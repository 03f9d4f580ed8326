package shm

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// TestIdle lets everybody wait who can, and counts what happens then: each look at a
// word, each step that has a name, each wake-up. Nothing may.
func TestIdle(t *testing.T) {
	var steps, looks atomic.Int64
	points = func(string) { steps.Add(1) }
	t.Cleanup(func() { points = nil })
	ctx, cancel := context.WithCancel(t.Context())
	a, b := ends(t, Options{}, Options{})
	p := newPublisher(t, PublisherOptions{AllowBlock: true})
	s := subscribe(t, p, SubscriberOptions{Policy: Block})
	for _, w := range []*nap{&a.in.wait.nap, &b.in.wait.nap, &s.feed.Load().nap} {
		ready := w.ready
		w.ready = func() bool { looks.Add(1); return ready() }
	}
	// Everything has been in use.
	closedLoop(t, a, b, 1000, 300)
	publish(t, p, 1, 40)
	receive(t, s, 1, 40)

	done := make(chan error, 3)
	go func() { _, err := a.Recv(ctx); done <- err }()
	go func() { _, err := b.Recv(ctx); done <- err }()
	go func() { _, err := s.Recv(ctx); done <- err }()
	asleep := func() bool {
		for _, w := range []uint64{a.own.receiveSleep.Load(), b.own.receiveSleep.Load(), s.feed.Load().own.sleep.Load()} {
			if !sleep(w).asleep() {
				return false
			}
		}
		return true
	}
	counts := func() [5]uint64 {
		return [5]uint64{
			uint64(steps.Load()), uint64(looks.Load()),
			a.in.wait.sleeps.Load(), b.in.wait.sleeps.Load(), s.feed.Load().nap.sleeps.Load(),
		}
	}
	// The last look comes right after the word says that they sleep.
	before := counts()
	for i := 0; ; i++ {
		time.Sleep(5 * time.Millisecond)
		now := counts()
		if asleep() && now == before {
			break
		}
		if before = now; i > 2000 {
			t.Fatalf("they do not come to rest: %v", now)
		}
	}
	for range 20 {
		time.Sleep(5 * time.Millisecond)
		if now := counts(); now != before {
			t.Fatalf("steps, looks and sleeps of those who wait went from %v to %v", before, now)
		}
	}
	cancel()
	for range 3 {
		<-done
	}
	if now := counts(); now == before {
		t.Error("what ended the waits was not counted either")
	}
}
