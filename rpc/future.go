package rpc

import (
	"context"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/segment"
)

// Future is the answer to a call, which may not be there yet. It is a small
// value, of which any goroutine may use copies; it is released once, which
// cancels the call if it is not done.
type Future struct {
	x   *exchange
	gen uint32
}

// Answered gives the answer of a call that is done and has empty results.
func Answered() Future {
	x := newExchange(context.Background(), Method{})
	x.newResults(segment.Size{})
	f := x.future()
	x.refuse(nil)
	return f
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// lock locks the exchange if the future is still one of its.
func (f Future) lock() bool {
	if f.x == nil {
		return false
	}
	f.x.mu.Lock()
	if f.x.gen.Load() != f.gen || f.x.refs.Load() == 0 {
		f.x.mu.Unlock()
		return false
	}
	return true
}

// Done gives a channel that is closed when the call is over.
func (f Future) Done() <-chan struct{} {
	if !f.lock() {
		return closedChan
	}
	x := f.x
	if x.settled {
		x.mu.Unlock()
		return closedChan
	}
	if o := x.object; o != nil {
		x.mu.Unlock()
		o.kick()
		x.mu.Lock()
		if x.settled {
			x.mu.Unlock()
			return closedChan
		}
	}
	first := x.done == nil
	if first {
		x.done = make(chan struct{})
	}
	done, ctx, conn := x.done, x.ctx, x.q.conn
	x.mu.Unlock()
	if first {
		if stop := afterEnd(ctx, f.cancel); stop != nil {
			x.whenSettled(func() { stop() }, nil)
		}
	}
	conn.await()
	return done
}

// cancel cancels the call, and may be called while the future is released.
func (f Future) cancel() {
	if f.lock() {
		held := f.x.tryHold()
		f.x.mu.Unlock()
		if held {
			f.x.cancel()
			f.x.unhold()
		}
	}
}

// Wait waits until the call is over or ctx ends, which does not cancel the
// call, and gives the results. They are valid until Release.
//
// The error is an [*Exception] if the callee or the way to it failed, and ctx's
// own if ctx ended. A handler that waits with its own context lets the next
// call on its object start.
func (f Future) Wait(ctx context.Context) (segment.Struct, error) {
	if !f.lock() {
		return segment.Struct{}, exceptionf(Failed, "waited for a call that was released")
	}
	x := f.x
	if x.settled {
		return x.outcome()
	}
	if x.waiter {
		x.mu.Unlock()
		return f.waitToo(ctx)
	}
	if o := x.object; o != nil && (ctx.Done() == nil || ctx.Done() == x.ctx.Done()) {
		claimed := !x.ended && x.cancelled == nil
		if claimed {
			x.claimed = true // for whoever runs it
		}
		x.mu.Unlock()
		letNextStart(ctx)
		if o.help(x, claimed) {
			return x.result()
		}
		x.mu.Lock()
		if x.settled {
			return x.outcome()
		}
		if x.waiter {
			x.mu.Unlock()
			return f.waitToo(ctx)
		}
	}
	x.waiter = true
	own, conn := x.ctx.Done(), x.q.conn
	x.mu.Unlock()
	letNextStart(ctx)
	done := ctx.Done()
	if own == done {
		own = nil
	}
	if conn != nil {
		conn.flush()
		if own == nil && conn.role.CompareAndSwap(roleFree, roleTaken) && conn.readFor(ctx, x) {
			return x.result()
		}
		conn.await()
	}
	if done == nil && own == nil {
		<-x.wake
		return x.result()
	}
	for {
		select {
		case <-x.wake:
			return x.result()
		case <-own:
			f.cancel()
			own = nil
			continue
		case <-done:
		}
		break
	}
	if x.ctx.Done() == done {
		f.cancel()
	}
	x.mu.Lock()
	if x.waiter {
		x.waiter = false
	} else {
		<-x.wake
	}
	x.mu.Unlock()
	return segment.Struct{}, context.Cause(ctx)
}

// waitToo is Wait where another goroutine waits already.
func (f Future) waitToo(ctx context.Context) (segment.Struct, error) {
	done := f.Done()
	letNextStart(ctx)
	select {
	case <-done:
	case <-ctx.Done():
		return segment.Struct{}, context.Cause(ctx)
	}
	if !f.lock() {
		return segment.Struct{}, exceptionf(Failed, "waited for a call that was released")
	}
	return f.x.outcome()
}

// outcome gives what a settled exchange ended with. It gives the lock back.
func (x *exchange) outcome() (segment.Struct, error) {
	defer x.mu.Unlock()
	return x.result()
}

// result gives what the exchange ended with to one who knows that it is settled,
// and holds it.
func (x *exchange) result() (s segment.Struct, err error) {
	switch {
	case x.err != nil:
		err = x.err
	case x.results == nil:
		err = exceptionf(Failed, "the results of %v were released", x.method)
	default:
		s = x.at.Struct()
	}
	return s, err
}

// Client gives the capability that the results will have in the pointer field
// that path leads to: for each step the index in the pointer section. Calls on
// it may be made at once. It is lent by the future; Retain keeps it longer,
// and the call with it.
func (f Future) Client(path ...uint16) Client {
	if len(path) > maxPath {
		return Broken(exceptionf(Failed, "a pipelined capability %d fields deep, at most %d", len(path), maxPath))
	}
	if f.x == nil {
		return Broken(exceptionf(Failed, "a capability of no call"))
	}
	return Client{&promised{f: f, path: path}}
}

// Release gives back the results, and cancels the call if it is not done and
// no capability of its results is held.
func (f Future) Release() {
	if f.live() {
		f.x.drop()
	}
}

// promised is a capability among the results of a call.
type promised struct {
	f     Future
	path  []uint16
	to    Client      // what it has become, lent by the results; if known
	known atomic.Bool // set with the exchange's lock
}

// live tells whether the exchange still is that of the future, which is not
// released.
func (f Future) live() bool {
	return f.x != nil && f.x.gen.Load() == f.gen && f.x.refs.Load() > 0
}

// settle notes what p has become. The caller has the lock of the exchange, which
// is settled.
func (p *promised) settle() Client {
	if !p.known.Load() {
		p.to = p.f.x.client(p.path)
		p.known.Store(true)
	}
	return p.to
}

func (p *promised) retain() {
	if p.f.x.gen.Load() == p.f.gen {
		p.f.x.refs.Add(1)
		if debugging && p.f.x.held != nil {
			p.f.x.held.retain()
		}
	}
}

func (p *promised) release() { p.f.Release() }

func (p *promised) start(c *exchange) {
	if p.known.Load() && p.f.live() {
		p.to.deliver(c)
		return
	}
	if !p.f.lock() {
		c.refuse(exceptionf(Failed, "%v called on a capability of a call that was released", c.method))
		return
	}
	p.f.x.refs.Add(1)
	if p.f.x.settled {
		p.settle()
	}
	p.f.x.mu.Unlock()
	p.f.x.pipeline(p.path, c)
	p.f.x.drop()
}

func (p *promised) conn() *Conn {
	if !p.f.lock() {
		return nil
	}
	x := p.f.x
	if !x.settled {
		defer x.mu.Unlock()
		if x.q.conn != nil {
			return x.q.conn
		}
		return x.towards
	}
	c := p.settle()
	x.mu.Unlock()
	return c.conn()
}

func (p *promised) state() (Client, state) {
	if p.known.Load() && p.f.live() {
		return p.to, resolved
	}
	if !p.f.lock() {
		return Broken(exceptionf(Failed, "a capability of a call that was released")), resolved
	}
	defer p.f.x.mu.Unlock()
	if !p.f.x.settled {
		return Client{}, open
	}
	return p.settle(), resolved
}

func (p *promised) whenResolved(f func(), gone *atomic.Bool) {
	if !p.f.lock() {
		f()
		return
	}
	p.f.x.mu.Unlock()
	p.f.x.whenSettled(f, gone)
}
