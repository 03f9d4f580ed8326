package dynrpc

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Describe asks a capability which interface it has, and for the schema of it, so
// that nothing of it has to be known before. The client that it gives shares c's
// reference, and its type stands in a registry of its own.
//
// What the other side says is checked as a schema from anywhere is, but whether it
// is what is served shows when it is called. The error matches
// [rpc.ErrUnimplemented] where the other side does not tell, as other
// implementations don't.
func Describe(ctx context.Context, c rpc.Client) (Client, error) {
	f := c.NewCall(ctx, rpc.DescribeMethod, segment.Size{}).Send()
	defer f.Release()
	res, err := f.Wait(ctx)
	if err != nil {
		return Client{}, err
	}
	id, packed := rpc.Described(res)
	req, err := schema.Unpack(string(packed))
	if err != nil {
		return Client{}, fmt.Errorf("dynrpc: what the other side says of its schema: %w", err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		return Client{}, fmt.Errorf("dynrpc: what the other side says of its schema: %w", err)
	}
	mod, err := dynamic.Loader{Registry: reg}.Module(schema.ID(id))
	if err != nil {
		return Client{}, fmt.Errorf("dynrpc: what the other side says of its schema: %w", err)
	}
	t, err := mod.TypeByID(schema.ID(id))
	if err != nil {
		return Client{}, fmt.Errorf("dynrpc: what the other side says of its schema: %w", err)
	}
	return NewClient(c, t)
}

// describe tells what is known of an interface.
func describe(call *rpc.Call, t *dynamic.Type) error {
	packed, err := (&schema.Request{Nodes: slices.Collect(t.Registry().Nodes())}).Pack()
	if err != nil {
		return err
	}
	return call.Describe(uint64(t.Node().ID), packed)
}
