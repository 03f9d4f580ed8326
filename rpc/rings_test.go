package rpc_test

import (
	"context"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
)

// Calls that wait for each other in a ring, which a peer can make of promises,
// end with the connection.
func TestRingOfAnswers(t *testing.T) {
	h := newHost()
	p := newWirePeer(t, rpc.ConnOptions{Bootstrap: h.serve()})
	root := p.importRoot(0)
	p.call(1, root, promiseOf, 0)
	promise := p.until(wire.MessageReturn).Return().Results().CapTable().At(0).SenderPromise()
	p.call(2, promise, makeOne, 0)
	p.call(3, root, giveBack, 0, pipelined(2, 0))
	p.call(4, root, resolveTo, 0, capability(func(d wire.CapDescriptorBuilder) {
		a := d.NewReceiverAnswer()
		a.SetQuestionID(3)
		a.NewTransform(1).At(0).SetGetPointerField(0)
	}))
	p.sound(60)
	_ = p.t.Close()
	p.ended()
	h.gone(t)
}

// A promise that a peer resolves to itself, by whatever way, breaks.
func TestPromiseOfItself(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(d wire.CapDescriptorBuilder, promise uint32)
	}{
		{"as an export", func(d wire.CapDescriptorBuilder, promise uint32) { d.SetReceiverHosted(promise) }},
		{"as an answer", func(d wire.CapDescriptorBuilder, _ uint32) {
			a := d.NewReceiverAnswer()
			a.SetQuestionID(1)
			a.NewTransform(1).At(0).SetGetPointerField(0)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHost()
			p := newWirePeer(t, rpc.ConnOptions{Bootstrap: h.serve()})
			root := p.importRoot(0)
			p.call(1, root, promiseOf, 0)
			promise := p.until(wire.MessageReturn).Return().Results().CapTable().At(0).SenderPromise()
			p.call(2, promise, echo, 0)
			p.call(3, root, resolveTo, 0, capability(func(d wire.CapDescriptorBuilder) { test.set(d, promise) }))
			if r := p.until(wire.MessageResolve).Resolve(); r.Which() != wire.ResolveException {
				t.Errorf("the promise was resolved to %v", r.Which())
			}
			p.call(4, promise, echo, 0)
			p.call(5, root, use, 0, capability(func(d wire.CapDescriptorBuilder) { d.SetReceiverHosted(promise) }))
			p.sound(60)
			_ = p.t.Close()
			p.ended()
			h.gone(t)
		})
	}
}

// A call that is cancelled while it waits for a capability does not hold up,
// later, what that capability turns out to wait for itself.
func TestCancelledCallMovesOn(t *testing.T) {
	cancelled := make(chan struct{})
	begun := make(chan struct{})
	hang := serve(t, func(ctx context.Context, c *rpc.Call) error {
		c.Go()
		close(begun)
		<-ctx.Done()
		close(cancelled)
		return ctx.Err()
	})
	gate := make(chan struct{})
	outer := serve(t, func(_ context.Context, c *rpc.Call) error {
		c.Go()
		<-gate
		give(c, param(c))
		return nil
	})
	never := call(t.Context(), hang, 0)
	<-begun // else nothing would have to be cancelled
	f := callWith(t.Context(), outer, 0, never.Client(0).Retain())
	call(t.Context(), f.Client(0), 0).Release()
	close(gate)
	if _, err := f.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Release()
	never.Release() // the last that wants it
	<-cancelled
}
