package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
)

// sinks gives a capability with each call, whose calls wait for a gate.
func sinks(t *testing.T, gate <-chan struct{}, fail *atomic.Bool) rpc.Client {
	sink := serve(t, func(ctx context.Context, c *rpc.Call) error {
		<-gate
		if fail.Load() {
			return fmt.Errorf("%w: the sink is full", rpc.ErrOverloaded)
		}
		return nil
	})
	return served(t, func(_ context.Context, c *rpc.Call) error {
		give(c, sink.Retain())
		return nil
	})
}

// A capability has one stream, by whatever way it is come by: twice from the same
// promise, or from the results that are there.
func TestStreamOfOneCapability(t *testing.T) {
	onEach(t, func(whole *testing.T, connect func(rpc.Client) vats) {
		for _, test := range []struct {
			name  string
			other func(t *testing.T, f rpc.Future) rpc.Client
		}{
			{"the promise again", func(_ *testing.T, f rpc.Future) rpc.Client { return f.Client(0) }},
			{"the results", func(t *testing.T, f rpc.Future) rpc.Client {
				s, err := f.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return rpc.ReadClient(s.Ptr(0))
			}},
			{"the promise, which is resolved", func(t *testing.T, f rpc.Future) rpc.Client {
				if _, err := f.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				return f.Client(0)
			}},
		} {
			whole.Run(test.name, func(t *testing.T) {
				gate := make(chan struct{})
				var fail atomic.Bool
				v := connect(sinks(whole, gate, &fail))
				boot := v.a.Bootstrap()
				defer boot.Release()
				f := call(t.Context(), boot, 0)
				defer f.Release()
				for range 3 {
					if err := stream(t.Context(), t.Context(), f.Client(0)); err != nil {
						t.Fatal(err)
					}
				}
				to := test.other(t, f)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if err := to.WaitStreaming(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("error %v while nothing has been done, want that of the context", err)
				}
				fail.Store(true)
				close(gate)
				if err := to.WaitStreaming(t.Context()); !errors.Is(err, rpc.ErrOverloaded) {
					t.Errorf("error %v, want what the first stream failed with", err)
				}
				if err := stream(t.Context(), t.Context(), to); !errors.Is(err, rpc.ErrOverloaded) {
					t.Errorf("error %v of a call on a stream that is broken", err)
				}
			})
		}
	})
}

// What is streamed on a promise belongs to what it becomes.
func TestStreamOnPromise(t *testing.T) {
	gate := make(chan struct{})
	var n atomic.Int64
	c := serve(t, func(context.Context, *rpc.Call) error {
		<-gate
		n.Add(1)
		return nil
	})
	var promises []rpc.Client
	var fulfillers []rpc.Fulfiller
	for range 3 {
		p, f := rpc.NewPromise()
		defer p.Release()
		promises, fulfillers = append(promises, p), append(fulfillers, f)
		for range 2 {
			if err := stream(t.Context(), t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	fulfillers[0].Resolve(promises[1].Retain())
	fulfillers[2].Resolve(c.Retain())
	fulfillers[1].Resolve(c.Retain())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.WaitStreaming(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	close(gate)
	if err := c.WaitStreaming(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.Load() != 6 {
		t.Errorf("%d calls are done, want 6", n.Load())
	}
}

// Streams of small calls stay below what the peer may have to execute, and one
// that is stuck holds up no other.
func TestStreamsOfSmallCalls(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		gate := make(chan struct{})
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			stuck := c.Params().Uint64(0) == 0
			give(c, rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(context.Context, *rpc.Call) error {
				if stuck {
					<-gate
				}
				return nil
			}}))
			return nil
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		var all sync.WaitGroup
		send := func(n uint64, count int) {
			f := call(t.Context(), boot, n)
			defer f.Release()
			for range count {
				r := f.Client(0).NewCall(t.Context(), echo, size)
				if err := r.Stream(t.Context()); err != nil {
					t.Errorf("stream %d: %v", n, err)
					return
				}
			}
			if err := f.Client(0).WaitStreaming(t.Context()); err != nil {
				t.Errorf("stream %d: %v", n, err)
			}
		}
		for range 3 {
			all.Go(func() { send(0, 700) })
		}
		var quick sync.WaitGroup
		for range 3 {
			quick.Go(func() { send(1, 700) })
		}
		quick.Wait()
		close(gate)
		all.Wait()
	})
}

// What may be under way is no more than half of what may wait to be written.
func TestStreamBounds(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits rpc.Limits
		most   int64 // messages of 4 KiB and a little, of which two may exceed it
	}{
		{"by default, at first", rpc.Limits{}, 16 + 1},
		{"what may be queued", rpc.Limits{QueuedBytes: 64 << 10}, 8 + 1},
		{"its own", rpc.Limits{StreamBytes: 16 << 10}, 4 + 1},
		{"calls", rpc.Limits{Calls: 20}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate := make(chan struct{})
			v := meet(t, wirings[0], served(t, func(context.Context, *rpc.Call) error { <-gate; return nil }), test.limits)
			boot := v.a.Bootstrap()
			defer boot.Release()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var n int64
			for ; n < 100; n++ {
				if err := stream(t.Context(), ctx, boot); err != nil {
					break
				}
			}
			if n != test.most {
				t.Errorf("%d calls are under way, want %d", n, test.most)
			}
			close(gate)
			if err := boot.WaitStreaming(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
