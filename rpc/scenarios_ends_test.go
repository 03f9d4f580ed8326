package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// Calls on a promise run although nobody wants its own results, and one whose
// results nobody wants holds nothing.
func TestUnwantedResults(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		h := newHost()
		v := connect(h.serve())
		boot := v.boot()
		for range 50 {
			f := with(t.Context(), boot, makeOne, rpc.Client{})
			wanted := call(t.Context(), f.Client(0), 4)
			with(t.Context(), f.Client(0), makeOne, rpc.Client{}).Release()
			f.Release()
			expect(t, wanted, 8)
		}
		soon(t, "only the host is left", func() bool { return h.live.Load() == 1 })
		boot.Release()
	})
}

// Dropping a client does not end the calls that were made on it.
func TestDropClientDuringCall(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		started, let := make(chan struct{}), make(chan struct{})
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			close(started)
			select {
			case <-let:
			case <-ctx.Done():
				return ctx.Err()
			}
			c.NewResults(size).SetUint64(0, 7)
			return nil
		}))
		boot := v.boot()
		f := call(t.Context(), boot, 0)
		boot.Release()
		f.Done()
		<-started
		close(let)
		expect(t, f, 7)
	})
}

// A promise becomes known between the start of a call on it and its sending.
func TestResolvedBeforeSend(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		h := newHost()
		v := connect(h.serve())
		boot := v.boot()
		defer boot.Release()
		local := serve(t, double)
		promises := map[string]func() (rpc.Client, func(rpc.Client)){
			"our promise": func() (rpc.Client, func(rpc.Client)) {
				c, f := rpc.NewPromise()
				return c, f.Resolve
			},
			"the peer's promise": func() (rpc.Client, func(rpc.Client)) {
				f := with(t.Context(), boot, promiseOf, rpc.Client{})
				defer f.Release()
				s, err := f.Wait(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return rpc.ReadClient(s.Ptr(0)).Retain(), func(c rpc.Client) { wait(t, with(t.Context(), boot, resolveTo, c)) }
			},
		}
		for name, promise := range promises {
			for _, test := range []struct {
				name string
				to   rpc.Client
				fail error
			}{
				{"to the peer's object", boot, nil},
				{"to our own", local, nil},
				{"to an error", rpc.Broken(fmt.Errorf("%w: no", rpc.ErrOverloaded)), rpc.ErrOverloaded},
			} {
				t.Run(name+" "+test.name, func(t *testing.T) {
					c, resolve := promise()
					defer c.Release()
					before := c.NewCall(t.Context(), echo, size)
					before.Params().SetUint64(0, 4)
					resolve(test.to.Retain())
					f := before.Send()
					if test.fail != nil {
						expectError(t, f, test.fail, "no")
						return
					}
					expect(t, f, 8)
				})
			}
		}
	})
}

// A stream goes through a vat in the middle, which lends its window and passes
// the error on.
func TestStreamOverChain(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		var n atomic.Int64
		far := connect(served(t, func(_ context.Context, c *rpc.Call) error {
			if n.Add(1) == 400 {
				return fmt.Errorf("%w: number 400", rpc.ErrOverloaded)
			}
			return nil
		}))
		near := connect(far.boot())
		boot := near.boot()
		defer boot.Release()
		for range 300 {
			if err := stream(t.Context(), t.Context(), boot); err != nil {
				t.Fatal(err)
			}
		}
		if err := boot.WaitStreaming(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := n.Load(); got != 300 {
			t.Errorf("%d calls have arrived, want 300", got)
		}
		for range 300 {
			if err := stream(t.Context(), t.Context(), boot); err != nil {
				break
			}
		}
		if err := boot.WaitStreaming(t.Context()); !errors.Is(err, rpc.ErrOverloaded) || !strings.Contains(err.Error(), "number 400") {
			t.Errorf("error %v, want number 400's", err)
		}
	})
}

