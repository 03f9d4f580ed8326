package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/examples/calculator/calculator"
	"github.com/fairlead-go/fairlead/examples/internal/everyurl"
	"github.com/fairlead-go/fairlead/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const want = `123 = 123
123 + 45 - 67 = 101
f(1, 2) = 104
pow(2, 10) = 1024
`

// Both ways compute the same, and give back all that they took.
func TestCalculator(t *testing.T) {
	everyurl.GivesBack(t)
	calc := calculator.ServeCalculator(server{})
	var typed, byNames bytes.Buffer
	if err := generated(t.Context(), &typed, calc); err != nil {
		t.Error(err)
	}
	if err := byName(t.Context(), &byNames, calc); err != nil {
		t.Error(err)
	}
	calc.Release()
	if typed.String() != want {
		t.Errorf("with generated code:\n%swant:\n%s", &typed, want)
	}
	if got := strings.ReplaceAll(byNames.String(), "by name: ", ""); got != want {
		t.Errorf("by name:\n%swant:\n%s", got, want)
	}
}

func TestOverEachTransport(t *testing.T) {
	everyurl.Test(t, run, func(url string) []string { return []string{"serve", url} }, func(t *testing.T, url string) {
		byName := "by name: " + strings.ReplaceAll(strings.TrimSpace(want), "\n", "\nby name: ") + "\n"
		if got := everyurl.Run(t, run, "use", url); got != want+byName {
			t.Errorf("it prints\n%swant\n%s", got, want+byName)
		}
	})
}

func TestCalculatorErrors(t *testing.T) {
	calc := calculator.ServeCalculator(server{})
	defer calc.Release()
	for _, test := range []struct {
		name string
		e    func(calculator.ExpressionBuilder)
		want string
	}{
		{"parameter without a function", func(e calculator.ExpressionBuilder) { e.SetParameter(3) }, "parameter 3 of 0"},
		{"null function", func(e calculator.ExpressionBuilder) { e.NewCall() }, "null capability"},
		{"wrong number of parameters", func(e calculator.ExpressionBuilder) {
			pow := calculator.ServeFunction(power{})
			newCall(e, pow, 1)
			pow.Release()
		}, "2 parameters, not 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := calc.Evaluate(t.Context(), func(p calculator.CalculatorEvaluateParamsBuilder) { test.e(p.NewExpression()) })
			defer f.Release()
			if _, err := f.Wait(t.Context()); !errors.Is(err, rpc.ErrFailed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
