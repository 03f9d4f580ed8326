package dynrpc_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
	"github.com/fairlead-go/fairlead/rpc/sturdy"
	"github.com/fairlead-go/fairlead/schema/compile"
)

const notes = `@0xb1d7e55eb1d7e55f;
using Persistent = import "/capnp/persistent.capnp".Persistent;
interface Note extends(Persistent(Data, Text)) { text @0 () -> (text :Text); }
`

// An object that is served by names is saved, by package sturdy or by the name of
// the method, and restored after a restart.
func TestPersistent(t *testing.T) {
	req, err := compile.Source("notes.capnp", []byte(notes), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := dynamic.Loader{}.Request(req)
	if err != nil {
		t.Fatal(err)
	}
	note := typeOf(t, mod, "Note")
	load := func(_ context.Context, text string) (rpc.Client, error) {
		c, err := dynrpc.Serve(dynrpc.Server{Type: note, Methods: map[string]dynrpc.Handler{
			"text": func(_ context.Context, call *dynrpc.Call) error { return call.Return(map[string]any{"text": text}) },
		}})
		return c.Client, err
	}
	var store sturdy.Memory
	var refs []sturdy.Ref
	for run := range 2 {
		keeper := sturdy.NewKeeper(sturdy.Options{Store: &store, Load: load})
		a, b := net.Pipe()
		o := rpc.ConnOptions{Restorer: keeper.Dispatch}
		if run == 0 {
			if o.Bootstrap, err = load(t.Context(), "milk"); err != nil {
				t.Fatal(err)
			}
			if err := keeper.Persist(o.Bootstrap, "milk"); err != nil {
				t.Fatal(err)
			}
		}
		server := rpc.NewConn(framing.NewPipe(a, framing.PipeOptions{}), o)
		conn := rpc.NewConn(framing.NewPipe(b, framing.PipeOptions{}), rpc.ConnOptions{})
		if run == 0 {
			c, err := dynrpc.Describe(t.Context(), conn.Bootstrap())
			if err != nil {
				t.Fatal(err)
			}
			ref, err := sturdy.Save(t.Context(), c.Client, sturdy.Anyone)
			if err != nil {
				t.Fatal(err)
			}
			f := c.Call(t.Context(), "save", nil)
			res, err := f.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, ref, append(sturdy.Ref(nil), res.Raw().Data(0)...))
			f.Release()
			f = c.Call(t.Context(), "save", map[string]any{"sealFor": "nobody"})
			if _, err := f.Wait(t.Context()); err == nil || errors.Is(err, rpc.ErrUnimplemented) {
				t.Errorf("%v, want that nobody is no owner", err)
			}
			f.Release()
			c.Release()
		}
		for _, ref := range refs {
			c, err := dynrpc.NewClient(sturdy.Restore(t.Context(), conn, ref), note)
			if err != nil {
				t.Fatal(err)
			}
			f := c.Call(t.Context(), "text", nil)
			if res, err := f.Wait(t.Context()); err != nil || res.Text("text") != "milk" {
				t.Errorf("%v, %v", res, err)
			}
			f.Release()
			c.Release()
		}
		_ = conn.Close()
		_ = server.Close()
		keeper.Close()
	}
}
