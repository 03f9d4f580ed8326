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
	// towards is the connection that the call was made for, which it may still wait
	// to be sent over. It is set before anybody else has the exchange.
	towards *Conn
	link    chainLink

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

	claimed   bool       // the callee has begun
	ended     bool       // complete was called
	settled   bool       // and the calls that waited for it have been started
	cancelled *Exception // why, if it was

	waiting queue               // calls on the results' capabilities
	early   []early             // capabilities that are known before the results
	after   listeners           // told when settled, without the lock
	tail    Future              // the call whose results become this one's
	via     func(Client) Client // what replaces their capabilities

	streamed streamed   // for whom it is a call of a stream
	flows    []pathFlow // on the results' capabilities, until they are there

	wake   chan struct{} // gets a token when settled, if waiter is set
	waiter bool
	done   chan struct{} // closed when settled; made when asked for
	stop   chan struct{} // closed when cancelled; made when asked for
	hooks  []*func()     // called when cancelled
	unbase func() bool   // stops watching the caller's context for the handler

	watch   *watch  // interceptors that want to know of the end
	held    *held   // for debugging
	fresh   bool    // nobody but its first callee has it yet
	reader  *reader // which may run the handler itself
	object  *object // which left it, while it was fresh, for the one who waits
	handled bool    // a handler ended it
	handed  bool    // the callee has left its hold to the consumers, of whom the last looks

	// While it waits in a queue.
	next    *exchange
	dead    atomic.Bool // it was cancelled: whoever finds it need not start it
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

var exchanges = sync.Pool{New: func() any { return &exchange{wake: make(chan struct{}, 1)} }}

