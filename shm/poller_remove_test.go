package shm

import (
	"context"
	"testing"
)

// A Recv of a Poller that is under way takes nothing from a pipe that has been removed.
func TestPollerRemovedMeanwhile(t *testing.T) {
	p, far := attached(t)
	q := NewPoller(Sleep)
	defer q.Close()
	if err := q.Add(briefly(t), p); err != nil {
		t.Fatal(err)
	}
	members := *q.members.Load() // as Recv does at first
	q.Remove(p)
	if err := far.Send(context.Background(), numbered(far.NewMessage(0), 1)); err != nil {
		t.Fatal(err)
	}
	if from, msg, err := q.poll(members); from != nil {
		t.Fatalf("the Poller has %v, %v of a pipe that it has not any more", msg, err)
	}
	msg, err := p.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := checkNumbered(msg, 1); err != nil {
		t.Error(err)
	}
	msg.Release()
}
