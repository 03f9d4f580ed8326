package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/examples/calculator/calculator"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

// server is the calculator.
type server struct {
	calculator.CalculatorUnimplemented
}

func (server) Evaluate(ctx context.Context, call calculator.CalculatorEvaluateCall) error {
	v, err := evaluate(ctx, call.Params().Expression(), nil)
	if err != nil {
		return err
	}
	call.Results().SetValue(calculator.ServeValue(number(v)))
	return nil
}

func (server) DefFunction(_ context.Context, call calculator.CalculatorDefFunctionCall) error {
	p := call.Params()
	// The function outlives the call, so it keeps a copy of its body, and with it
	// its own share of the capabilities in there.
	body := segment.New(arena.Pool())
	body.RootBuilder().SetStruct(segment.Struct(p.Body()))
	if err := body.Err(); err != nil {
		body.Release()
		return err
	}
	call.Results().SetFunc(calculator.ServeFunction(&function{body, int(p.ParamCount())}))
	return nil
}

func (server) GetOperator(_ context.Context, call calculator.CalculatorGetOperatorCall) error {
	op := call.Params().Op()
	if op > calculator.OperatorDivide {
		return fmt.Errorf("no operator %v", op)
	}
	call.Results().SetFunc(calculator.ServeFunction(operator(op)))
	return nil
}

// number is a Value.
type number float64

func (n number) Read(_ context.Context, call calculator.ValueReadCall) error {
	call.Results().SetValue(float64(n))
	return nil
}

// operator is a Function of two numbers.
type operator calculator.Operator

func (o operator) Call(_ context.Context, call calculator.FunctionCallCall) error {
	p := call.Params().Params()
	if p.Len() != 2 {
		return fmt.Errorf("%v takes 2 parameters, not %d", calculator.Operator(o), p.Len())
	}
	a, b := p.At(0), p.At(1)
	switch calculator.Operator(o) {
	case calculator.OperatorAdd:
		a += b
	case calculator.OperatorSubtract:
		a -= b
	case calculator.OperatorMultiply:
		a *= b
	case calculator.OperatorDivide:
		a /= b
	}
	call.Results().SetValue(a)
	return nil
}

// function is a Function that a client has defined.
type function struct {
	body   *segment.Message
	params int
}

func (f *function) Call(ctx context.Context, call calculator.FunctionCallCall) error {
	p := call.Params().Params()
	if p.Len() != f.params {
		return fmt.Errorf("a function of %d parameters called with %d", f.params, p.Len())
	}
	v, err := evaluate(ctx, calculator.RootExpression(f.body), slices.Collect(p.All()))
	if err != nil {
		return err
	}
	call.Results().SetValue(v)
	return nil
}

// Shutdown is called when nobody holds the function any more.
func (f *function) Shutdown() { f.body.Release() }

// evaluate computes an expression; params are those of the function that it is
// the body of.
func evaluate(ctx context.Context, e calculator.Expression, params []float64) (float64, error) {
	switch e.Which() {
	case calculator.ExpressionLiteral:
		return e.Literal(), nil
	case calculator.ExpressionPreviousResult:
		return read(ctx, e.PreviousResult())
	case calculator.ExpressionParameter:
		if i := e.Parameter(); uint64(i) >= uint64(len(params)) {
			return 0, fmt.Errorf("parameter %d of %d", i, len(params))
		}
		return params[e.Parameter()], nil
	case calculator.ExpressionCall:
		args := make([]float64, e.Call().Params().Len())
		for i := range args {
			var err error
			if args[i], err = evaluate(ctx, e.Call().Params().At(i), params); err != nil {
				return 0, err
			}
		}
		return apply(ctx, e.Call().Function(), args...)
	}
	return 0, fmt.Errorf("%w: an expression of kind %v", rpc.ErrUnimplemented, e.Which())
}

// read asks a value for its number.
func read(ctx context.Context, v calculator.Value) (float64, error) {
	f := v.Read(ctx, nil)
	defer f.Release()
	res, err := f.Wait(ctx)
	return res.Value(), err
}

// apply calls a function.
func apply(ctx context.Context, fn calculator.Function, args ...float64) (float64, error) {
	f := fn.Call(ctx, func(p calculator.FunctionCallParamsBuilder) { p.NewParams(len(args)).Copy(args) })
	defer f.Release()
	res, err := f.Wait(ctx)
	return res.Value(), err
}
