package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
)

// When the connection is lost, from either side, every call ends: those under
// way, those pipelined on them, and later ones, which say that they were not
// sent.
func TestDisconnect(t *testing.T) {
	for _, side := range []string{"ours", "the peer's"} {
		t.Run(side, func(t *testing.T) {
			onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
				started, ended := make(chan struct{}), make(chan struct{})
				v := connect(served(t, func(ctx context.Context, _ *rpc.Call) error {
					close(started)
					<-ctx.Done()
					close(ended)
					return ctx.Err()
				}))
				boot := v.a.Bootstrap()
				defer boot.Release()
				p, resolve := rpc.NewPromise()
				f := callWith(t.Context(), boot, 0, p)
				g := call(t.Context(), f.Client(0), 1)
				queued := call(t.Context(), boot, 2) // behind the first, on the object
				f.Done()                             // it leaves
				<-started
				for v.b.Stats().Received < 4 { // the bootstrap and the calls: all have left
					runtime.Gosched()
				}
				if side == "ours" {
					v.a.Close()
				} else {
					v.b.Close()
				}
				for _, f := range []rpc.Future{f, g, queued} {
					expectError(t, f, rpc.ErrDisconnected, "was sent")
				}
				<-ended
				<-v.a.Done()
				<-v.b.Done()
				late := call(t.Context(), boot, 3)
				_, err := late.Wait(t.Context())
				var e *rpc.Exception
				if !errors.As(err, &e) || e.Type != rpc.Disconnected {
					t.Errorf("a call afterwards: %v", err)
				}
				late.Release()
				if !errors.Is(v.a.Err(), rpc.ErrDisconnected) {
					t.Errorf("the connection ended with %v", v.a.Err())
				}
				resolve.Reject(errors.New("over"))
			})
		})
	}
}

// What fails because it never left says so.
func TestNotSent(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			give(c, param(c))
			return nil
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		f := callWith(t.Context(), boot, 0, boot.Retain())
		s, err := f.Wait(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		theirs := rpc.ReadClient(s.Ptr(0)).Retain()
		defer theirs.Release()
		f.Release()
		v.a.Close()
		late := call(t.Context(), theirs, 0)
		defer late.Release()
		_, err = late.Wait(t.Context())
		var e *rpc.Exception
		if !errors.As(err, &e) || e.Type != rpc.Disconnected || !e.NotSent {
			t.Errorf("error %v, want one that it was not sent", err)
		}
	})
}

// Shutdown waits for the calls under way.
func TestShutdown(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		started, release := make(chan struct{}), make(chan struct{})
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			close(started)
			<-release
			c.NewResults(size).SetUint64(0, 9)
			return nil
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		f := call(t.Context(), boot, 0)
		f.Done()
		<-started
		done := make(chan error, 1)
		go func() { done <- v.b.Shutdown(t.Context()) }()
		close(release)
		expect(t, f, 9)
		if err := <-done; err != nil {
			t.Error(err)
		}
		<-v.a.Done()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := v.a.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
