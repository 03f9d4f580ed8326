package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/internal/json"
	"github.com/fairlead-go/fairlead/internal/text"
	"github.com/fairlead-go/fairlead/rpc/dynrpc"
	"github.com/fairlead-go/fairlead/schema"
)

// maxParams bounds the JSON of parameters that the standard input has.
const maxParams = 64 << 20

// callFlags are those of call.
type callFlags struct {
	connFlags
	short, text bool
}

func newCallCommand() *cobra.Command {
	var f callFlags
	cmd := &cobra.Command{
		Use:   "call URL METHOD [JSON] [FIELD.METHOD [JSON]]...",
		Short: "Call a method of what is served at a URL",
		Long: `Call a METHOD of what is served at a URL, and print its results in JSON. JSON has the
parameters; "-" reads them from the standard input.

More methods are called on a capability among the results of the one before, which
FIELD leads to. They are called at once, without waiting for it, and the results of the
last are printed. A capability prints as a string that names its interface.

Without --schema the server is asked for its schema.

` + aboutCalls,
		Example: `  fairlead call tcp://localhost:60000 evaluate '{"expression": {"literal": 123}}' value.read
  fairlead call --schema weather.capnp unix:///run/weather report '{"city": "Oslo"}'`,
		Args:              arguments(cobra.MinimumNArgs(2)),
		ValidArgsFunction: f.complete,
		RunE: func(cmd *cobra.Command, args []string) error {
			steps, err := parseSteps(args[1:])
			if err != nil {
				return misuse(cmd, fmt.Errorf("call: %w", err))
			}
			if err := f.run(cmd, args[0], steps); err != nil {
				return fmt.Errorf("call: %w", err)
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.short, "short", false, "print the results in one line")
	cmd.Flags().BoolVar(&f.text, "text", false, "print the results as text instead of JSON")
	return cmd
}

// A callStep is one call of several in a row.
type callStep struct {
	field  string // of the results before, that has the capability; empty for the first
	method string
	params string
}

func parseSteps(args []string) ([]callStep, error) {
	var steps []callStep
	for _, arg := range args {
		if arg == "-" || strings.HasPrefix(strings.TrimSpace(arg), "{") {
			if len(steps) == 0 {
				return nil, errors.New("a method is missing before its parameters")
			}
			last := &steps[len(steps)-1]
			if last.params != "" {
				return nil, fmt.Errorf("%s has two sets of parameters", last.method)
			}
			last.params = arg
			continue
		}
		s := callStep{method: arg}
		if i := strings.LastIndexByte(arg, '.'); i >= 0 {
			s.field, s.method = arg[:i], arg[i+1:]
		}
		switch {
		case s.method == "":
			return nil, fmt.Errorf("%q, want a method", arg)
		case len(steps) == 0 && s.field != "":
			return nil, fmt.Errorf("%q: the first method is one of what is served, and stands without a field", arg)
		case len(steps) > 0 && s.field == "":
			return nil, fmt.Errorf("%q, want FIELD.METHOD: which field of the results before has the capability", arg)
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (f *callFlags) run(cmd *cobra.Command, url string, steps []callStep) error {
	ctx := cmd.Context()
	mod, err := f.load(cmd)
	if err != nil {
		return err
	}
	if err := readParams(cmd.InOrStdin(), steps); err != nil {
		return err
	}
	conn, err := f.connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close()
	boot, err := f.served(ctx, conn, mod)
	if err != nil {
		return err
	}
	defer boot.Release()
	c := boot.Client
	var future dynrpc.Future
	for i, s := range steps {
		if i > 0 {
			c = future.Client(s.field)
		}
		if future, err = s.call(ctx, c, boot.reg); err != nil {
			return err
		}
		defer future.Release()
	}
	res, err := future.Wait(ctx)
	if err == nil {
		err = c.WaitStreaming(ctx)
	}
	if err != nil {
		return err
	}
	return f.print(cmd.OutOrStdout(), boot.reg, res)
}

// readParams reads the parameters that the standard input has.
func readParams(in io.Reader, steps []callStep) error {
	read := false
	for i := range steps {
		if steps[i].params != "-" {
			continue
		}
		if read {
			return errors.New("the standard input can be the parameters of one method only")
		}
		read = true
		b, err := io.ReadAll(io.LimitReader(in, maxParams+1))
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		if len(b) > maxParams {
			return fmt.Errorf("parameters of more than %d bytes", maxParams)
		}
		if b = bytes.TrimSpace(b); len(b) == 0 {
			return errors.New("no parameters in the standard input")
		}
		steps[i].params = string(b)
	}
	return nil
}

// call makes the call. A fault in the parameters is an error at once.
func (s *callStep) call(ctx context.Context, c dynrpc.Client, reg *schema.Registry) (dynrpc.Future, error) {
	if s.params == "" {
		return c.Call(ctx, s.method, nil), nil
	}
	var fault error
	future := c.Call(ctx, s.method, func(b dynamic.StructBuilder) {
		o := json.DecodeOptions{MaxBytes: maxParams, Strict: true}
		fault = json.New(reg).DecodeStruct([]byte(s.params), b.Type().Schema(), b.Raw(), o)
		if fault != nil {
			b.Message().Fail(fault)
		}
	})
	if fault != nil {
		future.Release()
		return dynrpc.Future{}, fmt.Errorf("%s: %w", s.method, fault)
	}
	return future, nil
}

func (f *callFlags) print(w io.Writer, reg *schema.Registry, res dynamic.Struct) error {
	raw := res.Raw()
	var out []byte
	var err error
	if f.text {
		out, err = text.New(reg).AppendStruct(nil, res.Type().Schema(), raw, text.Options{Short: f.short, MaxBytes: maxText(raw)})
	} else {
		out, err = json.New(reg).AppendStruct(nil, res.Type().Schema(), raw, json.Options{Short: f.short, MaxBytes: maxText(raw), Opaque: true})
	}
	if err != nil {
		return err
	}
	_, err = w.Write(append(out, '\n'))
	return err
}

// complete completes the methods, of what is served or of the results before.
func (f *callFlags) complete(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
	const dir = cobra.ShellCompDirectiveNoFileComp
	if len(args) == 0 {
		return nil, dir
	}
	steps, err := parseSteps(args[1:])
	if err != nil {
		return nil, dir
	}
	t := f.interfaceAt(cmd, args[0])
	var names []string
	for i, s := range steps {
		if i > 0 {
			t = fieldInterface(t, s.field)
		}
		m, err := method(t, s.method)
		if err != nil {
			return nil, dir
		}
		if t = m.Results; i == len(steps)-1 {
			names = pipelined(t)
		}
	}
	if len(steps) == 0 {
		names = methodNames(t, "")
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, to) })
	return names, dir
}

// interfaceAt is what is served at a URL, nil if that can't be told.
func (f *callFlags) interfaceAt(cmd *cobra.Command, url string) *dynamic.Type {
	mod, err := f.load(cmd)
	if err != nil {
		return nil
	}
	if mod != nil {
		t, _ := interfaceOf(mod, f.as)
		return t
	}
	ctx := cmd.Context()
	conn, err := f.connect(ctx, url)
	if err != nil {
		return nil
	}
	defer conn.Close()
	c, err := f.served(ctx, conn, nil)
	if err != nil {
		return nil
	}
	defer c.Release()
	return c.Type()
}

func method(t *dynamic.Type, name string) (dynamic.Method, error) {
	if t == nil {
		return dynamic.Method{}, errors.New("no interface")
	}
	return t.Method(name)
}

func methodNames(t *dynamic.Type, prefix string) (names []string) {
	if t == nil {
		return nil
	}
	for m := range t.AllMethods() {
		names = append(names, prefix+m.Name)
	}
	return names
}

// pipelined gives the methods of all capabilities among results.
func pipelined(results *dynamic.Type) (names []string) {
	for _, fd := range results.Fields() {
		if t := fd.Type(); t.Kind() == schema.InterfaceType {
			names = append(names, methodNames(t, fd.Name()+".")...)
		}
	}
	return names
}

func fieldInterface(results *dynamic.Type, path string) *dynamic.Type {
	if results == nil {
		return nil
	}
	fd, err := results.Field(path)
	if err != nil || fd.Type().Kind() != schema.InterfaceType {
		return nil
	}
	return fd.Type()
}
