package rpc

import (
	"context"
	"runtime"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// What streams on a promise is counted together with what follows it, at every instant
// of the promise's becoming something else: for else there would be twice as much
// under way.
func TestFlowsMoveWhole(t *testing.T) {
	serve := func() Client {
		return Serve(Server{Dispatch: func(context.Context, *Call) error { return nil }})
	}
	for _, test := range []struct {
		name string
		make func() (c Client, resolve func())
	}{
		{"a promise", func() (Client, func()) {
			c, f := NewPromise()
			return c, func() { f.Resolve(serve()) }
		}},
		{"results", func() (Client, func()) {
			x := newExchange(t.Context(), Method{})
			c := Client{&promised{f: x.future(), path: []uint16{0}}}
			return c, func() {
				SetClient(x.newResults(segment.Size{Ptrs: 1}).Ptr(0), serve())
				x.refuse(nil)
			}
		}},
		{"an import", func() (Client, func()) {
			_, conn := staged(t)
			c, err := conn.takeImport(1, true)
			if err != nil {
				t.Fatal(err)
			}
			return c, func() { conn.resolveImport(c.t.(*importCap), serve(), false) }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, resolve := test.make()
			defer c.Release()
			flow := c.flow()
			flow.mu.Lock() // so that it does not get further
			done := make(chan struct{})
			go func() {
				defer close(done)
				resolve()
			}()
			for merging.TryLock() { // until it has got there
				merging.Unlock()
				runtime.Gosched()
			}
			if c.flow() != flow {
				t.Error("who streams on now finds nothing under way")
			}
			flow.mu.Unlock()
			<-done
			if now := c.flow(); now == flow || flow.lock() != now {
				t.Error("the flow is not a part of what it has become")
			} else {
				now.mu.Unlock()
			}
		})
	}
}
