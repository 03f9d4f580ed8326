package rpc

import (
	"bytes"
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// goroutine names the goroutine that it is called on.
func goroutine() string {
	b := make([]byte, 64)
	name, _, _ := bytes.Cut(b[:runtime.Stack(b, false)], []byte("["))
	return string(name)
}

func (o *object) waits() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.left
}

// A fresh object whose method is known to be quick is called by the one who waits.
func TestQuickMethodsAreLeft(t *testing.T) {
	method := Method{0xb0b5_1e55_0000_0001, 3}
	ctx := context.Background()
	ran := make(chan string, 1)
	serve := func() (Client, *object) {
		c := Serve(Server{Dispatch: func(_ context.Context, c *Call) error {
			SetClient(c.NewResults(segment.Size{Ptrs: 1}).Ptr(0), Serve(Server{Dispatch: func(context.Context, *Call) error { return nil }}))
			ran <- goroutine()
			return nil
		}})
		t.Cleanup(c.Release)
		return c, c.t.(*object)
	}
	send := func(c Client) Future {
		f := c.NewCall(ctx, method, segment.Size{}).Send()
		t.Cleanup(f.Release)
		return f
	}
	quick := func() { local.of(method).Store(0) }

	t.Run("waited for", func(t *testing.T) {
		until(t, "the handler runs on the goroutine that waits", func() bool { // if the keeper is not faster
			c, _ := serve()
			quick()
			if _, err := send(c).Wait(ctx); err != nil {
				t.Fatal(err)
			}
			return <-ran == goroutine()
		})
	})
	t.Run("not known", func(t *testing.T) {
		c, _ := serve()
		local.of(method).Store(trusted)
		send(c)
		if who := <-ran; who == goroutine() {
			t.Error("the handler ran on the caller's goroutine")
		}
	})
	t.Run("nobody waits", func(t *testing.T) {
		c, o := serve()
		quick()
		send(c)
		if who := <-ran; who == goroutine() { // the keeper has it started
			t.Error("the handler ran on the caller's goroutine")
		}
		if local.quick(method) {
			t.Error("the method is left again, though nobody came for a call of it")
		}
		until(t, "the keeper forgets the object", func() bool {
			keep.mu.Lock()
			defer keep.mu.Unlock()
			return !slices.Contains(keep.objects, o)
		})
	})
	t.Run("pipelined", func(t *testing.T) {
		c, o := serve()
		for {
			quick()
			f := send(c)
			next := f.Client(0)
			left := o.waits() // unless the keeper was faster
			g := next.NewCall(ctx, method, segment.Size{}).Send()
			if o.waits() {
				t.Fatal("a call on its results does not start a call")
			}
			_, err := g.Wait(ctx)
			g.Release()
			<-ran
			if err != nil {
				t.Fatal(err)
			}
			if left {
				return // a capability of its results alone has not started it
			}
		}
	})
}
