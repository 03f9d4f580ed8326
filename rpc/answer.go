package rpc

import (
	"fmt"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// answer is the part of an exchange that came from a peer. Its fields but conn,
// id and yourself, which are fixed, are guarded by the connection's lock.
type answer struct {
	conn      *Conn
	id        uint32
	yourself  bool // the results stay here, for the peer to tell what they are for
	hadCaps   bool // among the parameters
	listed    bool // it is in the table
	returned  bool
	finished  bool     // the peer is done with it
	executing bool     // it counts against the limit
	exports   []uint32 // of the results
	held      int64    // bytes of the results that are kept until the Finish
	on        onAnswer // what it is a pipelined call on
	ret       wire.ReturnBuilder
	out       outReturn
}

// handleBootstrap answers with the bootstrap capability, or with what the peer
// names.
func (c *Conn) handleBootstrap(m *segment.Message, b wire.Bootstrap) error {
	id := b.QuestionID()
	if err := m.Err(); err != nil {
		return err
	}
	x, err := c.newAnswer(id, Method{})
	if err != nil {
		return err
	}
	x.claim()
	cl, err := c.answerBootstrap(b)
	if err != nil {
		x.refuse(exception(err))
		return nil
	}
	if cl.t == c.bootstrap.t {
		x.results, x.at = c.welcome()
		cl.Release()
	} else {
		SetClient(x.newResultsPtr(true), cl)
	}
	x.refuse(nil)
	return nil
}

// newAnswer starts an exchange for a question of the peer's.
func (c *Conn) newAnswer(id uint32, method Method) (*exchange, error) {
	x := newExchange(c.ctx, method)
	c.mu.Lock()
	defer c.mu.Unlock()
	return x, c.list(x, id)
}

// list puts the answer to a question of the peer's into the table. The caller has
// the lock.
func (c *Conn) list(x *exchange, id uint32) error {
	if _, ok := c.answers.get(id); ok {
		return violation("a question with id %d, which is in use", id)
	}
	if c.answers.n >= c.limits.Imports {
		return violation("%d questions that it does not finish, at most %d", c.answers.n+1, c.limits.Imports)
	}
	x.a.conn, x.a.id = c, id
	x.a.listed = true
	x.fresh = false // another reader may be told to cancel it
	c.answers.set(id, x)
	return nil
}

// handleCall starts a call of the peer's.
func (c *Conn) handleCall(r *reader, m *segment.Message, call wire.Call) error {
	id := call.QuestionID()
	method := Method{call.InterfaceID(), call.MethodID()}
	to := call.SendResultsTo().Which()
	target := call.Target()
	which := target.Which()
	var export uint32
	if which == wire.MessageTargetImportedCap {
		export = target.ImportedCap()
	}
	payload := call.Params()
	caps := payload.CapTable().Len()
	if err := m.Err(); err != nil {
		return err
	}
	if to != wire.CallSendResultsToCaller && to != wire.CallSendResultsToYourself {
		return c.sendUnimplemented(m)
	}
	x := newExchange(c.ctx, method)
	x.a.yourself = to == wire.CallSendResultsToYourself
	x.a.hadCaps = caps > 0
	var callee, held Client
	c.mu.Lock()
	c.stats.received++
	over, closing := c.executing >= c.limits.Calls, c.closing
	err := c.list(x, id)
	if err == nil && !over && !closing {
		x.a.executing = true
		c.executing++
		if which == wire.MessageTargetImportedCap {
			if e := c.exports.at(export); e != nil {
				// An object is not shut down before the next message, or while it has calls.
				if callee = e.client; !callee.isObject() {
					held = callee.Retain()
				}
			} else {
				err = violation("a call of export %d, which is not there", export)
			}
		}
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if over || closing {
		x.claim()
		fail := exceptionf(Disconnected, "the connection is being shut down")
		if !closing {
			fail = exceptionf(Overloaded, "%d calls are executing, at most %d", c.limits.Calls, c.limits.Calls)
			c.logOverload(method)
		}
		if c.incoming != nil {
			_ = c.admit(x, m, payload.Content().Struct())
		}
		x.refuse(fail)
		return nil // the Return says that the capabilities in the parameters are released
	}
	err = c.startCall(r, x, m, payload, target, which, callee)
	held.Release()
	return err
}

// startCall starts a call that is in the table, with what was read of its message.
// callee is what it is made on, lent, unless that is an answer of ours.
func (c *Conn) startCall(r *reader, x *exchange, m *segment.Message, payload wire.Payload,
	target wire.MessageTarget, which wire.MessageTargetWhich, callee Client,
) error {
	method := x.method
	t, err := c.takeCaps(payload, x)
	if err != nil {
		return err
	}
	if t != nil {
		m.SetCapTable(t)
	}
	var content segment.Ptr
	x.params, content = r.keep(m, payload.Content())
	x.args = content.Struct()
	if r.caller == nil {
		x.reader = r
	}
	if c.incoming != nil {
		if err := c.admit(x, m, x.args); err != nil {
			x.refuse(err)
			return nil
		}
	}
	if err := m.Err(); err != nil {
		x.refuse(exception(fmt.Errorf("parameters of %v: %w", method, err)))
		return nil
	}
	switch which {
	case wire.MessageTargetImportedCap:
		if c.goesBeside(method) && c.isBootstrap(callee) {
			c.beside.deliver(x)
		} else {
			callee.deliver(x)
		}
	case wire.MessageTargetPromisedAnswer:
		y, path, err := c.promisedAnswer(target.PromisedAnswer())
		switch {
		case err != nil:
			return err
		case y == nil:
			x.refuse(exceptionf(Failed, "%v called on the results of a call that has none, or is finished", method))
		case y == x:
			y.drop()
			return violation("a call of question %d on its own results", x.a.id)
		case c.goesBeside(method) && c.isBootstrap(y.answered(path)):
			y.drop()
			c.beside.deliver(x)
		case c.tooDeep(x, y):
			y.drop()
			x.refuse(exceptionf(Overloaded, "%v is more than %d calls deep on results that are not there yet, at most %d (PipelineDepth)",
				method, c.limits.PipelineDepth, c.limits.PipelineDepth))
		default:
			y.pipeline(path, x)
			y.drop()
		}
	default:
		return violation("a target of unknown kind %d", which)
	}
	return nil
}

// newResults gives the results of x, a new struct.
func (x *exchange) newResults(sz segment.Size) segment.StructBuilder {
	return x.newResultsPtr(sz.Ptrs > 0).NewStruct(sz)
}

// newResultsPtr starts a message for the results, a Return if they go to a peer.
// There can be capabilities in it only if they have pointers, or are one.
func (x *exchange) newResultsPtr(hasPtrs bool) (p segment.PtrBuilder) {
	if c := x.a.conn; c != nil {
		x.results, x.a.ret = c.newReturn(x.a.id, returnSize)
		p = newContent(segment.StructBuilder(x.a.ret), 0, hasPtrs)
	} else {
		x.results = newMessage()
		p = x.results.RootBuilder()
	}
	x.at = p.Reader()
	return p
}

// sendReturn tells the peer how its question ended. It is called once, when x is
// settled, and gives the error that it told. served is as of an ending.
func (x *exchange) sendReturn(served bool) *Exception {
	c := x.a.conn
	m, caps, fail := x.a.out.m, x.a.out.caps, x.a.out.fail
	x.a.out = outReturn{}
	c.mu.Lock()
	if fail == nil && len(caps) > 0 && c.err == nil && !x.a.returned && !x.a.finished {
		if fail = c.hold(x, m); fail == nil {
			x.a.exports, fail = c.export(caps, false)
		}
	}
	if fail == nil && c.crowded() && !x.a.yourself && len(caps) == 0 {
		fail = c.overQueued()
	}
	if fail != nil || x.a.finished && len(caps) > 0 {
		// It can't go, or the peer has finished meanwhile and would not release
		// what it holds.
		c.mu.Unlock()
		m.Release()
		if fail != nil {
			x.fail(fail)
		}
		m, caps = x.buildFailure(fail), nil
		c.mu.Lock()
		c.letGo(x)
	}
	var drop bool
	if c.err != nil || x.a.returned {
		discard(m)
		// Before the connection is torn down, which must not find what may be used
		// again by then, the peer's Finish still comes: what was first sees to it.
		x.a.returned = true
		if x.a.listed && x.a.finished {
			x.a.listed = false
			c.answers.remove(x.a.id)
		}
	} else {
		x.a.returned = true
		c.stats.answered++
		c.attach(m, caps)
		c.enqueue(m)
		// Of results without capabilities nothing is left that a Finish could
		// release; the peer's, if it sends one, finds no answer. An exception stays,
		// for the calls that are made on it.
		if x.a.listed && (x.a.finished || fail == nil && len(caps) == 0 && !x.a.yourself) {
			x.a.listed = false
			c.answers.remove(x.a.id)
			drop = !x.a.finished
		}
	}
	c.endExecution(x)
	c.checkDrained()
	c.mu.Unlock()
	c.watchExports(caps)
	if x.handled {
		c.touch() // whoever ran the handler flushes
	} else {
		c.dirty()
	}
	switch {
	case !drop:
	case served:
		x.handed = true
	case x.refs.Add(-1) == 0:
		x.discard()
		x.unhold()
	}
	if x.a.yourself {
		return x.err
	}
	return fail
}

// fail gives the results up, which are an error now: the peer may keep the answer
// for long.
func (x *exchange) fail(e *Exception) {
	x.mu.Lock()
	unread := x.results
	x.results, x.err = nil, e
	x.mu.Unlock()
	unread.Release()
}

// outReturn is a Return that is to be sent, or why it can't be.
type outReturn struct {
	m    *segment.Message
	caps []outCap
	fail *Exception
}

// buildReturn makes the message, with the results in it if they go to the peer.
func (x *exchange) buildReturn() (out outReturn) {
	c := x.a.conn
	results, at, ret := x.results, x.at, x.a.ret
	out.fail = x.err
	switch {
	case x.a.yourself: // so even if it failed: the peer learns of that where it has them
		out.fail = nil
		out.m, ret = c.newReturn(x.a.id, returnSize)
		ret.SetResultsSentElsewhere()
	case out.fail != nil:
		return out
	case results == nil: // nobody wants them
		out.m = x.buildFailure(nil)
		return out
	case segment.StructBuilder(ret).Message() == results:
		out.m = results.Retain()
	default: // they are a tail call's, or every bootstrap's
		out.m, ret = c.newReturn(x.a.id, returnSize)
		ret.NewResults().Content().Set(at)
	}
	if t := tableOf(out.m); t != nil && len(t.clients) > 0 && !x.a.yourself {
		out.caps = c.describe(t, ret.Results())
	}
	ret.SetNoFinishNeeded(len(out.caps) == 0 && !x.a.yourself)
	ret.SetReleaseParamCaps(!x.a.hadCaps)
	if fault := out.m.Err(); fault != nil {
		out.fail = exception(fmt.Errorf("results of %v: %w", x.method, fault))
	} else if n := out.m.SizeBytes(); n > c.limits.MessageBytes {
		out.fail = exceptionf(Failed, "results of %v have %d bytes, at most %d", x.method, n, c.limits.MessageBytes)
	}
	return out
}

// buildFailure makes a Return without results: an exception, or if that is nil
// that the call was cancelled.
func (x *exchange) buildFailure(e *Exception) *segment.Message {
	m, ret := x.a.conn.newReturn(x.a.id, returnSize)
	ret.SetReleaseParamCaps(!x.a.hadCaps)
	if e == nil {
		ret.SetCanceled()
	} else {
		toWire(ret.NewException(), e)
	}
	return m
}

// endExecution takes x off the count of executing calls. The caller has the
// lock.
func (c *Conn) endExecution(x *exchange) {
	if x.a.executing {
		x.a.executing = false
		c.executing--
	}
}

// handleFinish is told that the peer is done with an answer. One that is not
// there was finished by its Return.
func (c *Conn) handleFinish(m *segment.Message, f wire.Finish) error {
	id, releaseCaps := f.QuestionID(), f.ReleaseResultCaps()
	if err := m.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	x, ok := c.answers.get(id)
	if !ok {
		c.mu.Unlock()
		return nil
	}
	if x.a.finished {
		c.mu.Unlock()
		return violation("a second Finish of question %d", id)
	}
	x.a.finished = true
	var drop []Client
	if x.a.returned {
		x.a.listed = false
		c.answers.remove(id)
		c.letGo(x)
		if releaseCaps {
			for _, e := range x.a.exports {
				// The peer may have released it itself, against the protocol.
				if cl, err := c.releaseExport(e, 1); err == nil {
					drop = append(drop, cl)
				}
			}
		}
		x.a.exports = nil
	}
	c.mu.Unlock()
	releaseAll(drop)
	x.drop()
	return nil
}
