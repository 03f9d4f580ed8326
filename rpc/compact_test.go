package rpc_test

import (
	"context"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// A call and its results are no larger than what is set in them: what has no
// pointers has no place for a table of capabilities, and what has keeps it.
func TestSmallMessages(t *testing.T) {
	words := func(m wire.Message) int { return int(segment.Struct(m).Message().SizeBytes() / 8) }
	// The root pointer, the message, the call, its target and its payload; or the
	// return and its payload.
	const call, ret = 1 + 2 + 4 + 1 + 1, 1 + 2 + 2 + 1
	for _, test := range []struct {
		name            string
		params, results segment.Size
		call, ret       int
	}{
		{"nothing", segment.Size{}, segment.Size{}, call, ret},
		{"data", segment.Size{DataWords: 2}, segment.Size{DataWords: 1}, call + 2, ret + 1},
		{"pointers", segment.Size{DataWords: 1, Ptrs: 1}, segment.Size{Ptrs: 2}, call + 1 + 2, ret + 1 + 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			given := make(chan rpc.Client, 1)
			boot := rpc.Serve(rpc.Server{Dispatch: func(_ context.Context, c *rpc.Call) error {
				if c.Method() == use {
					given <- rpc.ReadClient(c.Params().Ptr(0)).Retain()
				}
				c.NewResults(test.results)
				return nil
			}})
			p := newWirePeer(t, rpc.ConnOptions{Bootstrap: boot})
			root := p.importRoot(1)
			p.call(50, root, echo, 0)
			if got := words(p.next(wire.MessageReturn)); got != test.ret {
				t.Errorf("a Return of %d words, want %d", got, test.ret)
			}
			p.call(51, root, use, 0, senderHosted(7))
			imp := <-given
			defer imp.Release()
			f := imp.NewCall(t.Context(), echo, test.params).Send()
			defer f.Release()
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = f.Wait(t.Context()) // which sends it
			}()
			m := p.until(wire.MessageCall)
			if got := words(m); got != test.call {
				t.Errorf("a Call of %d words, want %d", got, test.call)
			}
			p.answer(m.Call().QuestionID(), func(r wire.ReturnBuilder) { r.NewResults() })
			<-done
		})
	}
}
