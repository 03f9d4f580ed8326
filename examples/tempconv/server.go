package main

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/examples/tempconv/tempconv"
)

// server is a Converter.
type server struct{}

// scales are the units: a temperature of v has (v + zero) × step kelvins.
var scales = map[tempconv.Unit]struct{ zero, step float64 }{
	tempconv.UnitKelvin:     {0, 1},
	tempconv.UnitCelsius:    {273.15, 1},
	tempconv.UnitFahrenheit: {459.67, 5.0 / 9},
}

func (server) Convert(_ context.Context, call tempconv.ConverterConvertCall) error {
	given, unit := call.Params().Temperature(), call.Params().Unit()
	from, ok := scales[given.Unit()]
	to, known := scales[unit]
	if !ok || !known {
		return fmt.Errorf("cannot convert %v to %v", given.Unit(), unit)
	}
	kelvins := (given.Value() + from.zero) * from.step
	if kelvins < 0 {
		return fmt.Errorf("%v %v is below absolute zero", given.Value(), given.Unit())
	}
	t := call.Results().NewTemperature()
	t.SetValue(kelvins/to.step - to.zero)
	t.SetUnit(unit)
	return nil
}
