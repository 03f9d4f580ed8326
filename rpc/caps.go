package rpc

import (
	"os"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
)

// An export is a capability that the peer may call.
type export struct {
	id     uint32
	refs   uint32
	client Client
	// A promise is followed by one Resolve, after which client is what that said,
	// and stays it.
	promise, told bool
	gone          atomic.Bool // it is in the table no more
}

// outCap is a capability of a payload that leaves.
type outCap struct {
	desc   wire.CapDescriptorBuilder
	in     Client // innermost, as far as it was known
	open   bool   // a promise
	asked  bool   // among the results of a question on the connection
	file   *os.File
	export *export
}

// describe makes the table of a payload for the capabilities of t.
func (c *Conn) describe(t *table, p wire.PayloadBuilder) []outCap {
	list := p.NewCapTable(len(t.clients))
	caps := make([]outCap, len(t.clients))
	for i, cl := range t.clients {
		caps[i].desc = list.At(i)
		caps[i].in, caps[i].open = cl.innermost()
		if cl.t != nil && caps[i].in.t == nil {
			// The content refers to it, and so it can't be described as nothing.
			caps[i].in = Broken(exceptionf(Failed, "called on a null capability"))
		}
		caps[i].asked = caps[i].open && c.asked(caps[i].in)
		caps[i].file = c.fileToSend(caps[i].in, caps[i].open)
	}
	return caps
}

// asked tells whether in is among the results of a question on c. It is called without
// locks; what is another connection's question never becomes one of c.
func (c *Conn) asked(in Client) bool {
	p, ok := in.t.(*promised)
	if !ok {
		return false
	}
	p.f.x.mu.Lock()
	defer p.f.x.mu.Unlock()
	return p.f.x.q.conn == c
}

// export fills in the descriptors and counts what they refer to. It gives the
// exports among them. toCallee tells that they are parameters. The caller has
// the lock.
func (c *Conn) export(caps []outCap, toCallee bool) ([]uint32, *Exception) {
	if len(caps) == 0 {
		return nil, nil
	}
	if n := c.exports.n + len(caps); n > c.limits.Exports {
		return nil, exceptionf(Overloaded, "%d capabilities exported, at most %d", n, c.limits.Exports)
	}
	var ids []uint32
	for i := range caps {
		o := &caps[i]
		if c.describeOwn(o, toCallee) {
			continue
		}
		e := c.byTarget[o.in.t]
		if e == nil {
			e = &export{client: o.in.Retain(), promise: o.open}
			if _, b := o.in.t.(*broken); b {
				e.promise = true
			}
			e.id = c.exports.add(e)
			c.byTarget[o.in.t] = e
			if e.promise {
				o.export = e
			}
		}
		e.refs++
		ids = append(ids, e.id)
		if e.promise {
			o.desc.SetSenderPromise(e.id)
		} else {
			o.desc.SetSenderHosted(e.id)
		}
	}
	return ids, nil
}

// describeOwn describes a capability that the peer hosts, and tells whether it
// does, or that there is none. Its promises are described so only in
// parameters: elsewhere the peer may have sent calls to them through us, and
// what those went to must not become something else behind its back. The caller
// has the lock.
func (c *Conn) describeOwn(o *outCap, toCallee bool) bool {
	if o.open && !toCallee {
		return false
	}
	switch t := o.in.t.(type) {
	case nil:
		o.desc.SetNone()
		return true
	case *importCap:
		if t.c == c {
			o.desc.SetReceiverHosted(t.id)
			return true
		}
	case *promised:
		if x := t.f.x; o.asked && x.q.sent && !x.q.finished && c.questions.at(x.q.id) == x {
			buildPromisedAnswer(o.desc.NewReceiverAnswer(), x.q.id, t.path)
			return true
		}
	}
	return false
}

// watchExports sees to it that each promise that was exported is followed by its
// Resolve. It is called without the lock when the payload is in the queue.
func (c *Conn) watchExports(caps []outCap) {
	for i := range caps {
		if e := caps[i].export; e != nil {
			c.watchExport(e, caps[i].in)
		}
	}
}

func (c *Conn) watchExport(e *export, in Client) {
	in.t.whenResolved(func() { c.sendResolve(e) }, &e.gone)
}

