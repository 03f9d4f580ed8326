package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
)

// here and there are where a capability may be: in this process, or at the other
// end of a connection.
var places = []struct {
	name string
	at   func(t *testing.T, c rpc.Client) rpc.Client // takes c over
}{
	{"here", func(_ *testing.T, c rpc.Client) rpc.Client { return c }},
	{"there", throughConn},
}

// throughConn serves c at the other end of a connection.
func throughConn(t *testing.T, c rpc.Client) rpc.Client {
	ours, theirs := newMemory()
	server := rpc.NewConn(theirs, rpc.ConnOptions{Bootstrap: c})
	client := rpc.NewConn(ours, rpc.ConnOptions{})
	t.Cleanup(func() { _ = client.Close(); _ = server.Close() })
	return client.Bootstrap()
}

// soon waits for what happens in another goroutine.
func soon(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(*patience); !ready(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// with makes a call with a capability among its parameters. It takes c over.
func with(ctx context.Context, to rpc.Client, m rpc.Method, c rpc.Client) rpc.Future {
	r := to.NewCall(ctx, m, size)
	rpc.SetClient(r.Params().Ptr(0), c)
	return r.Send()
}

// counter counts in the order of the calls.
func counting() rpc.Client {
	var n uint64
	return rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(_ context.Context, c *rpc.Call) error {
		c.NewResults(size).SetUint64(0, n)
		n++
		return nil
	}})
}

func fails(t *testing.T, f rpc.Future, want error, text string) {
	t.Helper()
	defer f.Release()
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	_, err := f.Wait(ctx)
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
	holds(t, "error", err.Error(), text)
}

func TestFulfiller(t *testing.T) {
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			h := newHost()
			root := place.at(t, h.serve())
			defer root.Release()
			t.Run("resolved later", func(t *testing.T) {
				c, f := rpc.NewPromise()
				defer c.Release()
				var all []rpc.Future
				for i := range 10 {
					if i == 5 {
						f.Resolve(counting())
						f.Resolve(rpc.Broken(errors.New("too late")))
						f.Reject(errors.New("too late"))
					}
					all = append(all, call(t.Context(), c, 0))
				}
				for i, f := range all {
					if got := wait(t, f); got != uint64(i) {
						t.Errorf("call %d came as number %d", i, got)
					}
				}
			})
			t.Run("as a parameter", func(t *testing.T) {
				c, f := rpc.NewPromise()
				use := with(t.Context(), root, use, c)
				wait(t, call(t.Context(), root, 1))
				f.Resolve(serve(t, double).Retain())
				wait(t, use)
			})
			t.Run("rejected", func(t *testing.T) {
				c, f := rpc.NewPromise()
				use := with(t.Context(), root, use, c.Retain())
				early := call(t.Context(), c, 0)
				f.Reject(fmt.Errorf("%w: not today", rpc.ErrOverloaded))
				fails(t, early, rpc.ErrOverloaded, "not today")
				fails(t, call(t.Context(), c, 0), rpc.ErrOverloaded, "not today")
				fails(t, use, rpc.ErrOverloaded, "not today")
				if err := c.WaitResolved(t.Context()); !errors.Is(err, rpc.ErrOverloaded) {
					t.Errorf("resolved with %v", err)
				}
				c.Release()
			})
			t.Run("to the other side", func(t *testing.T) {
				c, f := rpc.NewPromise()
				defer c.Release()
				early := call(t.Context(), c, 4)
				f.Resolve(root.Retain())
				if got := wait(t, early); got != 8 {
					t.Errorf("got %d, want 8", got)
				}
			})
			t.Run("to itself", func(t *testing.T) {
				c, f := rpc.NewPromise()
				early := call(t.Context(), c, 4)
				f.Resolve(c.Retain())
				fails(t, early, rpc.ErrFailed, "")
				fails(t, call(t.Context(), c, 0), rpc.ErrFailed, "")
				c.Release()
			})
			t.Run("in a ring", func(t *testing.T) {
				a, fa := rpc.NewPromise()
				b, fb := rpc.NewPromise()
				early := call(t.Context(), a, 4)
				fa.Resolve(b.Retain())
				fb.Resolve(a.Retain())
				fails(t, early, rpc.ErrFailed, "")
				fails(t, call(t.Context(), b, 0), rpc.ErrFailed, "")
				a.Release()
				b.Release()
			})
		})
	}
}

