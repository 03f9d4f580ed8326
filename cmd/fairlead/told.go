package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
)

// errNotTold is the error of a server of which no schema is known.
var errNotTold = errors.New("the server does not tell its schema; name its file with --schema")

// told asks a server for what it serves. A name given by --as is one in the schema
// that the server tells.
func (f *connFlags) told(ctx context.Context, conn *rpc.Conn) (*service, error) {
	boot := conn.Bootstrap()
	c, err := dynrpc.Describe(ctx, boot)
	switch {
	case errors.Is(err, rpc.ErrUnimplemented):
		err = errNotTold
	case err == nil && f.as != "":
		err = fmt.Errorf("--as %s needs --schema; the server says that it serves %v", f.as, c.Type())
	}
	if err != nil {
		boot.Release()
		return nil, err
	}
	return &service{c, c.Type().Registry()}, nil
}