// However many vats an exception passes, its text stays what it was.
func TestExceptionOverChain(t *testing.T) {
	everywhere(t, func(t *testing.T, connect func(rpc.Client) vats) {
		c := served(t, func(context.Context, *rpc.Call) error { return fmt.Errorf("%w: 9 of 9 seats taken", rpc.ErrOverloaded) })
		for range 3 {
			c = connect(c).boot()
		}
		defer c.Release()
		f := call(t.Context(), c, 0)
		defer f.Release()
		if _, err := f.Wait(t.Context()); err == nil || err.Error() != "rpc: overloaded: 9 of 9 seats taken" {
			t.Errorf("error %q", err)
		}
	})
}

// A handler that panics when its connection is lost harms nobody.
func TestPanicWhileDisconnecting(t *testing.T) {
	onEach(t, func(t *testing.T, connect func(rpc.Client) vats) {
		started := make(chan struct{})
		v := connect(served(t, func(ctx context.Context, c *rpc.Call) error {
			if c.Params().Uint64(0) == 1 {
				c.Go()
			}
			started <- struct{}{}
			<-ctx.Done()
			panic("the connection is gone")
		}))
		boot := v.a.Bootstrap()
		defer boot.Release()
		var all []rpc.Future
		for i := range uint64(2) {
			all = append(all, call(t.Context(), boot, 1-i))
			all[i].Done() // it leaves
			<-started
		}
		v.a.Close()
		for _, f := range all {
			expectError(t, f, rpc.ErrDisconnected, "")
		}
		<-v.b.Done()
	})
}

