package rpc

import (
	"context"
	"sync/atomic"
)

// ServerOf gives the object behind a capability that this process serves, if it
// is a T: what is given to a generated Serve function, or [Server.Object]. It
// waits for what c becomes if it is a promise, until ctx ends, and is false for
// a capability of another process, or one that a wrapper stands before.
//
// So a server knows again what it has handed out, when it comes back as a
// parameter. The object is shared with its handlers, and lives as long as c.
func ServerOf[T any](ctx context.Context, c Client) (_ T, ok bool) {
	var none T
	if c.WaitResolved(ctx) != nil {
		return none, false
	}
	in, _ := c.innermost()
	o, ok := in.t.(*object)
	if !ok {
		return none, false
	}
	s, ok := o.server.Object.(T)
	return s, ok
}

// WaitResolved waits until c is no promise any more, or ctx ends. The error is
// ctx's, or that of a capability which is broken. Nobody has to wait before
// calling a capability.
func (c Client) WaitResolved(ctx context.Context) error {
	c.Retain()
	defer c.Release()
	var left atomic.Bool
	defer left.Store(true)
	for hops := 0; ; hops++ {
		in, isOpen := c.innermost()
		if b, ok := in.t.(*broken); ok {
			return b.exception
		}
		if !isOpen {
			return nil
		}
		if hops > maxHops {
			return exceptionf(Failed, "a promise that leads through more than %d others", maxHops)
		}
		done := make(chan struct{})
		in.t.whenResolved(func() { close(done) }, &left)
		letNextStart(ctx)
		if err := in.await(ctx, done); err != nil {
			return err
		}
	}
}

// await waits for done. What in waits for is sent before.
func (c Client) await(ctx context.Context, done <-chan struct{}) error {
	c.conn().await()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
