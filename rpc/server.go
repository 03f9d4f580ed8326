package rpc

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/fairlead-go/fairlead/segment"
)

// Server says how an object is served. Generated code fills it in.
type Server struct {
	// Interface is the id of the interface that the object implements.
	Interface uint64
	// Schema is the packed CodeGeneratorRequest of the interface's file.
	Schema string
	// Dispatch runs one call. It is called from one goroutine at a time, until a
	// handler calls [Call.Go] or waits. The error that it returns goes to the
	// caller as an [*Exception]; so does a panic, without its stack.
	Dispatch func(ctx context.Context, call *Call) error
	// Object is what is served. Its method Shutdown(), if it has one, is called
	// when nobody holds the capability any more and no call runs.
	Object any
	// Logger is told of handlers that panic; nil is slog.Default.
	Logger *slog.Logger
}

// Serve makes a capability of an object. The caller owns the client.
func Serve(s Server) Client { return Client{&object{server: s, refs: 1}} }

// An object runs the calls on a server, one after the other.
type object struct {
	server Server
	fl     flow

	mu      sync.Mutex
	refs    int
	queue   []*exchange
	busy    bool // a goroutine takes from the queue
	running int  // handlers that have not returned
}

func (o *object) flow() *flow { return &o.fl }

func (o *object) retain() {
	o.mu.Lock()
	o.refs++
	o.mu.Unlock()
}

func (o *object) release() {
	o.mu.Lock()
	o.refs--
	o.unlockAndEnd()
}

// unlockAndEnd shuts the server down after the last of it.
func (o *object) unlockAndEnd() {
	end := o.refs == 0 && o.running == 0 && len(o.queue) == 0
	if end {
		o.refs-- // never again
	}
	o.mu.Unlock()
	if s, ok := o.server.Object.(interface{ Shutdown() }); ok && end {
		s.Shutdown()
	}
}

func (o *object) start(x *exchange) {
	o.mu.Lock()
	o.queue = append(o.queue, x)
	if !o.busy {
		o.busy = true
		go o.run()
	}
	o.mu.Unlock()
}

// run takes calls from the queue, until it is empty or a handler lets another
// goroutine take its place.
func (o *object) run() {
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.busy = false
			o.queue = nil
			o.unlockAndEnd()
			return
		}
		x := o.queue[0]
		o.queue = o.queue[1:]
		o.running++
		o.mu.Unlock()

		call := &Call{x: x, object: o}
		o.serve(call)

		o.mu.Lock()
		o.running--
		if call.gone {
			o.unlockAndEnd()
			return
		}
		o.mu.Unlock()
	}
}

func (o *object) serve(call *Call) {
	x := call.x
	defer func() {
		if v := recover(); v != nil {
			o.logger().Error("rpc: a handler panicked", "method", x.method.String(), "panic", v, "stack", string(debug.Stack()))
			x.complete(exceptionf(Failed, "the handler of %v panicked", x.method))
		}
	}()
	if err := x.ctx.Err(); err != nil {
		x.complete(exception(context.Cause(x.ctx.Context)))
		return
	}
	x.ctx.call = call
	err := o.server.Dispatch(&x.ctx, call)
	if err == nil && x.params != nil {
		err = x.params.Err() // what the handler did not get to see
	}
	if err != nil {
		call.tail.Release()
		x.complete(exception(err))
		return
	}
	call.finish()
}

func (o *object) logger() *slog.Logger {
	if o.server.Logger != nil {
		return o.server.Logger
	}
	return slog.Default()
}

// Call is a call as its handler sees it, valid until the handler returns.
type Call struct {
	x       *exchange
	object  *object
	results segment.StructBuilder
	tail    Future
	gone    bool // guarded by object.mu: another goroutine runs the object's next calls
}

// Method tells which method is called.
func (c *Call) Method() Method { return c.x.method }

// Unimplemented gives the error of a method that the server does not have.
func (c *Call) Unimplemented() error {
	return exceptionf(Unimplemented, "method %v", c.x.method)
}

// Params gives the parameters. They are valid until the handler returns or
// calls ReleaseParams.
func (c *Call) Params() segment.Struct {
	if c.x.params == nil {
		return segment.Struct{}
	}
	return c.x.params.Root().Struct()
}

// ReleaseParams gives the parameters and their capabilities back before the
// handler returns.
func (c *Call) ReleaseParams() { c.x.dropParams() }

// NewResults gives the results to fill in, a struct of size sz. It is made by
// the first call, and the same one is given by each further.
func (c *Call) NewResults(sz segment.Size) segment.StructBuilder {
	if c.x.results == nil {
		c.x.results = newMessage()
		c.results = c.x.results.NewRoot(sz)
	}
	return c.results
}

// Go lets the next call on the object start, beside this one. From here on the
// handler shares the object with others.
func (c *Call) Go() {
	c.object.mu.Lock()
	defer c.object.mu.Unlock()
	if !c.gone {
		c.gone = true
		go c.object.run()
	}
}

// TailCall makes the answer of f the answer of this call, when the handler
// returns without an error. The call takes f over.
func (c *Call) TailCall(f Future) { c.tail = f }

func (c *Call) finish() {
	x, tail := c.x, c.tail
	switch {
	case tail.x != nil:
		x.dropParams()
		x.mu.Lock()
		x.dropResults()
		x.mu.Unlock()
		stop := context.AfterFunc(&x.ctx, tail.x.cancel)
		tail.x.whenSettled(func() {
			stop()
			x.follow(tail)
		})
		return
	case x.results == nil:
		x.results = newMessage()
		x.results.NewRoot(segment.Size{})
	}
	if err := x.results.Err(); err != nil {
		x.complete(exception(err))
		return
	}
	x.complete(nil)
}

// follow ends x as f ended, and releases f.
func (x *exchange) follow(f Future) {
	f.x.mu.Lock()
	err, results := f.x.err, f.x.results
	if results != nil {
		results = results.Retain()
	}
	f.x.mu.Unlock()
	x.results = results
	if err == nil && results == nil {
		err = exceptionf(Failed, "the results of the tail call %v were released", f.x.method)
	}
	x.complete(err)
	f.Release()
}
