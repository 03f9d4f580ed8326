package codegen_test

import (
	"context"
	"errors"
	"testing"

	"github.com/fairlead-go/fairlead/codegen/internal/calculator"
	"github.com/fairlead-go/fairlead/codegen/internal/kinds"
	"github.com/fairlead-go/fairlead/codegen/internal/other"
	"github.com/fairlead-go/fairlead/rpc"
)

// calc is a calculator for literals.
type calc struct {
	calculator.CalculatorUnimplemented
}

type number float64

func (n number) Read(_ context.Context, call calculator.CalculatorValueReadCall) error {
	call.Results().SetValue(float64(n))
	return nil
}

func (calc) Evaluate(_ context.Context, call calculator.CalculatorEvaluateCall) error {
	e := call.Params().Expression()
	if e.Which() != calculator.CalculatorExpressionLiteral {
		return errors.New("not a literal")
	}
	call.Results().SetValue(calculator.ServeCalculatorValue(number(e.Literal())))
	return nil
}

func TestCalls(t *testing.T) {
	ctx := t.Context()
	c := calculator.ServeCalculator(calc{})
	defer c.Release()

	eval := c.Evaluate(ctx, func(p calculator.CalculatorEvaluateParamsBuilder) { p.NewExpression().SetLiteral(123) })
	defer eval.Release()
	read := eval.Value().Read(ctx, nil) // before eval is done
	defer read.Release()
	res, err := read.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	is(t, "value", res.Value(), 123)

	bad := c.Evaluate(ctx, func(p calculator.CalculatorEvaluateParamsBuilder) { p.NewExpression().SetParameter(1) })
	defer bad.Release()
	if _, err := bad.Wait(ctx); !errors.Is(err, rpc.ErrFailed) {
		t.Errorf("the error is %v, want a failure", err)
	}
	def := c.DefFunction(ctx, nil)
	defer def.Release()
	if _, err := def.Wait(ctx); !errors.Is(err, rpc.ErrUnimplemented) {
		t.Errorf("the error is %v, want unimplemented", err)
	}
}

// both serves an interface that inherits along two ways.
type both struct {
	kinds.BothUnimplemented
	wrote    *int
	shutdown chan struct{}
}

func (both) GetName(_ context.Context, call other.NamedGetNameCall) error {
	call.Results().SetName("both")
	return nil
}

func (both) Ping(_ context.Context, call kinds.LeftPingCall) error {
	call.Results().SetText(call.Params().Text() + "!")
	return nil
}

func (both) Ping_(_ context.Context, call kinds.BasePingCall) error {
	call.Results().SetN(call.Params().N() + 1)
	return nil
}

func (b both) Write(_ context.Context, call kinds.BothWriteCall) error {
	*b.wrote += len(call.Params().Chunk())
	return nil
}

func (both) Take(_ context.Context, call kinds.BothTakeCall) error {
	call.Results().SetWords(call.Params().Text())
	return nil
}

func (b both) Nested(_ context.Context, call kinds.BothNestedCall) error {
	r := call.Results()
	r.NewHolder().SetBase(kinds.NewBase(kinds.ServeBoth(b).Client))
	r.SetCap(kinds.ServeBoth(b).Client)
	r.NewList(1).Set(0, kinds.NewBase(kinds.ServeBoth(b).Client))
	return nil
}

func (b both) Shutdown() {
	if b.shutdown != nil {
		close(b.shutdown)
	}
}

func TestInheritance(t *testing.T) {
	ctx := t.Context()
	wrote := 0
	c := kinds.ServeBoth(both{wrote: &wrote})
	defer c.Release()

	name := c.GetName(ctx, nil)
	defer name.Release()
	if res, err := name.Wait(ctx); err != nil || res.Name() != "both" {
		t.Errorf("getName gives %q, %v", res.Name(), err)
	}
	// The same object as each of the interfaces that it has.
	base := kinds.NewBase(c.Client).Ping(ctx, func(p kinds.BasePingParamsBuilder) { p.SetN(1) })
	defer base.Release()
	if res, err := base.Wait(ctx); err != nil || res.N() != 2 {
		t.Errorf("Base.ping gives %d, %v", res.N(), err)
	}
	left := c.Ping(ctx, func(p kinds.LeftPingParamsBuilder) { p.SetText("left") })
	defer left.Release()
	if res, err := left.Wait(ctx); err != nil || res.Text() != "left!" {
		t.Errorf("Left.ping gives %q, %v", res.Text(), err)
	}
	take := c.Take(ctx, func(p kinds.PlainBuilder) { p.SetText("plain") })
	defer take.Release()
	if res, err := take.Wait(ctx); err != nil || res.Words() != "plain" {
		t.Errorf("take gives %q, %v", res.Words(), err)
	}
	for range 3 {
		if err := c.Write(ctx, func(p kinds.BothWriteParamsBuilder) { p.SetChunk(make([]byte, 10)) }); err != nil {
			t.Error(err)
		}
	}
	if err := c.WaitStreaming(ctx); err != nil || wrote != 30 {
		t.Errorf("streaming wrote %d bytes, %v", wrote, err)
	}
}

func TestPipelining(t *testing.T) {
	ctx := t.Context()
	c := kinds.ServeBoth(both{})
	defer c.Release()
	f := c.Nested(ctx, nil)
	defer f.Release()
	early := f.HolderBase().GetName(ctx, nil)
	defer early.Release()
	if res, err := early.Wait(ctx); err != nil || res.Name() != "both" {
		t.Errorf("getName of a capability in a struct gives %q, %v", res.Name(), err)
	}
	res, err := f.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	late := res.List().At(0).GetName(ctx, nil)
	defer late.Release()
	if res, err := late.Wait(ctx); err != nil || res.Name() != "both" {
		t.Errorf("getName of a capability in a list gives %q, %v", res.Name(), err)
	}
	is(t, "cap", kinds.NewBoth(res.Cap()).IsNull(), false)
	is(t, "holder's base", res.Holder().Base().IsNull(), false)
	is(t, "holder's left", res.Holder().Group().Left().IsNull(), true)
}

func TestShutdown(t *testing.T) {
	b := both{shutdown: make(chan struct{})}
	c := kinds.ServeBoth(b)
	c.Retain().Release()
	select {
	case <-b.shutdown:
		t.Fatal("shut down while it is held")
	default:
	}
	c.Release()
	<-b.shutdown
}
