package rpc

import (
	"sync"
	"sync/atomic"
)

// promise is a capability that is not known yet: it keeps calls until resolve
// tells what it is, and then passes them on in their order.
type promise struct {
	fl   flowRef
	refs atomic.Int32

	mu       sync.Mutex
	calls    queue
	resolved bool
	to       Client // it is resolved to; its own
	after    listeners
}

// newPromise gives a promise with one reference.
func newPromise() *promise {
	p := new(promise)
	p.refs.Store(1)
	return p
}

func (p *promise) retain() { p.refs.Add(1) }

func (p *promise) release() {
	for p.refs.Add(-1) == 0 {
		p.mu.Lock()
		var drop Client
		if p.resolved {
			drop, p.to = p.to, Client{}
		}
		p.mu.Unlock()
		next, ok := drop.t.(*promise)
		if !ok {
			drop.Release()
			return
		}
		p = next // not inside of this, for there may be many
	}
}

func (p *promise) flow() *flow { return p.fl.get() }

func (p *promise) start(x *exchange) {
	p.mu.Lock()
	if !p.resolved {
		p.calls.push(x)
		dead := p.calls.sweep()
		p.mu.Unlock()
		abandonAll(dead)
		return
	}
	to := p.to.Retain()
	p.mu.Unlock()
	to.deliver(x)
	to.Release()
}

func (p *promise) conn() *Conn { return nil }

func (p *promise) state() (Client, state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.resolved {
		return Client{}, open
	}
	return p.to, resolved
}

func (p *promise) whenResolved(f func(), gone *atomic.Bool) {
	p.mu.Lock()
	if !p.resolved {
		p.after.add(f, gone)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	f()
}

// resolve passes the calls on to c, which the promise takes over, and then
// tells who waits. Only the first time counts: it tells whether this was it.
func (p *promise) resolve(c Client) bool {
	linking.Lock()
	itself := c.leadsTo(p)
	p.mu.Lock()
	if p.to.t != nil || p.resolved {
		p.mu.Unlock()
		linking.Unlock()
		c.Release()
		return false
	}
	if itself {
		defer c.Release()
		c = Broken(exceptionf(Failed, "a promise was resolved to itself"))
	}
	if c.t == nil {
		c = Broken(exceptionf(Failed, "called on a null capability"))
	}
	p.to = c // calls still queue behind those that are there
	linking.Unlock()
	p.mu.Unlock()
	p.fl.join(c)
	p.mu.Lock()
	for x := p.calls.pop(); x != nil; x = p.calls.pop() {
		p.mu.Unlock()
		c.deliver(x)
		p.mu.Lock()
	}
	p.resolved = true
	after := p.after.take()
	drop := Client{}
	if p.refs.Load() == 0 {
		drop, p.to = p.to, Client{}
	}
	p.mu.Unlock()
	p.fl.move(c)
	tell(after)
	drop.Release()
	return true
}

// linking is held while it is decided what a promise becomes, so that no two
// become each other: nobody could release them.
var linking sync.Mutex

// leadsTo tells whether c is p, or has become or will become it.
func (c Client) leadsTo(p *promise) bool {
	for hops := 0; c.t != nil && hops <= maxHops; hops++ {
		q, ok := c.t.(*promise)
		switch {
		case !ok:
			c, _ = c.t.state() // nothing if it is no promise, or is open
		case q == p:
			return true
		default:
			q.mu.Lock()
			c = q.to
			q.mu.Unlock()
		}
	}
	return false
}
