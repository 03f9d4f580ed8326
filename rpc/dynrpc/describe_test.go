package dynrpc_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

func TestDescribe(t *testing.T) {
	c := serve(t, load(t))
	told, err := dynrpc.Describe(t.Context(), c.Client) // of which nothing is known
	if err != nil {
		t.Fatal(err)
	}
	if told.Type() == c.Type() || told.Type().Name() != "Files" {
		t.Errorf("told %v of %v", told.Type(), c.Type())
	}
	open := told.Call(t.Context(), "open", map[string]any{"path": "a path", "mode": "write"})
	defer open.Release()
	read := open.Client("session.file").Call(t.Context(), "read", map[string]any{"n": 3})
	defer read.Release()
	res, err := read.Wait(t.Context())
	if err != nil || res.Text("text") != "a p" {
		t.Errorf("%v, %v", res, err)
	}
	name := told.Call(t.Context(), "name", nil)
	defer name.Release()
	if res, err := name.Wait(t.Context()); err != nil || res.Text("name") != "name" {
		t.Errorf("of an interface that it extends: %v, %v", res, err)
	}
}

func TestDescribeRefuses(t *testing.T) {
	packed, err := (&schema.Request{}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, schema, want string
	}{
		{"nothing", "", "unimplemented"},
		{"no schema", "\x10\x07x", "schema"},
		{"an interface that is not there", packed, "0x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := rpc.Serve(rpc.Server{Interface: 1 << 63, Schema: tc.schema, Dispatch: func(_ context.Context, call *rpc.Call) error {
				return call.Unimplemented()
			}})
			defer c.Release()
			_, err := dynrpc.Describe(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, rpc.ErrUnimplemented) != (tc.schema == "") {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// TestDescribedIsNoInterface says that a struct is served.
func TestDescribedIsNoInterface(t *testing.T) {
	typ := typeOf(t, load(t), "Files")
	var nodes []*schema.Node
	var id uint64
	for n := range typ.Registry().Nodes() {
		nodes = append(nodes, n)
		if n.Struct != nil {
			id = uint64(n.ID)
		}
	}
	packed, err := (&schema.Request{Nodes: nodes}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	c := rpc.Serve(rpc.Server{Interface: id, Schema: packed, Dispatch: func(_ context.Context, call *rpc.Call) error {
		call.NewResults(segment.Size{})
		return nil
	}})
	defer c.Release()
	if told, err := dynrpc.Describe(t.Context(), c); err == nil {
		t.Errorf("told %v", told.Type())
	}
}