func TestWaitResolved(t *testing.T) {
	c, f := rpc.NewPromise()
	defer c.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.WaitResolved(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("an open promise gave %v, want the context's error", err)
	}
	go f.Resolve(serve(t, double).Retain())
	if err := c.WaitResolved(t.Context()); err != nil {
		t.Error(err)
	}
	if err := (rpc.Client{}).WaitResolved(t.Context()); err != nil {
		t.Errorf("null gave %v", err)
	}
}

func TestJoin(t *testing.T) {
	c := serve(t, func(_ context.Context, c *rpc.Call) error {
		switch c.Params().Uint64(0) {
		case 3:
			return fmt.Errorf("%w: three", rpc.ErrOverloaded)
		case 5:
			return errors.New("five")
		}
		return nil
	})
	futures := func(n uint64) (all []rpc.Future) {
		for i := range n {
			f := call(t.Context(), c, i)
			t.Cleanup(f.Release)
			all = append(all, f)
		}
		return all
	}
	if err := rpc.Join(t.Context()); err != nil {
		t.Errorf("none: %v", err)
	}
	if err := rpc.Join(t.Context(), futures(3)...); err != nil {
		t.Errorf("three: %v", err)
	}
	all := futures(7)
	if err := rpc.Join(t.Context(), all...); !errors.Is(err, rpc.ErrOverloaded) {
		t.Errorf("seven: %v, want the first error", err)
	}
	for i, f := range all {
		select {
		case <-f.Done():
		default:
			t.Errorf("call %d is not over", i)
		}
	}
	open, f := rpc.NewPromise()
	defer open.Release()
	defer f.Reject(errors.New("over"))
	waits := call(t.Context(), open, 0)
	defer waits.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rpc.Join(ctx, waits); !errors.Is(err, context.Canceled) {
		t.Errorf("an open one: %v, want the context's error", err)
	}
}

func TestIntercept(t *testing.T) {
	type key struct{}
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			var asked, over, failed atomic.Int64
			inner := serve(t, func(ctx context.Context, c *rpc.Call) error {
				if ctx.Value(key{}) != "set" {
					return errors.New("the context is not the interceptor's")
				}
				n := c.Params().Uint64(0)
				if n == 13 {
					return fmt.Errorf("%w: thirteen", rpc.ErrOverloaded)
				}
				res := c.NewResults(size)
				res.SetUint64(0, 2*n)
				rpc.SetClient(res.Ptr(0), counting())
				return nil
			})
			c := place.at(t, rpc.Intercept(inner.Retain(), func(ctx context.Context, info rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
				asked.Add(1)
				if info.Params.Uint64(0) == 99 {
					return nil, nil, fmt.Errorf("%w: not that", rpc.ErrUnimplemented)
				}
				return context.WithValue(ctx, key{}, "set"), func(o rpc.Outcome) {
					over.Add(1)
					if o.Err != nil {
						failed.Add(1)
					}
				}, nil
			}))
			defer c.Release()
			for i := range uint64(10) {
				if got := wait(t, call(t.Context(), c, i)); got != 2*i {
					t.Errorf("got %d, want %d", got, 2*i)
				}
			}
			fails(t, call(t.Context(), c, 13), rpc.ErrOverloaded, "thirteen")
			fails(t, call(t.Context(), c, 99), rpc.ErrUnimplemented, "not that")
			f := call(t.Context(), c, 1)
			for i := range uint64(3) { // on its results, before they are there
				if got := wait(t, call(t.Context(), f.Client(0), 0)); got != i {
					t.Errorf("pipelined call %d came as number %d", i, got)
				}
			}
			f.Release()
			if asked.Load() != 13 || over.Load() != 12 || failed.Load() != 1 {
				t.Errorf("asked about %d calls, of which %d are over and %d failed; want 13, 12, 1", asked.Load(), over.Load(), failed.Load())
			}
		})
	}
}

