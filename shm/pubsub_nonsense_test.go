package shm

import (
	"testing"
)

// One of several subscribers with the policy Block says nonsense while the publisher
// looks which of them have room.
func TestBlockingSubscriberSaysNonsense(t *testing.T) {
	p := newPublisher(t, PublisherOptions{AllowBlock: true})
	bad, err := Subscribe(briefly(t), p.Path(), SubscriberOptions{Policy: Block, Depth: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Close()
	good := []*Subscriber{
		subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 8}),
		subscribe(t, p, SubscriberOptions{Policy: Block, Depth: 8}),
	}
	publish(t, p, 1, 2)
	bad.feed.Load().own.cursor.Store(1 << 40)
	publish(t, p, 2, 4)
	for _, s := range good {
		receive(t, s, 1, 4)
	}
}
