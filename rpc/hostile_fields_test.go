package rpc_test

import (
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// asks gets the connection's bootstrap question, which is left open.
func (p *wirePeer) asks() (question uint32, boot rpc.Client) {
	p.Helper()
	boot = p.conn.Bootstrap()
	boot.NewCall(p.Context(), echo, size).Send().Done() // so that it leaves
	return p.until(wire.MessageBootstrap).Bootstrap().QuestionID(), boot
}

// doubled expects that question returns 42.
func (p *wirePeer) doubled(question uint32) {
	p.Helper()
	for {
		r := p.until(wire.MessageReturn).Return()
		if r.AnswerID() != question {
			continue
		}
		if got := r.Results().Content().Struct().Uint64(0); got != 42 {
			p.Errorf("question %d: %v with %d, want 42%s", question, r.Which(), got, r.Exception().Reason())
		}
		return
	}
}

// The fields that TestHostileFields leaves out: those that newer peers send, those
// whose odd values are allowed, and what else can't be.
func TestOddFields(t *testing.T) {
	thirdParty := func(vine uint32) func(wire.CallBuilder) {
		return capability(func(d wire.CapDescriptorBuilder) {
			tp := d.NewThirdPartyHosted()
			tp.ID().SetText("somebody")
			tp.SetVineID(vine)
		})
	}
	// answered has the connection call us, and returns for that call.
	answered := func(set func(wire.ReturnBuilder)) script {
		return func(p *wirePeer, root uint32) { p.answer(p.asked(50, root), set) }
	}
	for _, test := range []struct {
		name  string
		want  outcome
		holds string
		do    script
	}{
		// Call
		{"third-party tail call allowed", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, echo, 21, func(c wire.CallBuilder) { c.SetAllowThirdPartyTailCall(true) })
			p.doubled(50)
		}},
		{"no pipelining promised, and done", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, makeOne, 0, func(c wire.CallBuilder) { c.SetNoPromisePipelining(true) })
			p.call(51, root, echo, 21, pipelined(50, 0))
			p.doubled(51)
		}},
		{"only pipelining", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, makeOne, 0, func(c wire.CallBuilder) { c.SetOnlyPromisePipeline(true) })
			p.call(51, root, echo, 21, pipelined(50, 0))
			p.doubled(51)
		}},
		{"call without parameters", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, func(c wire.CallBuilder) { segment.StructBuilder(c).Ptr(1).Clear() })
		}},
		{"parameters that are a list", failsThatCall, "", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 1, func(c wire.CallBuilder) { c.Params().Content().SetText("no struct") })
		}},
		{"pipeline op that does nothing", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, makeOne, 0)
			p.call(51, root, echo, 21, func(c wire.CallBuilder) {
				a := c.NewTarget().NewPromisedAnswer()
				a.SetQuestionID(50)
				ops := a.NewTransform(3)
				ops.At(0).SetNoop()
				ops.At(1).SetGetPointerField(0)
				ops.At(2).SetNoop()
			})
			p.doubled(51)
		}},
		{"capability of a third party", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, use, 21, thirdParty(9))
			c := p.until(wire.MessageCall).Call()
			if got := c.Target().ImportedCap(); got != 9 {
				p.Errorf("it calls export %d, want the vine 9", got)
			}
			p.answer(c.QuestionID(), func(r wire.ReturnBuilder) { r.NewResults().Content().NewStruct(size).SetUint64(0, 42) })
			p.doubled(50)
		}},
		{"capability with a file that did not come", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, capability(func(d wire.CapDescriptorBuilder) {
				d.SetSenderHosted(7)
				d.SetAttachedFd(200)
			}))
			p.until(wire.MessageReturn)
		}},

		// Return
		{"return that needs no finish, with a capability", nothing, "", answered(func(r wire.ReturnBuilder) {
			r.SetNoFinishNeeded(true)
			res := r.NewResults()
			res.Content().NewStruct(size).Ptr(0).SetCapability(0)
			res.NewCapTable(1).At(0).SetSenderHosted(8)
		})},
		{"return of a capability that is not exported", aborts, "888", answered(func(r wire.ReturnBuilder) {
			res := r.NewResults()
			res.Content().NewStruct(size).Ptr(0).SetCapability(0)
			res.NewCapTable(1).At(0).SetReceiverHosted(888)
		})},
		{"return of a capability of an answer that is not there", nothing, "", answered(func(r wire.ReturnBuilder) {
			res := r.NewResults()
			res.Content().NewStruct(size).Ptr(0).SetCapability(0)
			res.NewCapTable(1).At(0).NewReceiverAnswer().SetQuestionID(888)
		})},
		{"return of a capability beyond the table", nothing, "", answered(func(r wire.ReturnBuilder) {
			r.NewResults().Content().NewStruct(size).Ptr(0).SetCapability(1 << 20)
		})},
		{"results that nobody reads beyond their end", nothing, "", answered(func(r wire.ReturnBuilder) {
			c := r.NewResults().Content()
			c.NewStruct(size)
			breakPointer(c)
		})},
		{"return without results", nothing, "", answered(func(r wire.ReturnBuilder) { r.NewResults() })},
		{"exception without a reason", nothing, "", answered(func(r wire.ReturnBuilder) { r.NewException() })},
		{"exception with all that it can have", failsThatCall, "why", answered(func(r wire.ReturnBuilder) {
			e := r.NewException()
			e.SetReason("why")
			e.SetObsoleteIsCallersFault(true)
			e.SetObsoleteDurability(65535)
			e.SetType(wire.ExceptionTypeUnimplemented)
			e.SetTrace(strings.Repeat("trace ", 10000))
		})},
		{"bootstrap that is a list", nothing, "", func(p *wirePeer, root uint32) {
			id, boot := p.asks()
			p.answer(id, func(r wire.ReturnBuilder) { r.NewResults().Content().SetText("no capability") })
			_ = boot.WaitResolved(p.Context())
			expectError(p.TB.(*testing.T), call(p.Context(), boot, 1), rpc.ErrFailed, "")
			boot.Release()
		}},
		{"return of an open bootstrap from elsewhere", aborts, "", func(p *wirePeer, root uint32) {
			id, boot := p.asks()
			p.answer(id, func(r wire.ReturnBuilder) { r.SetResultsSentElsewhere() })
			<-p.conn.Done()
			boot.Release()
		}},

		// Finish
		{"finish that releases what was released", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, makeOne, 0)
			p.release(p.until(wire.MessageReturn).Return().Results().CapTable().At(0).SenderHosted(), 1)
			p.finish(50, true)
		}},
		{"finish that asks for a workaround", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, hold, 0)
			p.send(func(m wire.MessageBuilder) {
				f := m.NewFinish()
				f.SetQuestionID(50)
				f.SetRequireEarlyCancellationWorkaround(true)
			})
		}},

		// Resolve
		{"resolve to none", aborts, "", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(r wire.ResolveBuilder) { r.NewCap().SetNone() })
		}},
		{"resolve to a capability of an unknown kind", aborts, "99", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(r wire.ResolveBuilder) { discriminant(segment.StructBuilder(r.NewCap()), 0) })
		}},
		{"resolve to a capability of an answer that is not there", nothing, "", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(r wire.ResolveBuilder) { r.NewCap().NewReceiverAnswer().SetQuestionID(888) })
		}},
		{"resolve without a capability", aborts, "", func(p *wirePeer, root uint32) {
			p.call(50, root, keep, 0, senderPromise(7))
			p.until(wire.MessageReturn)
			p.resolve(7, func(wire.ResolveBuilder) {})
		}},

		// Release
		{"release of no references", nothing, "", func(p *wirePeer, root uint32) { p.release(root, 0) }},
		{"release of no references to nothing", aborts, "777", func(p *wirePeer, root uint32) { p.release(777, 0) }},

		// Disembargo
		{"disembargo of an answer that has not returned", aborts, "", func(p *wirePeer, root uint32) {
			p.call(50, root, hold, 0)
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				a := d.NewTarget().NewPromisedAnswer()
				a.SetQuestionID(50)
				a.NewTransform(1).At(0).SetGetPointerField(0)
				d.Context().SetSenderLoopback(1)
			})
		}},
		{"disembargo of what an answer does not have", aborts, "", func(p *wirePeer, root uint32) {
			p.call(50, root, makeOne, 0)
			p.until(wire.MessageReturn)
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				a := d.NewTarget().NewPromisedAnswer()
				a.SetQuestionID(50)
				a.NewTransform(1).At(0).SetGetPointerField(5)
				d.Context().SetSenderLoopback(1)
			})
		}},
		{"disembargo without a target", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewDisembargo().Context().SetSenderLoopback(1) })
		}},

		// Unimplemented
		{"unimplemented bootstrap", nothing, "", func(p *wirePeer, root uint32) {
			id, boot := p.asks()
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewBootstrap().SetQuestionID(id) })
			_ = boot.WaitResolved(p.Context())
			expectError(p.TB.(*testing.T), call(p.Context(), boot, 1), rpc.ErrUnimplemented, "")
			boot.Release()
		}},
		{"unimplemented bootstrap that nobody made", aborts, "777", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewBootstrap().SetQuestionID(777) })
		}},
		{"unimplemented return", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewReturn() })
		}},
		{"unimplemented finish", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewFinish() })
		}},
		{"unimplemented disembargo", aborts, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewDisembargo() })
		}},
		{"unimplemented resolve of an unknown export", aborts, "777", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewResolve().NewCap().SetSenderHosted(777) })
		}},
		{"unimplemented provide", nothing, "", func(p *wirePeer, root uint32) {
			p.send(func(m wire.MessageBuilder) { m.NewUnimplemented().NewProvide() })
		}},
	} {
		t.Run(test.name, func(t *testing.T) { provoke(t, test.want, test.holds, test.do) })
	}
}

// However a peer says goodbye, the reason is short, and of a known type.
func TestOddAborts(t *testing.T) {
	for name, set := range map[string]func(wire.ExceptionBuilder){
		"empty":        func(wire.ExceptionBuilder) {},
		"long":         func(e wire.ExceptionBuilder) { e.SetReason(strings.Repeat("é", 1<<20)) },
		"unknown type": func(e wire.ExceptionBuilder) { segment.StructBuilder(e).SetUint16(4, 999) },
		"not UTF-8":    func(e wire.ExceptionBuilder) { e.SetReason("\xff\xfe\x00\x01") },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost()
			p := newWirePeer(t, rpc.ConnOptions{Bootstrap: h.serve()})
			p.importRoot(0)
			p.send(func(m wire.MessageBuilder) { set(m.NewAbort()) })
			p.ended()
			if n := len(p.conn.Err().Error()); n > 2<<10 {
				t.Errorf("an error of %d bytes", n)
			}
			h.gone(t)
		})
	}
}
