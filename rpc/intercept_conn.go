package rpc

import (
	"context"

	"github.com/fairlead-go/fairlead/segment"
)

// watch is what the interceptors want to be told at the end of a call. It is
// guarded by the exchange's lock.
type watch struct {
	in, out func(Outcome) // of a peer's call, and of one that went on
	asked   *Conn         // whose interceptor has let the call out
}

// info describes a call. The caller has the exchange to start.
func (x *exchange) info(conn *Conn, incoming bool) CallInfo {
	return CallInfo{Method: x.method, Params: x.args, Bytes: sizeOf(x.params), Conn: conn, Incoming: incoming}
}

// admit asks about a call of the peer's, which has come with m. Nothing of it has
// started.
//
//go:noinline
func (c *Conn) admit(x *exchange, m *segment.Message, params segment.Struct) *Exception {
	call := CallInfo{Method: x.method, Params: params, Bytes: m.SizeBytes(), Conn: c, Incoming: true}
	before := x.ctx
	ctx, done, err := ask(c.incoming, before, call)
	if err != nil {
		return err
	}
	x.mu.Lock()
	x.ctx = ctx
	x.watch = &watch{in: done}
	x.mu.Unlock()
	x.governedBy(ctx, before, true)
	return nil
}

// letOut asks about a call that is ready to be sent.
//
//go:noinline
func (c *Conn) letOut(x *exchange) *Exception {
	x.mu.Lock()
	before := x.watch
	x.mu.Unlock()
	if before != nil && before.asked == c {
		return nil // it comes again, for what it was meant for has become something else
	}
	ctx, done, err := ask(c.outgoing, x.ctx, x.info(c, false))
	if err != nil {
		return err
	}
	x.watchOut(done, c)
	x.governedBy(ctx, x.ctx, false)
	return nil
}

// watchOut has done told at the end of a call that goes on, by c if that is not
// nil.
func (x *exchange) watchOut(done func(Outcome), c *Conn) {
	x.mu.Lock()
	if x.ended || x.q.stayed {
		o := Outcome{}
		if x.err != nil && !x.q.stayed { // else it was cancelled when it was over: see stayed
			o.Err = x.err
		}
		x.mu.Unlock()
		if done != nil {
			done(o)
		}
		return
	}
	if x.watch == nil {
		x.watch = new(watch)
	}
	x.watch.out = both(x.watch.out, done)
	if c != nil {
		x.watch.asked = c
	}
	x.mu.Unlock()
}

// sizeOf gives the size of a message that may not be there.
func sizeOf(m *segment.Message) int64 {
	if m == nil {
		return 0
	}
	return m.SizeBytes()
}

func both(first, second func(Outcome)) func(Outcome) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(o Outcome) {
		second(o)
		first(o)
	}
}

// governedBy has x cancelled when ctx ends, which an interceptor gave in the place
// of before. alone tells that the call does not end with another context as well,
// which the keeper would watch.
func (x *exchange) governedBy(ctx, before context.Context, alone bool) {
	if ctx.Done() == nil || ctx.Done() == before.Done() {
		return
	}
	x.fresh = false // it may be cancelled from now on
	x.q.watched = alone
	gen := x.gen.Load()
	stop := context.AfterFunc(ctx, func() {
		x.mu.Lock()
		held := x.gen.Load() == gen && x.tryHold()
		x.mu.Unlock()
		if held {
			x.cancelFor(exception(context.Cause(ctx)))
			x.unhold()
		}
	})
	x.whenSettled(func() { stop() }, nil)
}

// tellOut tells that a call which went on is over. The caller has the lock, which
// is given away in between.
func (x *exchange) tellOut() {
	out := x.watch.out
	if x.watch.out = nil; out == nil {
		return
	}
	o := Outcome{Bytes: sizeOf(x.results)}
	if x.err != nil && (x.cancelled == nil || !x.q.leftToPeer()) {
		o = Outcome{Err: x.err}
	}
	x.mu.Unlock()
	out(o)
	x.mu.Lock()
}

// leftToPeer tells whether the results of a question stay with the peer. If it gives
// up what they are for, that may come before the Return that says so: see stayed.
func (q *question) leftToPeer() bool {
	if q.conn == nil {
		return false
	}
	q.conn.mu.Lock()
	defer q.conn.mu.Unlock()
	return q.yourself
}

// sendReturnWatched is sendReturn of a peer's call that is watched.
func (x *exchange) sendReturnWatched(w *watch) {
	o := Outcome{Bytes: sizeOf(x.a.out.m)}
	if fail := x.sendReturn(false); fail != nil {
		o = Outcome{Err: fail}
	}
	x.mu.Lock()
	in := w.in
	w.in = nil
	x.mu.Unlock()
	if in != nil {
		in(o)
	}
}

// stayed tells of a call whose results stay with the peer that it is over: what
// ends it here is that the peer has no use for them any more.
func (x *exchange) stayed() {
	x.mu.Lock()
	x.q.stayed = true // for who comes to watch it only now
	var in, out func(Outcome)
	if w := x.watch; w != nil {
		in, w.in = w.in, nil
		out, w.out = w.out, nil
	}
	x.mu.Unlock()
	if f := both(in, out); f != nil {
		f(Outcome{})
	}
}

// takeWatch takes away who watches the peer's call x, to watch the one whose results
// the peer takes for it. The caller has the lock.
func (x *exchange) takeWatch() (in func(Outcome)) {
	if x.watch != nil {
		in, x.watch.in = x.watch.in, nil
	}
	return in
}
