package rpc

import (
	"fmt"
	"slices"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// question is the part of an exchange that is sent to a peer. The fields are
// guarded by the exchange's lock, and those from id on by the connection's.
type question struct {
	conn   *Conn
	live   bool      // pipelined calls go to the peer
	going  bool      // those that waited are on their way there, and settle waits for that
	paths  []usedCap // what they were made on
	parent *exchange // what this is a pipelined call on; held until this is settled
	stayed bool      // it was answered, and the results stay with the peer

	id       uint32
	number   uint64   // of the message that it left with
	caps     []outCap // of the parameters, until it leaves
	exports  []uint32 // of the parameters
	sent     bool     // it is in the table
	returned bool     // the peer has answered
	finished bool     // we told it that we are done
	yourself bool     // the peer keeps the results
	seen     bool     // the keeper has met it
	watched  bool     // and sees to it that it ends with its context
}

// releaseParams gives back what the parameters of a question hold of our exports.
// The caller has the lock, and releases the clients without it.
func (c *Conn) releaseParams(x *exchange) (drop []Client) {
	for _, e := range x.q.exports {
		if cl, err := c.releaseExport(e, 1); err == nil {
			drop = append(drop, cl)
		}
	}
	x.q.exports = nil
	return drop
}

// usedCap is a capability among promised results that calls were sent to.
type usedCap struct {
	path    []uint16
	embargo *promise // where later calls wait until those have come back to us
}

func (q *question) use(path []uint16) {
	for _, p := range q.paths {
		if slices.Equal(p.path, path) {
			return
		}
	}
	q.paths = append(q.paths, usedCap{path: path})
}

// forgetPaths empties paths, but for a little memory.
func (q *question) forgetPaths() {
	for _, p := range q.paths {
		if p.embargo != nil {
			p.embargo.release()
		}
	}
	clear(q.paths)
	if cap(q.paths) > 8 {
		q.paths = nil
	}
}

// embargoed gives what calls on path have to wait for; nil if nothing.
func (q *question) embargoed(path []uint16) *promise {
	for _, p := range q.paths {
		if p.embargo != nil && slices.Equal(p.path, path) {
			return p.embargo
		}
	}
	return nil
}

// messageTarget is what a message is for: an import, or a capability among the
// results of a question.
type messageTarget struct {
	imp    *importCap
	direct bool // even if the import is resolved
	answer *exchange
	path   []uint16
}

// build fills in pointer i of s, which is for a target.
func (t messageTarget) build(s segment.StructBuilder, i uint16) {
	if t.imp != nil {
		wire.MessageTargetBuilder(s.NewStruct(i, importSize)).SetImportedCap(t.imp.id)
		return
	}
	b := wire.NewMessageTarget(s.Ptr(i))
	buildPromisedAnswer(b.NewPromisedAnswer(), t.answer.q.id, t.path)
}

func buildPromisedAnswer(b wire.PromisedAnswerBuilder, id uint32, path []uint16) {
	b.SetQuestionID(id)
	if len(path) == 0 {
		return
	}
	ops := b.NewTransform(len(path))
	for i, field := range path {
		ops.At(i).SetGetPointerField(field)
	}
}

// errMoved says that an import was resolved, or a question answered and its id
// free, before a call could be sent there.
var errMoved = &Exception{Type: Failed, Reason: "the capability was resolved"}

// ready makes a call that is claimed ready to be sent, and tells why it must not
// be. The caller has no locks: the capabilities among the parameters are looked
// at, and an interceptor is asked.
func (x *exchange) ready(c *Conn) *Exception {
	x.wrap(c)
	if t := tableOf(x.params); t != nil && len(t.clients) > 0 {
		x.q.caps = c.describe(t, x.call.Params())
	}
	if c.outgoing != nil {
		return c.letOut(x)
	}
	return nil
}

// sendCall sends a call that is claimed and ready for this connection, and tells
// why it can't. The caller may have the lock of the exchange that it is a
// pipelined call on, and then calls sent, without locks.
func (c *Conn) sendCall(x *exchange, to messageTarget) *Exception {
	if n := x.params.SizeBytes(); n > c.limits.MessageBytes {
		return exceptionf(Failed, "parameters of %v have %d bytes, at most %d", x.method, n, c.limits.MessageBytes)
	}
	to.build(segment.StructBuilder(x.call), 0)
	caps := x.q.caps
	x.q.caps = nil
	// A call that the peer made, and that goes back to it: it may keep the results.
	yourself := x.a.conn == c && !x.a.yourself
	if yourself {
		x.call.SendResultsTo().SetYourself()
	}
	if err := x.params.Err(); err != nil {
		return exception(fmt.Errorf("parameters of %v: %w", x.method, err))
	}
	if !x.fresh { // one that is has no other consumer, who waits for us
		x.mu.Lock()
		x.holds.Add(1) // until sent: once it is in the table it may be over any time
	}
	c.mu.Lock()
	err := c.enqueueCall(x, to, caps, yourself)
	c.mu.Unlock()
	if !x.fresh {
		x.mu.Unlock()
		if err != nil {
			x.holds.Add(-1)
		}
	}
	if err == nil {
		c.watchExports(caps)
	}
	return err
}

// enqueueCall is the part of sendCall under the locks: of the connection, and of
// x unless that is fresh.
func (c *Conn) enqueueCall(x *exchange, to messageTarget, caps []outCap, yourself bool) *Exception {
	if c.err != nil {
		return c.lost(false)
	}
	if imp := to.imp; imp != nil {
		if imp.to.t != nil && !to.direct {
			return errMoved
		}
		imp.called = true
	}
	if to.answer != nil && !to.answer.q.sent {
		return errMoved
	}
	if c.crowded() {
		return c.overQueued()
	}
	exports, err := c.export(caps, true)
	if err != nil {
		return err
	}
	x.q.live = x.waiting.head == nil
	x.q.going = !x.q.live
	x.q.conn = c
	id := c.questions.add(x)
	x.q.id, x.q.sent, x.q.exports, x.q.yourself = id, true, exports, yourself
	x.call.SetQuestionID(id)
	c.attach(x.params, caps)
	x.q.number = c.enqueue(x.params)
	if c.questions.n == firstMessages && len(c.out) == firstMessages && !c.flushing {
		set(&c.many, true)
	}
	x.params, x.args, x.envelope = nil, segment.Struct{}, nil
	c.stats.calls++
	if yourself && !x.a.finished {
		m, ret := c.newReturn(x.a.id, takeFromSize)
		ret.SetReleaseParamCaps(!x.a.hadCaps)
		ret.SetTakeFromOtherQuestion(id)
		c.enqueue(m)
		x.a.returned = true
	}
	return nil
}

// sent goes on after sendCall.
func (x *exchange) sent(err *Exception) {
	if err != nil {
		x.refuse(err)
		return
	}
	if x.fresh {
		x.fresh = false
		x.q.conn.touch()
		return
	}
	x.mu.Lock()
	if x.q.going {
		x.goLive()
	}
	why := x.cancelled
	cancelled := why != nil && !x.ended
	x.mu.Unlock()
	conn := x.q.conn
	if x.a.conn != nil {
		conn.dirty() // nobody here waits for it
	} else {
		conn.touch()
	}
	if cancelled {
		over := conn.sendCancel(x)
		x.complete(why)
		if over {
			x.unhold()
		}
	}
	x.unhold()
}

// goLive sends the calls that waited for the question to be sent. The caller
// has the lock, which is given away in between.
func (x *exchange) goLive() {
	conn := x.q.conn
	for !x.ended {
		c := x.waiting.pop()
		if c == nil {
			x.q.live, x.q.going = true, false
			return
		}
		path := c.path
		x.mu.Unlock()
		ready := c.claim()
		var refused *Exception
		if ready {
			c.path = nil
			refused = c.ready(conn)
		}
		if !ready || refused != nil {
			c.leave()
			if ready {
				c.refuse(refused)
			} else {
				c.abandon()
			}
			ready = false
		}
		x.mu.Lock()
		if !ready {
			continue
		}
		err := errMoved
		if !x.ended {
			err = x.sendOn(c, path)
		}
		if err == errMoved { // it was answered meanwhile: c is still the first to wait
			c.mu.Lock()
			c.claimed = false
			c.mu.Unlock()
			c.path = path
			x.waiting.putBack(c)
			break
		}
		x.mu.Unlock()
		c.leave()
		c.sent(err)
		x.mu.Lock()
	}
	x.q.going = false
	if x.ended { // and settle was left to us
		x.mu.Unlock()
		x.settle()
		x.mu.Lock()
	}
}

// sendOn sends c to the capability at path of the results of x. The caller has
// the lock of x and a reference, and calls sent without the lock. If the peer
// has answered x it gives errMoved, and has done nothing.
func (x *exchange) sendOn(c *exchange, path []uint16) *Exception {
	c.q.parent = x
	c.link.after(&x.link)
	x.refs.Add(1) // so that dropping the future does not cancel what c is made on
	x.q.use(path)
	err := x.q.conn.sendCall(c, messageTarget{answer: x, path: path})
	if err == errMoved {
		c.q.parent = nil
		x.refs.Add(-1)
	}
	return err
}

// sendBootstrap asks for the peer's bootstrap capability, or for what has the
// object id that build, if it is not nil, fills in.
func (c *Conn) sendBootstrap(x *exchange, build func(segment.PtrBuilder)) *Exception {
	m := c.t.NewMessage(0)
	b := wire.NewRootMessage(m).NewBootstrap()
	if build != nil {
		build(b.DeprecatedObjectID())
		if err := m.Err(); err != nil {
			m.Release()
			return exception(fmt.Errorf("an object id: %w", err))
		}
		if n := m.SizeBytes(); n > c.limits.MessageBytes {
			m.Release()
			return exceptionf(Failed, "an object id of %d bytes, at most %d", n, c.limits.MessageBytes)
		}
	}
	x.claim()
	x.mu.Lock()
	defer x.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		m.Release()
		return c.lost(false)
	}
	x.q.id, x.q.sent = c.questions.add(x), true
	b.SetQuestionID(x.q.id)
	x.q.number = c.enqueue(m)
	x.q.conn, x.q.live = c, true
	return nil
}

