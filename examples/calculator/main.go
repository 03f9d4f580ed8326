// Calculator is Cap'n Proto's sample of calls on objects: a calculator whose
// numbers and functions are capabilities, so that the result of one call is used
// in the next before it is there, and a function may live with either side.
//
//	calculator serve tcp://127.0.0.1:6000
//	calculator use tcp://127.0.0.1:6000
//
// Its schema is that of the samples of other languages, with whose
// clients and servers it works. It is used twice: with the Go code that is
// generated from calculator.capnp, and with that schema loaded as text while the
// program runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/examples/calculator/calculator"
	"github.com/fairlead-go/fairlead/examples/internal/secure"
	"github.com/fairlead-go/fairlead/segment"
)

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen calculator/calculator.capnp

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "calculator:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: calculator serve URL | use URL")

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := secure.Options()
	switch {
	case err != nil:
		return err
	case len(args) == 2 && args[0] == "serve":
		return serve(ctx, args[1], o, out)
	case len(args) == 2 && args[0] == "use":
		return use(ctx, args[1], o, out)
	}
	return errUsage
}

func serve(ctx context.Context, url string, o fairlead.Options, out io.Writer) error {
	l, err := fairlead.Listen(url, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "serving at", l.URL())
	return l.ServeRPC(ctx, calculator.ServeCalculator(server{}).Client)
}

func use(ctx context.Context, url string, o fairlead.Options, out io.Writer) error {
	conn, err := fairlead.DialRPC(ctx, url, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	calc := calculator.NewCalculator(conn.Bootstrap())
	defer calc.Release()
	if err := generated(ctx, out, calc); err != nil {
		return err
	}
	return byName(ctx, out, calc)
}

// generated uses the generated client.
func generated(ctx context.Context, w io.Writer, calc calculator.Calculator) error {
	// A literal. The value is read before evaluate has returned it: over a network
	// both calls leave together.
	eval := calc.Evaluate(ctx, func(p calculator.CalculatorEvaluateParamsBuilder) { p.NewExpression().SetLiteral(123) })
	defer eval.Release()
	v, err := read(ctx, eval.Value())
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "123 =", v)

	// Operators are functions, here used before they are there.
	add, subtract := operatorOf(ctx, calc, calculator.OperatorAdd), operatorOf(ctx, calc, calculator.OperatorSubtract)
	defer add.Release()
	defer subtract.Release()
	eval = calc.Evaluate(ctx, func(p calculator.CalculatorEvaluateParamsBuilder) {
		outer := newCall(p.NewExpression(), subtract.Func(), 2)
		inner := newCall(outer.At(0), add.Func(), 2)
		inner.At(0).SetLiteral(123)
		inner.At(1).SetLiteral(45)
		outer.At(1).SetLiteral(67)
	})
	defer eval.Release()
	if v, err = read(ctx, eval.Value()); err != nil {
		return err
	}
	fmt.Fprintln(w, "123 + 45 - 67 =", v)

	// A function that the calculator keeps: f(x, y) = x + y + the last result.
	def := calc.DefFunction(ctx, func(p calculator.CalculatorDefFunctionParamsBuilder) {
		p.SetParamCount(2)
		outer := newCall(p.NewBody(), add.Func(), 2)
		inner := newCall(outer.At(0), add.Func(), 2)
		inner.At(0).SetParameter(0)
		inner.At(1).SetParameter(1)
		outer.At(1).SetPreviousResult(eval.Value().Retain())
	})
	defer def.Release()
	if v, err = apply(ctx, def.Func(), 1, 2); err != nil {
		return err
	}
	fmt.Fprintln(w, "f(1, 2) =", v)

	// A function that this side has and the calculator calls back.
	pow := calculator.ServeFunction(power{})
	defer pow.Release()
	callback := calc.Evaluate(ctx, func(p calculator.CalculatorEvaluateParamsBuilder) {
		args := newCall(p.NewExpression(), pow, 2)
		args.At(0).SetLiteral(2)
		args.At(1).SetLiteral(10)
	})
	defer callback.Release()
	if v, err = read(ctx, callback.Value()); err != nil {
		return err
	}
	fmt.Fprintln(w, "pow(2, 10) =", v)
	return nil
}

func operatorOf(ctx context.Context, calc calculator.Calculator, op calculator.Operator) calculator.CalculatorGetOperatorFuture {
	return calc.GetOperator(ctx, func(p calculator.CalculatorGetOperatorParamsBuilder) { p.SetOp(op) })
}

// newCall makes e a call of fn with n parameters, which it gives.
func newCall(e calculator.ExpressionBuilder, fn calculator.Function, n int) segment.StructsBuilder[calculator.ExpressionBuilder] {
	call := e.NewCall()
	call.SetFunction(fn.Retain())
	return call.NewParams(n)
}

// power is a Function that raises its first parameter to its second.
type power struct{}

func (power) Call(_ context.Context, call calculator.FunctionCallCall) error {
	p := call.Params().Params()
	if p.Len() != 2 {
		return fmt.Errorf("pow takes 2 parameters, not %d", p.Len())
	}
	call.Results().SetValue(math.Pow(p.At(0), p.At(1)))
	return nil
}
