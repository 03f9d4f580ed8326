package shm

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// A publisher's context ends as soon as it is woken. The error is that of the context, if
// there is one; a subscriber that has left is forgotten, and no other.
func TestContextEndsWithTheWait(t *testing.T) {
	var woken atomic.Pointer[context.CancelFunc]
	var before atomic.Int32 // wake-ups before that: the doorbell has rung for the subscription
	points = func(name string) {
		if end := woken.Load(); end != nil && name == "publish.waited" && before.Add(-1) < 0 {
			(*end)()
		}
	}
	t.Cleanup(func() { points = nil })
	for name, wake := range map[string]func(*Subscriber) error{
		"left": func(s *Subscriber) error { return s.feed.Load().bell.Close() },
		"received": func(s *Subscriber) error {
			m, err := s.Recv(briefly(t))
			if err == nil {
				m.Release()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				p := newPublisher(t, PublisherOptions{AllowBlock: true, Wait: Sleep})
				s := subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 1, Wait: Spin})
				publish(t, p, 1, 2)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				sent := make(chan error)
				go func() { sent <- p.Publish(ctx, numbered(p.NewMessage(0), 2)) }()
				for !sleep(subscriptionOf(p).queue.sleep.Load()).asleep() {
					time.Sleep(100 * time.Microsecond)
				}
				before.Store(0)
				if name == "left" {
					before.Store(1)
				}
				woken.Store(&cancel)
				if err := wake(s); err != nil {
					t.Fatal(err)
				}
				if err := <-sent; err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				woken.Store(nil)
				if n := p.Stats().Subscribers; name == "received" && n != 1 {
					t.Fatalf("%d subscribers", n)
				}
				if err := errors.Join(s.Close(), p.Close()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// subscriptionOf gives what a publisher knows of its only subscriber.
func subscriptionOf(p *Publisher) *subscription {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.subs[0]
}
