package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/inspect"
)

// limits names the flags that say how much, at least 1.
var limits = []string{"depth", "pointers", "elements", "messages", "max-message-bytes", "max-input-bytes"}

func newInspectCommand() *cobra.Command {
	var (
		o                    inspect.Options
		flat, packed, framed bool
	)
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Print the segments, pointers, sizes and faults of any message",
		Long: `Print the segments, pointers, sizes and faults of any message, without its schema.

FILE may hold many messages one after the other; "-" is the standard input. How
they lie in it (framed, flat, packed or both) is found out, or told by a flag.
Places are SEGMENT:WORD. A file with faults is printed as far as it goes, and the
exit status then is 1.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Format = format(framed, flat, packed)
			for _, name := range limits {
				if f := cmd.Flags().Lookup(name); strings.HasPrefix(f.Value.String(), "-") || f.Value.String() == "0" {
					return misuse(cmd, fmt.Errorf("inspect: --%s %s, want 1 or more", name, f.Value))
				}
			}
			if args[0] == "-" {
				in, stop := interruptible(cmd.Context(), cmd.InOrStdin())
				defer stop()
				return printMessages(in, cmd.OutOrStdout(), o)
			}
			in, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			return printMessages(in, cmd.OutOrStdout(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&framed, "framed", false, "a segment table in front of each message, not packed")
	f.BoolVar(&flat, "flat", false, "one segment without a table")
	f.BoolVar(&packed, "packed", false, "packed; with --flat one packed segment")
	cmd.MarkFlagsMutuallyExclusive("framed", "flat")
	cmd.MarkFlagsMutuallyExclusive("framed", "packed")
	f.IntVar(&o.Depth, "depth", 64, "how deep the tree is printed")
	f.IntVar(&o.Pointers, "pointers", 1000, "how many pointers are printed of each message")
	f.IntVar(&o.Elements, "elements", 8, "how many elements are printed of each list")
	f.IntVar(&o.Messages, "messages", 100, "how many messages are printed")
	f.Int64Var(&o.MessageBytes, "max-message-bytes", 256<<20, "the largest message that is unpacked")
	f.Int64Var(&o.InputBytes, "max-input-bytes", 256<<20, "the longest input that is read")
	return cmd
}

func format(framed, flat, packed bool) inspect.Format {
	switch {
	case flat && packed:
		return inspect.FlatPacked
	case flat:
		return inspect.Flat
	case packed:
		return inspect.Packed
	case framed:
		return inspect.Framed
	}
	return inspect.Auto
}

func printMessages(in io.Reader, out io.Writer, o inspect.Options) error {
	w := bufio.NewWriter(out)
	err := inspect.Run(in, w, o)
	if flushErr := w.Flush(); flushErr != nil && (err == nil || errors.Is(err, inspect.ErrFaults)) {
		return fmt.Errorf("inspect: %w", flushErr) // the faults were not told
	}
	return err
}
