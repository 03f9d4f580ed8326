package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The interface of the tests: parameters and results are one struct of one data
// word and one pointer.
var (
	size  = segment.Size{DataWords: 1, Ptrs: 1}
	echo  = rpc.Method{Interface: 1, Ordinal: 0}
	other = rpc.Method{Interface: 1, Ordinal: 1}
)

type handler = func(ctx context.Context, call *rpc.Call) error

// object is closed when it is shut down.
type object chan struct{}

func (o object) Shutdown() { close(o) }

func serve(t *testing.T, h handler) rpc.Client {
	t.Helper()
	down := make(object)
	c := rpc.Serve(rpc.Server{Interface: 1, Dispatch: h, Object: down})
	t.Cleanup(func() {
		c.Release()
		select {
		case <-down:
		case <-time.After(10 * time.Second):
			t.Error("the server is not shut down: a reference is left")
		}
	})
	return c
}

func call(ctx context.Context, c rpc.Client, n uint64) rpc.Future {
	r := c.NewCall(ctx, echo, size)
	r.Params().SetUint64(0, n)
	return r.Send()
}

func wait(t *testing.T, f rpc.Future) uint64 {
	t.Helper()
	defer f.Release()
	s, err := f.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Uint64(0)
}

func double(_ context.Context, c *rpc.Call) error {
	c.NewResults(size).SetUint64(0, 2*c.Params().Uint64(0))
	return nil
}

func TestCall(t *testing.T) {
	if got := wait(t, call(t.Context(), serve(t, double), 21)); got != 42 {
		t.Errorf("got %d, want 42", got)
	}
}

// Calls on one object start in order and one at a time.
func TestOrder(t *testing.T) {
	var next uint64
	c := serve(t, func(_ context.Context, c *rpc.Call) error {
		if n := c.Params().Uint64(0); n != next {
			return fmt.Errorf("call %d came as number %d", n, next)
		}
		next++
		return nil
	})
	var all []rpc.Future
	for i := range uint64(1000) {
		all = append(all, call(t.Context(), c, i))
	}
	for _, f := range all {
		wait(t, f)
	}
}

// A handler that calls Go, or waits for another call, does not hold up the next.
func TestGoAndWait(t *testing.T) {
	t.Run("Go", func(t *testing.T) {
		release := make(chan struct{})
		c := serve(t, func(_ context.Context, c *rpc.Call) error {
			if c.Params().Uint64(0) == 0 {
				c.Go()
				<-release
			}
			return nil
		})
		first := call(t.Context(), c, 0)
		wait(t, call(t.Context(), c, 1))
		close(release)
		wait(t, first)
	})
	t.Run("Wait on oneself", func(t *testing.T) {
		var self rpc.Client
		self = serve(t, func(ctx context.Context, c *rpc.Call) error {
			n := c.Params().Uint64(0)
			if n == 0 {
				return nil
			}
			f := call(ctx, self, n-1)
			defer f.Release()
			s, err := f.Wait(ctx)
			c.NewResults(size).SetUint64(0, s.Uint64(0)+n)
			return err
		})
		if got := wait(t, call(t.Context(), self, 10)); got != 55 {
			t.Errorf("got %d, want 55", got)
		}
	})
}

// Calls on a promised capability run in order before and after it is there.
func TestPipeline(t *testing.T) {
	var next uint64
	inner := serve(t, func(_ context.Context, c *rpc.Call) error {
		if n := c.Params().Uint64(0); n != next {
			return fmt.Errorf("call %d came as number %d", n, next)
		}
		next++
		return nil
	})
	release := make(chan struct{})
	outer := serve(t, func(_ context.Context, c *rpc.Call) error {
		<-release
		rpc.SetClient(c.NewResults(size).Ptr(0), inner.Retain())
		return nil
	})
	f := call(t.Context(), outer, 0)
	p := f.Client(0).Retain()
	var all []rpc.Future
	for i := range uint64(100) {
		all = append(all, call(t.Context(), p, i))
		if i == 50 {
			f.Release() // the calls keep their promise
			close(release)
		}
	}
	for _, f := range all {
		wait(t, f)
	}
	p.Release()
}

