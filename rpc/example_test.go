package rpc_test

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

// What generated code does for a method with one number as its parameter and
// one as its result.
func Example() {
	ctx := context.Background()
	double := rpc.Method{Interface: 0xd0b1e0000000000d, Ordinal: 0}
	size := segment.Size{DataWords: 1}

	c := rpc.Serve(rpc.Server{
		Interface: double.Interface,
		Dispatch: func(_ context.Context, call *rpc.Call) error {
			if call.Method() != double {
				return call.Unimplemented()
			}
			call.NewResults(size).SetInt64(0, 2*call.Params().Int64(0))
			return nil
		},
	})
	defer c.Release()

	req := c.NewCall(ctx, double, size)
	req.Params().SetInt64(0, 21)
	f := req.Send()
	defer f.Release()
	res, err := f.Wait(ctx)
	fmt.Println(res.Int64(0), err)
	// Output: 42 <nil>
}
