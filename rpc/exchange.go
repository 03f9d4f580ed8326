package rpc

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// maxPath bounds how deep a pipelined capability may lie in the results.
const maxPath = 64

// An exchange is one call, from its parameters to its results.
//
// Its consumers hold it by futures, pipelined capabilities and the answer of a
// connection, which are counted in refs. Whoever has to complete it, an object
// or a connection that it was sent on, is its callee. When neither is left it
// is used again for another call, and gen tells stale futures.
//
// Only the lock of a connection is ever taken while mu is held.
type exchange struct {
	method Method
	ctx    context.Context // the caller's
	gen    atomic.Uint32
	hops   int // through promises, on the way to its callee

	// Parameters. They belong to whoever has the exchange to start or run.
	params   *segment.Message
	args     segment.Struct   // where they are in it
	envelope *Conn            // params is a Call for this connection
	call     wire.CallBuilder // which is built here

	mu      sync.Mutex
	refs    atomic.Int32 // consumers
	holds   atomic.Int32 // 1 for all consumers, 1 for the callee
	results *segment.Message
	at      segment.Ptr // what the results' root is
	made    segment.StructBuilder
	err     *Exception

	claimed   bool // the callee has begun
	ended     bool // complete was called
	settled   bool // and the calls that waited for it have been started
	cancelled bool

	waiting queue               // calls on the results' capabilities
	early   []early             // capabilities that are known before the results
	after   []func()            // told when settled, without the lock
	tail    Future              // the call whose results become this one's
	via     func(Client) Client // what replaces their capabilities

	wake   chan struct{} // gets a token when settled, if waiter is set
	waiter bool
	done   chan struct{} // closed when settled; made when asked for
	stop   chan struct{} // closed when cancelled; made when asked for
	unbase func() bool   // stops watching the caller's context for the handler

	fresh   bool                   // nobody but its first callee has it yet
	reader  *reader                // which may run the handler itself
	object  atomic.Pointer[object] // which left it for the one who waits
	handled bool                   // a handler ended it

	// While it waits in a queue.
	next    *exchange
	path    []uint16
	waitsOn atomic.Pointer[exchange] // whose results the path is in, and of which this is a consumer

	q        question
	a        answer
	asReader reader // while its caller reads
}

// early is a capability of results that are not there yet.
type early struct {
	path   []uint16
	client Client
}

// A queue is a list of exchanges, each of which is in one queue at most.
type queue struct{ head, tail *exchange }

func (q *queue) push(x *exchange) {
	x.reader, x.fresh = nil, false
	if q.head == nil {
		q.head = x
	} else {
		q.tail.next = x
	}
	q.tail = x
}

func (q *queue) pop() *exchange {
	x := q.head
	if x != nil {
		q.head, x.next = x.next, nil
		if q.head == nil {
			q.tail = nil
		}
	}
	return x
}

var exchanges = sync.Pool{New: func() any { return &exchange{wake: make(chan struct{}, 1)} }}

// newExchange gives an exchange with one consumer and a callee.
func newExchange(ctx context.Context, m Method) *exchange {
	x := exchanges.Get().(*exchange)
	x.method, x.ctx = m, ctx
	x.refs.Store(1)
	x.holds.Store(2)
	x.fresh = true
	return x
}

// future gives a future of a consumer's.
func (x *exchange) future() Future { return Future{x, x.gen.Load()} }

