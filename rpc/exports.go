package rpc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// Exports are capabilities that a peer asks for by name, each as it asks for the
// bootstrap capability: what the C++ library calls exportCap and importCap, and
// pycapnp restore. A name is no secret: whoever can connect can guess it.
//
// The zero Exports has none. One may serve many connections, and change
// meanwhile; its fields may not. All methods may be called from any goroutine.
type Exports struct {
	// Listed lets peers ask which names there are. See [NamesMethod].
	Listed bool
	// Restore, if it is not nil, is asked for what has no name here: an unknown
	// text, or an object id of another kind, as versions of the protocol before 0.5
	// had them. The id is lent. The caller owns the client, which may be a promise.
	// It is called from many goroutines, and must not block.
	Restore func(conn *Conn, id segment.Ptr) (Client, error)

	mu     sync.RWMutex
	byName map[string]Client
}

// NamesMethod is a method that the bootstrap capability of a connection with
// [Exports] that are Listed has beside its own. In the language of schemas it is
//
//	interface Exports @0xd1722bdbeae8d83f {
//	  names @0 () -> (names :List(Text));
//	}
var NamesMethod = Method{Interface: 0xd1722bdbeae8d83f, Ordinal: 0}

// Set exports c under a name, in the place of what had it before. It takes c
// over; a null c takes the name away.
func (e *Exports) Set(name string, c Client) {
	e.mu.Lock()
	old := e.byName[name]
	if c.t == nil {
		delete(e.byName, name)
	} else {
		if e.byName == nil {
			e.byName = map[string]Client{}
		}
		e.byName[name] = c
	}
	e.mu.Unlock()
	old.Release()
}

// Names gives the names in their order.
func (e *Exports) Names() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Sorted(maps.Keys(e.byName))
}

// Release takes all names away.
func (e *Exports) Release() {
	e.mu.Lock()
	all := e.byName
	e.byName = nil
	e.mu.Unlock()
	for _, c := range all {
		c.Release()
	}
}

// get gives what a peer means by an object id. The caller owns it.
func (e *Exports) get(conn *Conn, id segment.Ptr) (c Client, err error) {
	name, isText := textOf(id)
	if isText {
		e.mu.RLock()
		c = e.byName[name].Retain()
		e.mu.RUnlock()
	}
	if c.t == nil && e.Restore != nil {
		c, err = e.restore(conn, id)
	}
	switch {
	case err != nil || c.t != nil:
		return c, err
	case isText:
		return Client{}, fmt.Errorf("nothing is exported under the name %.64q", name)
	}
	return Client{}, fmt.Errorf("nothing is exported by an object id that is no text")
}

// textOf reads an object id that is a text.
func textOf(id segment.Ptr) (text string, ok bool) {
	if id.Kind() != segment.KindList || id.List().ElemSize() != segment.Byte {
		return "", false
	}
	b := id.Data()
	if len(b) == 0 || b[len(b)-1] != 0 {
		return "", false
	}
	return string(b[:len(b)-1]), true
}

// restore calls Restore, which is the program's.
func (e *Exports) restore(conn *Conn, id segment.Ptr) (c Client, err error) {
	defer func() {
		if v := recover(); v != nil {
			if conn.log != nil {
				conn.log.Error("rpc: Exports.Restore panicked", "panic", v)
			}
			c, err = Client{}, fmt.Errorf("what restores exports panicked")
		}
	}()
	return e.Restore(conn, id)
}

// BootstrapNamed is Bootstrap for what the peer exports under a name. See
// [Exports]. A name that it does not know is the error of calls on it.
func (c *Conn) BootstrapNamed(name string) Client {
	return c.BootstrapObject(func(id segment.PtrBuilder) { id.SetText(name) })
}

// BootstrapObject is Bootstrap for what the peer knows by the object id that
// build fills in: a text for a name, or whatever it expects.
func (c *Conn) BootstrapObject(build func(id segment.PtrBuilder)) Client {
	x := newExchange(context.Background(), Method{})
	if err := c.sendBootstrap(x, build); err != nil {
		x.refuse(err)
	}
	c.touch()
	return track(Client{&promised{f: x.future()}}, kindBootstrap, c)
}

// Names asks the peer for the names under which it exports capabilities. The
// error matches [ErrUnimplemented] if it does not tell.
func (c *Conn) Names(ctx context.Context) ([]string, error) {
	main := c.main()
	defer main.Release()
	f := main.NewCall(ctx, NamesMethod, segment.Size{}).Send()
	defer f.Release()
	res, err := f.Wait(ctx)
	if err != nil {
		return nil, err
	}
	list := res.Ptr(0).Texts()
	names := make([]string, 0, list.Len())
	for name := range list.All() {
		names = append(names, name)
	}
	return names, res.Message().Err()
}

// main asks for the peer's bootstrap capability, whatever Bootstrap asks for.
func (c *Conn) main() Client { return c.BootstrapObject(nil) }

// serveBeside serves what a connection has beside the methods of its bootstrap
// capability.
func (c *Conn) serveBeside(restorer func(context.Context, *Call) error) Client {
	return Serve(Server{Dispatch: func(ctx context.Context, call *Call) error {
		switch {
		case call.Method().Interface == RestoreMethod.Interface && restorer != nil:
			return restorer(ctx, call)
		case call.Method() == NamesMethod && c.names != nil && c.names.Listed:
			names := c.names.Names()
			list := call.NewResults(segment.Size{Ptrs: 1}).Ptr(0).NewPtrs(len(names))
			for i, n := range names {
				list.At(i).SetText(n)
			}
			return nil
		}
		return call.Unimplemented()
	}})
}

// goesBeside tells whether a call of m is one of those, if it is on the bootstrap
// capability.
func (c *Conn) goesBeside(m Method) bool {
	return c.beside.t != nil && (m.Interface == RestoreMethod.Interface || m.Interface == NamesMethod.Interface)
}

// isBootstrap tells whether to is the bootstrap capability.
func (c *Conn) isBootstrap(to Client) bool {
	in, _ := to.innermost()
	boot, _ := c.bootstrap.innermost()
	return in.t != nil && in.t == boot.t
}

// answered gives the capability at path of results that are there, lent by them;
// null if they are not.
func (x *exchange) answered(path []uint16) Client {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.settled || x.err != nil {
		return Client{}
	}
	return x.client(path)
}

// answerBootstrap gives what a question for the bootstrap capability, or for
// another export, is answered with. The caller owns it.
func (c *Conn) answerBootstrap(b wire.Bootstrap) (Client, error) {
	switch {
	case !b.HasDeprecatedObjectID():
		if c.bootstrap.t == nil {
			return Client{}, fmt.Errorf("there is no bootstrap capability")
		}
		return c.bootstrap.Retain(), nil
	case c.names == nil:
		return Client{}, fmt.Errorf("nothing is exported by name")
	}
	return c.names.get(c, b.DeprecatedObjectID())
}
