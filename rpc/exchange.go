package rpc

import (
	"context"
	"sync"

	"github.com/fairlead-go/fairlead/segment"
)

// maxPath bounds how deep a pipelined capability may lie in the results.
const maxPath = 64

// An exchange is one call, from its parameters to its results. The caller's
// side holds it by futures and pipelined capabilities, which are counted; the
// callee's side completes it, once.
type exchange struct {
	method Method
	ctx    callContext
	cancel context.CancelFunc
	// params belong to whoever has the exchange to start or run.
	params *segment.Message

	mu      sync.Mutex
	refs    int
	results *segment.Message
	err     *Exception
	ended   bool // complete was called
	settled bool // and the calls that waited for it have been started
	waiting []pipelined
	after   []func() // told when settled, without the lock
	done    chan struct{}
}

// pipelined is a call on a capability among the results of another.
type pipelined struct {
	x    *exchange
	path []uint16
}

// callContext is a handler's context, which knows its call.
type callContext struct {
	context.Context
	call *Call
}

type callKey struct{}

func (c *callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c.call
	}
	return c.Context.Value(key)
}

// letNextStart gives the object away if ctx is that of a handler, which is
// about to wait.
func letNextStart(ctx context.Context) {
	if c, ok := ctx.Value(callKey{}).(*Call); ok && c != nil {
		c.Go()
	}
}

// newExchange gives an exchange with one reference, its caller's.
func newExchange(ctx context.Context, m Method) *exchange {
	x := &exchange{method: m, refs: 1, params: newMessage(), done: make(chan struct{})}
	x.ctx.Context, x.cancel = context.WithCancel(ctx)
	return x
}

// complete ends the exchange with what is in results, or with an error; only
// the first time counts. Calls that wait for its capabilities are started, in
// their order, before anybody learns of it.
func (x *exchange) complete(err *Exception) {
	x.dropParams()
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		return
	}
	x.ended = true
	x.err = err
	if err != nil {
		x.dropResults()
	}
	for len(x.waiting) > 0 {
		calls := x.waiting
		x.waiting = nil
		x.mu.Unlock()
		for _, c := range calls {
			x.client(c.path).deliver(c.x)
		}
		x.releaseN(len(calls))
		x.mu.Lock()
	}
	x.settled = true
	after := x.after
	x.after = nil
	if x.refs == 0 {
		x.dropResults()
	}
	x.mu.Unlock()
	x.cancel()
	close(x.done)
	for _, f := range after {
		f()
	}
}

func (c Client) deliver(x *exchange) {
	if c.t == nil {
		x.complete(exceptionf(Failed, "%v called on a null capability", x.method))
		return
	}
	c.t.start(x)
}

// whenSettled runs f when the exchange is over, at once if it is.
func (x *exchange) whenSettled(f func()) {
	x.mu.Lock()
	if !x.settled {
		x.after = append(x.after, f)
		x.mu.Unlock()
		return
	}
	x.mu.Unlock()
	f()
}

// pipeline starts c on the capability at path, as soon as there is one.
func (x *exchange) pipeline(path []uint16, c *exchange) {
	x.mu.Lock()
	if !x.settled {
		x.refs++ // so that dropping the future does not cancel what c waits for
		x.waiting = append(x.waiting, pipelined{c, path})
		x.mu.Unlock()
		return
	}
	cl := x.client(path).Retain()
	x.mu.Unlock()
	cl.deliver(c)
	cl.Release()
}

// client gives the capability at path of the results, which are there. It is
// lent by the results.
func (x *exchange) client(path []uint16) Client {
	if x.err != nil {
		return Broken(x.err)
	}
	if x.results == nil {
		return Broken(exceptionf(Failed, "the results of %v were released", x.method))
	}
	p := x.results.Root()
	for _, field := range path {
		p = p.Struct().Ptr(field)
	}
	return ReadClient(p)
}

func (x *exchange) retain() {
	x.mu.Lock()
	x.refs++
	x.mu.Unlock()
}

func (x *exchange) releaseN(n int) {
	x.mu.Lock()
	x.refs -= n
	last := x.refs == 0
	if last && x.settled {
		x.dropResults()
	}
	x.mu.Unlock()
	if last {
		x.cancel()
	}
}

// dropParams and dropResults may be called again.
func (x *exchange) dropParams() {
	if x.params != nil {
		x.params.Release()
		x.params = nil
	}
}

func (x *exchange) dropResults() {
	if x.results != nil {
		x.results.Release()
		x.results = nil
	}
}
