package rpc

import (
	"context"

	"github.com/fairlead-go/fairlead/segment"
)

// Future is the answer to a call, which may not be there yet. It is a small
// value, of which any goroutine may use copies; it is released once, which
// cancels the call if it is not done.
type Future struct{ x *exchange }

// Answered gives the answer of a call that is done and has empty results.
func Answered() Future {
	x := newExchange(context.Background(), Method{})
	x.results = newMessage()
	x.results.NewRoot(segment.Size{})
	x.complete(nil)
	return Future{x}
}

// Done gives a channel that is closed when the call is over.
func (f Future) Done() <-chan struct{} { return f.x.done }

// Wait waits until the call is over or ctx ends, which does not cancel the
// call, and gives the results. They are valid until Release.
//
// The error is an [*Exception] if the callee or the way to it failed, and ctx's
// own if ctx ended. A handler that waits with its own context lets the next
// call on its object start.
func (f Future) Wait(ctx context.Context) (segment.Struct, error) {
	select {
	case <-f.x.done:
	default:
		letNextStart(ctx)
		select {
		case <-f.x.done:
		case <-ctx.Done():
			return segment.Struct{}, context.Cause(ctx)
		}
	}
	f.x.mu.Lock()
	defer f.x.mu.Unlock()
	switch {
	case f.x.err != nil:
		return segment.Struct{}, f.x.err
	case f.x.results == nil:
		return segment.Struct{}, exceptionf(Failed, "the results of %v were released", f.x.method)
	}
	return f.x.results.Root().Struct(), nil
}

// Client gives the capability that the results will have in the pointer field
// that path leads to: for each step the index in the pointer section. Calls on
// it may be made at once. It is lent by the future; Retain keeps it longer,
// and the call with it.
func (f Future) Client(path ...uint16) Client {
	if len(path) > maxPath {
		return Broken(exceptionf(Failed, "a pipelined capability %d fields deep, at most %d", len(path), maxPath))
	}
	return Client{&promised{x: f.x, path: path}}
}

// Release gives back the results, and cancels the call if it is not done and
// no capability of its results is held.
func (f Future) Release() {
	if f.x != nil {
		f.x.releaseN(1)
	}
}

// promised is a capability among the results of a call.
type promised struct {
	x    *exchange
	path []uint16
	fl   flow
}

func (p *promised) retain()           { p.x.retain() }
func (p *promised) release()          { p.x.releaseN(1) }
func (p *promised) flow() *flow       { return &p.fl }
func (p *promised) start(c *exchange) { p.x.pipeline(p.path, c) }
