package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

// callWith calls with a number and a capability, which is taken over.
func callWith(ctx context.Context, to rpc.Client, n uint64, c rpc.Client) rpc.Future {
	r := to.NewCall(ctx, echo, size)
	r.Params().SetUint64(0, n)
	rpc.SetClient(r.Params().Ptr(0), c)
	return r.Send()
}

// param is the capability among the parameters; its share is the caller's.
func param(c *rpc.Call) rpc.Client { return rpc.ReadClient(c.Params().Ptr(0)).Retain() }

func give(c *rpc.Call, cl rpc.Client) { rpc.SetClient(c.NewResults(size).Ptr(0), cl) }

// counter expects its calls to be numbered from 0 on, and answers with the
// number.
func counter() handler {
	var next uint64
	return func(_ context.Context, c *rpc.Call) error {
		n := c.Params().Uint64(0)
		if n != next {
			return fmt.Errorf("call %d came as number %d", n, next)
		}
		next++
		c.NewResults(size).SetUint64(0, n)
		return nil
	}
}

// hub is the bootstrap object of most tests: what it does is the test's.
func expect(t *testing.T, f rpc.Future, want uint64) {
	t.Helper()
	if got := wait(t, f); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func expectError(t *testing.T, f rpc.Future, is error, holds string) {
	t.Helper()
	defer f.Release()
	if _, err := f.Wait(t.Context()); !errors.Is(err, is) || !strings.Contains(err.Error(), holds) {
		t.Errorf("error %v, want one with %q that is %q", err, holds, is)
	}
}

func TestPipelining(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		inner := serve(t, counter())
		release := make(chan struct{})
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			c.Go()
			<-release
			give(c, inner.Retain())
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		f := call(t.Context(), boot, 0)
		p := f.Client(0).Retain()
		var all []rpc.Future
		for i := range uint64(100) {
			all = append(all, call(t.Context(), p, i))
			switch i {
			case 30:
				f.Release() // the calls keep their promise
			case 60:
				close(release)
			case 80:
				wait(t, all[0]) // and from here on the capability is there
				all = all[1:]
			}
		}
		for _, f := range all {
			wait(t, f)
		}
		p.Release()
	})
}

// A call on a promise whose own results nobody wants, and which never come.
func TestPipelineOnCallThatNeverReturns(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		inner := serve(t, counter())
		ended := make(chan struct{})
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			c.Go()
			c.SetPipeline(inner.Retain(), 0)
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		}))
		boot := v.boot()
		defer boot.Release()
		f := call(t.Context(), boot, 0)
		for i := range uint64(10) {
			expect(t, call(t.Context(), f.Client(0), i), i)
		}
		f.Release()
		<-ended
	})
}

// A chain of promises leaves before any of them is there.
func TestPipelineChain(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var self rpc.Client
		self = serve(t, func(_ context.Context, c *rpc.Call) error {
			n := c.Params().Uint64(0)
			give(c, self.Retain())
			c.NewResults(size).SetUint64(0, n)
			return nil
		})
		v := connect(self.Retain())
		boot := v.boot()
		defer boot.Release()
		for range 20 {
			var all []rpc.Future
			to := boot
			for i := range uint64(50) {
				f := call(t.Context(), to, i)
				all = append(all, f)
				to = f.Client(0)
			}
			for i := len(all) - 1; i >= 0; i-- {
				expect(t, all[i], uint64(i))
			}
		}
	})
}

func TestPipelinedOnNoCapability(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, double))
		boot := v.boot()
		defer boot.Release()
		f := call(t.Context(), boot, 1)
		expectError(t, call(t.Context(), f.Client(0), 0), rpc.ErrFailed, "")
		expectError(t, call(t.Context(), f.Client(0, 3, 5), 0), rpc.ErrFailed, "")
		expect(t, f, 2)
		expect(t, call(t.Context(), boot, 4), 8)
	})
}

