package rpc

import (
	"context"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// Call is a call as its handler sees it, valid until the handler returns.
type Call struct {
	x      *exchange
	gen    uint32
	object *object
	tail   Future
	reads  *Conn  // whose reader runs the handler
	turn   uint64 // in this turn of its
	gone   bool   // guarded by object.mu: another goroutine runs the object's next calls
	over   bool   // guarded by object.mu: the handler has returned
}

// handlerContext is the context of a call's handler. It ends with the call, and
// whoever keeps it longer finds it ended.
type handlerContext Call

type callKey struct{}

// returned is the channel of a handler's context when the handler has returned.
var returned = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// lock locks the exchange if it is still that of the call.
func (h *handlerContext) lock() bool {
	h.x.mu.Lock()
	if h.x.gen.Load() != h.gen {
		h.x.mu.Unlock()
		return false
	}
	return true
}

func (h *handlerContext) Deadline() (time.Time, bool) {
	if !h.lock() {
		return time.Time{}, false
	}
	defer h.x.mu.Unlock()
	return h.x.ctx.Deadline()
}

func (h *handlerContext) Done() <-chan struct{} {
	if !h.lock() {
		return returned
	}
	x := h.x
	if x.ended && x.cancelled == nil {
		x.mu.Unlock()
		return returned
	}
	if x.cancelled != nil {
		x.mu.Unlock()
		return closedChan
	}
	first := x.stop == nil
	if first {
		x.stop = make(chan struct{})
	}
	stop, ctx := x.stop, x.ctx
	x.mu.Unlock()
	if first && ctx.Done() != nil {
		unbase := context.AfterFunc(ctx, func() {
			if h.lock() {
				held := x.tryHold()
				x.mu.Unlock()
				if held {
					x.cancel()
					x.unhold()
				}
			}
		})
		if h.lock() {
			x.unbase = unbase
			x.mu.Unlock()
		} else {
			unbase()
		}
	}
	return stop
}

func (h *handlerContext) Err() error {
	if !h.lock() {
		return context.Canceled
	}
	defer h.x.mu.Unlock()
	if err := h.x.ctx.Err(); err != nil {
		return err
	}
	if h.x.cancelled != nil || h.x.ended {
		return context.Canceled
	}
	return nil
}

func (h *handlerContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return (*Call)(h)
	}
	if !h.lock() {
		return nil
	}
	ctx := h.x.ctx
	h.x.mu.Unlock()
	return ctx.Value(key)
}

// letNextStart gives the object away if ctx is that of a handler, which is about
// to wait.
func letNextStart(ctx context.Context) {
	if c, ok := ctx.(*handlerContext); ok {
		(*Call)(c).Go()
	} else if c, ok := ctx.Value(callKey{}).(*Call); ok {
		c.Go()
	}
}

// Method tells which method is called.
func (c *Call) Method() Method { return c.x.method }

// Conn gives the connection that the call came over; nil if it was made in this
// process. See [Conn.Peer] for who made it.
func (c *Call) Conn() *Conn { return c.x.a.conn }

// Unimplemented gives the error of a method that the server does not have.
func (c *Call) Unimplemented() error {
	return exceptionf(Unimplemented, "method %v", c.x.method)
}

// Params gives the parameters. They are valid until the handler returns or
// calls ReleaseParams.
func (c *Call) Params() segment.Struct { return c.x.args }

// ReleaseParams gives the parameters and their capabilities back before the
// handler returns.
func (c *Call) ReleaseParams() { c.x.dropParams() }

// NewResults gives the results to fill in, a struct of size sz. It is made by
// the first call, and the same one is given by each further.
func (c *Call) NewResults(sz segment.Size) segment.StructBuilder {
	if c.x.results == nil {
		c.x.made = c.x.newResults(sz)
	}
	return c.x.made
}

// SetPipeline tells what the capability at path of the results will be, before
// the handler returns: calls that were made on it start now. The call takes cl
// over. Results that hold another capability there break the caller's order.
func (c *Call) SetPipeline(cl Client, path ...uint16) {
	x := c.x
	x.mu.Lock()
	if x.ended || len(x.early) >= maxPath {
		x.mu.Unlock()
		cl.Release()
		return
	}
	x.mu.Unlock()
	// Those that wait go first, and then there may be more.
	x.startEarly(path, cl)
	x.mu.Lock()
	x.early = append(x.early, early{path, cl})
	x.mu.Unlock()
	x.startEarly(path, cl)
}

// Go lets the next call on the object start, beside this one. From here on the
// handler shares the object with others.
func (c *Call) Go() {
	c.object.giveAway(c)
	if c.reads != nil {
		c.reads.takeRole(c.turn)
	}
}

// Streamed passes on the error of a streaming method's handler. Its caller does
// not wait for each call, and so every later call on the object fails with the
// first such error.
func (c *Call) Streamed(err error) error {
	if err != nil {
		c.object.failed.CompareAndSwap(nil, exception(err))
	}
	return err
}

// TailCall makes the answer of f the answer of this call, when the handler
// returns without an error. The call takes f over. If both go over one
// connection, and f was just made, its results do not come here at all.
func (c *Call) TailCall(f Future) {
	c.tail.Release()
	c.tail = f
}
