package rpc

import (
	"fmt"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// An embargo keeps calls on a promise of the peer's that turned out to be a
// capability on this side, until those that were sent to it before have come
// back from the peer.
type embargo struct {
	p  *promise // that keeps them
	to Client
	m  *segment.Message
	id wire.DisembargoContextBuilder
}

// newEmbargo prepares the embargo of a promise that has become in. It gives nil
// where none is needed: for errors, and for what is with the peer, unless calls on
// the promise go there by way of us, as back tells.
func (c *Conn) newEmbargo(in Client, back func() bool, to messageTarget) *embargo {
	switch t := in.t.(type) {
	case nil, *broken:
		return nil
	case *importCap:
		if t.c == c && !back() {
			return nil
		}
	case *promised:
		x := t.f.x
		x.mu.Lock()
		same := x.q.live && x.q.conn == c
		x.mu.Unlock()
		if same && !back() {
			return nil
		}
	}
	e := &embargo{p: newPromise(), to: in.Retain(), m: c.t.NewMessage(0)}
	d := wire.NewRootMessage(e.m).NewDisembargo()
	to.build(segment.StructBuilder(d), 0)
	e.id = d.Context()
	return e
}

// begin sends the Disembargo. The caller has the lock.
func (e *embargo) begin(c *Conn) {
	e.p.retain() // for the table
	e.id.SetSenderLoopback(c.embargoes.add(e))
	c.enqueue(e.m)
	e.m = nil
}

// lift ends an embargo that has begun.
func (e *embargo) lift(to Client) {
	e.p.resolve(to)
	e.p.release()
}

// discard drops an embargo that has not begun.
func (e *embargo) discard() {
	e.m.Release()
	e.to.Release()
}

// handleDisembargo echoes the peer's, or lifts an embargo of ours.
func (c *Conn) handleDisembargo(m *segment.Message, d wire.Disembargo) error {
	ctx := d.Context()
	target := d.Target()
	switch ctx.Which() {
	case wire.DisembargoContextSenderLoopback:
		id := ctx.SenderLoopback()
		if err := m.Err(); err != nil {
			return err
		}
		return c.echoDisembargo(target, id)
	case wire.DisembargoContextReceiverLoopback:
		id := ctx.ReceiverLoopback()
		if err := m.Err(); err != nil {
			return err
		}
		c.mu.Lock()
		e := c.embargoes.at(id)
		if e == nil {
			c.mu.Unlock()
			return violation("a Disembargo with id %d, which is not there", id)
		}
		c.embargoes.remove(id)
		c.mu.Unlock()
		e.lift(e.to)
		return nil
	}
	return c.sendUnimplemented(m)
}

// echoDisembargo sends a Disembargo back behind the calls that were made on its
// target before. Those that were passed on when they came have left already; if
// the target waits for an embargo of ours, so does the echo.
func (c *Conn) echoDisembargo(target wire.MessageTarget, id uint32) error {
	cl, kept, path, err := c.disembargoed(target)
	if err != nil {
		return err
	}
	if kept != nil {
		c.sendEcho(messageTarget{answer: kept, path: path}, id)
		kept.drop()
		return nil
	}
	in, open := cl.innermost()
	if !open {
		err = c.echo(in, id)
		cl.Release()
		return err
	}
	c.mu.Lock()
	c.echoes++
	n := c.echoes
	c.mu.Unlock()
	if n > c.limits.Exports {
		cl.Release()
		return violation("%d Disembargos that wait, at most %d", n, c.limits.Exports)
	}
	in.t.whenResolved(func() {
		c.mu.Lock()
		c.echoes--
		c.mu.Unlock()
		in, _ := cl.innermost()
		if err := c.echo(in, id); err != nil {
			c.fail(fmt.Errorf("%w: %w", ErrDisconnected, err))
		}
		cl.Release()
		c.dirty()
	}, nil)
	return nil
}

// echo sends the Disembargo back to in, which must be with the peer.
func (c *Conn) echo(in Client, id uint32) error {
	imp, ok := in.t.(*importCap)
	if !ok || imp.c != c {
		return violation("a Disembargo of what does not lead back to its sender")
	}
	c.sendEcho(messageTarget{imp: imp}, id)
	return nil
}

func (c *Conn) sendEcho(to messageTarget, id uint32) {
	m := c.t.NewMessage(0)
	d := wire.NewRootMessage(m).NewDisembargo()
	to.build(segment.StructBuilder(d), 0)
	d.Context().SetReceiverLoopback(id)
	c.mu.Lock()
	c.enqueue(m)
	c.mu.Unlock()
}

// disembargoed gives where the peer's calls on a target come back to it: what a
// promise that we told it of was resolved to, or, with the path there, a
// question whose results it keeps. The caller releases either.
func (c *Conn) disembargoed(target wire.MessageTarget) (cl Client, kept *exchange, path []uint16, err error) {
	switch target.Which() {
	case wire.MessageTargetImportedCap:
		id := target.ImportedCap()
		c.mu.Lock()
		defer c.mu.Unlock()
		e := c.exports.at(id)
		if e == nil || !e.told {
			return cl, nil, nil, violation("a Disembargo of export %d, which is no promise that was resolved", id)
		}
		return e.client.Retain(), nil, nil, nil
	case wire.MessageTargetPromisedAnswer:
		x, path, err := c.promisedAnswer(target.PromisedAnswer())
		if x == nil {
			if err == nil {
				err = violation("a Disembargo of answer %d, which is not there", target.PromisedAnswer().QuestionID())
			}
			return cl, nil, nil, err
		}
		defer x.drop()
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.settled {
			return x.client(path).Retain(), nil, nil, nil
		}
		kept := x
		if x.tail.x != nil {
			kept = x.tail.x // which x holds
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if !kept.q.sent || !kept.q.yourself || kept.q.finished || c.questions.at(kept.q.id) != kept {
			return cl, nil, nil, violation("a Disembargo of an answer that has not returned")
		}
		kept.refs.Add(1)
		return cl, kept, path, nil
	}
	return cl, nil, nil, violation("a target of unknown kind %d", target.Which())
}

// handleResolve takes what a promise of the peer's has become.
func (c *Conn) handleResolve(m *segment.Message, r wire.Resolve) error {
	id := r.PromiseID()
	var to Client
	back := false
	switch r.Which() {
	case wire.ResolveCap:
		d := r.Cap()
		back = isOurs(d)
		if err := m.Err(); err != nil {
			return err
		}
		if d.Which() == wire.CapDescriptorNone {
			return violation("a Resolve of promise %d to no capability", id)
		}
		var err error
		if to, err = c.takeCap(d, nil); err != nil {
			return err
		}
	case wire.ResolveException:
		to = Broken(fromWire(r.Exception()))
	default:
		return c.sendUnimplemented(m)
	}
	if err := m.Err(); err != nil {
		to.Release()
		return err
	}
	c.mu.Lock()
	i, ok := c.imports.get(id)
	if !ok {
		c.mu.Unlock()
		to.Release() // the promise was released meanwhile
		return nil
	}
	if !i.promise || i.to.t != nil {
		c.mu.Unlock()
		to.Release()
		return violation("a Resolve of capability %d, which is no promise or resolved", id)
	}
	i.refs.Add(1)
	c.mu.Unlock()
	c.resolveImport(i, to, back)
	i.release()
	return nil
}

// markCalled notes that calls on their way to the peer may end up at in.
func (c *Conn) markCalled(in Client) {
	if i, ok := in.t.(*importCap); ok && i.c == c {
		c.mu.Lock()
		i.called = true
		c.mu.Unlock()
	}
}

// resolveImport makes to, which it takes over, what the promise i is. back tells that
// calls on it come back to us, though we may pass them on to the peer again.
func (c *Conn) resolveImport(i *importCap, to Client, back bool) {
	in, _ := to.innermost()
	if in.t == target(i) { // it leads back to itself
		to.Release()
		to = Broken(exceptionf(Failed, "a promise was resolved to itself"))
		in = to
	}
	e := c.newEmbargo(in, func() bool { return back }, messageTarget{imp: i})
	i.fl.join(to)
	c.mu.Lock()
	if j, ok := in.t.(*importCap); ok && j.c == c && i.called {
		j.called = true
	}
	if begin := e != nil && i.called && c.err == nil; begin {
		e.begin(c)
		i.to = Client{e.p}
		c.mu.Unlock()
		to.Release()
	} else {
		i.to = to
		c.mu.Unlock()
		if e != nil {
			e.discard()
		}
	}
	c.mu.Lock()
	after := i.after.take()
	to = i.to.Retain()
	c.mu.Unlock()
	i.fl.move(to)
	to.Release()
	tell(after)
	c.dirty()
}
