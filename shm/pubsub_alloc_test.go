package shm_test

import (
	"path/filepath"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// TestPublishAllocations pins that a published message costs no allocation on either
// side.
func TestPublishAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop what they have")
	}
	p, err := shm.NewPublisher(filepath.Join(t.TempDir(), "folder", "s"), shm.PublisherOptions{History: 3})
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	defer p.Close()
	s, err := shm.Subscribe(t.Context(), p.Path(), shm.SubscriberOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := t.Context()
	round := func() {
		msg := p.NewMessage(200)
		msg.NewRoot(segment.Size{DataWords: 20})
		if err := p.Publish(ctx, msg); err != nil {
			t.Fatal(err)
		}
		got, err := s.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
	}
	for range 5000 { // more than once through all that is used in turn
		round()
	}
	if n := testing.AllocsPerRun(2000, round); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
	for _, words := range []int{3, 20} { // in an entry, in a block
		msg := segment.New(arena.Pool())
		defer msg.Release()
		round := func() {
			msg.Reset()
			msg.NewRoot(segment.Size{DataWords: uint16(words)})
			if err := p.PublishCopy(ctx, msg); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Next(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for range 5000 {
			round()
		}
		if n := testing.AllocsPerRun(2000, round); n != 0 {
			t.Errorf("%v allocations a message of %d words that is copied", n, words)
		}
	}
}
