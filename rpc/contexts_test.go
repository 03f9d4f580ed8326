package rpc_test

import (
	"context"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
)

type key struct{}

// The contexts that a handler may make calls with.
var derived = []struct {
	name string
	make func(context.Context) (context.Context, context.CancelFunc)
}{
	{"its own", func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }},
	{"one with a value", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithValue(ctx, key{}, 1), func() {}
	}},
	{"one with a deadline", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Hour)
	}},
}

// A call is cancelled when its context ends, though nobody waits for it.
func TestContextOfACallThatNobodyWaitsFor(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		started, cancelled := make(chan struct{}), make(chan struct{})
		v := connect(served(t, func(ctx context.Context, _ *rpc.Call) error {
			close(started)
			<-ctx.Done()
			close(cancelled)
			return ctx.Err()
		}))
		boot := v.boot()
		defer boot.Release()
		ctx, cancel := context.WithCancel(t.Context())
		f := call(ctx, boot, 0)
		defer f.Release()
		<-started
		cancel()
		<-cancelled
	})
}

// One of many calls is cancelled by its own context, and no other is.
func TestContextsOfManyCalls(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		const n = 100
		gate, cancelled := make(chan struct{}), make(chan uint64, n)
		started := make(chan struct{}, n)
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			c.Go()
			started <- struct{}{}
			select {
			case <-gate:
			case <-ctx.Done():
				cancelled <- c.Params().Uint64(0)
				return ctx.Err()
			}
			return double(ctx, c)
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		var calls [n]rpc.Future
		var cancels [n]context.CancelFunc
		for i := range calls {
			var ctx context.Context
			ctx, cancels[i] = context.WithCancel(t.Context())
			defer cancels[i]()
			calls[i] = call(ctx, boot, uint64(i))
		}
		for range n { // one that has not is cancelled without its handler
			<-started
		}
		for i := 0; i < n; i += 2 {
			cancels[i]()
			if got := <-cancelled; got != uint64(i) {
				t.Fatalf("call %d was cancelled, want %d", got, i)
			}
		}
		close(gate)
		for i := range calls {
			if i%2 == 1 {
				expect(t, calls[i], 2*uint64(i))
			} else {
				calls[i].Release()
			}
		}
	})
}

// A call that a handler made is cancelled with the handler's own, whoever waits.
func TestContextOfAHandler(t *testing.T) {
	for _, d := range derived {
		t.Run(d.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
				started, cancelled := make(chan struct{}), make(chan struct{})
				back := served(t, func(ctx context.Context, _ *rpc.Call) error {
					close(started)
					<-ctx.Done()
					close(cancelled)
					return ctx.Err()
				})
				v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
					to := param(c)
					defer to.Release()
					c.Go()
					ctx, cancel := d.make(ctx)
					defer cancel()
					f := call(ctx, to, 0)
					defer f.Release()
					<-cancelled // and not for f
					return nil
				}))
				boot := v.a.Bootstrap()
				defer boot.Release()
				ctx, cancel := context.WithCancel(t.Context())
				f := callWith(ctx, boot, 0, back)
				defer f.Release()
				<-started
				cancel()
				<-cancelled
			})
		})
	}
}

// A call that a handler made, and whose results it has given its caller, goes on
// when the handler returns.
func TestCallOutlivesItsHandler(t *testing.T) {
	for _, d := range derived[:2] {
		t.Run(d.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
				gate := make(chan struct{})
				back := served(t, func(ctx context.Context, c *rpc.Call) error {
					c.Go()
					select {
					case <-gate:
					case <-ctx.Done():
						t.Error("the call was cancelled when the handler returned")
					}
					give(c, rpc.Serve(rpc.Server{Interface: 1, Dispatch: double}))
					return nil
				})
				v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
					to := param(c)
					defer to.Release()
					ctx, cancel := d.make(ctx)
					defer cancel()
					f := call(ctx, to, 0)
					give(c, f.Client(0).Retain())
					f.Release()
					return nil
				}))
				boot := v.a.Bootstrap()
				defer boot.Release()
				f := callWith(t.Context(), boot, 0, back)
				defer f.Release()
				if _, err := f.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Millisecond) // what would cancel it has time to
				close(gate)
				expect(t, call(t.Context(), f.Client(0), 21), 42)
			})
		})
	}
}
