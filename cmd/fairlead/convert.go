package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/convert"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
)

// conversion has the flags of convert, encode and decode.
type conversion struct {
	convert.Options
	imports compile.Options
	short   bool
	output  string
}

func newConvertCommand() *cobra.Command {
	var c conversion
	about := ""
	for _, f := range convert.Formats {
		about += fmt.Sprintf("  %-12s %s\n", f.Format, f.About)
	}
	cmd := &cobra.Command{
		Use:   "convert FROM:TO [SCHEMA TYPE]",
		Short: "Convert messages between formats",
		Long: `Convert a stream of messages from the standard input in one format to the
standard output in another. The formats are

` + about + `
Text and JSON need the SCHEMA and the struct TYPE of the messages' roots. A message
that is broken ends the conversion: what came before it is written, and the error
tells at which byte of the input it begins.`,
		Args:              arguments(cobra.RangeArgs(1, 3)),
		ValidArgsFunction: c.completeConversion,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if c.From, c.To, err = convert.ParsePair(args[0]); err != nil {
				return misuse(cmd, err)
			}
			switch {
			case len(args) == 2:
				return misuse(cmd, errors.New("convert: a SCHEMA without a TYPE"))
			case len(args) == 1 && (c.From.NeedsType() || c.To.NeedsType()):
				return misuse(cmd, fmt.Errorf("convert: %s needs a SCHEMA and a TYPE", args[0]))
			}
			return c.run(cmd, args[1:])
		},
	}
	c.addFlags(cmd)
	c.addSegmentFlag(cmd)
	c.addShortFlag(cmd)
	return cmd
}

func newEncodeCommand() *cobra.Command {
	var (
		c            conversion
		flat, packed bool
	)
	cmd := &cobra.Command{
		Use:   "encode SCHEMA TYPE",
		Short: "Make messages of their text form",
		Long: `Make messages of the values in the text form on the standard input, such as

  (foo = 123, bar = "hello", baz = [true, false, true])

Any number of values makes as many messages. "fairlead convert" knows all formats.`,
		Args:              arguments(cobra.ExactArgs(2)),
		ValidArgsFunction: c.completeSchemaThenType,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.From, c.To = convert.Text, binaryFormat(flat, packed)
			return c.run(cmd, args)
		},
	}
	c.addFlags(cmd)
	c.addSegmentFlag(cmd)
	addBinaryFlags(cmd, &flat, &packed)
	return cmd
}

func newDecodeCommand() *cobra.Command {
	var (
		c            conversion
		flat, packed bool
	)
	cmd := &cobra.Command{
		Use:   "decode SCHEMA TYPE",
		Short: "Print messages in their text form",
		Long: `Print the messages of the standard input in their text form. TYPE is the struct of
their roots. "fairlead convert" knows all formats.`,
		Args:              arguments(cobra.ExactArgs(2)),
		ValidArgsFunction: c.completeSchemaThenType,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.From, c.To = binaryFormat(flat, packed), convert.Text
			return c.run(cmd, args)
		},
	}
	c.addFlags(cmd)
	addBinaryFlags(cmd, &flat, &packed)
	c.addShortFlag(cmd)
	return cmd
}

func (c *conversion) addFlags(cmd *cobra.Command) {
	addImportFlags(cmd, &c.imports)
	f := cmd.Flags()
	f.BoolVar(&c.Quiet, "quiet", false, "do not look whether the input is in another format")
	f.StringVarP(&c.output, "output", "o", "", "write to `FILE`, which is left as it was if anything fails")
}

func (c *conversion) addSegmentFlag(cmd *cobra.Command) {
	cmd.Flags().IntVar(&c.SegmentWords, "segment-size", 0, "write binary messages in segments of `N` words (default: a large one, then larger ones)")
}

func (c *conversion) addShortFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.short, "short", false, "write text and JSON in one line a message")
}

func addBinaryFlags(cmd *cobra.Command, flat, packed *bool) {
	cmd.Flags().BoolVar(flat, "flat", false, "one message, of one segment without a table")
	cmd.Flags().BoolVarP(packed, "packed", "p", false, "packed")
}

func binaryFormat(flat, packed bool) convert.Format {
	switch {
	case flat && packed:
		return convert.FlatPacked
	case flat:
		return convert.Flat
	case packed:
		return convert.Packed
	}
	return convert.Binary
}

// run converts the standard input. args is nothing, or a schema and a type.
func (c *conversion) run(cmd *cobra.Command, args []string) error {
	if c.SegmentWords < 0 {
		return misuse(cmd, fmt.Errorf("convert: --segment-size %d, want 0 or more", c.SegmentWords))
	}
	if len(args) == 2 && (c.From.NeedsType() || c.To.NeedsType()) {
		t, err := loadType(cmd, args[0], args[1], c.imports)
		if err != nil {
			return err
		}
		c.FromCodec, c.ToCodec = t.codec(c.From, c.short), t.codec(c.To, c.short)
	}
	c.Warn = func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), "fairlead: warning:", s) }
	in := cmd.InOrStdin()
	if bar := progress(cmd, in, c.output != ""); bar != nil {
		defer bar.Exit()
		r := progressbar.NewReader(in, bar)
		in = &r
	}
	in, stop := interruptible(cmd.Context(), in)
	defer stop()
	run := func(w io.Writer) error { return convert.Run(w, in, c.Options) }
	if c.output == "" {
		return run(cmd.OutOrStdout())
	}
	return writeFile(cmd.OutOrStdout(), c.output, run)
}

// progress gives a bar for the input, if that is a large file, and the bar has a
// terminal for itself: standard output goes elsewhere, or nothing goes there.
func progress(cmd *cobra.Command, in io.Reader, silent bool) *progressbar.ProgressBar {
	const large = 64 << 20
	f, ok := in.(*os.File)
	errors, ok2 := cmd.ErrOrStderr().(*os.File)
	if !ok || !ok2 || !term.IsTerminal(int(errors.Fd())) {
		return nil
	}
	if out, ok := cmd.OutOrStdout().(*os.File); ok && !silent && term.IsTerminal(int(out.Fd())) {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() < large {
		return nil
	}
	return progressbar.NewOptions64(info.Size(), progressbar.OptionSetWriter(errors),
		progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100e6))
}

func (c *conversion) completeConversion(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return c.completeSchemaThenType(cmd, args[1:], to)
	}
	pairs := convert.Names()
	if from, _, ok := strings.Cut(to, ":"); ok {
		for i := range pairs {
			pairs[i] = from + ":" + pairs[i]
		}
		return pairs, cobra.ShellCompDirectiveNoFileComp
	}
	for i := range pairs {
		pairs[i] += ":"
	}
	return pairs, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// completeSchemaThenType completes a schema's file name, and then the names of
// its structs.
func (c *conversion) completeSchemaThenType(cmd *cobra.Command, args []string, to string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return completeSchemas(cmd, args, to)
	case 1:
		return namesIn(args[0], c.imports, schema.KindStruct), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
