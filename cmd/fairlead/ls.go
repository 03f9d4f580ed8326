package main

import (
	"errors"
	"fmt"
	"io"
	neturl "net/url"
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
extends, as a schema declares them. What is exported there under names follows, if
the server tells, as URLs.

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
	var names []string
	if !strings.Contains(url, "#") {
		names, _ = conn.Names(cmd.Context()) // most don't tell, and what else is wrong shows below
	}
	s, err := f.served(cmd.Context(), conn, mod)
	switch {
	case err == nil:
		defer s.Release()
		if err := writeInterface(cmd.OutOrStdout(), s.Type()); err != nil {
			return err
		}
	case len(names) == 0 || !errors.Is(err, errNotTold):
		return err
	}
	return writeNames(cmd.OutOrStdout(), url, names)
}

// writeNames writes the URLs of exports.
func writeNames(w io.Writer, at string, names []string) error {
	var b strings.Builder
	for _, n := range names {
		if n != "" { // a URL can't have that
			fmt.Fprintf(&b, "%s#%s\n", at, neturl.PathEscape(n))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
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
