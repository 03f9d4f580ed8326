package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// The methods of a host beside echo, which doubles a number.
var (
	makeOne   = rpc.Method{Interface: 1, Ordinal: 2} // gives a new object
	hold      = rpc.Method{Interface: 1, Ordinal: 3} // returns when it is cancelled
	use       = rpc.Method{Interface: 1, Ordinal: 4} // calls echo on the parameter, and gives what that gave
	keep      = rpc.Method{Interface: 1, Ordinal: 5} // keeps the parameter, in the place of the one before
	promiseOf = rpc.Method{Interface: 1, Ordinal: 6} // gives a promise
	resolveTo = rpc.Method{Interface: 1, Ordinal: 7} // resolves it to the parameter
	tailTo    = rpc.Method{Interface: 1, Ordinal: 8} // makes a tail call of echo on the parameter
	giveBack  = rpc.Method{Interface: 1, Ordinal: 9} // gives the parameter
	sleep     = rpc.Method{Interface: 1, Ordinal: 10}
)

// host is an object that uses all of the protocol. It counts itself and those
// that it makes.
type host struct {
	live, holding *atomic.Int64
	holds         atomic.Int64 // calls of hold so far
	mu            sync.Mutex
	kept          rpc.Client
	held          []rpc.Fulfiller
}

func newHost() *host {
	return &host{live: new(atomic.Int64), holding: new(atomic.Int64)}
}

// serve gives a capability of the host.
func (h *host) serve() rpc.Client {
	h.live.Add(1)
	return rpc.Serve(rpc.Server{Interface: 1, Dispatch: h.dispatch, Object: h})
}

func (h *host) Shutdown() {
	h.mu.Lock()
	kept, held := h.kept, h.held
	h.kept, h.held = rpc.Client{}, nil
	h.mu.Unlock()
	kept.Release()
	for _, f := range held {
		f.Reject(errors.New("the host is gone"))
	}
	h.live.Add(-1)
}

func (h *host) dispatch(ctx context.Context, call *rpc.Call) error {
	param := rpc.ReadClient(call.Params().Ptr(0))
	switch call.Method() {
	case echo:
		call.NewResults(size).SetUint64(0, 2*call.Params().Uint64(0))
	case makeOne:
		one := &host{live: h.live, holding: h.holding}
		rpc.SetClient(call.NewResults(size).Ptr(0), one.serve())
	case hold:
		call.Go()
		h.holding.Add(1)
		h.holds.Add(1)
		<-ctx.Done()
		h.holding.Add(-1)
		return context.Cause(ctx)
	case use:
		call.Go()
		r := param.NewCall(ctx, echo, size)
		r.Params().SetUint64(0, call.Params().Uint64(0))
		f := r.Send()
		defer f.Release()
		s, err := f.Wait(ctx)
		call.NewResults(size).SetUint64(0, s.Uint64(0))
		return err
	case keep:
		h.mu.Lock()
		old := h.kept
		h.kept = param.Retain()
		h.mu.Unlock()
		old.Release()
	case promiseOf:
		c, f := rpc.NewPromise()
		h.mu.Lock()
		h.held = append(h.held, f)
		h.mu.Unlock()
		rpc.SetClient(call.NewResults(size).Ptr(0), c)
	case resolveTo:
		h.mu.Lock()
		held := h.held
		h.held = nil
		h.mu.Unlock()
		for _, f := range held {
			f.Resolve(param.Retain())
		}
	case tailTo:
		r := param.NewCall(ctx, echo, size)
		r.Params().SetUint64(0, call.Params().Uint64(0))
		call.TailCall(r.Send())
	case giveBack:
		rpc.SetClient(call.NewResults(size).Ptr(0), param.Retain())
	case sleep:
		call.Go()
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
	default:
		return call.Unimplemented()
	}
	return nil
}

// gone waits until nothing of the host is left.
func (h *host) gone(t testing.TB) {
	t.Helper()
	end := time.Now().Add(*patience)
	for turn := 0; h.live.Load() != 0 || h.holding.Load() != 0; turn++ {
		if time.Now().After(end) {
			t.Fatalf("%d objects and %d calls are left", h.live.Load(), h.holding.Load())
		}
		if turn < 100 { // mostly it is a matter of a few turns
			runtime.Gosched()
		} else {
			time.Sleep(time.Millisecond)
		}
	}
}