// Handles fall when references and responses are dropped.
func TestReleaseCounts(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var live atomic.Int64
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			live.Add(1)
			give(c, rpc.Serve(rpc.Server{Interface: 1, Dispatch: double, Object: down{func() { live.Add(-1) }}}))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		is := func(n int64) {
			t.Helper()
			within(t, func() string {
				if got := live.Load(); got != n {
					return fmt.Sprintf("%d handles are there, want %d", got, n)
				}
				return ""
			})
		}
		f1, f2 := call(t.Context(), boot, 0), call(t.Context(), boot, 0)
		s, err := f1.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		h1 := rpc.ReadClient(s.Ptr(0)).Retain()
		h2 := f2.Client(0).Retain()
		is(2)
		f1.Release()
		expect(t, call(t.Context(), h1, 3), 6)
		expect(t, call(t.Context(), h2, 4), 8)
		is(2)
		h1.Release()
		is(1)
		f2.Release()
		expect(t, call(t.Context(), h2, 5), 10)
		h2.Release()
		is(0)
	})
}

type down struct{ f func() }

func (d down) Shutdown() { d.f() }

// A Finish that crosses the Return leaves nothing behind.
func TestFinishCrossesReturn(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var live atomic.Int64
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			live.Add(1)
			give(c, rpc.Serve(rpc.Server{Interface: 1, Dispatch: double, Object: down{func() { live.Add(-1) }}}))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		for i := range 200 {
			f := call(t.Context(), boot, 0)
			if i%3 == 0 {
				expect(t, call(t.Context(), f.Client(0), 1), 2)
			}
			f.Release()
		}
		expect(t, call(t.Context(), boot, 0), 0)
		within(t, func() string {
			if n := live.Load(); n != 0 {
				return fmt.Sprintf("%d handles are left", n)
			}
			return ""
		})
	})
}

// A capability that comes back to where it is hosted is the object itself: it is
// called without a message.
func TestComesHome(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var kept rpc.Client
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			if c.Params().Uint64(0) == 0 {
				kept = param(c)
			} else {
				give(c, kept)
			}
			return nil
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		local := serve(t, double)
		wait(t, callWith(t.Context(), boot, 0, local.Retain()))
		f := call(t.Context(), boot, 1)
		s, err := f.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		home := rpc.ReadClient(s.Ptr(0))
		before := v.a.Stats()
		for i := range uint64(10) {
			expect(t, call(t.Context(), home, i), 2*i)
		}
		if after := v.a.Stats(); after.Calls != before.Calls {
			t.Errorf("%d calls were sent to get back to ourselves", after.Calls-before.Calls)
		}
		f.Release()
	})
}

func TestCapabilitiesInParams(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var back, twice atomic.Int64
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			cb := param(c)
			defer cb.Release()
			var sum uint64
			for i := range c.Params().Uint64(0) {
				f := call(ctx, cb, i)
				s, err := f.Wait(ctx)
				if err != nil {
					return err
				}
				sum += s.Uint64(0)
				f.Release()
			}
			back.Add(1)
			c.NewResults(size).SetUint64(0, sum)
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		local := serve(t, double)
		t.Run("called back", func(t *testing.T) {
			expect(t, callWith(t.Context(), boot, 5, local.Retain()), 20)
		})
		t.Run("the peer's own", func(t *testing.T) {
			expect(t, callWith(t.Context(), boot, 0, boot.Retain()), 0)
		})
		t.Run("a promise of the peer's", func(t *testing.T) {
			f := call(t.Context(), boot, 0)
			expectError(t, callWith(t.Context(), boot, 1, f.Client(0).Retain()), rpc.ErrFailed, "")
			f.Release()
		})
		t.Run("broken", func(t *testing.T) {
			expectError(t, callWith(t.Context(), boot, 1, rpc.Broken(fmt.Errorf("%w: nobody there", rpc.ErrOverloaded))), rpc.ErrOverloaded, "nobody there")
		})
		t.Run("null", func(t *testing.T) {
			expectError(t, callWith(t.Context(), boot, 1, rpc.Client{}), rpc.ErrFailed, "null")
		})
		t.Run("the same twice", func(t *testing.T) {
			c := served(t, func(_ context.Context, c *rpc.Call) error { twice.Add(1); return nil })
			var all []rpc.Future
			for range 2 {
				all = append(all, callWith(t.Context(), boot, 3, c.Retain()))
			}
			if v.a != nil {
				if n := v.a.Stats().Exports; n > 2 {
					t.Errorf("%d exports of one capability", n)
				}
			}
			c.Release()
			for _, f := range all {
				wait(t, f)
			}
			if n := twice.Load(); n != 6 {
				t.Errorf("%d calls, want 6", n)
			}
		})
		t.Run("a promise that resolves later", func(t *testing.T) {
			p, resolve := rpc.NewPromise()
			f := callWith(t.Context(), boot, 4, p)
			resolve.Resolve(local.Retain())
			expect(t, f, 12)
		})
		t.Run("a promise that breaks", func(t *testing.T) {
			p, resolve := rpc.NewPromise()
			f := callWith(t.Context(), boot, 4, p)
			resolve.Reject(fmt.Errorf("%w: no", rpc.ErrOverloaded))
			expectError(t, f, rpc.ErrOverloaded, "no")
		})
		t.Run("a promise of the peer's object", func(t *testing.T) {
			p, resolve := rpc.NewPromise()
			f := callWith(t.Context(), boot, 0, p)
			resolve.Resolve(boot.Retain())
			expect(t, f, 0)
		})
	})
}

