package rpc

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// Method names a method: the id of the interface that declares it, and its
// ordinal there.
type Method struct {
	Interface uint64
	Ordinal   uint16
}

// String gives the method as @0x…#ordinal.
func (m Method) String() string { return fmt.Sprintf("@%#016x#%d", m.Interface, m.Ordinal) }

// A target is what a Client refers to. It is counted: release is called once
// for each retain and once more. What it lends is good while it is held.
//
// These are the hooks that capabilities of any kind are made with.
type target interface {
	retain() // takes no lock
	release()
	// start takes over the call x, with the part of its callee: it claims,
	// completes and unholds it, or refuses it. It does not block, and calls that
	// one goroutine starts here run in that order.
	start(x *exchange)
	// flow is the state of the streaming calls on the target; nil for a promise that
	// is resolved.
	flow() *flow
	// conn is the connection that calls leave by as things are; nil if they run
	// here, or wait. Parameters that are built for another are copied.
	conn() *Conn
	// state tells whether the target is a promise, and what it has become, lent.
	state() (Client, state)
	// whenResolved runs f once state is not open any more, at once if it is not; it
	// need not if gone, which may be nil, is set by then.
	whenResolved(f func(), gone *atomic.Bool)
}

// state is whether a target is what it will always be.
type state uint8

const (
	settled  state = iota // no promise
	open                  // a promise
	resolved              // a promise that has become something else, maybe a further promise
)

// fixed has the methods of a target that is no promise.
type fixed struct{}

func (fixed) conn() *Conn                           { return nil }
func (fixed) state() (Client, state)                { return Client{}, settled }
func (fixed) whenResolved(f func(), _ *atomic.Bool) { f() }

// innermost follows promises as far as they are resolved. What it gives is lent
// by c; open tells that it is a promise.
func (c Client) innermost() (in Client, isOpen bool) {
	for hops := 0; c.t != nil; hops++ {
		if hops > maxHops {
			return Broken(exceptionf(Failed, "more than %d promises resolved to each other", maxHops)), false
		}
		to, s := c.t.state()
		if s != resolved {
			return c, s == open
		}
		c = to
	}
	return c, false
}

func (c Client) conn() *Conn {
	in, _ := c.innermost()
	if in.t == nil {
		return nil
	}
	return in.t.conn()
}

// Client refers to a capability, here or elsewhere. It is a small value, of
// which any goroutine may use copies; the zero Client is null, and calls on it
// fail. See the package comment for who releases it.
type Client struct{ t target }

// IsNull tells whether the client refers to nothing.
func (c Client) IsNull() bool { return c.t == nil }

// Retain makes the capability live for one Release more, and gives c.
func (c Client) Retain() Client {
	if c.t != nil {
		c.t.retain()
	}
	return c
}

// Release gives back the caller's share of the capability. A capability that
// nobody holds any more is shut down. Releasing the zero Client does nothing.
func (c Client) Release() {
	if c.t != nil {
		c.t.release()
	}
}

// NewCall prepares a call of m. The request's parameters are built in place,
// and then it is sent. ctx governs the call: when it ends, the call is
// cancelled, and the handler of a capability in this process sees its values
// and its deadline.
func (c Client) NewCall(ctx context.Context, m Method, params segment.Size) Request {
	x := newExchange(ctx, m)
	x.towards = c.conn()
	return Request{x, c, x.newParams(x.towards, params)}
}

// Request is a call whose parameters are being built. It is sent or discarded,
// once.
type Request struct {
	x      *exchange
	to     Client
	params segment.StructBuilder
}

// Params gives the parameters to fill in. They belong to the request and are
// gone once it is sent.
func (r Request) Params() segment.StructBuilder { return r.params }

// Send makes the call. It does not wait for the callee; while too much waits to
// be written to the peer it waits for that. A fault in the parameters, such as a
// full arena, makes the call fail without being sent.
func (r Request) Send() Future {
	x := r.x
	f := x.future()
	if debugging {
		x.trackFuture()
	}
	conn, ctx := x.envelope, x.ctx
	if conn != nil {
		conn.awaitRoom(ctx)
	}
	switch err := x.params.Err(); {
	case err != nil:
		x.refuse(exception(fmt.Errorf("parameters of %v: %w", x.method, err)))
	case ctx.Err() != nil:
		x.refuse(exception(context.Cause(ctx)))
	default:
		r.to.deliver(x)
	}
	if conn != nil && conn.many.Load() {
		if ctx.Done() == nil {
			conn.flush()
		} else {
			conn.dirty() // who would not wait until all is written
		}
	}
	return f
}

// Discard gives the request up without sending it.
func (r Request) Discard() {
	r.x.refuse(exceptionf(Failed, "%v was not sent", r.x.method))
	r.x.drop()
}

// newParams starts the parameters, in a message for conn if it is not nil.
func (x *exchange) newParams(conn *Conn, sz segment.Size) segment.StructBuilder {
	p := x.newContent(conn, sz.Ptrs > 0).NewStruct(sz)
	x.args = p.Reader()
	return p
}

func (x *exchange) newContent(conn *Conn, hasPtrs bool) segment.PtrBuilder {
	if conn == nil {
		x.params = newMessage()
		return x.params.RootBuilder()
	}
	x.params, x.envelope = conn.t.NewMessage(0), conn
	call := newRoot(x.params, wire.MessageCall, callSize)
	x.call = wire.CallBuilder(call)
	x.call.SetInterfaceID(x.method.Interface)
	x.call.SetMethodID(x.method.Ordinal)
	return newContent(call, 1, hasPtrs)
}

// wrap makes the parameters a Call for conn, by a copy where they are not. The
// caller has the exchange to start.
func (x *exchange) wrap(conn *Conn) {
	if x.envelope == conn {
		return
	}
	old, args := x.params, x.args
	p := x.newContent(conn, args.Size().Ptrs > 0)
	if old != nil {
		p.SetStruct(args)
		x.params.Fail(old.Err())
		old.Release()
	}
	x.args = p.Reader().Struct()
}

// Broken gives a capability on which every call fails with err.
func Broken(err error) Client { return Client{&broken{exception: exception(err)}} }

type broken struct {
	fixed
	exception *Exception
	fl        flowRef
}

func (b *broken) retain()           {}
func (b *broken) release()          {}
func (b *broken) flow() *flow       { return b.fl.get() }
func (b *broken) start(x *exchange) { x.refuse(b.exception) }

// newMessage gives a message for parameters or results within the process.
func newMessage() *segment.Message { return segment.New(arena.Pool()) }
