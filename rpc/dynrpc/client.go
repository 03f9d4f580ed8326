package dynrpc

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Client is a capability with the interface that it is taken to have. It is a
// small value, used and released as an [rpc.Client].
type Client struct {
	rpc.Client
	typ *dynamic.Type
}

// NewClient takes c to have the interface t. Whether it does shows when it is
// called: a method that it lacks is unimplemented.
func NewClient(c rpc.Client, t *dynamic.Type) (Client, error) {
	if t == nil || t.Kind() != schema.InterfaceType {
		return Client{}, fmt.Errorf("dynrpc: type %v is no interface", t)
	}
	return Client{c, t}, nil
}

// Type gives the interface.
func (c Client) Type() *dynamic.Type { return c.typ }

// Retain makes the capability live for one Release more, and gives c.
func (c Client) Retain() Client { return Client{c.Client.Retain(), c.typ} }

// Cast takes the capability to have another interface, which shows when it is
// called. The client that it gives shares c's reference.
func (c Client) Cast(t *dynamic.Type) (Client, error) { return NewClient(c.Client, t) }

// Upcast is [Client.Cast] to an interface that c's own extends.
func (c Client) Upcast(t *dynamic.Type) (Client, error) {
	if c.typ != t && !extends(c.typ, t, map[*dynamic.Type]bool{}) {
		return Client{}, fmt.Errorf("dynrpc: %v does not extend %v", c.typ, t)
	}
	return NewClient(c.Client, t)
}

func extends(t, base *dynamic.Type, seen map[*dynamic.Type]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	for _, s := range t.Extends() {
		if s == base || extends(s, base, seen) {
			return true
		}
	}
	return false
}

// SetCapability makes p refer to the capability, which the message shares. It is
// what package dynamic calls to set a field to a Client.
func (c Client) SetCapability(p segment.PtrBuilder) { rpc.SetClient(p, c.Client.Retain()) }

// Call calls a method, of the interface or of one that it extends. The
// parameters are a map by their names, a Go struct, a [dynamic.Struct], or a
// func(dynamic.StructBuilder) that fills them in; nil leaves them as they are.
//
// A method that there is not, or parameters that don't fit it, make the call
// fail without being sent. A streaming method returns when it is sent, see
// [rpc.Request.Stream].
func (c Client) Call(ctx context.Context, method string, params any) Future {
	switch {
	case c.typ == nil && c.IsNull():
		return failed(ctx, nil, fmt.Errorf("dynrpc: method %q called on no capability", method))
	case c.typ == nil: // broken, and knows why
		return Future{c.NewCall(ctx, rpc.Method{}, segment.Size{}).Send(), nil}
	}
	m, err := c.typ.Method(method)
	if err != nil {
		return failed(ctx, nil, err)
	}
	req := c.NewCall(ctx, rpc.Method{Interface: uint64(m.Interface.Node().ID), Ordinal: m.Ordinal}, size(m.Params))
	if err := fill(m.Params, req.Params(), params); err != nil {
		req.Discard()
		return failed(ctx, m.Results, fmt.Errorf("parameters of %s: %w", method, err))
	}
	if m.Streaming {
		if err := req.Stream(ctx); err != nil {
			return failed(ctx, m.Results, err)
		}
		return Future{rpc.Answered(), m.Results}
	}
	return Future{req.Send(), m.Results}
}

// fill sets a struct to what v says.
func fill(t *dynamic.Type, s segment.StructBuilder, v any) error {
	b, err := t.Edit(s)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		return nil
	case func(dynamic.StructBuilder):
		v(b)
		return b.Err()
	}
	return b.Assign(v)
}

func size(t *dynamic.Type) segment.Size {
	if n := t.Node(); n != nil && n.Struct != nil {
		return segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs}
	}
	return segment.Size{}
}

// Future is the answer to a call. See [rpc.Future].
type Future struct {
	rpc.Future
	typ *dynamic.Type // of the results; nil if the method is not known
}

// failed gives the answer of a call that was not sent.
func failed(ctx context.Context, t *dynamic.Type, err error) Future {
	return Future{rpc.Broken(err).NewCall(ctx, rpc.Method{}, segment.Size{}).Send(), t}
}

// Wait waits for the results. See [rpc.Future.Wait].
func (f Future) Wait(ctx context.Context) (dynamic.Struct, error) {
	s, err := f.Future.Wait(ctx)
	if err != nil {
		return dynamic.Struct{}, err
	}
	return f.typ.Read(s)
}

// Client gives the capability that the results will have in a field, which may
// be a path through structs, such as "session.files". A field that is not
// there, or is no capability, gives a client whose calls fail and say so.
func (f Future) Client(path string) Client {
	if f.typ == nil {
		return Client{Client: f.Future.Client()}
	}
	t, steps, err := capability(f.typ, path)
	if err != nil {
		return Client{Client: rpc.Broken(err)}
	}
	return Client{f.Future.Client(steps...), t}
}

// ClientOf gives the capability in a field of s, which may be a path. It is lent
// by the message.
func ClientOf(s dynamic.Struct, path string) (Client, error) {
	t, steps, err := capability(s.Type(), path)
	if err != nil {
		return Client{}, err
	}
	raw, last := s.Raw(), len(steps)-1
	for _, i := range steps[:last] {
		raw = raw.Struct(i)
	}
	return Client{rpc.ReadClient(raw.Ptr(steps[last])), t}, nil
}

// capability gives the interface of a field of t, and the pointers that lead to
// it.
func capability(t *dynamic.Type, path string) (*dynamic.Type, []uint16, error) {
	var steps []uint16
	at := t
	for name := range strings.SplitSeq(path, ".") {
		if at.Kind() != schema.StructType {
			return nil, nil, fmt.Errorf("dynrpc: field %q of %v is no capability: %v has no fields", path, t, at)
		}
		f, err := at.Field(name)
		if err != nil {
			return nil, nil, err
		}
		if at = f.Type(); f.IsGroup() {
			continue
		}
		if !at.Kind().IsPointer() {
			return nil, nil, fmt.Errorf("dynrpc: field %q of %v is no capability: %s is a %v", path, t, name, at)
		}
		steps = append(steps, uint16(f.Schema().Offset))
	}
	if at.Kind() != schema.InterfaceType {
		return nil, nil, fmt.Errorf("dynrpc: field %q of %v is no capability but a %v", path, t, at)
	}
	return at, steps, nil
}