// An intercepted call is cancelled like any other.
func TestInterceptCancel(t *testing.T) {
	h := newHost()
	var got atomic.Value
	c := rpc.Intercept(h.serve(), func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
		return ctx, func(o rpc.Outcome) { got.Store(o.Err) }, nil
	})
	f := with(t.Context(), c, hold, rpc.Client{})
	soon(t, "the call holds", func() bool { return h.holding.Load() == 1 })
	f.Release()
	soon(t, "the call is over", func() bool { return got.Load() != nil })
	c.Release()
	h.gone(t)
}

func TestRevocable(t *testing.T) {
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			h := newHost()
			inner, revoke := rpc.Revocable(h.serve())
			c := place.at(t, inner)
			if got := wait(t, call(t.Context(), c, 4)); got != 8 {
				t.Errorf("got %d, want 8", got)
			}
			made := with(t.Context(), c, makeOne, rpc.Client{})
			if got := wait(t, call(t.Context(), made.Client(0), 4)); got != 8 {
				t.Errorf("pipelined: got %d, want 8", got)
			}
			holds := with(t.Context(), c, hold, rpc.Client{})
			pipelined := call(t.Context(), holds.Client(0), 1)
			wait(t, call(t.Context(), c, 0)) // sends them
			soon(t, "the call holds", func() bool { return h.holding.Load() == 1 })

			revoke(fmt.Errorf("%w: no more", rpc.ErrOverloaded))
			revoke(errors.New("again"))
			fails(t, holds, rpc.ErrOverloaded, "no more")
			fails(t, pipelined, rpc.ErrOverloaded, "no more")
			fails(t, call(t.Context(), c, 4), rpc.ErrOverloaded, "no more")
			soon(t, "the handler is cancelled", func() bool { return h.holding.Load() == 0 })
			soon(t, "the object is released", func() bool { return h.live.Load() == 1 })
			if got := wait(t, call(t.Context(), made.Client(0), 4)); got != 8 {
				t.Errorf("what was made before: got %d, want 8", got)
			}
			made.Release()
			c.Release()
			h.gone(t)
		})
	}
	t.Run("never revoked", func(t *testing.T) {
		h := newHost()
		c, revoke := rpc.Revocable(h.serve())
		wait(t, call(t.Context(), c, 1))
		c.Release()
		h.gone(t)
		revoke(nil)
	})
}

