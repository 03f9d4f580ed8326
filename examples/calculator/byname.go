package main

import (
	"context"
	"embed"
	"fmt"
	"io"
	"math"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/examples/calculator/calculator"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
)

//go:embed calculator/calculator.capnp
var schemas embed.FS

// m is a value of a struct, by the names of its fields.
type m = map[string]any

// byName does what generated does, with the schema that is compiled here.
func byName(ctx context.Context, w io.Writer, calc calculator.Calculator) error {
	mod, err := dynamic.LoadFS(schemas, "calculator/calculator.capnp")
	if err != nil {
		return err
	}
	typ, err := mod.Type("Calculator")
	if err != nil {
		return err
	}
	c, err := dynrpc.NewClient(calc.Client, typ)
	if err != nil {
		return err
	}

	literal := func(v float64) m { return m{"literal": v} }
	eval := c.Call(ctx, "evaluate", m{"expression": literal(123)})
	defer eval.Release()
	v, err := readByName(ctx, eval.Client("value"))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "by name: 123 =", v)

	add, subtract := c.Call(ctx, "getOperator", m{"op": "add"}), c.Call(ctx, "getOperator", m{"op": "subtract"})
	defer add.Release()
	defer subtract.Release()
	call := func(fn dynrpc.Client, params ...any) m { return m{"call": m{"function": fn, "params": params}} }
	eval = c.Call(ctx, "evaluate", m{"expression": call(subtract.Client("func"),
		call(add.Client("func"), literal(123), literal(45)), literal(67))})
	defer eval.Release()
	if v, err = readByName(ctx, eval.Client("value")); err != nil {
		return err
	}
	fmt.Fprintln(w, "by name: 123 + 45 - 67 =", v)

	def := c.Call(ctx, "defFunction", m{"paramCount": 2, "body": call(add.Client("func"),
		call(add.Client("func"), m{"parameter": 0}, m{"parameter": 1}), m{"previousResult": eval.Client("value")})})
	defer def.Release()
	f := def.Client("func").Call(ctx, "call", m{"params": []float64{1, 2}})
	defer f.Release()
	res, err := f.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "by name: f(1, 2) =", res.Float("value"))

	fnType, err := mod.Type("Calculator.Function")
	if err != nil {
		return err
	}
	pow, err := dynrpc.Serve(dynrpc.Server{Type: fnType, Methods: map[string]dynrpc.Handler{
		"call": func(_ context.Context, call *dynrpc.Call) error {
			p := call.Params().List("params")
			if p.Len() != 2 {
				return fmt.Errorf("pow takes 2 parameters, not %d", p.Len())
			}
			return call.Return(m{"value": math.Pow(p.Float(0), p.Float(1))})
		},
	}})
	if err != nil {
		return err
	}
	defer pow.Release()
	eval = c.Call(ctx, "evaluate", m{"expression": call(pow, literal(2), literal(10))})
	defer eval.Release()
	if v, err = readByName(ctx, eval.Client("value")); err != nil {
		return err
	}
	fmt.Fprintln(w, "by name: pow(2, 10) =", v)
	return nil
}

func readByName(ctx context.Context, v dynrpc.Client) (float64, error) {
	f := v.Call(ctx, "read", nil)
	defer f.Release()
	res, err := f.Wait(ctx)
	if err != nil {
		return 0, err
	}
	return res.Float("value"), res.Err()
}