// tryHold takes a hold for a while, unless the last is gone.
func (x *exchange) tryHold() bool {
	for {
		n := x.holds.Load()
		if n == 0 {
			return false
		}
		if x.holds.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// unhold gives up the hold of the callee, or of the last consumer.
func (x *exchange) unhold() {
	if x.holds.Add(-1) == 0 {
		x.recycle()
	}
}

func (x *exchange) recycle() {
	x.dropParams()
	if x.unbase != nil {
		x.unbase()
	}
	tail, earlies, paths := x.tail, x.early, x.q.paths
	x.mu.Lock()
	x.gen.Add(1)
	x.hops = 0
	x.ctx, x.err, x.at, x.made = nil, nil, segment.Ptr{}, segment.StructBuilder{}
	x.call = wire.CallBuilder{}
	x.claimed, x.ended, x.settled, x.cancelled = false, false, false, false
	x.reader, x.handled = nil, false
	x.object.Store(nil)
	x.early, x.after, x.tail, x.via, x.path = nil, nil, Future{}, nil, nil
	x.done, x.stop, x.unbase, x.waiter = nil, nil, nil, false
	x.q, x.a, x.asReader = question{}, answer{}, reader{}
	x.mu.Unlock()
	if !debugging {
		exchanges.Put(x)
	}
	tail.Release()
	for _, e := range earlies {
		e.client.Release()
	}
	for _, p := range paths {
		if p.embargo != nil {
			p.embargo.release()
		}
	}
}

// claim is called by the callee when it begins, and tells whether it should: a
// call that was cancelled has ended already.
func (x *exchange) claim() bool {
	if x.fresh {
		x.claimed = true
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended || x.cancelled {
		return false
	}
	x.claimed = true
	return true
}

// abandon refuses an exchange that can't be claimed.
func (x *exchange) abandon() { x.refuse(exceptionf(Failed, "%s", reasonCancelled)) }

// unclaim undoes claim, before the exchange waits for another callee.
func (x *exchange) unclaim() {
	x.mu.Lock()
	x.claimed = false
	late := x.cancelled && !x.ended
	x.mu.Unlock()
	if late {
		x.complete(exceptionf(Failed, "%s", reasonCancelled))
	}
}

// refuse ends an exchange that the callee did not begin, and its part in it.
func (x *exchange) refuse(err *Exception) {
	x.complete(err)
	x.unhold()
}

// complete ends the exchange with what is in results, or with an error; only
// the first time counts. Calls that wait for its capabilities are started, in
// their order, before anybody learns of it.
func (x *exchange) complete(err *Exception) {
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		return
	}
	x.ended = true
	x.err = err
	if err == nil {
		x.protect()
	}
	x.q.live = false
	busy := x.q.going
	simple := !busy && x.waiting.head == nil && x.a.conn == nil && (x.q.conn == nil || x.q.retired && len(x.q.paths) == 0)
	if simple {
		x.tellAndUnlock()
	} else {
		x.mu.Unlock()
	}
	x.leave()
	x.dropParams()
	if !simple && !busy {
		x.settle()
	}
}

// settle starts what waits for the results, and tells those who do.
func (x *exchange) settle() {
	if x.q.conn != nil {
		x.q.conn.retire(x)
	}
	answered := x.a.conn != nil
	var out outReturn
	if answered {
		out = x.buildReturn() // while nobody else reads the results
	}
	x.mu.Lock()
	for {
		c := x.waiting.pop()
		if c == nil {
			break
		}
		path := c.path
		c.path = nil
		cl := x.client(path)
		x.mu.Unlock()
		on := c.waitsOn.Swap(nil)
		cl.deliver(c)
		if on != nil {
			on.drop()
		}
		x.mu.Lock()
	}
	if answered {
		x.a.out = out
	}
	x.tellAndUnlock()
}

// tellAndUnlock makes the exchange settled and tells those who wait for that.
func (x *exchange) tellAndUnlock() {
	x.settled = true
	after, answered, parent := x.after, x.a.conn != nil, x.q.parent
	x.after, x.q.parent = nil, nil
	var unread *segment.Message
	if x.refs.Load() == 0 || x.err != nil {
		unread, x.results = x.results, nil
	}
	if x.waiter {
		x.waiter = false
		x.wake <- struct{}{}
	}
	if x.done != nil {
		close(x.done)
	}
	x.mu.Unlock()
	unread.Release()
	if answered {
		x.sendReturn()
	}
	if parent != nil {
		parent.drop()
	}
	for _, f := range after {
		f()
	}
}

// protect makes results that came from outside readable by many goroutines at
// once, if they have capabilities: pipelined calls look for them there. The
// caller has the lock.
func (x *exchange) protect() {
	m := x.results
	if m == nil || x.q.conn == nil || tableOf(m) == nil {
		return
	}
	if err := m.Verify(); err != nil {
		x.err = exceptionf(Failed, "results of %v: %v", x.method, err)
		return
	}
	if m.Trust() == segment.Shared {
		m.ResetLimits(segment.Limits{TraversalWords: segment.Unlimited, Depth: m.Limits().Depth})
	}
}

// maxHops bounds how many promises in a row were resolved to each other, which
// may be a circle.
const maxHops = 1000

func (c Client) deliver(x *exchange) {
	if c.t == nil {
		x.refuse(exceptionf(Failed, "%v called on a null capability", x.method))
		return
	}
	if x.hops++; x.hops > maxHops {
		x.refuse(exceptionf(Failed, "%v called through %d promises, at most %d", x.method, x.hops, maxHops))
		return
	}
	c.t.start(x)
}

// whenSettled runs f when the exchange is over, at once if it is.
func (x *exchange) whenSettled(f func()) {
	x.begin()
	x.mu.Lock()
	if !x.settled {
		x.after = append(x.after, f)
		x.mu.Unlock()
		return
	}
	x.mu.Unlock()
	f()
}

// pipeline starts c on the capability at path, as soon as there is one. The
// caller has a reference.
func (x *exchange) pipeline(path []uint16, c *exchange) {
	x.begin()
	var wrapped *Conn
	for {
		x.mu.Lock()
		if x.q.live && !x.ended {
			conn := x.q.conn
			if wrapped != conn {
				x.mu.Unlock()
				if !c.claim() {
					c.abandon()
					return
				}
				c.ready(conn)
				wrapped = conn
				continue
			}
			c.q.parent = x
			x.refs.Add(1) // so that dropping the future does not cancel what c is made on
			x.q.use(path)
			err := conn.sendCall(c, messageTarget{answer: x, path: path})
			x.mu.Unlock()
			c.sent(err)
			return
		}
		if wrapped != nil {
			x.mu.Unlock()
			c.unclaim()
			wrapped = nil
			continue
		}
		to := Client{}
		switch {
		case x.settled:
			to = x.client(path)
		case x.ended: // what came before is being started
		case x.tail.x != nil:
			tail, via := x.tail.x, x.via
			tail.refs.Add(1)
			x.mu.Unlock()
			tail.pipelineVia(via, path, c)
			tail.drop()
			return
		default:
			to = x.known(path)
		}
		if to.t == nil && !x.settled {
			x.refs.Add(1) // as above
			c.path = path
			c.waitsOn.Store(x)
			x.waiting.push(c)
			x.mu.Unlock()
			return
		}
		to.Retain()
		x.mu.Unlock()
		to.deliver(c)
		to.Release()
		return
	}
}

// known gives a capability that the handler told before the results.
func (x *exchange) known(path []uint16) Client {
	for _, e := range x.early {
		if slices.Equal(e.path, path) {
			return e.client
		}
	}
	return Client{}
}

// leave ends being a consumer of what it waited on.
func (x *exchange) leave() {
	if x.waitsOn.Load() == nil {
		return
	}
	if on := x.waitsOn.Swap(nil); on != nil {
		on.drop()
	}
}

// client gives the capability at path of the results, which are there. It is
// lent by the results. The caller has the lock.
func (x *exchange) client(path []uint16) Client {
	if x.err != nil {
		return Broken(x.err)
	}
	if x.results == nil {
		return Broken(exceptionf(Failed, "the results of %v were released", x.method))
	}
	if p := x.q.embargoed(path); p != nil {
		return Client{p}
	}
	p := x.at
	for _, field := range path {
		if p.Kind() != segment.KindStruct {
			// To look for a field would be a fault of the results, which others read too.
			return Client{}
		}
		p = p.Struct().Ptr(field)
	}
	if k := p.Kind(); k != segment.KindNull && k != segment.KindCapability {
		return Broken(exceptionf(Failed, "no capability at %v of the results of %v", path, x.method))
	}
	return ReadClient(p)
}

// drop gives up the share of one consumer. The last one cancels what is not
// done.
func (x *exchange) drop() {
	if x.refs.Add(-1) > 0 {
		return
	}
	x.mu.Lock()
	var unread *segment.Message
	if x.settled {
		unread, x.results = x.results, nil
	}
	ended := x.ended
	x.mu.Unlock()
	unread.Release()
	if !ended {
		x.cancel()
	}
	x.unhold()
}

// cancel tells the callee that nobody wants the results. One that has not begun
// never does.
func (x *exchange) cancel() {
	x.mu.Lock()
	if x.cancelled || x.ended {
		x.mu.Unlock()
		return
	}
	x.cancelled = true
	if x.stop != nil {
		close(x.stop)
	}
	remote, tail := x.q.conn, x.tail
	runs := x.claimed && remote == nil && tail.x == nil
	x.tail = Future{}
	x.q.live = false
	x.mu.Unlock()
	over := remote != nil && remote.sendCancel(x)
	if !runs {
		x.complete(exceptionf(Failed, "%s", reasonCancelled))
	}
	tail.abandon()
	if over {
		x.unhold()
	}
}

const reasonCancelled = "the call was cancelled"

// dropParams may be called again.
func (x *exchange) dropParams() {
	if m := x.params; m != nil {
		x.params, x.args, x.envelope = nil, segment.Struct{}, nil
		m.Release()
	}
}