// capability sets the parameters of a call to one with a capability, which is
// described by set.
func capability(set func(wire.CapDescriptorBuilder)) func(wire.CallBuilder) {
	return func(c wire.CallBuilder) {
		p := c.Params()
		p.Content().Struct(size).Ptr(0).SetCapability(0)
		set(p.NewCapTable(1).At(0))
	}
}

func senderHosted(id uint32) func(wire.CallBuilder) {
	return capability(func(d wire.CapDescriptorBuilder) { d.SetSenderHosted(id) })
}

func senderPromise(id uint32) func(wire.CallBuilder) {
	return capability(func(d wire.CapDescriptorBuilder) { d.SetSenderPromise(id) })
}

// discriminant sets the union of a struct to a member that there is not.
func discriminant(s segment.StructBuilder, byteOffset uint32) { s.SetUint16(byteOffset, 99) }

// resolve sends a Resolve of a promise.
func (p *wirePeer) resolve(promise uint32, set func(wire.ResolveBuilder)) {
	p.Helper()
	p.send(func(m wire.MessageBuilder) {
		r := m.NewResolve()
		r.SetPromiseID(promise)
		set(r)
	})
}

// answer returns for a call of the connection.
func (p *wirePeer) answer(id uint32, set func(wire.ReturnBuilder)) {
	p.Helper()
	p.send(func(m wire.MessageBuilder) {
		r := m.NewReturn()
		r.SetAnswerID(id)
		set(r)
	})
}

// asked makes the connection call us: the peer passes it export 7 as a
// parameter of use. It gives the id of the connection's question.
func (p *wirePeer) asked(question, root uint32) uint32 {
	p.Helper()
	p.call(question, root, use, 5, senderHosted(7))
	return p.until(wire.MessageCall).Call().QuestionID()
}

// outcome is what a wrong message has to bring about.
type outcome int

const (
	aborts        outcome = iota // the connection, with a reason
	echoes                       // the message, as unimplemented
	failsThatCall                // the Return to question 50 is an exception
	nothing                      // nothing at all
)

// A script is what a peer does, to whom root is exported.
type script = func(p *wirePeer, root uint32)

// tailCalled has the connection make a tail call whose results are to stay with the
// peer, and gives its id. One that left before it was known to be one is answered.
func (p *wirePeer) tailCalled(root uint32) uint32 {
	for id := uint32(50); ; id++ {
		p.call(id, root, tailTo, 5, senderHosted(7))
		c := p.until(wire.MessageCall).Call()
		if c.SendResultsTo().Which() == wire.CallSendResultsToYourself {
			return c.QuestionID()
		}
		p.answer(c.QuestionID(), func(r wire.ReturnBuilder) { r.NewResults() })
		p.until(wire.MessageReturn)
	}
}

