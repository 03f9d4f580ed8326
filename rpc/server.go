package rpc

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// Server says how an object is served. Generated code fills it in.
type Server struct {
	// Interface is the id of the interface that the object implements.
	Interface uint64
	// Schema is the packed CodeGeneratorRequest of the interface's file, with which
	// [DescribeMethod] is answered.
	Schema string
	// Dispatch runs one call. It is called from one goroutine at a time, until a
	// handler calls [Call.Go] or waits. The error that it returns goes to the
	// caller as an [*Exception]; so does a panic, without its stack.
	Dispatch func(ctx context.Context, call *Call) error
	// Object is what is served. Its method Shutdown(), if it has one, is called
	// when nobody holds the capability any more and no call runs. Its method
	// AttachedFile() *os.File, if it has one, gives the file that goes along with the
	// capability: see [Client.AttachedFile]. It is called whenever the capability is
	// passed on, from any goroutine, and must not block; the file stays the object's,
	// which keeps it open until Shutdown. Nil is none.
	Object any
	// Logger is told of handlers that panic; nil is that of the connection which the
	// call came over, and slog.Default if that has none.
	Logger *slog.Logger
}

// Serve makes a capability of an object. The caller owns the client.
func Serve(s Server) Client {
	o := &object{server: s}
	o.refs.Store(1)
	return track(Client{o}, kindServed, nil)
}

// An object runs the calls on a server, one after the other.
type object struct {
	fixed
	server Server
	fl     flowRef
	refs   atomic.Int32

	mu      sync.Mutex
	queue   queue
	busy    bool // a goroutine takes from the queue
	running int  // handlers that have not returned
	ended   bool
	calls   []Call                    // to be given out, each once
	slab    int                       // how many they were
	failed  atomic.Pointer[Exception] // of a streaming call: that of all later ones
	save    atomic.Pointer[func(context.Context, *Call) error]
	habit
}

func (c Client) isObject() bool {
	_, ok := c.t.(*object)
	return ok
}

func (o *object) flow() *flow { return o.fl.get() }
func (o *object) retain()     { o.refs.Add(1) }

func (o *object) release() {
	if o.refs.Add(-1) == 0 {
		o.mu.Lock()
		o.unlockAndEnd()
	}
}

// unlockAndEnd shuts the server down after the last of it.
func (o *object) unlockAndEnd() {
	end := !o.ended && o.refs.Load() == 0 && o.running == 0 && o.queue.head == nil
	if end {
		o.ended = true
	}
	o.mu.Unlock()
	if !end {
		return
	}
	if s, ok := o.server.Object.(interface{ Shutdown() }); ok {
		// Whoever released it may have no time for that.
		go s.Shutdown()
	}
}

func (o *object) start(x *exchange) {
	o.mu.Lock()
	if o.busy {
		o.queue.push(x)
		if o.left {
			o.spawn()
		}
		dead := o.queue.sweep()
		o.mu.Unlock()
		abandonAll(dead)
		return
	}
	o.busy = true
	r := x.reader
	if r == nil || !r.c.methods.quick(x.method) {
		left, add := o.leave(x)
		o.queue.push(x)
		if !left {
			o.spawn()
		}
		o.mu.Unlock()
		if add {
			keep.add(o)
		}
		return
	}
	o.running++
	call := o.newCall(x)
	o.mu.Unlock()
	method, habits := x.method, &r.c.methods
	// Nobody but the reader has x as long as it has the role, unless an interceptor
	// was asked.
	claimed := x.watch == nil
	if claimed {
		x.claimed = true
	}
	began := habits.begin()
	r.enter()
	call.reads, call.turn = r.c, r.turn
	o.serve(call, claimed)
	habits.end(method, began)
	r.leave()

	o.mu.Lock()
	o.overAndUnlock(call)
	if r.lost {
		habits.slow(method)
		r.c.flush()
	}
}

// overAndUnlock is told that a handler has returned that no goroutine of the queue
// ran: it has the others run. The caller has the lock.
func (o *object) overAndUnlock(call *Call) {
	o.running--
	call.over = true
	if !call.gone {
		if o.busy = o.queue.head != nil; o.busy {
			o.spawn()
		}
	}
	o.unlockAndEnd()
}