// Order holds through the resolution of a promise: calls that were made on the
// way to the peer come before those that were made when it turned out to be here.
func TestEmbargo(t *testing.T) {
	for _, kind := range []string{"Return", "Resolve"} {
		t.Run(kind, func(t *testing.T) {
			everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
				// The bootstrap gives its parameter back, or a promise of it.
				v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
					cl := param(c)
					if kind == "Resolve" {
						p, resolve := rpc.NewPromise()
						give(c, p)
						go resolve.Resolve(cl)
						return nil
					}
					give(c, cl)
					return nil
				}))
				boot := v.boot()
				defer boot.Release()
				local := serve(t, counter())
				f := callWith(t.Context(), boot, 0, local.Retain())
				p := f.Client(0).Retain()
				var all []rpc.Future
				n := uint64(0)
				more := func() {
					for range 3 {
						all = append(all, call(t.Context(), p, n))
						n++
					}
				}
				more()
				if _, err := f.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				more()
				wait(t, all[0])
				all = all[1:]
				more()
				for _, f := range all {
					wait(t, f)
				}
				more()
				for _, f := range all[8:] {
					wait(t, f)
				}
				f.Release()
				p.Release()
			})
		})
	}
}

// An embargoed promise that ends in an error fails its calls, and only those.
func TestEmbargoError(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		p, resolve := rpc.NewPromise()
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			if c.Params().Uint64(0) == 1 {
				return nil
			}
			give(c, param(c))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		f := callWith(t.Context(), boot, 0, p)
		cl := f.Client(0).Retain()
		all := []rpc.Future{call(t.Context(), cl, 0), call(t.Context(), cl, 1)}
		if _, err := f.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		all = append(all, call(t.Context(), cl, 2))
		resolve.Reject(errors.New("it was not to be"))
		for _, f := range all {
			expectError(t, f, rpc.ErrFailed, "not to be")
		}
		f.Release()
		cl.Release()
		wait(t, call(t.Context(), boot, 1))
	})
}

func TestNoEmbargoForNull(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, double))
		boot := v.boot()
		defer boot.Release()
		f := call(t.Context(), boot, 1)
		cl := f.Client(0).Retain()
		first := call(t.Context(), cl, 0)
		wait(t, f)
		expectError(t, first, rpc.ErrFailed, "")
		expectError(t, call(t.Context(), cl, 0), rpc.ErrFailed, "")
		cl.Release()
	})
}

// A call that waits for a promise of the peer's that is then rejected.
func TestHeldCallOnPromiseThatRejects(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		p, resolve := rpc.NewPromise()
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			give(c, p.Retain())
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		f := call(t.Context(), boot, 0)
		s, err := f.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held := call(t.Context(), rpc.ReadClient(s.Ptr(0)), 0)
		resolve.Reject(fmt.Errorf("%w: too late", rpc.ErrOverloaded))
		expectError(t, held, rpc.ErrOverloaded, "too late")
		f.Release()
		p.Release()
	})
}