// Every field of the protocol wrong once. A connection that is at fault aborts
// with a reason; the process, and connections beside it, go on.
func TestHostileFields(t *testing.T) {
	question := func(p *wirePeer, root uint32) uint32 { return p.asked(50, root) }
	for _, test := range []struct {
		name  string
		want  outcome
		holds string // in the reason
		do    script
	}{
		{"return of an unknown question", aborts, "999", func(p *wirePeer, root uint32) {
			p.answer(999, func(r wire.ReturnBuilder) { r.NewResults() })
		}},
		{"second return", aborts, "", func(p *wirePeer, root uint32) {
			// A question that the connection does not finish at once: it keeps results with a
			// capability as long as its call runs.
			id := p.tailCalled(root)
			for range 2 {
				p.answer(id, func(r wire.ReturnBuilder) { r.SetResultsSentElsewhere() })
			}
		}},
		{"return that is nothing", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) { discriminant(segment.StructBuilder(r), 6) })
		}},
		{"return accepted from a third party", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) { r.AcceptFromThirdParty().SetText("them") })
		}},
		{"return cancelled, though it was not", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) { r.SetCanceled() })
		}},
		{"return of results sent elsewhere, unasked", aborts, "", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) { r.SetResultsSentElsewhere() })
		}},
		{"return from an unknown question", aborts, "777", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) { r.SetTakeFromOtherQuestion(777) })
		}},
		{"return from a question whose results were sent", aborts, "", func(p *wirePeer, root uint32) {
			p.call(51, root, hold, 0)
			p.answer(question(p, root), func(r wire.ReturnBuilder) { r.SetTakeFromOtherQuestion(51) })
		}},
		{"results for a tail call", aborts, "", func(p *wirePeer, root uint32) {
			p.answer(p.tailCalled(root), func(r wire.ReturnBuilder) { r.NewResults().Content().NewStruct(size) })
		}},
		{"results with a capability that is nothing", aborts, "99", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) {
				res := r.NewResults()
				res.Content().NewStruct(size).Ptr(0).SetCapability(0)
				discriminant(segment.StructBuilder(res.NewCapTable(1).At(0)), 0)
			})
		}},
		{"exception of an unknown type", failsThatCall, "why not", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) {
				e := r.NewException()
				e.SetReason("why not")
				segment.StructBuilder(e).SetUint16(4, 99)
			})
		}},
		{"exception without bound", failsThatCall, "aaaa", func(p *wirePeer, root uint32) {
			p.answer(question(p, root), func(r wire.ReturnBuilder) { r.NewException().SetReason(strings.Repeat("a", 1<<20)) })
		}},
		{"call on an unknown export", aborts, "888", func(p *wirePeer, root uint32) { p.call(50, 888, echo, 1) }},
		{"call on the largest export", aborts, "4294967295", func(p *wirePeer, root uint32) { p.call(50, 1<<32-1, echo, 1) }},
		{"call on a released export", aborts, "", func(p *wirePeer, root uint32) {
			p.release(root, 1)
			p.call(50, root, echo, 1)
		}},
		{"call on a target that is nothing", aborts, "", func(p *wirePeer, root uint32) {
			p.call(50, root, echo, 1, func(c wire.CallBuilder) { discriminant(segment.StructBuilder(c.Target()), 4) })
		}},
		{"call without a target", aborts, "", func(p *wirePeer, root uint32) {
			p.call(50, 999, echo, 1, func(c wire.CallBuilder) { segment.StructBuilder(c).Ptr(0).Clear() })
			p.release(root, 1) // null is import 0, which may be root
			p.call(51, 999, echo, 1, func(c wire.CallBuilder) { segment.StructBuilder(c).Ptr(0).Clear() })
		}},
		{"call on an unknown answer", failsThatCall, "", func(p *wirePeer, root uint32) { p.call(50, root, echo, 1, pipelined(777)) }},
		{"call on a finished answer", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(51, root, makeOne, 1)
			p.until(wire.MessageReturn)
			p.finish(51, true)
			p.call(50, root, echo, 1, pipelined(51, 0))
		}},
		{"call on itself", aborts, "", func(p *wirePeer, root uint32) { p.call(50, root, echo, 1, pipelined(50, 0)) }},
		{"pipeline op that is nothing", aborts, "", func(p *wirePeer, root uint32) {
			p.call(51, root, makeOne, 1)
			p.call(50, root, echo, 1, pipelined(51, 0), func(c wire.CallBuilder) {
				discriminant(segment.StructBuilder(c.Target().PromisedAnswer().Transform().At(0)), 0)
			})
		}},
		{"pipeline to a field that is not there", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(51, root, makeOne, 1)
			p.call(50, root, echo, 1, pipelined(51, 40000))
		}},
		{"pipeline too deep", aborts, "5000", func(p *wirePeer, root uint32) {
			p.call(51, root, makeOne, 1)
			p.call(50, root, echo, 1, pipelined(51, make([]uint16, 5000)...))
		}},
		{"pipeline through a capability", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(51, root, makeOne, 1)
			p.call(50, root, echo, 1, pipelined(51, 0, 0))
		}},
		{"question in use", aborts, "50", func(p *wirePeer, root uint32) {
			p.call(50, root, hold, 0)
			p.call(50, root, echo, 1)
		}},
		{"bootstrap with a question in use", aborts, "50", func(p *wirePeer, root uint32) {
			p.call(50, root, hold, 0)
			p.bootstrap(50)
		}},
		{"results to a third party", echoes, "", func(p *wirePeer, root uint32) {
			p.call(50, root, echo, 1, func(c wire.CallBuilder) { c.SendResultsTo().ThirdParty().SetText("them") })
		}},
		{"results to nobody", echoes, "", func(p *wirePeer, root uint32) {
			p.call(50, root, echo, 1, func(c wire.CallBuilder) { discriminant(segment.StructBuilder(c), 6) })
		}},
		{"unknown method", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, rpc.Method{Interface: 1, Ordinal: 999}, 1)
		}},
		{"unknown interface", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, rpc.Method{Interface: 999}, 1)
		}},
		{"capability that is nothing", aborts, "99", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, capability(func(d wire.CapDescriptorBuilder) { discriminant(segment.StructBuilder(d), 0) }))
		}},
		{"capability that is none", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, capability(func(d wire.CapDescriptorBuilder) { d.SetNone() }))
		}},
		{"capability beyond the table", failsThatCall, "9", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, func(c wire.CallBuilder) { c.Params().Content().Struct(size).Ptr(0).SetCapability(9) })
		}},
		{"capability of ours that is not exported", aborts, "888", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, capability(func(d wire.CapDescriptorBuilder) { d.SetReceiverHosted(888) }))
		}},
		{"capability of an answer that is not there", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, capability(func(d wire.CapDescriptorBuilder) { d.NewReceiverAnswer().SetQuestionID(888) }))
		}},
		{"capability of its own answer", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, capability(func(d wire.CapDescriptorBuilder) { d.NewReceiverAnswer().SetQuestionID(50) }))
		}},
		{"promise that breaks in an unknown way", failsThatCall, "oh", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, senderPromise(7))
			id := p.until(wire.MessageCall).Call().QuestionID()
			p.resolve(7, func(r wire.ResolveBuilder) {
				e := r.NewException()
				e.SetReason("oh")
				segment.StructBuilder(e).SetUint16(4, 99)
			})
			p.answer(id, func(r wire.ReturnBuilder) { r.NewException().SetReason("oh") })
		}},
		{"finish of an unknown question", nothing, "", func(p *wirePeer, root uint32) { p.finish(777, true) }},
		{"second finish", nothing, "", func(p *wirePeer, root uint32) {
			p.call(51, root, echo, 1)
			p.until(wire.MessageReturn)
			p.finish(51, true)
			p.finish(51, true)
		}},
		{"release of what is not exported", aborts, "777", func(p *wirePeer, root uint32) { p.release(777, 1) }},
		{"release of more than there is", aborts, "", func(p *wirePeer, root uint32) { p.release(root, 2) }},
		{"release of very many", aborts, "", func(p *wirePeer, root uint32) { p.release(root, 1<<32-1) }},
		{"resolve of what is no promise", aborts, "", func(p *wirePeer, root uint32) {
			p.asked(50, root)
			p.resolve(7, func(r wire.ResolveBuilder) { r.NewCap().SetSenderHosted(8) })
		}},
		{"resolve twice", aborts, "", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(r wire.ResolveBuilder) { r.NewCap().SetSenderHosted(8) })
			p.resolve(7, func(r wire.ResolveBuilder) { r.NewCap().SetSenderHosted(9) })
		}},
		{"resolve to nothing", echoes, "", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(r wire.ResolveBuilder) { discriminant(segment.StructBuilder(r), 4) })
		}},
		{"resolve to what is not exported", aborts, "888", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(r wire.ResolveBuilder) { r.NewCap().SetReceiverHosted(888) })
		}},
		{"resolve to itself", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(r wire.ResolveBuilder) { r.NewCap().SetSenderPromise(7) })
		}},
		{"resolve of an unknown promise", nothing, "", func(p *wirePeer, root uint32) {
			p.resolve(777, func(r wire.ResolveBuilder) { r.NewCap().SetSenderHosted(8) })
			if rel := p.until(wire.MessageRelease).Release(); rel.ID() != 8 || rel.ReferenceCount() != 1 {
				p.Errorf("released %d of %d, want 1 of 8", rel.ReferenceCount(), rel.ID())
			}
		}},
		{"disembargo of an unknown export", aborts, "777", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().SetImportedCap(777)
				d.Context().SetSenderLoopback(1)
			})
		}},
		{"disembargo of what does not lead back", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().SetImportedCap(root)
				d.Context().SetSenderLoopback(1)
			})
		}},
		{"disembargo of an unknown answer", aborts, "777", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().NewPromisedAnswer().SetQuestionID(777)
				d.Context().SetSenderLoopback(1)
			})
		}},
		{"disembargo of a target that is nothing", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				discriminant(segment.StructBuilder(d.NewTarget()), 4)
				d.Context().SetSenderLoopback(1)
			})
		}},
		{"disembargo that nobody waits for", aborts, "777", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().SetImportedCap(root)
				d.Context().SetReceiverLoopback(777)
			})
		}},
		{"disembargo of an accept", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().SetImportedCap(root)
				d.Context().SetAccept()
			})
		}},
		{"disembargo of a provide", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().SetImportedCap(root)
				d.Context().SetProvide(1)
			})
		}},
		{"disembargo that is nothing", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().SetImportedCap(root)
				discriminant(segment.StructBuilder(d), 4)
			})
		}},
		{"provide", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewProvide().SetQuestionID(50) })
		}},
		{"accept", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewAccept().SetQuestionID(50) })
		}},
		{"join", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewJoin().SetQuestionID(50) })
		}},
		{"obsolete save", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.ObsoleteSave().SetText("x") })
		}},
		{"obsolete delete", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.ObsoleteDelete().SetText("x") })
		}},
		{"message that is nothing", echoes, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { discriminant(segment.StructBuilder(m), 0) })
		}},
		{"unimplemented call that we wait for", failsThatCall, "", func(p *wirePeer, root uint32) {
			id := question(p, root)
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewCall().SetQuestionID(id) })
		}},
		{"unimplemented call that nobody made", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewCall().SetQuestionID(777) })
		}},
		{"unimplemented unimplemented", nothing, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewUnimplemented().NewUnimplemented() })
		}},
		{"unimplemented release", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewRelease().SetID(777) })
		}},
		{"unimplemented that is nothing", nothing, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { discriminant(segment.StructBuilder(m.NewUnimplemented()), 0) })
		}},
		{"unimplemented resolve", nothing, "", func(p *wirePeer, root uint32) {
			p.call(51, root, promiseOf, 0)
			d := p.until(wire.MessageReturn).Return().Results().CapTable().At(0)
			p.call(52, root, makeOne, 0)
			one := p.until(wire.MessageReturn).Return().Results().CapTable().At(0).SenderHosted()
			p.call(53, root, resolveTo, 0, capability(func(d wire.CapDescriptorBuilder) { d.SetReceiverHosted(one) }))
			res := p.until(wire.MessageResolve)
			if res.Resolve().PromiseID() != d.SenderPromise() {
				p.Errorf("promise %d was resolved, want %d", res.Resolve().PromiseID(), d.SenderPromise())
			}
			p.send(func(m wire.MessageBuilder) { m.SetUnimplemented(res) })
			// One reference of the two that we have of it is gone: one is left, not two.
			p.release(one, 1)
			p.call(50, one, echo, 1)
			p.until(wire.MessageAbort)
			p.ended()
			p.t = nil
		}},
		{"null message", nothing, "", func(p *wirePeer, root uint32) { p.sendRaw(0) }},
		{"message that is a list", aborts, "", func(p *wirePeer, root uint32) { p.sendRaw(1|2<<32, 0) }},
		{"message that is a capability", aborts, "", func(p *wirePeer, root uint32) { p.sendRaw(3) }},
		{"message beyond its end", aborts, "", func(p *wirePeer, root uint32) { p.sendRaw(0 | 100<<2 | 1<<32) }},
		{"call beyond its end", aborts, "", func(p *wirePeer, root uint32) {
			p.sendRaw(1<<32|1<<48, 2, 100<<2|3<<32|3<<48)
		}},
		{"parameters beyond their end", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, func(c wire.CallBuilder) { breakPointer(c.Params().Content()) })
		}},
	} {
		t.Run(test.name, func(t *testing.T) { provoke(t, test.want, test.holds, test.do) })
	}
}