// sendResolve tells the peer what the promise e has become, as soon as that is
// no promise.
func (c *Conn) sendResolve(e *export) {
	c.mu.Lock()
	if c.err != nil || c.exports.at(e.id) != e || e.told {
		c.mu.Unlock()
		return
	}
	promise := e.client.Retain()
	c.mu.Unlock()
	defer promise.Release()

	in, isOpen := promise.innermost()
	if isOpen { // it was resolved to a promise: what that becomes is told
		in.t.whenResolved(func() { c.sendResolve(e) }, &e.gone)
		return
	}
	m := c.t.NewMessage(0)
	res := wire.NewRootMessage(m).NewResolve()
	res.SetPromiseID(e.id)
	b, bad := in.t.(*broken)
	if in.t == nil {
		b, bad = &broken{exception: exceptionf(Failed, "a promise became null")}, true
	}
	if bad {
		toWire(res.NewException(), b.exception)
	}
	caps := []outCap{{in: in, file: c.fileToSend(in, false)}}
	c.mu.Lock()
	if c.err != nil || c.exports.at(e.id) != e || e.told {
		c.mu.Unlock()
		m.Release()
		return
	}
	if !bad {
		caps[0].desc = res.NewCap()
		if _, err := c.export(caps, false); err != nil {
			toWire(res.NewException(), err)
		} else {
			c.attach(m, caps)
		}
	}
	e.told = true
	old := e.client
	if in.t != nil {
		delete(c.byTarget, old.t)
		e.client = in.Retain()
	}
	c.enqueue(m)
	c.mu.Unlock()
	if in.t != nil {
		old.Release()
	}
	c.dirty()
}

// releaseExport takes n references of the peer back. It gives the client to
// release without the lock if they were the last. The caller has the lock.
func (c *Conn) releaseExport(id, n uint32) (Client, error) {
	e := c.exports.at(id)
	if e == nil {
		return Client{}, violation("a Release of export %d, which is not there", id)
	}
	if n > e.refs {
		return Client{}, violation("a Release of %d references to export %d, which has %d", n, id, e.refs)
	}
	e.refs -= n
	if e.refs > 0 {
		return Client{}, nil
	}
	c.exports.remove(id)
	e.gone.Store(true)
	if c.byTarget[e.client.t] == e {
		delete(c.byTarget, e.client.t)
	}
	return e.client, nil
}

func releaseAll(clients []Client) {
	for _, c := range clients {
		c.Release()
	}
}

// importCap is a capability of the peer. Its fields are guarded by the
// connection's lock, from wire on.
type importCap struct {
	c       *Conn
	id      uint32
	promise bool
	refs    atomic.Int32
	wire    uint32 // times that the peer sent it
	called  bool   // since it was sent to us
	to      Client // what the promise is resolved to; its own
	after   listeners
	file    *os.File // that came with it; nil if none did
	fl      flowRef
}

func (i *importCap) flow() *flow { return i.fl.get() }

func (i *importCap) retain() { i.refs.Add(1) }

func (i *importCap) release() {
	if i.refs.Add(-1) > 0 {
		return
	}
	c := i.c
	c.mu.Lock()
	if i.refs.Load() > 0 {
		c.mu.Unlock() // it came again meanwhile
		return
	}
	to, file := i.to, i.takeFile()
	i.to = Client{}
	if cur, _ := c.imports.get(i.id); cur == i {
		c.imports.remove(i.id)
		c.enqueueLazily(c.newRelease(i.id, i.wire))
	}
	c.mu.Unlock()
	to.Release()
	if file != nil {
		_ = file.Close() // nothing was written to it
	}
	c.touch()
}

func (i *importCap) conn() *Conn {
	return i.c
}

func (i *importCap) state() (Client, state) {
	if !i.promise {
		return Client{}, settled
	}
	i.c.mu.Lock()
	defer i.c.mu.Unlock()
	if i.to.t != nil {
		return i.to, resolved
	}
	return Client{}, open
}

func (i *importCap) whenResolved(f func(), gone *atomic.Bool) {
	i.c.mu.Lock()
	if i.promise && i.to.t == nil {
		i.after.add(f, gone)
		i.c.mu.Unlock()
		return
	}
	i.c.mu.Unlock()
	f()
}

func (i *importCap) start(x *exchange) {
	if !i.promise {
		i.send(x, false)
		return
	}
	i.c.mu.Lock()
	to := i.to.Retain()
	i.c.mu.Unlock()
	if to.t == nil {
		if !i.send(x, false) {
			i.start(x)
		}
		return
	}
	to.deliver(x)
	to.Release()
}

