package shm

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// A subscriber that a publisher waits for leaves, and the publisher's context ends before
// it has seen that: the error is that of the context, if there is one.
func TestLeftAtTheEndOfTheContext(t *testing.T) {
	var woken atomic.Pointer[context.CancelFunc]
	points = func(name string) {
		if end := woken.Load(); end != nil && name == "sleep.woken" {
			(*end)()
		}
	}
	t.Cleanup(func() { points = nil })
	p := newPublisher(t, PublisherOptions{AllowBlock: true, Wait: Sleep})
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		woken.Store(&cancel)
		s := subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 1})
		sent := make(chan error)
		go func() {
			var err error
			for err == nil && ctx.Err() == nil {
				m := p.NewMessage(0)
				m.NewRoot(segment.Size{DataWords: 1})
				err = p.Publish(ctx, m)
			}
			sent <- err
		}()
		time.Sleep(time.Millisecond) // it sleeps then, mostly
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		cancelled := time.AfterFunc(100*time.Millisecond, cancel)
		if err := <-sent; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancelled.Stop()
	}
}