func TestErrors(t *testing.T) {
	ctx := t.Context()
	boom := serve(t, func(_ context.Context, c *rpc.Call) error {
		switch c.Params().Uint64(0) {
		case 0:
			return errors.New("no luck")
		case 1:
			return fmt.Errorf("%w: 9 of 9 seats taken", rpc.ErrOverloaded)
		case 2:
			panic("a secret")
		case 3:
			return c.Unimplemented()
		case 4:
			return errors.New(strings.Repeat("é", 2000))
		}
		return nil
	})
	for _, test := range []struct {
		name  string
		to    rpc.Client
		n     uint64
		is    error
		holds string
	}{
		{"plain error", boom, 0, rpc.ErrFailed, "no luck"},
		{"type kept", boom, 1, rpc.ErrOverloaded, "overloaded: 9 of 9 seats taken"},
		{"panic", boom, 2, rpc.ErrFailed, "panicked"},
		{"unimplemented", boom, 3, rpc.ErrUnimplemented, "#0"},
		{"long", boom, 4, rpc.ErrFailed, "…"},
		{"null", rpc.Client{}, 0, rpc.ErrFailed, "null capability"},
		{"broken", rpc.Broken(fmt.Errorf("%w: gone", rpc.ErrDisconnected)), 0, rpc.ErrDisconnected, "gone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := call(ctx, test.to, test.n)
			defer f.Release()
			p := call(ctx, f.Client(0), 0) // fails alike
			defer p.Release()
			for _, f := range []rpc.Future{f, p} {
				_, err := f.Wait(ctx)
				var e *rpc.Exception
				if !errors.Is(err, test.is) || !errors.As(err, &e) || !strings.Contains(err.Error(), test.holds) {
					t.Errorf("error %q, want one with %q that is %q", err, test.holds, test.is)
				}
				if strings.Contains(err.Error(), "secret") || len(err.Error()) > 1100 {
					t.Errorf("error says too much: %q", err)
				}
			}
		})
	}
	t.Run("pipelined on no capability", func(t *testing.T) {
		f := call(ctx, boom, 9)
		defer f.Release()
		p := call(ctx, f.Client(0), 0)
		defer p.Release()
		if _, err := p.Wait(ctx); !errors.Is(err, rpc.ErrFailed) {
			t.Errorf("error %v", err)
		}
	})
}

func TestCancel(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(f rpc.Future, cancel context.CancelFunc)
	}{
		{"by release", func(f rpc.Future, _ context.CancelFunc) { f.Release() }},
		{"by context", func(f rpc.Future, cancel context.CancelFunc) { cancel(); <-f.Done(); f.Release() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			started, ended := make(chan struct{}), make(chan struct{})
			c := serve(t, func(ctx context.Context, _ *rpc.Call) error {
				close(started)
				<-ctx.Done()
				close(ended)
				return ctx.Err()
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := call(ctx, c, 0)
			<-started
			test.end(f, cancel)
			<-ended
		})
	}
}

func TestTailCall(t *testing.T) {
	inner := serve(t, double)
	outer := serve(t, func(ctx context.Context, c *rpc.Call) error {
		c.TailCall(call(ctx, inner, c.Params().Uint64(0)))
		return nil
	})
	if got := wait(t, call(t.Context(), outer, 4)); got != 8 {
		t.Errorf("got %d, want 8", got)
	}
	fails := serve(t, func(ctx context.Context, c *rpc.Call) error {
		c.TailCall(call(ctx, rpc.Broken(rpc.ErrOverloaded), 0))
		return nil
	})
	f := call(t.Context(), fails, 0)
	defer f.Release()
	if _, err := f.Wait(t.Context()); !errors.Is(err, rpc.ErrOverloaded) {
		t.Errorf("error %v, want overloaded", err)
	}
}

func TestCapabilityAsParameter(t *testing.T) {
	inner := serve(t, double)
	outer := serve(t, func(ctx context.Context, c *rpc.Call) error {
		f := call(ctx, rpc.ReadClient(c.Params().Ptr(0)), 5)
		defer f.Release()
		s, err := f.Wait(ctx)
		c.NewResults(size).SetUint64(0, s.Uint64(0))
		return err
	})
	r := outer.NewCall(t.Context(), other, size)
	rpc.SetClient(r.Params().Ptr(0), inner.Retain())
	if got := wait(t, r.Send()); got != 10 {
		t.Errorf("got %d, want 10", got)
	}
}

// At most the window's bytes are under way, and what waits for room ends with
// its context.
func TestStreamWindow(t *testing.T) {
	gate := make(chan struct{})
	c := serve(t, func(_ context.Context, c *rpc.Call) error { <-gate; return nil })
	const fit = 17 // of 4 KiB and a little: the last two exceed the window
	for i := range fit {
		if err := stream(t.Context(), t.Context(), c); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := stream(t.Context(), ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("call %d: error %v, want that of the context", fit, err)
	}
	close(gate)
	if err := c.WaitStreaming(t.Context()); err != nil {
		t.Error(err)
	}
}

// The first call that fails breaks the stream.
func TestStreamError(t *testing.T) {
	var calls atomic.Int64
	c := serve(t, func(_ context.Context, c *rpc.Call) error {
		if calls.Add(1) == 5 {
			return fmt.Errorf("%w: number 5", rpc.ErrOverloaded)
		}
		return nil
	})
	for range 5 {
		if err := stream(t.Context(), t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{c.WaitStreaming(t.Context()), stream(t.Context(), t.Context(), c), c.WaitStreaming(t.Context())} {
		if !errors.Is(err, rpc.ErrOverloaded) {
			t.Errorf("error %v, want overloaded", err)
		}
	}
}

func stream(call, wait context.Context, c rpc.Client) error {
	r := c.NewCall(call, echo, size)
	r.Params().Ptr(0).SetData(make([]byte, 4096))
	return r.Stream(wait)
}
