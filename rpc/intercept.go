package rpc

import (
	"context"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/segment"
)

// An Interceptor is asked about each call on its way to a capability, before it
// goes on, and may log it, measure it, trace it or refuse it.
//
// The context that it gives governs the call from there on: it is what ctx is,
// or made of that. An error refuses the call, and is what the caller gets. done,
// if it is not nil, is called once when the call is over, with its error.
//
// It may read the parameters, and keep nothing of them. It is called in the
// order of the calls, by whoever makes them, and so it must not block.
type Interceptor func(ctx context.Context, m Method, params segment.Struct) (_ context.Context, done func(error), _ error)

// Intercept gives a capability whose calls go to c by way of i. It takes c over;
// the caller owns what it gives. A program wraps what it calls, or what it
// serves: neither side sees a difference. Capabilities in parameters and results
// are not wrapped; a [Membrane] does that.
func Intercept(c Client, i Interceptor) Client {
	if c.t == nil {
		return c
	}
	w := &intercepted{to: c, by: i}
	w.refs.Store(1)
	return Client{w}
}

type intercepted struct {
	fixed
	fl   flow
	refs atomic.Int32
	to   Client
	by   Interceptor
}

func (w *intercepted) flow() *flow { return &w.fl }
func (w *intercepted) conn() *Conn { return w.to.conn() }
func (w *intercepted) retain()     { w.refs.Add(1) }

func (w *intercepted) release() {
	if w.refs.Add(-1) == 0 {
		w.to.Release()
	}
}

func (w *intercepted) start(x *exchange) {
	if !x.claim() {
		x.refuse(x.err)
		return
	}
	y, err := x.passOn(w.by)
	if err != nil {
		x.refuse(err)
		return
	}
	f := y.future()
	w.to.deliver(y)
	x.follows(f, nil)
	x.unhold()
}

// passOn makes a call that goes on in the place of x, with its parameters, if
// the interceptor lets it. The caller has claimed x.
func (x *exchange) passOn(i Interceptor) (*exchange, *Exception) {
	ctx := x.ctx
	var done func(error)
	if i != nil {
		var err error
		if ctx, done, err = i(ctx, x.method, x.args); err != nil {
			return nil, exception(err)
		}
	}
	y := newExchange(ctx, x.method)
	y.params, y.args, y.envelope, y.call, y.hops = x.params, x.args, x.envelope, x.call, x.hops
	x.params, x.args, x.envelope = nil, segment.Struct{}, nil
	if done != nil {
		y.whenSettled(func() {
			y.mu.Lock()
			err := y.err
			y.mu.Unlock()
			if err != nil {
				done(err)
				return
			}
			done(nil)
		})
	}
	return y, nil
}
