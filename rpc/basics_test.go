package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
)

// served is a capability that a test hands to one of the vats: its own share is
// released at once.
func served(t *testing.T, h handler) rpc.Client {
	t.Helper()
	return serve(t, h).Retain()
}

func TestRemoteCall(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, double))
		boot := v.boot()
		defer boot.Release()
		for i := range uint64(100) {
			if got := wait(t, call(t.Context(), boot, i)); got != 2*i {
				t.Fatalf("got %d, want %d", got, 2*i)
			}
		}
	})
}

func TestRemoteErrors(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			switch c.Params().Uint64(0) {
			case 0:
				return errors.New("no luck")
			case 1:
				return fmt.Errorf("%w: 9 of 9 seats taken", rpc.ErrOverloaded)
			case 2:
				return fmt.Errorf("%w: the database is gone", rpc.ErrDisconnected)
			case 3:
				return c.Unimplemented()
			case 4:
				return errors.New(strings.Repeat("é", 2000))
			case 5:
				panic("a secret")
			}
			return nil
		}))
		boot := v.boot()
		defer boot.Release()
		for n, test := range []struct {
			is    error
			holds string
		}{
			{rpc.ErrFailed, "rpc: failed: no luck"},
			{rpc.ErrOverloaded, "rpc: overloaded: 9 of 9 seats taken"},
			{rpc.ErrDisconnected, "rpc: disconnected: the database is gone"},
			{rpc.ErrUnimplemented, "#0"},
			{rpc.ErrFailed, "…"},
			{rpc.ErrFailed, "panicked"},
		} {
			f := call(t.Context(), boot, uint64(n))
			p := call(t.Context(), f.Client(0), 0) // fails alike
			for _, f := range []rpc.Future{f, p} {
				_, err := f.Wait(t.Context())
				if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.holds) || len(err.Error()) > 1100 || strings.Contains(err.Error(), "secret") {
					t.Errorf("%d: error %.200q, want one with %q that is %q", n, err, test.holds, test.is)
				}
			}
			p.Release()
			f.Release()
		}
	})
}

func TestNoBootstrap(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		v := connect(rpc.Client{})
		boot := v.a.Bootstrap()
		defer boot.Release()
		f := call(t.Context(), boot, 0)
		defer f.Release()
		if _, err := f.Wait(t.Context()); !errors.Is(err, rpc.ErrFailed) || !strings.Contains(err.Error(), "no bootstrap") {
			t.Errorf("error %v", err)
		}
	})
}