func TestRemoteTailCall(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		// The bootstrap passes its call on to its parameter, which is here.
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			to := param(c)
			defer to.Release()
			c.TailCall(call(ctx, to, c.Params().Uint64(0)))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		inner := serve(t, counter())
		outer := serve(t, func(_ context.Context, c *rpc.Call) error {
			give(c, inner.Retain())
			c.NewResults(size).SetUint64(0, c.Params().Uint64(0)+1)
			return nil
		})
		for i := range uint64(20) {
			f := callWith(t.Context(), boot, i, outer.Retain())
			var p []rpc.Future
			for k := range uint64(3) {
				p = append(p, call(t.Context(), f.Client(0), 5*i+k))
			}
			if _, err := f.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			for k := range uint64(2) {
				p = append(p, call(t.Context(), f.Client(0), 5*i+3+k))
			}
			for _, f := range p {
				wait(t, f)
			}
			expect(t, f, i+1)
		}
	})
}

// Cancelling the outer call cancels the one that it passed on.
func TestTailCallCancelled(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			to := param(c)
			defer to.Release()
			c.TailCall(call(ctx, to, 0))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		for range 20 {
			started, ended := make(chan struct{}), make(chan struct{})
			inner := served(t, func(ctx context.Context, _ *rpc.Call) error {
				close(started)
				<-ctx.Done()
				close(ended)
				return ctx.Err()
			})
			f := callWith(t.Context(), boot, 0, inner)
			<-started
			f.Release()
			<-ended
		}
	})
}

// The same without waiting for anything: whatever comes first, nothing is left.
func TestTailCallCancelRace(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			to := param(c)
			defer to.Release()
			c.TailCall(call(ctx, to, 0))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		inner := serve(t, func(_ context.Context, c *rpc.Call) error { return nil })
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for i := range 100 {
					f := callWith(t.Context(), boot, 0, inner.Retain())
					if i%2 == 0 {
						call(t.Context(), f.Client(0), 0).Release()
					}
					f.Release()
				}
			})
		}
		wg.Wait()
	})
}

func TestRemoteCancel(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(f rpc.Future, cancel context.CancelFunc)
	}{
		{"by release", func(f rpc.Future, _ context.CancelFunc) { f.Release() }},
		{"by context, waiting on Done", func(f rpc.Future, cancel context.CancelFunc) {
			done := f.Done()
			cancel()
			<-done
			f.Release()
		}},
		{"by context, waiting", func(f rpc.Future, cancel context.CancelFunc) {
			go cancel()
			if _, err := f.Wait(context.Background()); err == nil {
				t.Error("no error")
			}
			f.Release()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
				started, ended := make(chan struct{}), make(chan struct{})
				gone := make(chan struct{})
				v := connect(served(t, func(ctx context.Context, _ *rpc.Call) error {
					close(started)
					<-ctx.Done()
					close(ended)
					return ctx.Err()
				}))
				boot := v.boot()
				defer boot.Release()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				// A cancelled call releases its parameters.
				f := callWith(ctx, boot, 0, rpc.Serve(rpc.Server{Interface: 1, Dispatch: double, Object: down{func() { close(gone) }}}))
				<-started
				test.end(f, cancel)
				<-ended
				<-gone
			})
		})
	}
}

// A call that waits in a queue is cancelled there, with its parameters.
func TestDroppedPromiseReleasesParams(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		p, resolve := rpc.NewPromise()
		v := connect(p)
		boot := v.boot()
		gone := make(chan struct{})
		f := callWith(t.Context(), boot, 0, rpc.Serve(rpc.Server{Interface: 1, Dispatch: double, Object: down{func() { close(gone) }}}))
		f.Release()
		<-gone
		boot.Release()
		resolve.Reject(errors.New("done"))
	})
}

// Dropping a capability while a call on it runs does not end the object.
func TestDropDuringCall(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		started, release := make(chan struct{}), make(chan struct{})
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			give(c, rpc.Serve(rpc.Server{Interface: 1, Object: down{func() {
				select {
				case <-release:
				default:
					t.Error("shut down while a call runs")
				}
			}}, Dispatch: func(_ context.Context, c *rpc.Call) error {
				close(started)
				<-release
				c.NewResults(size).SetUint64(0, 7)
				return nil
			}}))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		f := call(t.Context(), boot, 0)
		g := call(t.Context(), f.Client(0), 0)
		f.Release()
		g.Done() // it leaves
		<-started
		close(release)
		expect(t, g, 7)
	})
}

