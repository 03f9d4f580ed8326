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

// Two vats that call each other, both with all that their limits allow under way,
// never wait for each other for ever: what is too much fails as overloaded.
func TestBothAtTheirLimits(t *testing.T) {
	for _, w := range wirings {
		t.Run(w.name, func(t *testing.T) {
			for _, test := range mutual {
				t.Run(test.name, func(t *testing.T) {
					if test.many && raceDetector && w.name != "shm" {
						t.Skip("takes long with the race detector")
					}
					var p pair
					x, y := w.connect(t)
					for i, transport := range []rpc.Transport{x, y} {
						p.conns[i] = rpc.NewConn(transport, rpc.ConnOptions{
							Limits:    test.limits,
							Bootstrap: rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(ctx context.Context, c *rpc.Call) error { return (*p.handler.Load())(i, ctx, c) }}),
						})
						defer p.conns[i].Close()
					}
					for i := range p.boots {
						p.boots[i] = p.conns[i].Bootstrap()
						defer p.boots[i].Release()
						if err := p.boots[i].WaitResolved(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					ctx, cancel := context.WithTimeout(t.Context(), 2**patience)
					defer cancel()
					test.run(t, ctx, &p)
					for _, boot := range p.boots { // and then all is well again
						expect(t, call(ctx, boot, 0), 1)
					}
					if ctx.Err() != nil {
						t.Error("they waited for each other until they were stopped")
					}
				})
			}
		})
	}
}

// pair are two vats that call each other.
type pair struct {
	conns   [2]*rpc.Conn
	boots   [2]rpc.Client // of the other one
	handler atomic.Pointer[func(i int, ctx context.Context, c *rpc.Call) error]
}

// serve makes h what both do.
func (p *pair) serve(h func(i int, ctx context.Context, c *rpc.Call) error) { p.handler.Store(&h) }

var mutual = []struct {
	name   string
	limits rpc.Limits
	many   bool // calls
	run    func(t *testing.T, ctx context.Context, p *pair)
}{
	{"all that may execute waits", rpc.Limits{Calls: 8}, false, fill(8)},
	{"all that may execute waits, by default", rpc.Limits{}, true, fill(1024)},
	{"results that are held", rpc.Limits{}, true, func(t *testing.T, ctx context.Context, p *pair) {
		p.serve(func(_ int, _ context.Context, c *rpc.Call) error {
			r := c.NewResults(size)
			r.SetUint64(0, 1)
			r.Ptr(0).NewData(5000)[4999] = byte(c.Params().Uint64(0))
			return nil
		})
		var all []rpc.Future
		for i := range 1100 { // more than shared memory lends
			for _, boot := range p.boots {
				f := call(ctx, boot, uint64(i))
				if _, err := f.Wait(ctx); err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
				all = append(all, f)
			}
		}
		for i, f := range all {
			if s, err := f.Wait(ctx); err != nil || s.Ptr(0).Data()[4999] != byte(i/2) {
				t.Fatalf("call %d, later: %v", i/2, err)
			}
			f.Release()
		}
	}},
	{"handlers call back", rpc.Limits{Calls: 4}, false, func(t *testing.T, ctx context.Context, p *pair) {
		// Each call is answered by one in the other direction, as deep as it says.
		p.serve(func(i int, ctx context.Context, c *rpc.Call) error {
			if n := c.Params().Uint64(0); n > 0 {
				f := call(ctx, p.boots[i], n-1)
				defer f.Release()
				if _, err := f.Wait(ctx); err != nil {
					return err
				}
			}
			c.NewResults(size).SetUint64(0, 1)
			return nil
		})
		p.fromBoth(t, ctx, 16, func(boot rpc.Client, n int) error {
			f := call(ctx, boot, uint64(n%5))
			defer f.Release()
			_, err := f.Wait(ctx)
			return err
		})
	}},
	{"neither has room for what it sends", rpc.Limits{QueuedBytes: 1 << 20, Calls: 64}, false, func(t *testing.T, ctx context.Context, p *pair) {
		p.serve(func(_ int, _ context.Context, c *rpc.Call) error {
			r := c.NewResults(size)
			r.SetUint64(0, 1)
			r.Ptr(0).NewData(len(c.Params().Ptr(0).Data()))
			return nil
		})
		p.fromBoth(t, ctx, 16, func(boot rpc.Client, n int) error {
			r := boot.NewCall(ctx, echo, size)
			r.Params().Ptr(0).NewData(100 << 10)
			f := r.Send()
			defer f.Release()
			_, err := f.Wait(ctx)
			return err
		})
	}},
	{"streams both ways, whose handlers call back", rpc.Limits{Calls: 64}, false, func(t *testing.T, ctx context.Context, p *pair) {
		p.serve(func(i int, ctx context.Context, c *rpc.Call) error {
			c.NewResults(size).SetUint64(0, 1)
			if c.Params().Ptr(0).IsNull() {
				return nil
			}
			f := call(ctx, p.boots[i], 0)
			defer f.Release()
			if _, err := f.Wait(ctx); err != nil && !errors.Is(err, rpc.ErrOverloaded) {
				return err
			}
			return nil
		})
		var both sync.WaitGroup
		for _, boot := range p.boots {
			both.Go(func() {
				for range 300 {
					if err := stream(ctx, ctx, boot); err != nil {
						t.Errorf("a stream: %v", err)
						return
					}
				}
				if err := boot.WaitStreaming(ctx); err != nil {
					t.Errorf("a stream: %v", err)
				}
			})
		}
		both.Wait()
	}},
}

// fill has as many calls wait in both directions as there may be, and then calls.
func fill(n int) func(t *testing.T, ctx context.Context, p *pair) {
	return func(t *testing.T, ctx context.Context, p *pair) {
		gate := make(chan struct{})
		var begun atomic.Int64
		full := make(chan struct{})
		p.serve(func(_ int, _ context.Context, c *rpc.Call) error {
			c.Go()
			if c.Params().Uint64(0) == 1 {
				if begun.Add(1) == 2*int64(n) {
					close(full)
				}
				<-gate
			}
			c.NewResults(size).SetUint64(0, 1)
			return nil
		})
		var all []rpc.Future
		for range n {
			for _, boot := range p.boots {
				all = append(all, call(ctx, boot, 1))
			}
		}
		select {
		case <-full:
		case <-ctx.Done():
			t.Errorf("%d calls have begun, of %d", begun.Load(), 2*n)
		}
		for _, boot := range p.boots {
			expectError(t, call(ctx, boot, 0), rpc.ErrOverloaded, fmt.Sprint("at most ", n))
		}
		close(gate)
		for _, f := range all {
			expect(t, f, 1)
		}
	}
}

// fromBoth has n goroutines on each side make calls, which must end well or as
// overloaded.
func (p *pair) fromBoth(t *testing.T, ctx context.Context, n int, one func(boot rpc.Client, n int) error) {
	var all sync.WaitGroup
	var well atomic.Int64
	for _, boot := range p.boots {
		for i := range n {
			all.Go(func() {
				for range 20 {
					switch err := one(boot, i); {
					case err == nil:
						well.Add(1)
					case !errors.Is(err, rpc.ErrOverloaded):
						t.Errorf("a call: %v", err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	t.Logf("%d of %d calls were answered", well.Load(), 40*n)
	if well.Load() == 0 {
		t.Error("no call was answered")
	}
}
