package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/dynamic"
)

func newLsCommand() *cobra.Command {
	var f connFlags
	cmd := &cobra.Command{
		Use:   "ls URL",
		Short: "List the methods of what is served at a URL",
		Long: `List the methods of what is served at a URL, with those of the interfaces that it
extends, as a schema declares them.

Without --schema the server is asked for its schema.

` + aboutCalls,
		Example:           `  fairlead ls tcp://localhost:60000`,
		Args:              arguments(cobra.ExactArgs(1)),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.list(cmd, args[0]); err != nil {
				return fmt.Errorf("ls: %w", err)
			}
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func (f *connFlags) list(cmd *cobra.Command, url string) error {
	mod, err := f.load(cmd)
	if err != nil {
		return err
	}
	conn, err := f.connect(cmd.Context(), url)
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := f.served(cmd.Context(), conn, mod)
	if err != nil {
		return err
	}
	defer s.Release()
	return writeInterface(cmd.OutOrStdout(), s.Type())
}

// writeInterface writes an interface as a schema declares it.
func writeInterface(w io.Writer, t *dynamic.Type) error {
	var b strings.Builder
	fmt.Fprintf(&b, "interface %v %v {\n", t, t.Node().ID)
	of := t
	for m := range t.AllMethods() {
		if m.Interface != of {
			of = m.Interface
			fmt.Fprintf(&b, "\n  # of %v %v\n", of, of.Node().ID)
		}
		results := "stream"
		if !m.Streaming {
			results = fieldList(m.Results)
		}
		fmt.Fprintf(&b, "  %s @%d %s -> %s;\n", m.Name, m.Ordinal, fieldList(m.Params), results)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

// fieldList is the fields of the parameters or results of a method. A struct that
// the method only names is written by its name.
func fieldList(t *dynamic.Type) string {
	if n := t.Node(); n == nil || n.Scope != 0 {
		return t.String()
	}
	var all []string
	for _, f := range t.Fields() {
		all = append(all, f.Name()+" :"+f.Type().String())
	}
	return "(" + strings.Join(all, ", ") + ")"
}
