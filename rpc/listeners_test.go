package rpc_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
)

// heap is how much is reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC() // and what the first left in pools
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// Who has waited for a promise that is never resolved, and does no more, leaves
// nothing with it.
func TestListenersGo(t *testing.T) {
	p, f := rpc.NewPromise()
	defer p.Release()
	defer f.Reject(errors.New("over"))
	v := meet(t, wirings[0], served(t, func(_ context.Context, c *rpc.Call) error {
		give(c, p.Retain())
		return nil
	}), rpc.Limits{})
	boot := v.a.Bootstrap()
	defer boot.Release()
	for _, test := range []struct {
		name string
		wait func()
	}{
		{"an export", func() { wait(t, call(t.Context(), boot, 0)) }},
		{"a caller", func() {
			if err := p.WaitResolved(over); !errors.Is(err, context.Canceled) {
				t.Fatalf("error %v", err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rounds := func(n int) {
				for range n {
					test.wait()
				}
			}
			rounds(1000)
			before := heap()
			rounds(30000)
			if more := heap() - before; more > 1<<20 {
				t.Errorf("30000 of them have left %d bytes", more)
			}
		})
	}
}
