// Tempconv converts temperatures: a service of one method, and its client, over
// any transport.
//
//	tempconv serve tcp://127.0.0.1:6000
//	tempconv convert tcp://127.0.0.1:6000 100 celsius fahrenheit
//
// A server at a tls:// URL has its certificate and key in the files that
// EXAMPLE_CERT and EXAMPLE_KEY name, and a client trusts the authorities in
// EXAMPLE_CA.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/examples/internal/secure"
	"github.com/fairlead-go/fairlead/examples/tempconv/tempconv"
)

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen tempconv/tempconv.capnp

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tempconv:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: tempconv serve URL | convert URL VALUE UNIT UNIT")

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := secure.Options()
	switch {
	case err != nil:
		return err
	case len(args) == 2 && args[0] == "serve":
		return serve(ctx, args[1], o, out)
	case len(args) == 5 && args[0] == "convert":
		return convert(ctx, args[1], o, args[2:], out)
	}
	return errUsage
}

func serve(ctx context.Context, url string, o fairlead.Options, out io.Writer) error {
	l, err := fairlead.Listen(url, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "serving at", l.URL())
	return l.ServeRPC(ctx, tempconv.ServeConverter(server{}).Client)
}

func convert(ctx context.Context, url string, o fairlead.Options, args []string, out io.Writer) error {
	value, err := strconv.ParseFloat(args[0], 64)
	if err != nil {
		return err
	}
	from, ok := tempconv.ParseUnit(args[1])
	to, known := tempconv.ParseUnit(args[2])
	if !ok || !known {
		return fmt.Errorf("%q or %q is no unit", args[1], args[2])
	}

	conn, err := fairlead.DialRPC(ctx, url, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	converter := tempconv.NewConverter(conn.Bootstrap())
	defer converter.Release()

	f := converter.Convert(ctx, func(p tempconv.ConverterConvertParamsBuilder) {
		t := p.NewTemperature()
		t.SetValue(value)
		t.SetUnit(from)
		p.SetUnit(to)
	})
	defer f.Release()
	res, err := f.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%.2f %v\n", res.Temperature().Value(), res.Temperature().Unit())
	return nil
}
