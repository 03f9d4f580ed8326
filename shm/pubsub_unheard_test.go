package shm

import (
	"errors"
	"testing"
)

// What was missed is not exact if of a publisher in between, which had replaced nobody,
// nothing was received.
func TestRestartBehindUnheardPublisher(t *testing.T) {
	path := newPath(t)
	first := publishAs(t, path, PublisherOptions{})
	var restarts []Restart
	s, err := Subscribe(briefly(t), path, SubscriberOptions{
		Reconnect: true, OnRestart: func(r Restart) { restarts = append(restarts, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	publish(t, first, 1, 3)
	receive(t, s, 1, 3)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := publishAs(t, path, PublisherOptions{})
	received := make(chan error)
	go func() {
		msg, err := s.Recv(briefly(t))
		if err == nil {
			msg.Release()
		}
		received <- err
	}()
	awaitStats(t, second, func(st PublisherStats) bool { return st.Subscribers == 1 })
	third := publishAs(t, path, PublisherOptions{Replace: true})
	awaitStats(t, third, func(st PublisherStats) bool { return st.Subscribers == 1 })
	publish(t, third, 1, 2)
	if err := <-received; err != nil {
		t.Fatal(err)
	}
	if len(restarts) != 1 || restarts[0].Exact || restarts[0].Missed != 0 || !errors.Is(restarts[0].Ended, ErrReplaced) {
		t.Errorf("%+v", restarts)
	}
}