// sendCancel tells the peer that nobody wants the results of x. The id stays
// until it answers. If it has, and keeps the results, the callee's part is over.
func (c *Conn) sendCancel(x *exchange) (over bool) {
	c.mu.Lock()
	if x.q.sent && !x.q.finished { // also if nothing leaves any more: its Return may still come
		x.q.finished = true
		c.enqueue(c.newFinish(x.q.id, !x.q.returned)) // what came is released one by one
		over = x.q.returned && x.q.yourself
		c.forget(x)
	}
	c.mu.Unlock()
	c.touch()
	return over
}

// retire is called once for a question that is settled, before the calls that
// wait for it are started: it embargoes capabilities that turned out to be our
// own, and finishes the question.
func (c *Conn) retire(x *exchange) {
	paths := x.q.paths // no more are added
	var lost []*embargo
	var held []Client
	for i := range paths {
		in, _ := x.client(paths[i].path).innermost()
		c.markCalled(in)
		e := c.newEmbargo(in, func() bool { return x.isBack(paths[i].path) }, messageTarget{answer: x, path: paths[i].path})
		if e == nil {
			continue
		}
		c.mu.Lock()
		if c.err == nil {
			e.begin(c)
			paths[i].embargo = e.p
			held = append(held, x.putAt(paths[i].path, e.p))
		} else {
			lost = append(lost, e)
		}
		c.mu.Unlock()
	}
	for _, e := range lost {
		e.discard()
	}
	releaseAll(held)
	c.mu.Lock()
	if x.q.sent && x.q.returned && !x.q.finished && (c.err == nil || !x.q.yourself) {
		x.q.finished = true
		c.enqueueLazily(c.newFinish(x.q.id, false))
	}
	c.forget(x)
	c.mu.Unlock()
	c.touch()
}

