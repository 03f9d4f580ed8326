package rpc_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// joined gives a client's connection to a server with the options.
func joined(t *testing.T, server, client rpc.ConnOptions) *rpc.Conn {
	t.Helper()
	a, b := newMemory()
	ours, theirs := rpc.NewConn(a, server), rpc.NewConn(b, client)
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = ours.Close()
	})
	return theirs
}

// times multiplies.
func times(t *testing.T, n uint64) rpc.Client {
	return serve(t, func(_ context.Context, c *rpc.Call) error {
		c.NewResults(size).SetUint64(0, n*c.Params().Uint64(0))
		return nil
	}).Retain()
}

func TestBootstrapNamed(t *testing.T) {
	var e rpc.Exports
	defer e.Release()
	e.Set("twice", times(t, 2))
	e.Set("", times(t, 3))
	e.Set("gone", times(t, 4))
	e.Set("gone", rpc.Client{})
	e.Set("five", times(t, 4))
	e.Set("five", times(t, 5))
	conn := joined(t, rpc.ConnOptions{Bootstrap: times(t, 7), Exports: &e}, rpc.ConnOptions{})
	for _, tc := range []struct {
		name string
		c    rpc.Client
		want uint64 // 0 for an error
	}{
		{"by name", conn.BootstrapNamed("twice"), 2},
		{"the empty name", conn.BootstrapNamed(""), 3},
		{"one that was replaced", conn.BootstrapNamed("five"), 5},
		{"no name", conn.Bootstrap(), 7},
		{"one that was taken away", conn.BootstrapNamed("gone"), 0},
		{"unknown", conn.BootstrapNamed("nowhere"), 0},
		{"no text", conn.BootstrapObject(func(id segment.PtrBuilder) { id.NewStruct(size) }), 0},
		{"bytes that are no text", conn.BootstrapObject(func(id segment.PtrBuilder) { id.SetData([]byte("twice!")) }), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer tc.c.Release()
			f := call(t.Context(), tc.c, 10)
			defer f.Release()
			res, err := f.Wait(t.Context())
			switch {
			case tc.want == 0 && err == nil:
				t.Error("no error")
			case tc.want == 0:
				if !strings.Contains(err.Error(), "exported") {
					t.Errorf("%v, want what is not exported", err)
				}
			case err != nil:
				t.Error(err)
			case res.Uint64(0) != 10*tc.want:
				t.Errorf("got %d, want %d", res.Uint64(0), 10*tc.want)
			}
		})
	}
}

func TestNamedWithoutExports(t *testing.T) {
	conn := joined(t, rpc.ConnOptions{Bootstrap: times(t, 7)}, rpc.ConnOptions{Name: "x"})
	c := conn.Bootstrap()
	defer c.Release()
	if err := c.WaitResolved(t.Context()); err == nil || !strings.Contains(err.Error(), "by name") {
		t.Errorf("%v, want that nothing is exported by name", err)
	}
}

func TestNames(t *testing.T) {
	var e rpc.Exports
	defer e.Release()
	for _, n := range []string{"b", "a", "ä\x00c"} {
		e.Set(n, times(t, 1))
	}
	shown := rpc.Exports{Listed: true}
	defer shown.Release()
	for _, n := range []string{"b", "a", "ä\x00c"} {
		shown.Set(n, times(t, 1))
	}
	unimplemented := func() rpc.Client {
		return serve(t, func(_ context.Context, c *rpc.Call) error { return c.Unimplemented() }).Retain()
	}
	for _, tc := range []struct {
		name string
		o    rpc.ConnOptions
		want bool
	}{
		{"listed", rpc.ConnOptions{Bootstrap: unimplemented(), Exports: &shown}, true},
		{"listed, without a bootstrap capability", rpc.ConnOptions{Exports: &shown}, true},
		{"not listed", rpc.ConnOptions{Bootstrap: unimplemented(), Exports: &e}, false},
		{"not listed, without a bootstrap capability", rpc.ConnOptions{Exports: &e}, false},
		{"none", rpc.ConnOptions{Bootstrap: unimplemented()}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, name := range []string{"", "a"} { // whatever Bootstrap gives
				conn := joined(t, tc.o, rpc.ConnOptions{Name: name})
				tc.o.Bootstrap.Retain() // for the next
				names, err := conn.Names(t.Context())
				if tc.want && (err != nil || !slices.Equal(names, []string{"a", "b", "ä\x00c"})) {
					t.Errorf("%q, %v", names, err)
				}
				if !tc.want && !errors.Is(err, rpc.ErrUnimplemented) {
					t.Errorf("%q, %v, want unimplemented", names, err)
				}
			}
			tc.o.Bootstrap.Release()
		})
	}
}