// A peer that breaks the protocol is told why, and then there is no more.
func TestAbortOverTransport(t *testing.T) {
	for _, w := range wirings {
		t.Run(w.name, func(t *testing.T) {
			x, y := w.connect(t)
			h := newHost()
			conn := rpc.NewConn(x, rpc.ConnOptions{Bootstrap: h.serve()})
			defer conn.Close()
			defer y.Close()
			m := y.NewMessage(0)
			wire.NewRootMessage(m).NewReturn().SetAnswerID(999)
			if err := y.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			_ = y.Flush() // the peer may have seen it before, and be gone
			got, err := y.Recv(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if said := wire.RootMessage(got); said.Which() != wire.MessageAbort || !strings.Contains(said.Abort().Reason(), "999") {
				t.Errorf("it says %v%s", said.Which(), reasonOf(said))
			}
			got.Release()
			if m, err := y.Recv(t.Context()); err == nil {
				t.Errorf("it goes on with %v", wire.RootMessage(m).Which())
			}
			<-conn.Done()
			holds(t, "error", conn.Err().Error(), "999")
			h.gone(t)
		})
	}
}

// torn is a transport that nothing can be sent on any more.
type torn struct {
	rpc.Transport
	is atomic.Bool
}

var errTorn = errors.New("the rope has snapped")

func (t *torn) Send(ctx context.Context, m *segment.Message) error {
	if t.is.Load() {
		m.Release()
		return errTorn
	}
	return t.Transport.Send(ctx, m)
}

// That a message can't be written ends the connection, and all that waits to read
// an answer.
func TestWriteError(t *testing.T) {
	for _, w := range wirings {
		t.Run(w.name, func(t *testing.T) {
			x, y := w.connect(t)
			started := make(chan struct{})
			server := rpc.NewConn(y, rpc.ConnOptions{Bootstrap: served(t, func(ctx context.Context, _ *rpc.Call) error {
				close(started)
				<-ctx.Done()
				return ctx.Err()
			})})
			defer server.Close()
			tr := &torn{Transport: x}
			conn := rpc.NewConn(tr, rpc.ConnOptions{})
			defer conn.Close()
			boot := conn.Bootstrap()
			defer boot.Release()
			under := call(t.Context(), boot, 0)
			under.Done() // it leaves
			<-started
			tr.is.Store(true)
			expectError(t, call(t.Context(), boot, 1), rpc.ErrDisconnected, errTorn.Error())
			expectError(t, under, rpc.ErrDisconnected, errTorn.Error())
			<-conn.Done()
			if !errors.Is(conn.Err(), errTorn) {
				t.Errorf("the connection ended with %v", conn.Err())
			}
		})
	}
}

// offered gives the connection a capability of the peer's: its export 5.
func (p *wirePeer) offered() rpc.Client {
	p.Helper()
	c := p.conn.Bootstrap()
	c.NewCall(context.Background(), other, size).Send().Done() // so that the question leaves
	id := p.until(wire.MessageBootstrap).Bootstrap().QuestionID()
	p.answer(id, func(r wire.ReturnBuilder) {
		res := r.NewResults()
		res.Content().SetCapability(0)
		res.NewCapTable(1).At(0).SetSenderHosted(5)
	})
	return c
}

// exported gives the descriptor of the first capability of the next call of
// echo, and leaves the call unanswered.
func (p *wirePeer) exported() wire.CapDescriptor {
	p.Helper()
	for {
		c := p.until(wire.MessageCall).Call()
		if c.MethodID() == echo.Ordinal {
			return c.Params().CapTable().At(0)
		}
	}
}

// A capability keeps the id under which it was exported, while it is, and what
// could not be sent leaves none taken.
func TestExportIDs(t *testing.T) {
	p := newWirePeer(t, rpc.ConnOptions{})
	boot := p.offered()
	defer boot.Release()
	local := serve(t, double)

	huge := boot.NewCall(t.Context(), echo, segment.Size{Ptrs: 2})
	huge.Params().Ptr(1).NewData(65 << 20)
	rpc.SetClient(huge.Params().Ptr(0), local.Retain())
	expectError(t, huge.Send(), rpc.ErrFailed, "at most 67108864")
	if n := p.conn.Stats().Exports; n != 0 {
		t.Errorf("%d exports are left of a call that was not sent", n)
	}

	one, resolveOne := rpc.NewPromise()
	two, resolveTwo := rpc.NewPromise()
	defer one.Release()
	defer two.Release()
	var all []rpc.Future
	for _, test := range []struct {
		name    string
		c       rpc.Client
		id      uint32
		promise bool
	}{
		{"the first", local, 0, false},
		{"the same", local, 0, false},
		{"a promise", one, 1, true},
		{"the same promise", one, 1, true},
		{"another promise", two, 2, true},
		{"the same promise once more", one, 1, true},
	} {
		f := callWith(t.Context(), boot, 0, test.c.Retain())
		all = append(all, f)
		f.Done() // it leaves
		d := p.exported()
		id, promise := d.SenderHosted(), d.Which() == wire.CapDescriptorSenderPromise
		if promise {
			id = d.SenderPromise()
		}
		if id != test.id || promise != test.promise {
			t.Errorf("%s: export %d (promise: %v), want %d (%v)", test.name, id, promise, test.id, test.promise)
		}
	}
	resolveOne.Reject(errors.New("over"))
	resolveTwo.Reject(errors.New("over"))
	_ = p.conn.Close()
	for _, f := range all {
		expectError(t, f, rpc.ErrDisconnected, "")
	}
}

// A connection that is closed in order says nothing of what it held.
func TestCleanShutdown(t *testing.T) {
	for _, how := range []string{"Close", "Shutdown"} {
		t.Run(how, func(t *testing.T) {
			h := newHost()
			p := newWirePeer(t, rpc.ConnOptions{Bootstrap: h.serve()})
			root := p.importRoot(0)
			p.call(1, root, keep, 0, senderHosted(7))
			p.until(wire.MessageReturn)
			if how == "Close" {
				_ = p.conn.Close()
			} else if err := p.conn.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			for {
				m, err := p.recv()
				if err != nil {
					break
				}
				t.Errorf("it says %v", m.Which())
			}
			h.gone(t)
		})
	}
}