// capAt gives the index of the capability at path of the results.
func (x *exchange) capAt(path []uint16) (t *table, index uint32, ok bool) {
	at := x.at
	for _, field := range path {
		at = at.Struct().Ptr(field)
	}
	t = tableOf(x.results)
	index, ok = at.Capability()
	return t, index, ok && t != nil && uint64(index) < uint64(len(t.clients))
}

// isBack tells whether the peer has described the capability at path of the results as
// one of ours.
func (x *exchange) isBack(path []uint16) bool {
	_, index, ok := x.capAt(path)
	m := wire.RootMessage(x.results)
	if !ok || m.Which() != wire.MessageReturn {
		return false
	}
	list := m.Return().Results().CapTable()
	return int(index) < list.Len() && isOurs(list.At(int(index)))
}

// putAt makes p the capability at path of the results, so that those who read it
// there wait too. It gives what was there, for the caller to release.
func (x *exchange) putAt(path []uint16, p *promise) Client {
	t, index, ok := x.capAt(path)
	if !ok {
		return Client{}
	}
	old := t.clients[index]
	unlend(old)
	t.clients[index] = Client{p}.Retain()
	return old
}

// forget frees the id of a question that is both returned and finished.
func (c *Conn) forget(x *exchange) {
	if x.q.sent && x.q.returned && x.q.finished {
		x.q.sent = false
		c.questions.remove(x.q.id)
	}
}

