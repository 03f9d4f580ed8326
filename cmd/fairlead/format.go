package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// maxSource is one byte more than a schema may have. That many are the
// formatter's error.
const maxSource = syntax.MaxSource + 1

func newFmtCommand() *cobra.Command {
	var list, write bool
	cmd := &cobra.Command{
		Use:   "fmt [SCHEMA...]",
		Short: "Format schemas",
		Long: `Format schemas in the one layout of the standard schemas: two spaces a level, one
blank line at most. What a schema says, and its comments, stay as they are.

Without files, the standard input is formatted. The result goes to the standard
output, unless -w or -l is given. A schema with a syntax error is left alone.`,
		ValidArgsFunction: completeSchemas,
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				if write || list {
					return misuse(cmd, errors.New("fmt: -w and -l need files"))
				}
				in, stop := interruptible(cmd.Context(), cmd.InOrStdin())
				defer stop()
				src, err := io.ReadAll(io.LimitReader(in, maxSource))
				if err != nil {
					return err
				}
				out, err := syntax.Format("<stdin>", src)
				if err != nil {
					return tellFaults(cmd, err)
				}
				_, err = cmd.OutOrStdout().Write(out)
				return err
			}
			var all error
			for _, name := range names {
				all = errors.Join(all, tellFaults(cmd, formatFile(cmd.OutOrStdout(), name, list, write)))
			}
			return all
		},
	}
	cmd.Flags().BoolVarP(&list, "list", "l", false, "print the names of the files whose layout differs")
	cmd.Flags().BoolVarP(&write, "write", "w", false, "write the result back to the file")
	return cmd
}

func formatFile(w io.Writer, name string, list, write bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	src, err := io.ReadAll(io.LimitReader(f, maxSource))
	f.Close()
	if err != nil {
		return err
	}
	out, err := syntax.Format(name, src)
	if err != nil {
		return err
	}
	same := bytes.Equal(src, out)
	if list && !same {
		fmt.Fprintln(w, printable(name))
	}
	if write && !same {
		return writeFile(nil, name, func(w io.Writer) error { _, err := w.Write(out); return err })
	}
	if !list && !write {
		_, err = w.Write(out)
	}
	return err
}
