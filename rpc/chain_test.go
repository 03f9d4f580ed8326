package rpc_test

import (
	"context"
	"errors"
	"flag"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
)

var links = flag.Int("links", 30_000, "how many links the chains have that must not overflow the stack")

// What waits for the results of what waits for the results of a call, and so on,
// ends without one goroutine's stack growing with its length, however it ends.
func TestLongChains(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	hangs := serve(t, func(ctx context.Context, _ *rpc.Call) error {
		<-ctx.Done()
		return ctx.Err()
	})
	var itself rpc.Client
	gives := serve(t, func(_ context.Context, c *rpc.Call) error {
		give(c, itself.Retain())
		return nil
	})
	itself = gives
	chain := func(root rpc.Client) []rpc.Future {
		all := make([]rpc.Future, *links)
		for i := range all {
			all[i] = call(t.Context(), root, 0)
			root = all[i].Client(0)
		}
		return all
	}
	release := func(all []rpc.Future) {
		for _, f := range all {
			f.Release()
		}
	}
	t.Run("the first fails", func(t *testing.T) {
		p, f := rpc.NewPromise()
		defer p.Release()
		all := chain(p)
		f.Reject(rpc.ErrOverloaded)
		if _, err := all[len(all)-1].Wait(t.Context()); !errors.Is(err, rpc.ErrOverloaded) {
			t.Errorf("the last call: %v, want what the first failed with", err)
		}
		release(all)
	})
	t.Run("the first gives a capability", func(t *testing.T) {
		p, f := rpc.NewPromise()
		defer p.Release()
		all := chain(p)
		f.Resolve(gives.Retain())
		if _, err := all[len(all)-1].Wait(t.Context()); err != nil {
			t.Errorf("the last call: %v", err)
		}
		release(all)
	})
	t.Run("released from the first on", func(t *testing.T) { release(chain(hangs)) })
	t.Run("released from the last on", func(t *testing.T) {
		all := chain(hangs)
		slices.Reverse(all)
		release(all)
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		first := call(ctx, hangs, 0)
		all := chain(first.Client(0))
		cancel()
		if _, err := all[len(all)-1].Wait(t.Context()); err == nil {
			t.Error("the last call did not fail")
		}
		first.Release()
		release(all)
	})
	// countDown calls itself until there is nothing left, and then last.
	countDown := func(t *testing.T, last handler) rpc.Client {
		var to rpc.Client
		to = serve(t, func(ctx context.Context, c *rpc.Call) error {
			n := c.Params().Uint64(0)
			if n == 0 {
				return last(ctx, c)
			}
			c.TailCall(call(t.Context(), to, n-1))
			return nil
		})
		return to
	}
	t.Run("tail calls", func(t *testing.T) {
		c := countDown(t, func(_ context.Context, c *rpc.Call) error {
			c.NewResults(size).SetUint64(0, 42)
			return nil
		})
		expect(t, call(t.Context(), c, uint64(*links)), 42)
	})
	t.Run("tail calls that are cancelled", func(t *testing.T) {
		begun := make(chan struct{})
		c := countDown(t, func(ctx context.Context, c *rpc.Call) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
		f := call(t.Context(), c, uint64(*links))
		f.Done() // so that it runs
		<-begun
		f.Release()
	})
	t.Run("promises of promises", func(t *testing.T) {
		first, f := rpc.NewPromise()
		for range *links {
			p, next := rpc.NewPromise()
			f.Resolve(p)
			f = next
		}
		f.Resolve(gives.Retain())
		g := call(t.Context(), first, 0)
		if _, err := g.Wait(t.Context()); err == nil {
			t.Error("a call went through more promises than the bound")
		}
		g.Release()
		first.Release()
	})
	t.Run("results in results", func(t *testing.T) {
		back := serve(t, func(_ context.Context, c *rpc.Call) error {
			give(c, param(c))
			return nil
		})
		f := callWith(t.Context(), back, 0, gives.Retain())
		for range *links {
			g := callWith(t.Context(), back, 0, f.Client(0).Retain())
			if _, err := g.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			f.Release()
			f = g
		}
		f.Release()
	})
}
