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
	ret       wire.ReturnBuilder
	out       outReturn
}

// handleBootstrap answers with the bootstrap capability.
func (c *Conn) handleBootstrap(m *segment.Message, b wire.Bootstrap) error {
	id, old := b.QuestionID(), b.HasDeprecatedObjectID()
	if err := m.Err(); err != nil {
		return err
	}
	x, err := c.newAnswer(id, Method{})
	if err != nil {
		return err
	}
	x.claim()
	switch {
	case old:
		x.refuse(exceptionf(Failed, "a bootstrap by name, which this version of the protocol does not have"))
	case c.bootstrap.t == nil:
		x.refuse(exceptionf(Failed, "there is no bootstrap capability"))
	default:
		SetClient(x.newResultsPtr(), c.bootstrap.Retain())
		x.refuse(nil)
	}
	return nil
}

// newAnswer starts an exchange for a question of the peer's.
func (c *Conn) newAnswer(id uint32, method Method) (*exchange, error) {
	x := newExchange(c.ctx, method)
	x.a.conn, x.a.id = c, id
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.answers.get(id); ok {
		return nil, violation("a question with id %d, which is in use", id)
	}
	if c.answers.n >= c.limits.Imports {
		return nil, violation("%d questions that it does not finish, at most %d", c.answers.n+1, c.limits.Imports)
	}
	x.a.listed = true
	x.fresh = false // another reader may be told to cancel it
	c.answers.set(id, x)
	return x, nil
}

// handleCall starts a call of the peer's.
func (c *Conn) handleCall(r *reader, m *segment.Message, call wire.Call) error {
	id := call.QuestionID()
	method := Method{call.InterfaceID(), call.MethodID()}
	to := call.SendResultsTo().Which()
	target := call.Target()
	payload := call.Params()
	caps := payload.CapTable().Len()
	if err := m.Err(); err != nil {
		return err
	}
	if to != wire.CallSendResultsToCaller && to != wire.CallSendResultsToYourself {
		return c.sendUnimplemented(m)
	}
	c.mu.Lock()
	over, closing := c.executing >= c.limits.Calls, c.closing
	c.mu.Unlock()
	x, err := c.newAnswer(id, method)
	if err != nil {
		return err
	}
	x.a.yourself = to == wire.CallSendResultsToYourself
	if over || closing {
		x.claim()
		if closing {
			x.refuse(exceptionf(Disconnected, "the connection is being shut down"))
		} else {
			x.refuse(exceptionf(Overloaded, "%d calls are executing, at most %d", c.limits.Calls, c.limits.Calls))
		}
		return nil // the Return says that the capabilities in the parameters are released
	}
	t, err := c.takeCaps(payload, x)
	if err != nil {
		return err
	}
	if t != nil {
		m.SetCapTable(t)
	}
	x.a.hadCaps = caps > 0
	x.params, x.args = m.Retain(), payload.Content().Struct()
	c.mu.Lock()
	x.a.executing = true
	c.executing++
	c.mu.Unlock()
	if r.caller == nil {
		x.reader = r
	}
	if err := m.Err(); err != nil {
		x.refuse(exception(fmt.Errorf("parameters of %v: %w", method, err)))
		return nil
	}
	switch target.Which() {
	case wire.MessageTargetImportedCap:
		id := target.ImportedCap()
		c.mu.Lock()
		e := c.exports.at(id)
		var to Client
		if e != nil {
			to = e.client.Retain()
		}
		c.mu.Unlock()
		if e == nil {
			return violation("a call of export %d, which is not there", id)
		}
		to.deliver(x)
		to.Release()
	case wire.MessageTargetPromisedAnswer:
		y, path, err := c.promisedAnswer(target.PromisedAnswer())
		switch {
		case err != nil:
			return err
		case y == nil:
			x.refuse(exceptionf(Failed, "%v called on the results of a call that has none, or is finished", method))
		case y == x:
			y.drop()
			return violation("a call of question %d on its own results", id)
		default:
			y.pipeline(path, x)
			y.drop()
		}
	default:
		return violation("a target of unknown kind %d", target.Which())
	}
	return nil
}

// newResults gives the results of x, a new struct.
func (x *exchange) newResults(sz segment.Size) segment.StructBuilder {
	b := x.newResultsPtr().NewStruct(sz)
	x.at = x.resultsRoot().Reader()
	return b
}

// newResultsPtr starts a message for the results, a Return if they go to a peer.
func (x *exchange) newResultsPtr() segment.PtrBuilder {
	if c := x.a.conn; c != nil {
		x.results, x.a.ret = c.newReturn(x.a.id)
		x.a.ret.NewResults()
	} else {
		x.results = newMessage()
	}
	p := x.resultsRoot()
	x.at = p.Reader()
	return p
}

func (x *exchange) resultsRoot() segment.PtrBuilder {
	if x.a.conn != nil {
		return x.a.ret.Results().Content()
	}
	return x.results.RootBuilder()
}

// sendReturn tells the peer how its question ended. It is called once, when x is
// settled.
func (x *exchange) sendReturn() {
	c := x.a.conn
	m, caps, fail := x.a.out.m, x.a.out.caps, x.a.out.fail
	x.a.out = outReturn{}
	c.mu.Lock()
	if fail == nil && len(caps) > 0 && c.err == nil && !x.a.returned && !x.a.finished {
		x.a.exports, fail = c.export(caps, false)
	}
	if fail == nil && c.queued >= c.limits.QueuedBytes && !x.a.yourself && len(caps) == 0 {
		fail = c.overQueued()
	}
	if fail != nil || x.a.finished && len(caps) > 0 {
		// It can't go, or the peer has finished meanwhile and would not release
		// what it holds.
		c.mu.Unlock()
		m.Release()
		m, caps = x.buildFailure(fail), nil
		c.mu.Lock()
	}
	var drop bool
	if c.err != nil || x.a.returned {
		discard(m)
	} else {
		x.a.returned = true
		c.stats.answered++
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
	if drop {
		x.drop()
	}
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
	case out.fail != nil:
		return out
	case x.a.yourself:
		out.m, ret = c.newReturn(x.a.id)
		ret.SetResultsSentElsewhere()
	case results == nil: // nobody wants them
		out.m = x.buildFailure(nil)
		return out
	case segment.StructBuilder(ret).Message() == results:
		out.m = results.Retain()
	default: // they are a tail call's
		out.m, ret = c.newReturn(x.a.id)
		ret.NewResults().Content().Set(at)
	}
	if t := tableOf(out.m); t != nil && len(t.clients) > 0 && !x.a.yourself {
		out.caps = describe(t, ret.Results())
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
	m, ret := x.a.conn.newReturn(x.a.id)
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