// What is beside the bootstrap capability is there on that alone, and only by
// the way of the connection.
func TestBesideIsOnBootstrap(t *testing.T) {
	other := times(t, 2)
	defer other.Release()
	refused := func(_ context.Context, c *rpc.Call) error {
		if c.Method() == rpc.RestoreMethod {
			return errors.New("mine")
		}
		rpc.SetClient(c.NewResults(size).Ptr(0), other.Retain())
		return nil
	}
	asked := 0
	conn := joined(t, rpc.ConnOptions{
		Bootstrap: serve(t, refused).Retain(),
		Restorer: func(_ context.Context, c *rpc.Call) error {
			if asked++; c.Method() != rpc.RestoreMethod || c.Conn() == nil {
				t.Errorf("method %v on connection %v", c.Method(), c.Conn())
			}
			c.NewResults(size).SetUint64(0, 42)
			return nil
		},
	}, rpc.ConnOptions{})
	boot := conn.Bootstrap()
	defer boot.Release()
	restore := func(c rpc.Client) (uint64, error) {
		f := c.NewCall(t.Context(), rpc.RestoreMethod, size).Send()
		defer f.Release()
		res, err := f.Wait(t.Context())
		return res.Uint64(0), err
	}
	if n, err := restore(boot); n != 42 || err != nil {
		t.Errorf("pipelined: %d, %v", n, err)
	}
	if err := boot.WaitResolved(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := restore(boot); n != 42 || err != nil {
		t.Errorf("by its number: %d, %v", n, err)
	}
	f := call(t.Context(), boot, 1)
	defer f.Release()
	if n, err := restore(f.Client(0)); n != 0 || err != nil { // times, that answers every method
		t.Errorf("on another capability: %d, %v", n, err)
	}
	if asked != 2 {
		t.Errorf("the restorer was asked %d times, want 2", asked)
	}
}

// A program may restore what has no name, as servers of the protocol's old
// versions did.
func TestExportsRestore(t *testing.T) {
	e := rpc.Exports{Restore: func(conn *rpc.Conn, id segment.Ptr) (rpc.Client, error) {
		if conn == nil {
			t.Error("no connection")
		}
		switch {
		case id.Kind() == segment.KindStruct && id.Struct().Uint64(0) == 5:
			return times(t, 5), nil
		case id.Kind() == segment.KindStruct && id.Struct().Uint64(0) == 6:
			panic("six")
		case id.Kind() == segment.KindList && id.Text() == "six":
			return times(t, 6), nil
		}
		return rpc.Client{}, nil
	}}
	conn := joined(t, rpc.ConnOptions{Exports: &e}, rpc.ConnOptions{})
	object := func(n uint64) rpc.Client {
		return conn.BootstrapObject(func(id segment.PtrBuilder) { id.NewStruct(size).SetUint64(0, n) })
	}
	for _, tc := range []struct {
		name string
		c    rpc.Client
		want uint64
	}{
		{"struct", object(5), 5},
		{"text", conn.BootstrapNamed("six"), 6},
		{"panics", object(6), 0},
		{"unknown", object(7), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer tc.c.Release()
			f := call(t.Context(), tc.c, 1)
			defer f.Release()
			if res, err := f.Wait(t.Context()); (err == nil) != (tc.want > 0) || err == nil && res.Uint64(0) != tc.want {
				t.Errorf("%v", err)
			}
		})
	}
	if conn.Err() != nil {
		t.Error(conn.Err())
	}
}

