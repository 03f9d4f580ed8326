// Package dynrpc calls and serves capabilities by the names of their methods,
// with schemas that are loaded while the program runs.
//
//	mod, err := dynamic.Load("calculator.capnp")
//	typ, err := mod.Type("Calculator")
//	calc, err := dynrpc.NewClient(cap, typ)
//	eval := calc.Call(ctx, "evaluate", map[string]any{"expression": map[string]any{"literal": 123}})
//	defer eval.Release()
//	read := eval.Client("value").Call(ctx, "read", nil) // before eval is done
//	defer read.Release()
//	res, err := read.Wait(ctx)
//	fmt.Println(res.Float("value"))
//
// It adds names to package rpc: what that says of who owns what, of order and
// of errors holds here. Only setting a capability differs: a [Client] in a map, or
// given to Set, is shared with the message and stays the caller's.
package dynrpc
