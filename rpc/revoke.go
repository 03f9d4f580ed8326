package rpc

import (
	"errors"
	"sync"
	"sync/atomic"
)

// errRevoked is why a call fails on what was revoked without a reason.
var errRevoked = errors.New("the capability was revoked")

// Revocable gives a capability whose calls go to c until revoke is called. From
// then on they fail with the error that revoke was given, those under way at
// once: their handlers are cancelled, and nobody waits for them. It takes c over,
// and releases it when it is revoked; the caller owns the client that it gives.
//
// What calls have given before, capabilities among it, stays. A [Membrane]
// revokes that too. [SaveMethod] is unimplemented by either.
func Revocable(c Client) (_ Client, revoke func(error)) {
	r := &revocable{to: c}
	r.refs.Store(1)
	return track(Client{r}, kindWrapper, nil), r.crossings.revoke(func() []Client { return []Client{r.to} })
}

type revocable struct {
	fixed
	fl   flowRef
	refs atomic.Int32
	to   Client
	crossings
}

func (r *revocable) flow() *flow { return r.fl.get() }
func (r *revocable) retain()     { r.refs.Add(1) }

func (r *revocable) release() {
	if r.refs.Add(-1) > 0 {
		return
	}
	r.mu.Lock()
	first := r.revoked == nil
	if first { // so that it is not released again
		r.revoked = exception(errRevoked)
	}
	r.mu.Unlock()
	if first {
		r.to.Release()
	}
}

func (r *revocable) start(x *exchange) { r.crossings.pass(x, r.to, nil, nil, nil) }

// crossings are the calls that go through what can be revoked.
type crossings struct {
	mu      sync.Mutex
	revoked *Exception
	under   map[*exchange]*exchange // those of the callers, with those that went on
}

// pass lets x go on to a capability, unless revoked. in and out, if they are not
// nil, replace the capabilities of its parameters and results.
func (cr *crossings) pass(x *exchange, to Client, i Interceptor, in, out func(Client) Client) {
	if !x.claim() {
		x.refuse(x.err)
		return
	}
	if x.method == SaveMethod {
		x.refuse(exceptionf(Unimplemented, "method %v through what can be revoked", x.method))
		return
	}
	cr.mu.Lock()
	revoked := cr.revoked
	if revoked == nil {
		to.Retain()
	}
	cr.mu.Unlock()
	if revoked != nil {
		x.refuse(revoked)
		return
	}
	defer to.Release()
	y, err := x.passOn(i)
	if err != nil {
		x.refuse(err)
		return
	}
	if t := tableOf(y.params); t != nil && in != nil {
		t.replace(in)
	}
	y.refs.Add(1) // for under
	x.mu.Lock()
	x.holds.Add(1) // for under
	x.mu.Unlock()
	cr.mu.Lock()
	if revoked = cr.revoked; revoked == nil {
		if cr.under == nil {
			cr.under = map[*exchange]*exchange{}
		}
		cr.under[x] = y
	}
	cr.mu.Unlock()
	f := y.future()
	y.whenSettled(func() { cr.over(x) }, nil)
	if revoked != nil { // just now
		x.complete(revoked)
		y.refuse(revoked)
		y.drop()
		x.unhold()
		f.Release()
	} else {
		to.deliver(y)
		x.follows(f, out)
	}
	x.unhold()
}

// over takes a call off the list.
func (cr *crossings) over(x *exchange) {
	cr.mu.Lock()
	y := cr.under[x]
	delete(cr.under, x)
	cr.mu.Unlock()
	if y != nil {
		x.unhold()
		y.drop()
	}
}

// revoke makes the function that revokes. held gives what is released then.
func (cr *crossings) revoke(held func() []Client) func(error) {
	return func(err error) {
		if err == nil {
			err = errRevoked
		}
		cr.mu.Lock()
		if cr.revoked != nil {
			cr.mu.Unlock()
			return
		}
		cr.revoked = exception(err)
		under := cr.under
		cr.under = nil
		clients := held()
		cr.mu.Unlock()
		for x, y := range under {
			x.complete(cr.revoked)
			y.cancelFor(cr.revoked)
			x.unhold()
			y.drop()
		}
		releaseAll(clients)
	}
}

// replace puts what f makes of each capability in its place. f takes over what
// it is given, and the table what it gives.
func (t *table) replace(f func(Client) Client) {
	for i, c := range t.clients {
		unlend(c)
		t.clients[i] = f(c)
		lend(t.clients[i])
	}
}
