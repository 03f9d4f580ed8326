package rpc_test

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
)

var guesses = flag.Int("guesses", 200, "how many random ids are tried in each place")

// Wherever a message has the id of a capability, an id that was guessed reaches
// nothing: not what is exported to others, and not what this peer has given back.
func TestGuesses(t *testing.T) {
	secret := newHost()
	c := secret.serve()
	defer c.Release()
	other := newWirePeer(t, rpc.ConnOptions{Bootstrap: c.Retain()})
	other.importRoot(0)

	// Each makes the guess and tells whether it was taken, where that is no error of
	// the connection.
	for _, test := range []struct {
		name string
		try  func(p *wirePeer, id uint32)
	}{
		{"call of an export", func(p *wirePeer, id uint32) { p.call(50, id, makeOne, 0) }},
		{"call on an answer", func(p *wirePeer, id uint32) { p.call(50, 0, makeOne, 0, pipelined(id, 0)) }},
		{"parameter that we export", func(p *wirePeer, id uint32) {
			p.call(50, 0, giveBack, 0, pipelined(0), capability(func(d wire.CapDescriptorBuilder) { d.SetReceiverHosted(id) }))
		}},
		{"parameter of an answer", func(p *wirePeer, id uint32) {
			p.call(50, 0, use, 0, pipelined(0), capability(func(d wire.CapDescriptorBuilder) { d.NewReceiverAnswer().SetQuestionID(id) }))
		}},
		{"results of another question", func(p *wirePeer, id uint32) {
			p.answer(id, func(r wire.ReturnBuilder) { r.SetTakeFromOtherQuestion(id) })
		}},
		{"resolution", func(p *wirePeer, id uint32) {
			p.resolve(id, func(r wire.ResolveBuilder) { r.NewCap().SetReceiverHosted(id) })
		}},
		{"disembargo", func(p *wirePeer, id uint32) {
			p.send(func(m wire.MessageBuilder) {
				d := m.NewDisembargo()
				d.NewTarget().SetImportedCap(id)
				d.Context().SetSenderLoopback(id)
			})
		}},
		{"release", func(p *wirePeer, id uint32) { p.release(id, 1) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range *guesses {
				id := rng.Uint32()
				if i%2 == 0 {
					id = 1 + uint32(rng.IntN(300)) // near those in use
				}
				h := newHost()
				scope := &cleanups{TB: t}
				p := newWirePeer(scope, rpc.ConnOptions{Bootstrap: h.serve()})
				p.bootstrap(0)
				p.next(wire.MessageReturn)
				test.try(p, id)
				p.call(60, 0, echo, 21, pipelined(0))
				for ended := false; !ended; {
					m, err := p.recv()
					switch {
					case err != nil || m.Which() == wire.MessageAbort:
						ended = true
					case m.Which() == wire.MessageReturn && m.Return().AnswerID() == 60:
						ended = true
					case m.Which() == wire.MessageReturn && m.Return().Which() == wire.ReturnResults:
						t.Errorf("guess %d gave results", id)
					}
				}
				scope.run()
				h.gone(t)
			}
		})
	}
	if n := secret.live.Load(); n != 1 {
		t.Errorf("the object was reached: it has made %d", n-1)
	}
	other.sound(5)
}
