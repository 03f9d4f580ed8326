package rpc

import (
	"context"
	"runtime/debug"
	"slices"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/segment"
)

// An Interceptor is asked about each call on its way to a capability, before it
// goes on, and may log it, measure it, trace it or refuse it. It stands before
// one capability, by [Intercept], or before all of a connection: see
// [ConnOptions].
//
// The context that it gives governs the call from there on: it is what ctx is,
// or made of that. Its values are seen by who comes behind within the process:
// further interceptors and the handler. An error refuses the call, and is what
// the caller gets; so does a panic, whose stack is logged. done, if it is not
// nil, is called once when the call is over. It is not called for a call that
// the interceptor itself refused.
//
// It is called in the order of the calls, by whoever makes them, and done by
// whoever ends them, which may be the goroutine that reads from a connection, or
// one that waits for another call. So neither may block, nor take a lock that is
// held by someone who waits for a call.
type Interceptor func(ctx context.Context, call CallInfo) (_ context.Context, done func(Outcome), _ error)

// CallInfo is what an [Interceptor] is told of a call.
type CallInfo struct {
	Method Method
	// Params are the parameters, to look at and keep nothing of. A malformed one
	// reads as its default, and fails the call.
	Params segment.Struct
	// Bytes is the size of the message that the parameters are in.
	Bytes int64
	// Conn is the connection that the call came over, or is about to leave by; nil
	// for a call within the process. See [Conn.Peer] for who is behind it.
	Conn *Conn
	// Incoming tells that the peer of Conn made the call.
	Incoming bool
}

// Outcome is how a call ended.
type Outcome struct {
	// Err is why it failed, an [*Exception]; nil if it did not. Of a tail call whose
	// results stay with the peer only the peer knows: that is nil too.
	Err error
	// Bytes is the size of the message that the results are in, 0 if there is none
	// in this process.
	Bytes int64
}

// Chain makes one interceptor of several, each of which is asked with the context
// that the one before it gave. Their done functions are called in the opposite
// order, also for a call that a later one refused. Those that are nil are left
// out.
func Chain(all ...Interceptor) Interceptor {
	all = slices.DeleteFunc(slices.Clone(all), func(i Interceptor) bool { return i == nil })
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return func(ctx context.Context, call CallInfo) (context.Context, func(Outcome), error) {
		ends := make([]func(Outcome), 0, len(all))
		done := func(o Outcome) {
			for _, f := range slices.Backward(ends) {
				f(o)
			}
		}
		for _, i := range all {
			next, f, err := ask(i, ctx, call)
			if err != nil {
				done(Outcome{Err: err})
				return nil, nil, err
			}
			ctx = next
			if f != nil {
				ends = append(ends, f)
			}
		}
		return ctx, done, nil
	}
}

// ask asks one interceptor.
func ask(i Interceptor, ctx context.Context, call CallInfo) (next context.Context, done func(Outcome), fail *Exception) {
	defer func() {
		if v := recover(); v != nil {
			call.Conn.panicLogger().Error("rpc: an interceptor panicked", "method", call.Method.String(), "panic", v, "stack", string(debug.Stack()))
			next, done, fail = nil, nil, exceptionf(Failed, "an interceptor of %v panicked", call.Method)
		}
	}()
	next, done, err := i(ctx, call)
	if err != nil {
		return nil, nil, exception(err)
	}
	if next == nil {
		next = ctx
	}
	return next, done, nil
}

// Intercept gives a capability whose calls go to c by way of i. It takes c over;
// the caller owns what it gives. A program wraps what it calls, or what it
// serves: neither side sees a difference. Capabilities in parameters and results
// are not wrapped; a [Membrane] does that. What is saved is the wrapper, or
// nothing: see [HandleSave].
func Intercept(c Client, i Interceptor) Client {
	if c.t == nil {
		return c
	}
	w := &intercepted{to: c, by: i}
	w.refs.Store(1)
	return track(Client{w}, kindWrapper, nil)
}

type intercepted struct {
	fixed
	fl   flowRef
	refs atomic.Int32
	to   Client
	by   Interceptor

	saver atomic.Pointer[object] // that answers SaveMethod; nil if it is unimplemented
}

func (w *intercepted) flow() *flow { return w.fl.get() }
func (w *intercepted) conn() *Conn { return w.to.conn() }
func (w *intercepted) retain()     { w.refs.Add(1) }

func (w *intercepted) release() {
	if w.refs.Add(-1) == 0 {
		w.to.Release()
		if o := w.saver.Load(); o != nil {
			o.release()
		}
	}
}

func (w *intercepted) start(x *exchange) {
	if x.method == SaveMethod {
		w.startSave(x)
		return
	}
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
	var done func(Outcome)
	if i != nil {
		var err *Exception
		if ctx, done, err = ask(i, ctx, x.info(x.a.conn, x.a.conn != nil)); err != nil {
			return nil, err
		}
	}
	y := newExchange(ctx, x.method)
	y.fresh = false // the caller may put it into a list
	y.fresh = false
	y.towards = x.towards
	y.params, y.args, y.envelope, y.call, y.hops = x.params, x.args, x.envelope, x.call, x.hops
	x.params, x.args, x.envelope = nil, segment.Struct{}, nil
	if done != nil {
		y.watch = &watch{out: done}
	}
	y.governedBy(ctx, x.ctx, true)
	return y, nil
}