// An object id that can't be read fails its question alone, or ends the
// connection; nothing is exported for it.
func TestHostileObjectID(t *testing.T) {
	var e rpc.Exports
	defer e.Release()
	e.Set("a", times(t, 2))
	e.Set("", times(t, 2))
	for _, tc := range []struct {
		name  string
		build func(id segment.PtrBuilder)
	}{
		{"a capability", func(id segment.PtrBuilder) { id.SetCapability(5) }},
		{"deep", func(id segment.PtrBuilder) {
			for range 60 {
				id = id.NewPtrs(1).At(0)
			}
		}},
		{"no bytes", func(id segment.PtrBuilder) { id.NewData(0) }},
		{"numbers", func(id segment.PtrBuilder) { id.NewList(segment.FourBytes, 1) }},
		{"long", func(id segment.PtrBuilder) { id.NewText(1 << 20) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newWirePeer(t, rpc.ConnOptions{Exports: &e})
			p.send(func(m wire.MessageBuilder) {
				b := m.NewBootstrap()
				b.SetQuestionID(9)
				tc.build(b.DeprecatedObjectID())
			})
			ret := p.next(wire.MessageReturn).Return()
			if ret.AnswerID() != 9 || ret.Which() != wire.ReturnException {
				t.Errorf("answered %d with %v", ret.AnswerID(), ret.Which())
			}
			if len(ret.Exception().Reason()) > 1<<10 {
				t.Errorf("a reason of %d bytes", len(ret.Exception().Reason()))
			}
			if n := p.conn.Stats().Exports; n > 0 {
				t.Errorf("%d exports", n)
			}
		})
	}
}

// A weak reference does not keep its object.
func TestWeak(t *testing.T) {
	down := make(object)
	c := rpc.Serve(rpc.Server{Interface: 1, Dispatch: double, Object: down})
	w := rpc.WeakOf(c)
	again, ok := w.Client()
	if !ok {
		t.Fatal("the object is not there")
	}
	c.Release()
	if got := wait(t, call(t.Context(), again, 4)); got != 8 {
		t.Errorf("got %d, want 8", got)
	}
	again.Release()
	<-down
	if _, ok := w.Client(); ok {
		t.Error("the object is there after its end")
	}
	if _, ok := (rpc.Weak{}).Client(); ok {
		t.Error("the zero Weak refers to something")
	}
	wrapped := rpc.Intercept(rpc.Serve(rpc.Server{Dispatch: double}), func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
		return ctx, nil, nil
	})
	w = rpc.WeakOf(wrapped)
	again, ok = w.Client()
	if !ok || w.Gone() {
		t.Fatal("the wrapper is not there")
	}
	wrapped.Release()
	if got := wait(t, call(t.Context(), again, 4)); got != 8 {
		t.Errorf("got %d, want 8", got)
	}
	again.Release()
	if _, ok := w.Client(); ok || !w.Gone() {
		t.Error("the wrapper is there after its end")
	}
	if _, ok := rpc.WeakOf(rpc.Broken(errors.New("x"))).Client(); ok {
		t.Error("a weak reference to what is no object")
	}
}

// What can be revoked is not saved: it would not be revoked with it.
func TestSaveThroughWrappers(t *testing.T) {
	c := serve(t, double)
	seven := func(_ context.Context, call *rpc.Call) error {
		call.NewResults(size).SetUint64(0, 7)
		return nil
	}
	if err := rpc.HandleSave(c, seven); err != nil {
		t.Fatal(err)
	}
	revocable, revoke := rpc.Revocable(c.Retain())
	defer revoke(nil)
	var m rpc.Membrane
	defer m.Revoke(nil)
	look := func(ctx context.Context, _ rpc.CallInfo) (context.Context, func(rpc.Outcome), error) {
		return ctx, nil, nil
	}
	kept := rpc.Intercept(c.Retain(), look)
	if err := rpc.HandleSave(kept, seven); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		c    rpc.Client
		want bool
	}{
		{"bare", c.Retain(), true},
		{"intercepted", rpc.Intercept(c.Retain(), look), false},
		{"intercepted and handled", kept, true},
		{"intercepted twice", rpc.Intercept(kept.Retain(), look), false},
		{"revocable", revocable, false},
		{"membrane", m.Export(c.Retain()), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			defer tc.c.Release()
			f := tc.c.NewCall(t.Context(), rpc.SaveMethod, size).Send()
			defer f.Release()
			res, err := f.Wait(t.Context())
			if tc.want && (err != nil || res.Uint64(0) != 7) || !tc.want && !errors.Is(err, rpc.ErrUnimplemented) {
				t.Errorf("%d, %v", res.Uint64(0), err)
			}
			if err := rpc.HandleSave(tc.c, seven); (err != nil) != (tc.name == "revocable" || tc.name == "membrane") {
				t.Errorf("HandleSave gives %v", err)
			}
		})
	}
}