// run takes calls from the queue, until it is empty or a handler lets another
// goroutine take its place.
func (o *object) run() {
	o.mu.Lock()
	if !o.spawned {
		o.mu.Unlock()
		return // the one who waits was here first
	}
	o.spawned = false
	o.mu.Unlock()
	for {
		o.mu.Lock()
		x := o.queue.pop()
		if x == nil {
			o.busy = false
			o.unlockAndEnd()
			return
		}
		o.running++
		call := o.newCall(x)
		o.mu.Unlock()

		from, method, began := x.a.conn, x.method, time.Now()
		o.serve(call, false)
		if from != nil {
			from.methods.end(method, began)
			from.dirty() // not here: a peer that does not read would hold up the object
		} else {
			local.end(method, began)
		}

		o.mu.Lock()
		o.running--
		call.over = true
		if call.gone {
			o.unlockAndEnd()
			return
		}
		o.mu.Unlock()
	}
}

// callSlab is how many calls are allocated at once, at most. They are never used
// again: a handler may leave its context to others.
const callSlab = 32

// newCall gives the call of x as its handler sees it. The caller has the lock.
func (o *object) newCall(x *exchange) *Call {
	if len(o.calls) == 0 {
		o.slab = min(2*o.slab+1, callSlab)
		o.calls = make([]Call, o.slab)
	}
	c := &o.calls[0]
	o.calls = o.calls[1:]
	c.x, c.gen, c.object = x, x.gen.Load(), o
	return c
}

// giveAway lets another goroutine run the next calls.
func (o *object) giveAway(c *Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !c.gone && !c.over {
		c.gone = true
		o.spawn()
	}
}

// serve runs a handler, unless the call was cancelled before it was claimed, and
// ends the call with what it returns. It tells whether the call is settled by
// that; it may be even if not.
func (o *object) serve(call *Call, claimed bool) (settled bool) {
	x := call.x
	if claimed || x.claimToServe() {
		settled = o.serveClaimed(call)
	}
	if x.handed {
		x.drop()
	} else {
		x.unhold()
	}
	return settled
}

func (o *object) serveClaimed(call *Call) (settled bool) {
	x := call.x
	if err := x.ctx.Err(); err != nil {
		return x.end(ending{err: exception(err), served: true})
	}
	err := o.dispatch(call)
	x.handled = true
	if err == nil && x.params != nil {
		err = x.params.Err() // what the handler did not get to see
	}
	if err != nil {
		call.tail.Release()
		return x.end(ending{err: x.failure(err), served: true})
	}
	return call.finish()
}

// failure is what err of a handler means: why it was cancelled, if it ended for that.
func (x *exchange) failure(err error) *Exception {
	e := exception(err)
	x.mu.Lock()
	defer x.mu.Unlock()
	if e.Reason == reasonCancelled && x.cancelled != nil {
		return x.cancelled
	}
	return e
}

func (o *object) dispatch(call *Call) (err error) {
	defer func() {
		if v := recover(); v != nil {
			o.logger(call).Error("rpc: a handler panicked", "method", call.x.method.String(), "panic", v, "stack", string(debug.Stack()))
			err = exceptionf(Failed, "the handler of %v panicked", call.x.method)
		}
	}()
	if call.x.method == DescribeMethod && o.server.Schema != "" {
		return call.Describe(o.server.Interface, o.server.Schema)
	}
	if call.x.method == SaveMethod {
		if save := o.save.Load(); save != nil {
			return (*save)((*handlerContext)(call), call)
		}
	}
	if e := o.failed.Load(); e != nil {
		return e
	}
	return o.server.Dispatch((*handlerContext)(call), call)
}

func (o *object) logger(call *Call) *slog.Logger {
	if o.server.Logger != nil {
		return o.server.Logger
	}
	return call.Conn().panicLogger()
}

// finish ends a call whose handler returned without an error, and tells whether it
// is settled by that.
func (c *Call) finish() bool {
	x := c.x
	if c.tail.x != nil {
		x.follows(c.tail, nil)
		return false
	}
	if x.results == nil {
		x.newResults(segment.Size{})
	}
	if err := x.results.Err(); err != nil {
		return x.end(ending{err: exception(fmt.Errorf("results of %v: %w", x.method, err)), served: true})
	}
	return x.end(ending{served: true})
}
