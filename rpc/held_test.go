package rpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// A peer may make calls on results of calls on results that are not there yet, as
// deep as the limit says, and as many beside each other and after each other as
// it likes.
func TestPipelineDepth(t *testing.T) {
	const depth = 8
	for _, w := range wirings {
		t.Run(w.name, func(t *testing.T) {
			gate, begun := make(chan struct{}), make(chan struct{})
			var itself rpc.Client
			gives := func(_ context.Context, c *rpc.Call) error {
				if c.Params().Uint64(0) == 1 {
					close(begun)
				}
				<-gate
				give(c, itself.Retain())
				return nil
			}
			itself = rpc.Serve(rpc.Server{Interface: 1, Dispatch: gives})
			defer itself.Release()
			v := meet(t, w, served(t, gives), rpc.Limits{PipelineDepth: depth})
			boot := v.a.Bootstrap()
			defer boot.Release()
			var chain []rpc.Future
			defer func() {
				for _, f := range chain {
					f.Release()
				}
			}()
			next := func(to rpc.Client, n uint64) rpc.Future {
				f := call(t.Context(), to, n)
				chain = append(chain, f)
				return f
			}
			first := next(boot, 1)
			f := first
			for range depth {
				f = next(f.Client(0), 0)
			}
			for range 100 {
				next(first.Client(0), 0)
			}
			_, err := next(f.Client(0), 0).Wait(t.Context())
			if !errors.Is(err, rpc.ErrOverloaded) || !strings.Contains(err.Error(), "at most 8 (PipelineDepth)") {
				t.Errorf("error %v, want overloaded, with the limit", err)
			}
			<-begun
			close(gate)
			if _, err := f.Wait(t.Context()); err != nil {
				t.Errorf("the last that was not too deep: %v", err)
			}
		})
	}
}

// However long a chain is of which the first calls are over, it is not deep.
func TestPipelineThatMovesOn(t *testing.T) {
	const depth = 3
	gate := make(chan struct{})
	var itself rpc.Client
	gives := func(_ context.Context, c *rpc.Call) error {
		<-gate
		give(c, itself.Retain())
		return nil
	}
	itself = rpc.Serve(rpc.Server{Interface: 1, Dispatch: gives})
	w := meet(t, wirings[0], served(t, gives), rpc.Limits{PipelineDepth: depth})
	defer itself.Release()
	boot := w.a.Bootstrap()
	defer boot.Release()
	var under []rpc.Future
	last := boot
	for i := range 500 {
		f := call(t.Context(), last, 0)
		last = f.Client(0)
		if under = append(under, f); len(under) <= depth {
			continue
		}
		gate <- struct{}{}
		if _, err := under[0].Wait(t.Context()); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		under[0].Release()
		under = under[1:]
	}
	close(gate)
	for _, f := range under {
		f.Release()
	}
}

// Results that are kept for calls on them are bounded in bytes, and count no more
// when the peer is done with its question.
func TestHeldResults(t *testing.T) {
	const kib = 1 << 10
	one := rpc.Serve(rpc.Server{Interface: 1, Dispatch: double})
	defer one.Release()
	p := newWirePeer(t, rpc.ConnOptions{Limits: rpc.Limits{HeldBytes: 256 * kib}, Bootstrap: rpc.Serve(rpc.Server{
		Interface: 1,
		Dispatch: func(_ context.Context, c *rpc.Call) error {
			r := c.NewResults(segment.Size{Ptrs: 2})
			rpc.SetClient(r.Ptr(0), one.Retain())
			r.Ptr(1).NewData(60 * kib)
			return nil
		},
	})})
	root := p.importRoot(0)
	for range 3 {
		for id := range uint32(4) {
			p.call(1+id, root, echo, 0)
			if ret := p.next(wire.MessageReturn).Return(); ret.Which() != wire.ReturnResults {
				t.Fatalf("call %d gave %v%s", id, ret.Which(), ret.Exception().Reason())
			}
		}
		p.call(5, root, echo, 0)
		ret := p.next(wire.MessageReturn).Return()
		if ret.Which() != wire.ReturnException || ret.Exception().Type() != wire.ExceptionTypeOverloaded {
			t.Fatalf("results beyond the limit gave %v", ret.Which())
		}
		holds(t, "the reason", ret.Exception().Reason(), "at most 262144 (HeldBytes)")
		p.call(6, root, echo, 4, pipelined(1, 0))
		if ret := p.next(wire.MessageReturn).Return(); ret.Which() != wire.ReturnResults {
			t.Fatalf("a call on results that are held gave %v", ret.Which())
		}
		for id := range uint32(5) {
			p.finish(1+id, true)
		}
	}
}

// A call whose results the peer keeps with us is answered so even if it fails.
func TestFailureOfResultsThatStay(t *testing.T) {
	p := newWirePeer(t, rpc.ConnOptions{Bootstrap: rpc.Serve(rpc.Server{
		Interface: 1,
		Dispatch:  func(context.Context, *rpc.Call) error { return rpc.ErrOverloaded },
	})})
	root := p.importRoot(0)
	p.call(1, root, echo, 0, func(c wire.CallBuilder) { c.SendResultsTo().SetYourself() })
	if ret := p.next(wire.MessageReturn).Return(); ret.Which() != wire.ReturnResultsSentElsewhere {
		t.Errorf("the failure gave %v, want that the results are elsewhere", ret.Which())
	}
	p.call(2, root, echo, 0, pipelined(1, 0))
	ret := p.next(wire.MessageReturn).Return()
	if ret.Which() != wire.ReturnException || ret.Exception().Type() != wire.ExceptionTypeOverloaded {
		t.Errorf("a call on the results gave %v, want the failure", ret.Which())
	}
}
