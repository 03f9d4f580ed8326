package shm

import (
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// Publish of a publisher whose memory is gone says so.
func TestPublishAfterClose(t *testing.T) {
	p := newPublisher(t, PublisherOptions{})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	msg := numbered(segment.New(arena.Pool()), 1)
	if err := p.PublishCopy(briefly(t), msg); !errors.Is(err, ErrClosed) {
		t.Errorf("a copy: %v", err)
	}
	if err := p.Publish(briefly(t), msg); !errors.Is(err, ErrClosed) {
		t.Errorf("a message: %v", err)
	}
}
