package shm

import (
	"errors"
	"testing"
)

// A subscriber that was too slow is told so, also after the publisher has closed.
func TestSlowBeforeClose(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	s := subscribe(t, p, SubscriberOptions{Policy: Disconnect, Depth: 1})
	publish(t, p, 1, 3)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if msg, err := s.Recv(briefly(t)); !errors.Is(err, ErrSlow) {
		t.Errorf("%v, %v", msg, err)
	}
}
