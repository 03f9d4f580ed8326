package rpc

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/arena"
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
// for each retain and once more.
type target interface {
	retain()
	release()
	// start takes over the call x. It does not block, and calls that one goroutine
	// starts here run in that order.
	start(x *exchange)
	// flow is the state of the streaming calls on the target.
	flow() *flow
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
	return Request{x, c, x.params.NewRoot(params)}
}

// Request is a call whose parameters are being built.
type Request struct {
	x      *exchange
	to     Client
	params segment.StructBuilder
}

// Params gives the parameters to fill in. They belong to the request and are
// gone once it is sent.
func (r Request) Params() segment.StructBuilder { return r.params }

// Send makes the call. It does not wait. A fault in the parameters, such as a
// full arena, makes the call fail without being sent.
func (r Request) Send() Future {
	x := r.x
	switch err := x.params.Err(); {
	case err != nil:
		x.complete(exception(fmt.Errorf("parameters of %v: %w", x.method, err)))
	case r.to.t == nil:
		x.complete(exceptionf(Failed, "%v called on a null capability", x.method))
	default:
		r.to.t.start(x)
	}
	return Future{x}
}

// Discard gives the request up without sending it.
func (r Request) Discard() { r.x.complete(exceptionf(Failed, "%v was not sent", r.x.method)) }

// Broken gives a capability on which every call fails with err.
func Broken(err error) Client { return Client{&broken{exception: exception(err)}} }

type broken struct {
	exception *Exception
	fl        flow
}

func (b *broken) retain()           {}
func (b *broken) release()          {}
func (b *broken) flow() *flow       { return &b.fl }
func (b *broken) start(x *exchange) { x.complete(b.exception) }

// newMessage gives a message for parameters or results within the process.
func newMessage() *segment.Message { return segment.New(arena.Pool()) }