// handleReturn takes the peer's answer to one of our questions.
func (c *Conn) handleReturn(r *reader, m *segment.Message, ret wire.Return) error {
	id := ret.AnswerID()
	which := ret.Which()
	noFinish := ret.NoFinishNeeded() && which != wire.ReturnTakeFromOtherQuestion && which != wire.ReturnResultsSentElsewhere
	releaseParams := ret.ReleaseParamCaps()
	if err := m.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	c.stats.received++
	x := c.questions.at(id)
	if x == nil || x.q.returned {
		c.mu.Unlock()
		if x == nil {
			return violation("a Return for question %d, which is not there", id)
		}
		return violation("a second Return for question %d", id)
	}
	yourself := x.q.yourself
	if yourself && which != wire.ReturnResultsSentElsewhere && which != wire.ReturnException && which != wire.ReturnCanceled {
		c.mu.Unlock()
		return violation("a Return of kind %d for question %d, whose results were to stay with the peer", which, id)
	}
	if !yourself && which == wire.ReturnResultsSentElsewhere {
		c.mu.Unlock()
		return violation("a Return for question %d whose results were sent elsewhere, which nobody asked for", id)
	}
	cancelled := x.q.finished
	x.q.returned = true
	if noFinish {
		x.q.finished = true
	}
	var drop []Client
	if releaseParams {
		drop = c.releaseParams(x)
	}
	x.q.exports = nil
	c.forget(x)
	c.mu.Unlock()
	releaseAll(drop)
	if x == r.caller {
		r.elsewhere = true
	}

	var fail *Exception
	switch which {
	case wire.ReturnResults:
		if cancelled {
			break // the Finish has released its capabilities
		}
		at, err := c.takeResults(m, ret.Results())
		if err != nil {
			return err
		}
		results, at := r.keep(m, at)
		x.end(ending{results: results, at: at, retired: noFinish, reader: r})
		r.unhold(x)
		return nil
	case wire.ReturnException:
		fail = fromWire(ret.Exception())
	case wire.ReturnCanceled:
		fail = exceptionf(Failed, "the callee says that %s", reasonCancelled)
	case wire.ReturnResultsSentElsewhere:
		if cancelled {
			break
		}
		x.stayed()
		return nil // calls on the results still go there, until the one who has them is done
	case wire.ReturnTakeFromOtherQuestion:
		other := ret.TakeFromOtherQuestion()
		c.mu.Lock()
		y, ok := c.answers.get(other)
		if !ok || !y.a.yourself || y.a.finished {
			c.mu.Unlock()
			return violation("a Return for question %d takes the results of question %d, which has none to take", id, other)
		}
		y.refs.Add(2) // one until the end of this
		c.mu.Unlock()
		x.mu.Lock()
		x.tail = y.future()
		late := x.ended || x.cancelled != nil
		x.mu.Unlock()
		if late {
			x.leaveTail()
		}
		y.whenSettled(func() {
			x.follow(y)
			x.unhold()
		}, nil)
		y.drop()
		return nil
	default:
		fail = exceptionf(Unimplemented, "a Return of kind %d", which)
	}
	if err := m.Err(); err != nil {
		return err
	}
	x.end(ending{err: fail, retired: noFinish, reader: r})
	r.unhold(x)
	return nil
}

// unhold gives up the callee's hold of a question that was answered. If the reader
// waits for it, it is left to itself.
func (r *reader) unhold(x *exchange) {
	if r.done {
		x.handed = true
	} else {
		x.unhold()
	}
}

// takeResults makes the capabilities in a Return ours, and gives its content.
func (c *Conn) takeResults(m *segment.Message, p wire.Payload) (segment.Ptr, error) {
	t, err := c.takeCaps(p, nil)
	if err != nil {
		return segment.Ptr{}, err
	}
	at := p.Content()
	if err := m.Err(); err != nil {
		if t != nil {
			t.Release()
		}
		return segment.Ptr{}, err
	}
	if t != nil {
		m.SetCapTable(t)
	}
	return at, nil
}
