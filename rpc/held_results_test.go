package rpc_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// weighed is an arena that knows how much of it is in use.
type weighed struct{ bytes atomic.Int64 }

func (w *weighed) Allocate(n int) ([]byte, error) {
	w.bytes.Add(int64(n))
	return make([]byte, n), nil
}

func (w *weighed) Free(mem []byte, _ int) { w.bytes.Add(-int64(len(mem))) }

// blocked is a transport whose messages lie in an arena of their own, and which
// sends none until it is let.
type blocked struct {
	*memory
	arena *weighed
	let   chan struct{}
}

func (b blocked) NewMessage(hint int) *segment.Message {
	return segment.NewSized(b.arena, max(hint, 256))
}

func (b blocked) Send(ctx context.Context, m *segment.Message) error {
	<-b.let
	return b.memory.Send(ctx, m)
}

// Results that can't be sent, because too much waits for a peer that does not
// read, are not kept with the error that the peer gets in their place.
func TestResultsThatCannotBeSent(t *testing.T) {
	ours, theirs := newMemory()
	b := blocked{ours, new(weighed), make(chan struct{})}
	const many, large, limit = 200, 64 << 10, 1 << 20
	var ran atomic.Int64
	conn := rpc.NewConn(b, rpc.ConnOptions{
		Limits: rpc.Limits{QueuedBytes: limit},
		Bootstrap: served(t, func(_ context.Context, c *rpc.Call) error {
			ran.Add(1)
			c.NewResults(size).Ptr(0).NewData(large)
			return nil
		}),
	})
	defer conn.Close()
	defer theirs.Close()
	p := &wirePeer{TB: t, t: theirs, conn: conn}
	p.bootstrap(0)
	for i := range uint32(many) {
		p.call(1+i, 0, echo, 0, pipelined(0))
	}
	soon(t, "all calls have run", func() bool { return ran.Load() == many && conn.Stats().Executing == 0 })
	// What waits, one message that is being written, and the errors.
	if got, most := b.arena.bytes.Load(), int64(limit+2*large+many*4096); got > most {
		t.Errorf("%d bytes are held, at most %d", got, most)
	}
	close(b.let)
	failed := 0
	for range many + 1 {
		if r := p.next(wire.MessageReturn).Return(); r.Which() == wire.ReturnException {
			failed++
			holds(t, "reason", r.Exception().Reason(), "wait to be written")
		}
	}
	if failed == 0 || failed == many {
		t.Errorf("%d of %d calls failed", failed, many)
	}
}