// provoke has a peer do what is in a script, and checks what comes of it.
func provoke(t *testing.T, want outcome, text string, do script) {
	t.Helper()
	h := newHost()
	p := newWirePeer(t, rpc.ConnOptions{Bootstrap: h.serve()})
	root := p.importRoot(0)
	do(p, root)
	if p.t == nil { // it has looked itself
		h.gone(t)
		return
	}
	switch want {
	case aborts:
		reason := p.aborted()
		holds(t, "reason", reason, text)
		if reason == "" || len(reason) > 1<<10 {
			t.Errorf("a reason of %d bytes: %.100q", len(reason), reason)
		}
	case echoes:
		p.until(wire.MessageUnimplemented)
		p.sound(60)
	case failsThatCall:
		for {
			ret := p.until(wire.MessageReturn).Return()
			if ret.AnswerID() != 50 {
				continue
			}
			if ret.Which() != wire.ReturnException {
				t.Fatalf("the call returned %v, want an exception", ret.Which())
			}
			reason := ret.Exception().Reason()
			holds(t, "reason", reason, text)
			if reason == "" || len(reason) > 1<<10 {
				t.Errorf("a reason of %d bytes: %.100q", len(reason), reason)
			}
			break
		}
		p.sound(60)
	case nothing:
		p.sound(60)
	}
	_ = p.t.Close()
	p.ended()
	h.gone(t)
}

