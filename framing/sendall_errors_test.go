package framing_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// A SendAll that failed for a message's fault, and whose context ended while those
// before it were written, was missing in Stats.Errors.
func TestSendAllWhoseContextEndsCountsItsFault(t *testing.T) {
	noLeakPool(t)
	p, q := pipes(t, "net.Pipe", framing.PipeOptions{})
	fault := errors.New("as asked")
	spoilt := p.NewMessage(0)
	spoilt.Fail(fault)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.SendAll(ctx, []*segment.Message{text(p.NewMessage(0), 1, "sound"), spoilt}); !errors.Is(err, fault) {
		t.Errorf("%v, want the fault", err)
	}
	if s := p.Stats(); s.Errors != 1 {
		t.Errorf("%d errors are counted, want 1", s.Errors)
	}
	if n, _ := recvText(t, q); n != 1 {
		t.Errorf("got message %d", n)
	}
}
