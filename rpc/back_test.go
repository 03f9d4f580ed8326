package rpc_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
)

// gives answers a call of the connection with one capability.
func (p *wirePeer) gives(id uint32, set func(wire.CapDescriptorBuilder)) {
	p.Helper()
	p.answer(id, func(r wire.ReturnBuilder) {
		r.SetReleaseParamCaps(false)
		results := r.NewResults()
		results.Content().NewStruct(size).Ptr(0).SetCapability(0)
		set(results.NewCapTable(1).At(0))
	})
}

// A promise of the peer's becomes a promise of ours, which has become an object of the
// peer's. Calls made on it before go round by way of us, and later ones must not
// overtake them, though the object is the peer's as the promise was.
func TestPromiseThatComesBack(t *testing.T) {
	const object, promise = 7, 8
	hosted := func(d wire.CapDescriptorBuilder) { d.SetSenderHosted(object) }
	for _, what := range []string{"import", "answer"} {
		t.Run(what, func(t *testing.T) {
			p := newWirePeer(t, rpc.ConnOptions{})
			root := p.conn.Bootstrap()
			defer root.Release()

			made := call(t.Context(), root, 0) // gives the object
			defer made.Release()
			p.answer(p.next(wire.MessageBootstrap).Bootstrap().QuestionID(), func(r wire.ReturnBuilder) {
				results := r.NewResults()
				results.Content().SetCapability(0)
				results.NewCapTable(1).At(0).SetSenderHosted(1)
			})
			p.gives(p.until(wire.MessageCall).Call().QuestionID(), hosted)
			if _, err := made.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}

			asked := call(t.Context(), root, 0) // gives the promise
			defer asked.Release()
			question := p.until(wire.MessageCall).Call().QuestionID()
			if what == "import" {
				p.gives(question, func(d wire.CapDescriptorBuilder) { d.SetSenderPromise(promise) })
				if _, err := asked.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c := asked.Client(0)
			first := call(t.Context(), c, 1)
			defer first.Release()
			p.until(wire.MessageCall)

			ours, fulfiller := rpc.NewPromise()
			passed := with(t.Context(), root, use, ours)
			defer passed.Release()
			export := p.until(wire.MessageCall).Call().Params().CapTable().At(0).SenderPromise()
			fulfiller.Resolve(made.Client(0).Retain())
			if d := p.until(wire.MessageResolve).Resolve().Cap(); d.Which() != wire.CapDescriptorReceiverHosted || d.ReceiverHosted() != object {
				t.Fatalf("our promise became %v", d.Which())
			}

			if what == "import" {
				p.resolve(promise, func(r wire.ResolveBuilder) { r.NewCap().SetReceiverHosted(export) })
			} else {
				p.gives(question, func(d wire.CapDescriptorBuilder) { d.SetReceiverHosted(export) })
			}
			d := p.until(wire.MessageDisembargo).Disembargo()
			if target := d.Target(); what == "import" && target.ImportedCap() != promise ||
				what == "answer" && target.PromisedAnswer().QuestionID() != question {
				t.Errorf("disembargoed %v", target.Which())
			}
			second := call(t.Context(), c, 2)
			defer second.Release()
			p.call(90, export, echo, 1) // the first comes round
			round := p.until(wire.MessageCall).Call()
			if n := round.Params().Content().Struct().Uint64(0); n != 1 || round.Target().ImportedCap() != object {
				t.Errorf("call %d went to %d before the first came round", n, round.Target().ImportedCap())
			}
			p.send(func(m wire.MessageBuilder) {
				e := m.NewDisembargo()
				e.NewTarget().SetImportedCap(export)
				e.Context().SetReceiverLoopback(d.Context().SenderLoopback())
			})
			later := p.until(wire.MessageCall).Call()
			if n := later.Params().Content().Struct().Uint64(0); n != 2 || later.Target().ImportedCap() != object {
				t.Errorf("call %d went to %d then", n, later.Target().ImportedCap())
			}
		})
	}
}