// newExchange gives an exchange with one consumer and a callee.
func newExchange(ctx context.Context, m Method) *exchange {
	x := exchanges.Get().(*exchange)
	x.method, x.ctx = m, ctx
	if x.refs.Load() != 1 || x.holds.Load() != 2 { // dropHanded leaves them so
		x.refs.Store(1)
		x.holds.Store(2)
	}
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

// recycle has an exchange used again that nobody has any more.
func (x *exchange) recycle() {
	x.dropParams()
	x.q.forgetPaths()
	x.mu.Lock()
	x.recycleAndUnlock()
}

// recycleAndUnlock is the part of recycle that gives the lock back.
func (x *exchange) recycleAndUnlock() {
	unbase, tail, earlies := x.unbase, x.tail, x.early
	x.gen.Add(1)
	x.hops, x.towards = 0, nil
	far := x.link.far()
	x.link.reset()
	x.ctx, x.err, x.at, x.made = nil, nil, segment.Ptr{}, segment.StructBuilder{}
	x.call = wire.CallBuilder{}
	x.claimed, x.ended, x.settled, x.cancelled = false, false, false, nil
	x.reader, x.handled, x.handed = nil, false, false
	x.object = nil
	set(&x.dead, false)
	x.early, x.after, x.tail, x.via, x.path = nil, listeners{}, Future{}, nil, nil
	x.flows, x.hooks = nil, nil
	x.done, x.stop, x.unbase, x.waiter, x.watch = nil, nil, nil, false, nil
	x.q = question{paths: x.q.paths[:0]}
	if x.a.conn != nil {
		x.a = answer{}
	}
	if x.asReader.c != nil {
		x.asReader = reader{}
	}
	x.mu.Unlock()
	if !debugging {
		exchanges.Put(x)
	}
	if unbase != nil {
		unbase()
	}
	if far {
		go tail.Release()
	} else {
		tail.Release()
	}
	for _, e := range earlies {
		e.client.Release()
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
	ok := !x.ended && x.cancelled == nil
	x.claimed = x.claimed || ok
	x.mu.Unlock()
	return ok
}

// claimToServe is claim for an object, which ends a call that was claimed for it by
// who waits, and was cancelled then.
func (x *exchange) claimToServe() bool {
	x.mu.Lock()
	why := x.cancelled
	ok := !x.ended && why == nil
	late := x.claimed && why != nil && !x.ended
	x.claimed = x.claimed || ok
	x.mu.Unlock()
	if late {
		x.complete(why)
	}
	return ok
}

// abandon refuses an exchange that can't be claimed.
func (x *exchange) abandon() {
	x.mu.Lock()
	why := x.cancelled
	x.mu.Unlock()
	x.refuse(why)
}

// unclaim undoes claim, before the exchange waits for another callee.
func (x *exchange) unclaim() {
	x.mu.Lock()
	x.claimed = false
	why := x.cancelled
	late := why != nil && !x.ended
	x.mu.Unlock()
	if late {
		x.complete(why)
	}
}

// refuse ends an exchange that the callee did not begin, and its part in it.
func (x *exchange) refuse(err *Exception) {
	x.complete(err)
	x.unhold()
}

// complete ends the exchange with what is in results, or with an error; only
// the first time counts. Calls that wait for its capabilities are started, in
// their order, before anybody learns of it. It tells whether the exchange is
// settled by that; it may be even if not.
func (x *exchange) complete(err *Exception) (settled bool) {
	return x.end(ending{err: err})
}

// ending is how an exchange ends.
type ending struct {
	results *segment.Message // taken over; if nil, those that the exchange has
	at      segment.Ptr      // what their root is
	err     *Exception
	retired bool    // it is a question of which the peer needs no Finish
	reader  *reader // which has learned that; nil if none has
	served  bool    // by who has served it, to whom the share of a peer is left, if it needs no more
}

// end is complete in other cases.
func (x *exchange) end(e ending) (settled bool) {
	x.mu.Lock()
	if x.ended {
		x.mu.Unlock()
		e.results.Release()
		return false
	}
	if e.results != nil {
		x.results, x.at = e.results, e.at
	}
	x.ended = true
	x.err = e.err
	if e.err == nil {
		x.protect()
	}
	x.q.live = false
	busy := x.q.going
	simple := !busy && x.watch == nil && x.waiting.head == nil && x.flows == nil && (x.q.conn == nil || e.retired && len(x.q.paths) == 0) &&
		(x.a.conn == nil || e.err != nil || tableOf(x.results) == nil)
	if simple {
		if e.reader != nil && e.reader.caller == x && x.waiter {
			x.waiter, e.reader.done = false, true // who waits is here
		}
		if x.a.conn != nil {
			x.a.out = x.buildReturn() // which needs no other locks, without capabilities
		}
		x.tellAndUnlock(e.served)
	} else {
		x.mu.Unlock()
	}
	x.leave()
	x.dropParams()
	if !simple && !busy {
		x.settleInTurn()
	}
	return simple
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
	if x.watch != nil {
		x.tellOut()
	}
	for {
		c := x.waiting.pop()
		if c == nil {
			if x.flows == nil {
				break
			}
			x.moveFlows()
			continue
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
	x.tellAndUnlock(false)
}

// tellAndUnlock makes the exchange settled and tells those who wait for that. served
// is as of an ending.
func (x *exchange) tellAndUnlock(served bool) {
	x.settled = true
	after, answered, parent, watch := x.after.take(), x.a.conn != nil, x.q.parent, x.watch
	x.q.parent = nil
	stream, err := x.streamed, x.err
	x.streamed = streamed{}
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
		if watch == nil {
			x.sendReturn(served)
		} else {
			x.sendReturnWatched(watch)
		}
	}
	if parent != nil {
		parent.dropFrom(&x.link)
	}
	tell(after)
	if stream.flow != nil {
		stream.leave(err)
		x.drop() // whoever streams has no future
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

// whenSettled runs f when the exchange is over, at once if it is; it need not if
// gone, which may be nil, is set by then.
func (x *exchange) whenSettled(f func(), gone *atomic.Bool) {
	x.begin()
	x.mu.Lock()
	if !x.settled {
		x.after.add(f, gone)
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
				if err := c.ready(conn); err != nil {
					c.refuse(err)
					return
				}
				wrapped = conn
				continue
			}
			err := x.sendOn(c, path)
			if err == errMoved {
				x.q.live = false
			}
			x.mu.Unlock()
			if err == errMoved {
				continue
			}
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
			c.link.after(&x.link)
			c.path = path
			c.waitsOn.Store(x)
			c.holds.Add(1) // to look at it where it may have been started
			x.waiting.push(c)
			dead := x.waiting.sweep()
			x.mu.Unlock()
			c.leaveEnded()
			c.unhold()
			abandonAll(dead)
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
		on.dropFrom(&x.link)
	}
}

// leaveEnded is leave if x was cancelled before it began to wait: nobody else
// would end that.
func (x *exchange) leaveEnded() {
	x.mu.Lock()
	ended := x.ended
	x.mu.Unlock()
	if ended {
		x.leave()
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
	if x.refs.Load() == 1 && x.handed && x.holds.Load() == 2 {
		x.dropHanded()
		return
	}
	if x.refs.Add(-1) > 0 {
		return
	}
	if debugging {
		x.untrack()
	}
	if x.holds.Load() == 1 { // the callee has done its part: nobody else has it
		x.discard()
		x.unhold()
		return
	}
	x.mu.Lock()
	var unread *segment.Message
	if x.settled {
		unread, x.results = x.results, nil
	}
	ended, handed := x.ended, x.handed
	x.mu.Unlock()
	unread.Release()
	if !ended {
		x.cancel()
	}
	if handed {
		x.unhold()
	}
	x.unhold()
}

// dropHanded is drop for the only one who has the exchange, and both holds of it:
// others are only taken by who has one, or with the lock, and then it is an ordinary
// drop.
func (x *exchange) dropHanded() {
	if debugging {
		x.untrack()
	}
	x.dropParams()
	x.discard()
	x.mu.Lock()
	if x.holds.Load() == 2 {
		x.recycleAndUnlock()
		return
	}
	x.mu.Unlock()
	x.refs.Add(-1)
	x.unhold()
	x.unhold()
}

// discard releases the results of an exchange that is settled, and that nobody
// refers to any more.
func (x *exchange) discard() {
	results := x.results
	x.results = nil
	results.Release()
}

// cancel tells the callee that nobody wants the results. One that has not begun
// never does.
func (x *exchange) cancel() { x.cancelFor(exceptionf(Failed, "%s", reasonCancelled)) }

// cancelFor is cancel where there is another reason.
func (x *exchange) cancelFor(e *Exception) {
	x.mu.Lock()
	if x.cancelled != nil || x.ended {
		x.mu.Unlock()
		return
	}
	x.cancelled = e
	if x.stop != nil {
		close(x.stop)
	}
	hooks := x.hooks
	x.hooks = nil
	remote, tail := x.q.conn, x.tail
	runs := x.claimed && remote == nil && tail.x == nil
	x.tail = Future{}
	x.q.live = false
	x.mu.Unlock()
	for _, f := range hooks {
		(*f)()
	}
	over := remote != nil && remote.sendCancel(x)
	if !runs {
		x.dead.Store(true)
		x.complete(e)
	}
	tail.abandonFrom(&x.link)
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