// breakPointer makes p a struct pointer that leads out of the message. It does
// so by building an enormous offset over what is there.
func breakPointer(p segment.PtrBuilder) {
	// A list of one word whose contents are then read as the struct's pointer.
	segs, _ := p.Message().ToSegments()
	s := p.Struct(size)
	s.Ptr(0).SetData([]byte("landmark"))
	for _, seg := range segs {
		if i := strings.Index(string(seg), "landmark"); i >= 8 {
			// The list pointer stands in the word before the data: of 2^29-1 bytes.
			for j := range 8 {
				seg[i-8+j] = byte(uint64(1|2<<32|(1<<29-1)<<35) >> (8 * j))
			}
		}
	}
}

// A peer that says goodbye ends the connection with its reason.
func TestPeerAborts(t *testing.T) {
	h := newHost()
	p := newWirePeer(t, rpc.ConnOptions{Bootstrap: h.serve()})
	p.importRoot(0)
	boot := p.conn.Bootstrap()
	defer boot.Release()
	f := call(t.Context(), boot, 1)
	defer f.Release()
	p.send(func(m wire.MessageBuilder) {
		e := m.NewAbort()
		e.SetReason("no more of this")
		e.SetType(wire.ExceptionTypeFailed)
	})
	p.ended()
	holds(t, "error", p.conn.Err().Error(), "no more of this")
	if _, err := f.Wait(t.Context()); !errors.Is(err, rpc.ErrDisconnected) {
		t.Errorf("a call gave %v, want disconnected", err)
	}
	h.gone(t)
}

// No id reaches an object that was not exported on this connection.
func TestGuessedIDs(t *testing.T) {
	secret := newHost()
	c := secret.serve()
	defer c.Release()
	other := newWirePeer(t, rpc.ConnOptions{Bootstrap: c.Retain()})
	other.importRoot(0) // exported, but to another
	for _, id := range []uint32{0, 1, 2, 3, 255, 256, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
		t.Run(fmt.Sprint(id), func(t *testing.T) {
			h := newHost()
			p := newWirePeer(t, rpc.ConnOptions{Bootstrap: h.serve()})
			p.call(1, id, makeOne, 0)
			p.aborted()
			h.gone(t)
		})
	}
	if n := secret.live.Load(); n != 1 {
		t.Errorf("the object was reached: it has made %d", n-1)
	}
	other.sound(5)
}
