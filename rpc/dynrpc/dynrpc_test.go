package dynrpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
	"github.com/fairlead-go/fairlead/schema/compile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const text = `@0xb1d7e55eb1d7e55e;
interface Named { name @0 () -> (name :Text); }
interface Files extends(Named) {
  open @0 (path :Text, mode :Mode) -> (session :Session);
  put @1 (chunk :Data) -> stream;
  sum @2 () -> (bytes :UInt64);
  enum Mode { read @0; write @1; }
  struct Session { info :group { size @0 :UInt64; } file @1 :File; where @2 :Text; }
  interface File { read @0 (n :UInt32) -> (text :Text); }
}
interface Other { name @0 () -> (name :Text); }
`

func load(t *testing.T) *dynamic.Module {
	t.Helper()
	req, err := compile.Source("files.capnp", []byte(text), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	mod, err := dynamic.Loader{}.Request(req)
	if err != nil {
		t.Fatal(err)
	}
	return mod
}

func typeOf(t *testing.T, mod *dynamic.Module, name string) *dynamic.Type {
	t.Helper()
	typ, err := mod.Type(name)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

// serve serves Files; each handler is its own.
func serve(t *testing.T, mod *dynamic.Module) dynrpc.Client {
	t.Helper()
	file := typeOf(t, mod, "Files.File")
	sum := 0
	c, err := dynrpc.Serve(dynrpc.Server{Type: typeOf(t, mod, "Files"), Methods: map[string]dynrpc.Handler{
		"name": func(_ context.Context, call *dynrpc.Call) error {
			return call.Return(map[string]any{"name": call.Name()})
		},
		"open": func(_ context.Context, call *dynrpc.Call) error {
			path := call.Params().Text("path")
			f, err := dynrpc.Serve(dynrpc.Server{Type: file, Methods: map[string]dynrpc.Handler{
				"read": func(_ context.Context, call *dynrpc.Call) error {
					call.Results().SetText("text", path[:min(len(path), int(call.Params().Uint("n")))])
					return nil
				},
			}})
			if err != nil {
				return err
			}
			defer f.Release() // the results have a share
			return call.Return(map[string]any{"session": map[string]any{"file": f, "info": map[string]any{"size": len(path)}}})
		},
		"put": func(_ context.Context, call *dynrpc.Call) error {
			sum += len(call.Params().Data("chunk"))
			return nil
		},
		"sum": func(_ context.Context, call *dynrpc.Call) error {
			call.Results().SetUint("bytes", uint64(sum))
			return nil
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	return c
}

func TestCall(t *testing.T) {
	before, _ := arena.Pool().Outstanding()
	t.Cleanup(func() {
		after, _ := arena.Pool().Outstanding()
		for tries := 0; after != before && tries < 1000; tries++ {
			time.Sleep(time.Millisecond) // some are given back by goroutines that end a call
			after, _ = arena.Pool().Outstanding()
		}
		if after != before {
			t.Errorf("%d segments are not given back", after-before)
		}
	})
	c, ctx := serve(t, load(t)), t.Context()
	open := c.Call(ctx, "open", map[string]any{"path": "hello.txt", "mode": "write"})
	defer open.Release()
	read := open.Client("session.file").Call(ctx, "read", struct{ N uint32 }{5}) // before open is done
	defer read.Release()
	res, err := read.Wait(ctx)
	if err != nil || res.Text("text") != "hello" {
		t.Errorf("read gives %v, %v", res, err)
	}
	res, err = open.Wait(ctx)
	if err != nil || res.Uint("session.info.size") != 9 {
		t.Errorf("open gives %v, %v", res, err)
	}
	f, err := dynrpc.ClientOf(res, "session.file")
	if err != nil {
		t.Fatal(err)
	}
	again := f.Call(ctx, "read", func(p dynamic.StructBuilder) { p.SetUint("n", 2) })
	defer again.Release()
	if res, err := again.Wait(ctx); err != nil || res.Text("text") != "he" {
		t.Errorf("read gives %v, %v", res, err)
	}
}

func TestInheritedAndCast(t *testing.T) {
	mod := load(t)
	c, ctx := serve(t, mod), t.Context()
	up, err := c.Upcast(typeOf(t, mod, "Named"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []dynrpc.Client{c, up} {
		f := c.Call(ctx, "name", nil)
		if res, err := f.Wait(ctx); err != nil || res.Text("name") != "name" {
			t.Errorf("%v.name gives %v, %v", c.Type(), res, err)
		}
		f.Release()
	}
	if _, err := c.Upcast(typeOf(t, mod, "Other")); err == nil {
		t.Error("upcast to an interface that is not extended gives no error")
	}
	other, err := c.Cast(typeOf(t, mod, "Other"))
	if err != nil {
		t.Fatal(err)
	}
	f := other.Call(ctx, "name", nil)
	defer f.Release()
	if _, err := f.Wait(ctx); !errors.Is(err, rpc.ErrUnimplemented) {
		t.Errorf("a wrong cast gives %v when called, want unimplemented", err)
	}
}

func TestStreaming(t *testing.T) {
	c, ctx := serve(t, load(t)), t.Context()
	for range 100 {
		f := c.Call(ctx, "put", map[string]any{"chunk": make([]byte, 5000)})
		if _, err := f.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	f := c.Call(ctx, "sum", nil)
	defer f.Release()
	if res, err := f.Wait(ctx); err != nil || res.Uint("bytes") != 500_000 {
		t.Errorf("sum gives %v, %v", res, err)
	}
}

// What is wrong with a call is its error, which names it.
func TestErrors(t *testing.T) {
	mod := load(t)
	c, ctx := serve(t, mod), t.Context()
	open := func(path string) dynrpc.Client {
		f := c.Call(ctx, "open", nil)
		t.Cleanup(f.Release)
		return f.Client(path)
	}
	for _, test := range []struct {
		name   string
		c      dynrpc.Client
		method string
		params any
		want   string
	}{
		{"unknown method", c, "opne", nil, "opne"},
		{"unknown parameter", c, "open", map[string]any{"paht": "x"}, "paht"},
		{"wrong kind", c, "open", map[string]any{"path": 5}, "path"},
		{"wrong enumerant", c, "open", map[string]any{"mode": "append"}, "append"},
		{"no capability at all", dynrpc.Client{}, "open", nil, "no capability"},
		{"pipelined on a wrong field", open("sesion.file"), "read", nil, "sesion"},
		{"pipelined on a text", open("session.where"), "read", nil, "no capability"},
		{"pipelined through a number", open("session.info.size.x"), "read", nil, "size"},
		{"pipelined on a struct", open("session"), "read", nil, "no capability"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := test.c.Call(ctx, test.method, test.params)
			defer f.Release()
			_, err := f.Wait(ctx)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that names %q", err, test.want)
			}
		})
	}
	if _, err := dynrpc.Serve(dynrpc.Server{Type: c.Type(), Methods: map[string]dynrpc.Handler{"nope": nil}}); err == nil {
		t.Error("a handler of a method that there is not gives no error")
	}
	if _, err := dynrpc.NewClient(c.Client, typeOf(t, mod, "Files.Session")); err == nil {
		t.Error("a struct as an interface gives no error")
	}
}
