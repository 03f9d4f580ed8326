package rpc_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
)

// Calls that arrive together are all started, though the handler of one of them
// waits for the others.
func TestCallsThatArriveTogether(t *testing.T) {
	for _, test := range []struct {
		name string
		give func(*rpc.Call) // what the one that waits says
	}{
		{"it gives the object away", (*rpc.Call).Go},
		{"it only blocks", func(*rpc.Call) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
				const n = 100 // more than are taken at once
				rest := make(chan struct{})
				var count atomic.Int32
				blocks := serve(t, func(_ context.Context, c *rpc.Call) error {
					test.give(c)
					<-rest
					return nil
				})
				counts := served(t, func(ctx context.Context, c *rpc.Call) error {
					if c.Params().Uint64(0) == n {
						give(c, blocks.Retain())
						return nil
					}
					if count.Add(1) == n-1 {
						close(rest)
					}
					return double(ctx, c)
				})
				v := connect(counts)
				boot := v.a.Bootstrap()
				defer boot.Release()
				first := call(t.Context(), boot, n)
				defer first.Release()
				if _, err := first.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				waits := call(t.Context(), first.Client(0), 0)
				defer waits.Release()
				var calls [n - 1]rpc.Future
				for i := range calls {
					calls[i] = call(t.Context(), boot, uint64(i))
				}
				if _, err := waits.Wait(t.Context()); err != nil {
					t.Error(err)
				}
				for i, f := range calls {
					if got := wait(t, f); got != 2*uint64(i) {
						t.Errorf("call %d gives %d", i, got)
					}
				}
			})
		})
	}
}

// A Finish and a Release, which leave with other messages, leave by themselves
// when no others come.
func TestWhatNobodyWaitsForLeaves(t *testing.T) {
	p := newWirePeer(t, rpc.ConnOptions{})
	boot := p.conn.Bootstrap()
	id := p.until(wire.MessageBootstrap).Bootstrap().QuestionID()
	p.send(func(m wire.MessageBuilder) {
		ret := m.NewReturn()
		ret.SetAnswerID(id)
		results := ret.NewResults()
		results.Content().SetCapability(0)
		results.NewCapTable(1).At(0).SetSenderHosted(5)
	})
	if err := boot.WaitResolved(t.Context()); err != nil {
		t.Fatal(err)
	}
	if f := p.until(wire.MessageFinish).Finish(); f.QuestionID() != id {
		t.Errorf("a Finish of question %d, want %d", f.QuestionID(), id)
	}
	time.Sleep(50 * time.Millisecond) // until the connection is not looked after
	boot.Release()
	if r := p.until(wire.MessageRelease).Release(); r.ID() != 5 || r.ReferenceCount() != 1 {
		t.Errorf("a Release of %d references to %d, want 1 to 5", r.ReferenceCount(), r.ID())
	}
}
