package otel_test

import (
	"context"
	"fmt"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fairlead-go/fairlead/examples/tempconv/tempconv"
	"github.com/fairlead-go/fairlead/otel"
	"github.com/fairlead-go/fairlead/rpc"
)

// One capability is traced without a connection, too.
func ExampleTelemetry_Intercept() {
	spans := tracetest.NewInMemoryExporter()
	telemetry, err := otel.New(otel.Options{
		TracerProvider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
		Schemas:        []string{tempconv.Schema},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := tempconv.NewConverter(rpc.Intercept(tempconv.ServeConverter(tempconv.ConverterUnimplemented{}).Client, telemetry.Intercept))
	defer c.Release()
	f := c.Convert(context.Background(), nil)
	defer f.Release()
	_, err = f.Wait(context.Background())
	fmt.Println(err)
	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name, s.SpanKind, s.Status.Code)
	}
	// Output:
	// rpc: unimplemented: method @0xeebb95d991635168#0
	// Converter/convert internal Error
}
