package rpc

import (
	"context"
	"fmt"
)

// SaveMethod is the method of the standard interface Persistent, which gives a
// reference to the object that outlives the connection. See package rpc/sturdy.
var SaveMethod = Method{Interface: 0xc8cb212fcd9f5691, Ordinal: 0}

// RestoreMethod and DropMethod are methods that the bootstrap capability of a
// connection with [ConnOptions.Restorer] has beside its own. In the language of
// schemas they are
//
//	interface Restorer @0xbfb5321d13d5b8a8 {
//	  restore @0 (ref :AnyPointer) -> (cap :Capability);
//	  drop @1 (ref :AnyPointer) -> ();
//	}
//
// where ref is what SaveMethod gave.
var (
	RestoreMethod = Method{Interface: 0xbfb5321d13d5b8a8, Ordinal: 0}
	DropMethod    = Method{Interface: 0xbfb5321d13d5b8a8, Ordinal: 1}
)

// A lasting target is one that this process serves: references to it can outlive
// those that clients hold.
type lasting interface {
	target
	// handleSave sets what answers SaveMethod.
	handleSave(save func(ctx context.Context, call *Call) error)
	// tryRetain is retain unless the target has come to its end.
	tryRetain() bool
	// isOver tells whether it has.
	isOver() bool
}

// lasting gives what c refers to if it is such a target, and else nil.
func (c Client) lasting() lasting {
	in, _ := c.innermost()
	l, _ := in.t.(lasting)
	return l
}

// HandleSave makes the object behind c answer [SaveMethod] by save, beside its own
// methods. It has to be one that this process serves, or what [Intercept] made.
//
// No wrapper passes the method on, for what it saved would go around it: it is
// unimplemented by an interceptor's without a HandleSave of its own, and by what
// can be revoked.
func HandleSave(c Client, save func(ctx context.Context, call *Call) error) error {
	l := c.lasting()
	if l == nil {
		return fmt.Errorf("rpc: a capability to be saved that is no object of this process, or can be revoked")
	}
	l.handleSave(save)
	return nil
}

func (o *object) handleSave(save func(context.Context, *Call) error) { o.save.Store(&save) }

func (o *object) tryRetain() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return false
	}
	o.refs.Add(1)
	return true
}

func (o *object) isOver() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

// handleSave sets an object of its own, which sees who calls: what goes on from
// here is a call of this process.
func (w *intercepted) handleSave(save func(context.Context, *Call) error) {
	o := &object{server: Server{Dispatch: save}}
	o.refs.Store(1)
	if old := w.saver.Swap(o); old != nil {
		old.release()
	}
}

// startSave starts a call of SaveMethod.
func (w *intercepted) startSave(x *exchange) {
	if o := w.saver.Load(); o != nil {
		o.start(x)
		return
	}
	x.refuse(exceptionf(Unimplemented, "method %v through an interceptor", x.method))
}

func (w *intercepted) tryRetain() bool {
	for {
		n := w.refs.Load()
		if n == 0 {
			return false
		}
		if w.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (w *intercepted) isOver() bool { return w.refs.Load() == 0 }

// Weak refers to an object of this process without keeping it.
type Weak struct{ t lasting }

// WeakOf gives a weak reference to what c refers to, if HandleSave could be called
// with it. Else it is the zero Weak, which refers to nothing.
func WeakOf(c Client) Weak { return Weak{c.lasting()} }

// Client gives the object, if somebody still holds it. The caller owns the client.
func (w Weak) Client() (c Client, ok bool) {
	if w.t == nil || !w.t.tryRetain() {
		return Client{}, false
	}
	return Client{w.t}, true
}

// Gone tells that the object will never be there again.
func (w Weak) Gone() bool { return w.t == nil || w.t.isOver() }

// Restorer asks for the capability whose methods [RestoreMethod] and [DropMethod]
// are. The caller owns it.
func (c *Conn) Restorer() Client { return c.main() }