func TestMembrane(t *testing.T) {
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			h := newHost()
			var inbound, outbound atomic.Int64
			count := func(n *atomic.Int64) rpc.Interceptor {
				return func(ctx context.Context, info rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
					n.Add(1)
					if info.Method == sleep {
						return nil, nil, fmt.Errorf("%w: no sleep here", rpc.ErrUnimplemented)
					}
					return ctx, nil, nil
				}
			}
			m := &rpc.Membrane{Inbound: count(&inbound), Outbound: count(&outbound)}
			c := place.at(t, m.Export(h.serve()))
			crossed := func(what string, in, out int64) {
				t.Helper()
				if inbound.Load() != in || outbound.Load() != out {
					t.Errorf("%s: %d calls in and %d out, want %d and %d", what, inbound.Load(), outbound.Load(), in, out)
				}
			}
			if got := wait(t, call(t.Context(), c, 4)); got != 8 {
				t.Errorf("got %d, want 8", got)
			}
			crossed("a call", 1, 0)
			fails(t, with(t.Context(), c, sleep, rpc.Client{}), rpc.ErrUnimplemented, "no sleep")
			crossed("a call that is refused", 2, 0)

			// What comes out of it is wrapped, before and after it is there.
			made := with(t.Context(), c, makeOne, rpc.Client{})
			if got := wait(t, call(t.Context(), made.Client(0), 4)); got != 8 {
				t.Errorf("pipelined: got %d, want 8", got)
			}
			crossed("a pipelined call", 4, 0)
			s, err := made.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			one := rpc.ReadClient(s.Ptr(0)).Retain()
			made.Release()
			wait(t, call(t.Context(), one, 4))
			crossed("a call on a result", 5, 0)

			// What goes in is wrapped too: its calls come out.
			if got := wait(t, with(t.Context(), c, use, serve(t, double).Retain())); got != 0 {
				t.Errorf("got %d, want 0", got)
			}
			crossed("a call back", 6, 1)

			// What goes in and comes from there is unwrapped: inside it is called directly.
			wait(t, with(t.Context(), c, use, one.Retain()))
			if place.name == "here" { // over a connection it may come back as the connection's
				crossed("a capability that goes back", 7, 1)
			}
			// And the other way round.
			back := with(t.Context(), c, giveBack, serve(t, double).Retain())
			wait(t, call(t.Context(), back.Client(0), 2))
			s, err = back.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			direct := rpc.ReadClient(s.Ptr(0))
			n, out := inbound.Load(), outbound.Load()
			if got := wait(t, call(t.Context(), direct, 2)); got != 4 {
				t.Errorf("got %d, want 4", got)
			}
			crossed("one's own that came back", n, out)
			back.Release()

			holding := with(t.Context(), c, hold, rpc.Client{})
			wait(t, call(t.Context(), c, 0))
			soon(t, "the call holds", func() bool { return h.holding.Load() == 1 })
			m.Revoke(nil)
			m.Revoke(errors.New("again"))
			fails(t, holding, rpc.ErrFailed, "revoked")
			fails(t, call(t.Context(), c, 1), rpc.ErrFailed, "revoked")
			fails(t, call(t.Context(), one, 1), rpc.ErrFailed, "revoked")
			fails(t, call(t.Context(), m.Export(serve(t, double).Retain()), 1), rpc.ErrFailed, "revoked")
			h.gone(t) // nothing inside is held any more
			one.Release()
			c.Release()
		})
	}
}

func TestServerOf(t *testing.T) {
	h := newHost()
	c := h.serve()
	defer c.Release()
	if got, ok := rpc.ServerOf[*host](t.Context(), c); !ok || got != h {
		t.Errorf("the host's capability gives %v, %v", got, ok)
	}
	if _, ok := rpc.ServerOf[fmt.Stringer](t.Context(), c); ok {
		t.Error("the host is taken for a Stringer")
	}
	for name, other := range map[string]rpc.Client{"null": {}, "broken": rpc.Broken(errors.New("no"))} {
		if _, ok := rpc.ServerOf[*host](t.Context(), other); ok {
			t.Errorf("%s has a server", name)
		}
	}
	p, f := rpc.NewPromise()
	defer p.Release()
	go f.Resolve(c.Retain())
	if got, ok := rpc.ServerOf[*host](t.Context(), p); !ok || got != h {
		t.Errorf("a promise of it gives %v, %v", got, ok)
	}
	far := throughConn(t, c.Retain())
	defer far.Release()
	if _, ok := rpc.ServerOf[*host](t.Context(), far); ok {
		t.Error("the peer's object is taken for our own")
	}
	// Our own that comes back from the peer is ours again.
	echoed := with(t.Context(), far, giveBack, c.Retain())
	defer echoed.Release()
	if got, ok := rpc.ServerOf[*host](t.Context(), echoed.Client(0)); !ok || got != h {
		t.Errorf("our own, back from the peer, gives %v, %v", got, ok)
	}
}
