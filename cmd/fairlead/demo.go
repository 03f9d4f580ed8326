package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo"
)

// workerCommand is the command under which the program starts itself.
const workerCommand = "demo-worker"

func newDemoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo [DIR]",
		Short: "Send a tree of files between two processes over every transport",
		Long: `Send a tree of files between two processes over every transport.

Each file of DIR (default: the sources of the Go standard library) is one message,
whose content is the mapped file itself. A second process checks its hash, counts
its lines and answers. Files that cannot be sent are listed; a file that arrives
other than it was sent is an error.`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				// An empty word is a variable without a value, not a wish for the default.
				if o.Dir = args[0]; o.Dir == "" {
					return misuse(cmd, errors.New("demo: an empty folder name"))
				}
			}
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("this program's own file: %w", err)
			}
			o.Worker = []string{self, workerCommand}
			o.Progress = terminal(cmd.ErrOrStderr())
			return demo.Run(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.JSON, "json", false, "print one JSON object a transport")
	f.StringSliceVar(&o.Only, "transport", nil, "run over these transports only")
	f.IntVar(&o.Window, "window", demo.DefaultWindow, "files under way at once")
	f.Int64Var(&o.MaxFileBytes, "max-file-bytes", 0, "skip files larger than this (default: the most that a message can hold)")
	return cmd
}

// terminal gives w if it is a terminal, nil otherwise.
func terminal(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func newWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    workerCommand + " TRANSPORT DIR",
		Short:  "The second process of demo",
		Hidden: true,
		Args:   arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			// A terminal sends these to both processes. The first ends this one, by
			// the end of its standard input.
			// And where the first was killed before it read the address, writing it must
			// be an error, for this one to clean up.
			signal.Ignore(os.Interrupt, syscall.SIGHUP, syscall.SIGPIPE)
			return demo.Worker(cmd.Context(), args[0], args[1], cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}
