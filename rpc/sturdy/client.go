package sturdy

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

// Owners whom a reference can be sealed for, beside those that the server knows by
// names, such as "uid:1000".
const (
	// Anyone who has the reference can restore it.
	Anyone = ""
	// Self is whoever saves, as the server sees it.
	Self = "self"
)

var onePtr = segment.Size{Ptrs: 1}

// Save asks the host of a capability for a reference to it, sealed for an owner.
// Not every capability can be saved: the error of one that can't matches
// [rpc.ErrUnimplemented].
func Save(ctx context.Context, c rpc.Client, owner string) (Ref, error) {
	req := c.NewCall(ctx, rpc.SaveMethod, onePtr)
	if owner != Anyone {
		req.Params().SetText(0, owner)
	}
	f := req.Send()
	defer f.Release()
	res, err := f.Wait(ctx)
	if err != nil {
		return nil, err
	}
	b := res.Data(0)
	if err := res.Message().Err(); err != nil {
		return nil, fmt.Errorf("sturdy: a reference that is no data: %w", err)
	}
	if len(b) == 0 || len(b) > maxRef {
		return nil, fmt.Errorf("sturdy: a reference of %d bytes, want 1 to %d", len(b), maxRef)
	}
	return append(Ref(nil), b...), nil
}

// Restore asks the other end of a connection for what a reference refers to. The
// capability can be called at once; that there is none is the error of calls on
// it. ctx governs the asking, which may go on when a first call was answered:
// before ctx ends, wait for it with [rpc.Client.WaitResolved]. The caller owns the
// client.
func Restore(ctx context.Context, conn *rpc.Conn, ref Ref) rpc.Client {
	r := conn.Restorer()
	defer r.Release()
	return RestoreFrom(ctx, r, ref)
}

// RestoreFrom is Restore from a capability of the interface Restorer, which a
// program may hand out as any other: see [Keeper.Serve].
func RestoreFrom(ctx context.Context, restorer rpc.Client, ref Ref) rpc.Client {
	f := ask(ctx, restorer, rpc.RestoreMethod, ref)
	defer f.Release()
	return f.Client(0).Retain()
}

// Drop makes a reference refer to nothing, for everybody who has it. What was
// restored from it before stays.
func Drop(ctx context.Context, conn *rpc.Conn, ref Ref) error {
	r := conn.Restorer()
	defer r.Release()
	return DropFrom(ctx, r, ref)
}

// DropFrom is Drop by a capability of the interface Restorer.
func DropFrom(ctx context.Context, restorer rpc.Client, ref Ref) error {
	f := ask(ctx, restorer, rpc.DropMethod, ref)
	defer f.Release()
	_, err := f.Wait(ctx)
	return err
}

func ask(ctx context.Context, restorer rpc.Client, m rpc.Method, ref Ref) rpc.Future {
	req := restorer.NewCall(ctx, m, onePtr)
	req.Params().SetData(0, ref)
	return req.Send()
}