func TestVatConnectedToItself(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var v vats
		v = connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			n := c.Params().Uint64(0)
			if n == 0 {
				return nil
			}
			to := v.a.Bootstrap()
			defer to.Release()
			f := call(ctx, to, n-1)
			defer f.Release()
			s, err := f.Wait(ctx)
			c.NewResults(size).SetUint64(0, s.Uint64(0)+n)
			return err
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		expect(t, call(t.Context(), boot, 10), 55)
	})
}

// Two hops: a vat in the middle passes on what it got from one to the other.
func TestTwoHops(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		far := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			give(c, param(c))
			return nil
		}))
		middle := far.boot()
		near := connect(middle)
		boot := near.boot()
		defer boot.Release()
		local := serve(t, counter())
		f := callWith(t.Context(), boot, 0, local.Retain())
		p := f.Client(0).Retain()
		var all []rpc.Future
		for i := range uint64(6) {
			if i == 3 {
				if _, err := f.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			all = append(all, call(t.Context(), p, i))
		}
		for i, f := range all {
			expect(t, f, uint64(i))
		}
		f.Release()
		p.Release()
	})
}

func TestHugeMessageFailsThatCallOnly(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			if c.Params().Uint64(0) == 1 {
				c.NewResults(size).Ptr(0).NewData(65 << 20)
			}
			return nil
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		r := boot.NewCall(t.Context(), echo, size)
		r.Params().Ptr(0).NewData(65 << 20)
		expectError(t, r.Send(), rpc.ErrFailed, "at most 67108864")
		expectError(t, call(t.Context(), boot, 1), rpc.ErrFailed, "at most 67108864")
		wait(t, call(t.Context(), boot, 0))
	})
}

func TestLargeMessages(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			c.NewResults(size).SetData(0, c.Params().Data(0))
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		var all []rpc.Future
		for i := range 12 { // less than may wait to be written
			r := boot.NewCall(t.Context(), echo, size)
			d := r.Params().NewData(0, 1<<20)
			d[i] = byte(i + 1)
			all = append(all, r.Send())
		}
		for i, f := range all {
			s, err := f.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := s.Data(0); len(d) != 1<<20 || d[i] != byte(i+1) {
				t.Errorf("%d bytes with %d at %d", len(d), d[i], i)
			}
			f.Release()
		}
	})
}

func TestRemoteStream(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var n, max, running atomic.Int64
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			if running.Add(1) > 1 {
				max.Store(2)
			}
			defer running.Add(-1)
			if n.Add(1) == 400 {
				return fmt.Errorf("%w: number 400", rpc.ErrOverloaded)
			}
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		for range 300 {
			if err := stream(t.Context(), t.Context(), boot); err != nil {
				t.Fatal(err)
			}
		}
		if err := boot.WaitStreaming(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 300 {
			if err := stream(t.Context(), t.Context(), boot); err != nil {
				break
			}
		}
		for range 2 {
			if err := boot.WaitStreaming(t.Context()); !errors.Is(err, rpc.ErrOverloaded) {
				t.Errorf("error %v, want overloaded", err)
			}
		}
		if max.Load() > 1 {
			t.Error("two calls of a stream ran at once")
		}
	})
}

// Forty goroutines at once, with capabilities and without.
func TestConcurrentCalls(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			r := c.NewResults(size)
			r.SetUint64(0, c.Params().Uint64(0)+1)
			if c.Params().Has(0) {
				rpc.SetClient(r.Ptr(0), param(c))
			}
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		local := serve(t, double)
		var wg sync.WaitGroup
		for g := range 40 {
			wg.Go(func() {
				for i := range uint64(50) {
					if g%2 == 0 {
						expect(t, call(t.Context(), boot, i), i+1)
						continue
					}
					f := callWith(t.Context(), boot, i, local.Retain())
					expect(t, call(t.Context(), f.Client(0), i), 2*i)
					expect(t, f, i+1)
				}
			})
		}
		wg.Wait()
	})
}

var _ segment.Struct