// send sends a call to the peer; to the promise itself if direct, even when that
// is resolved. It returns false, and leaves the call, if the promise is resolved.
func (i *importCap) send(x *exchange, direct bool) bool {
	if !x.claim() {
		x.abandon()
		return true
	}
	if err := x.ready(i.c); err != nil {
		x.refuse(err)
		return true
	}
	err := i.c.sendCall(x, messageTarget{imp: i, direct: direct})
	if err == errMoved {
		x.unclaim()
		return false
	}
	x.sent(err)
	return true
}

// takeCaps makes the capabilities of a payload that arrived ours. It gives nil
// if there are none. of is the call whose
// parameters they are, or nil.
func (c *Conn) takeCaps(p wire.Payload, of *exchange) (*table, error) {
	list := p.CapTable()
	n := list.Len()
	if n == 0 {
		c.dropFiles()
		return nil, nil
	}
	if n > c.limits.Imports {
		return nil, violation("%d capabilities in a message, at most %d", n, c.limits.Imports)
	}
	t := newTable(n)
	for i := range n {
		cl, err := c.takeCap(list.At(i), of)
		if err != nil {
			t.Release()
			return nil, err
		}
		t.clients = append(t.clients, track(cl, kindReceived, c))
	}
	c.dropFiles()
	return t, nil
}

// takeCap makes one capability that was described to us ours.
func (c *Conn) takeCap(d wire.CapDescriptor, of *exchange) (Client, error) {
	switch d.Which() {
	case wire.CapDescriptorNone:
		return Client{}, nil
	case wire.CapDescriptorSenderHosted:
		return c.takeHosted(d, d.SenderHosted())
	case wire.CapDescriptorSenderPromise:
		return c.takeImport(d.SenderPromise(), true)
	case wire.CapDescriptorThirdPartyHosted:
		// The vine forwards calls to the third party.
		return c.takeHosted(d, d.ThirdPartyHosted().VineID())
	case wire.CapDescriptorReceiverHosted:
		id := d.ReceiverHosted()
		c.mu.Lock()
		defer c.mu.Unlock()
		e := c.exports.at(id)
		if e == nil {
			return Client{}, violation("a capability said to be our export %d, which is not there", id)
		}
		return e.client.Retain(), nil
	case wire.CapDescriptorReceiverAnswer:
		x, path, err := c.promisedAnswer(d.ReceiverAnswer())
		if err != nil {
			return Client{}, err
		}
		if x == nil {
			return Broken(exceptionf(Failed, "a capability of an answer that has none or is finished")), nil
		}
		if x == of {
			x.drop() // it would keep itself for ever
			return Broken(exceptionf(Failed, "a capability of the results of the call that it is a parameter of")), nil
		}
		return Client{&promised{f: x.future(), path: path}}, nil
	}
	return Client{}, violation("a capability descriptor of unknown kind %d", d.Which())
}

// isOurs tells whether the peer says that what it describes is with us.
func isOurs(d wire.CapDescriptor) bool {
	which := d.Which()
	return which == wire.CapDescriptorReceiverHosted || which == wire.CapDescriptorReceiverAnswer
}

func (c *Conn) takeImport(id uint32, isPromise bool) (Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, ok := c.imports.get(id)
	if !ok {
		if c.imports.n >= c.limits.Imports {
			return Client{}, violation("%d capabilities imported, at most %d", c.imports.n+1, c.limits.Imports)
		}
		if c.err != nil {
			return Broken(c.lost(false)), nil
		}
		i = &importCap{c: c, id: id, promise: isPromise}
		c.imports.set(id, i)
	}
	if i.wire == 1<<32-1 {
		return Client{}, violation("capability %d sent %d times", id, uint64(i.wire)+1)
	}
	i.wire++
	i.refs.Add(1)
	return Client{i}, nil
}

// promisedAnswer finds the answer that the peer refers to, with a reference for
// the caller, and what part of it is meant. It gives no exchange if the answer is
// not there any more.
func (c *Conn) promisedAnswer(p wire.PromisedAnswer) (*exchange, []uint16, error) {
	ops := p.Transform()
	if n := ops.Len(); n > maxPath {
		return nil, nil, violation("a promised answer %d fields deep, at most %d", n, maxPath)
	}
	var path []uint16
	for op := range ops.All() {
		switch op.Which() {
		case wire.PromisedAnswerOpNoop:
		case wire.PromisedAnswerOpGetPointerField:
			path = append(path, op.GetPointerField())
		default:
			return nil, nil, violation("an unknown operation %d on a promised answer", op.Which())
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x, ok := c.answers.get(p.QuestionID())
	if !ok || x.a.finished {
		return nil, nil, nil
	}
	x.refs.Add(1)
	return x, path, nil
}
