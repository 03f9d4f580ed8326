package dynrpc

import (
	"context"
	"fmt"
	"os"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/schema"
)

// Handler runs a method. See [rpc.Server] for its error.
type Handler func(ctx context.Context, call *Call) error

// Server says how an object is served.
type Server struct {
	// Type is the interface that the object implements.
	Type *dynamic.Type
	// Methods are the handlers by the names of the methods, those of the
	// interfaces that Type extends among them. A method without one is
	// unimplemented.
	Methods map[string]Handler
	// Shutdown, if not nil, is called when nobody holds the object any more.
	Shutdown func()
	// File, if not nil, goes along with the capability: see [Client.AttachedFile]. It
	// stays the caller's, who keeps it open until Shutdown.
	File *os.File
}

// object has the methods that package rpc looks for.
type object struct{ *Server }

func (o object) Shutdown() {
	if o.Server.Shutdown != nil {
		o.Server.Shutdown()
	}
}

func (o object) AttachedFile() *os.File { return o.File }

// Call is a call as its handler sees it, valid until the handler returns.
type Call struct {
	*rpc.Call
	method dynamic.Method
}

// Name is the name of the method.
func (c *Call) Name() string { return c.method.Name }

// Params gives the parameters. They are valid until the handler returns or
// calls ReleaseParams.
func (c *Call) Params() dynamic.Struct {
	s, _ := c.method.Params.Read(c.Call.Params()) // Serve has checked the type
	return s
}

// Results gives the results to fill in.
func (c *Call) Results() dynamic.StructBuilder {
	b, _ := c.method.Results.Edit(c.NewResults(size(c.method.Results)))
	return b
}

// Return sets the results to what v says: a map, a Go struct or a
// [dynamic.Struct]. A handler returns its error.
func (c *Call) Return(v any) error { return c.Results().Assign(v) }

// Serve makes a capability of an object. The caller owns the client. A handler
// for a method that the interface does not have is an error.
func Serve(s Server) (Client, error) {
	if s.Type == nil || s.Type.Kind() != schema.InterfaceType {
		return Client{}, fmt.Errorf("dynrpc: type %v is no interface", s.Type)
	}
	type handled struct {
		Handler
		dynamic.Method
		streams bool
	}
	handlers := map[rpc.Method]handled{}
	for name, h := range s.Methods {
		m, err := s.Type.Method(name)
		if err != nil {
			return Client{}, err
		}
		for _, t := range []*dynamic.Type{m.Params, m.Results} {
			if err := t.Err(); err != nil {
				return Client{}, err
			}
		}
		handlers[rpc.Method{Interface: uint64(m.Interface.Node().ID), Ordinal: m.Ordinal}] = handled{h, m, m.Results.Node().ID == schema.StreamResultID}
	}
	c := rpc.Serve(rpc.Server{
		Interface: uint64(s.Type.Node().ID),
		Object:    object{&s},
		Dispatch: func(ctx context.Context, call *rpc.Call) error {
			if call.Method() == rpc.DescribeMethod {
				return describe(call, s.Type)
			}
			h, ok := handlers[call.Method()]
			if !ok {
				return call.Unimplemented()
			}
			err := h.Handler(ctx, &Call{call, h.Method})
			if h.streams {
				return call.Streamed(err)
			}
			return err
		},
	})
	return Client{c, s.Type}, nil
}
