// Command fairlead shows what Fairlead does, and looks into messages.
//
//	fairlead demo [DIR]                send a tree of files between two processes over every transport
//	fairlead inspect FILE              print the segments, pointers, sizes and faults of any message
//
//	fairlead gen SCHEMA...             generate Go code from schemas
//	fairlead compile -o LANG SCHEMA... compile schemas for the plugin of another language
//	fairlead fmt SCHEMA...             format schemas
//	fairlead compat OLD NEW            tell whom the changes of a schema break
//	fairlead id                        make a new id for a schema
//
//	fairlead convert FROM:TO           convert messages between formats
//	fairlead encode SCHEMA TYPE        make messages of their text form
//	fairlead decode SCHEMA TYPE        print messages in their text form
//	fairlead eval SCHEMA NAME          print a constant or a default value of a schema
//
//	fairlead send URL...               send messages from a ZeroMQ socket
//	fairlead recv URL...               print the messages that a ZeroMQ socket receives
//	fairlead proxy FRONT:BACK          pass messages on between two ZeroMQ sockets
//	fairlead keygen FILE               make a key for encrypted connections
//
//	fairlead call URL METHOD [JSON]    call a method of what is served somewhere
//	fairlead ls URL                    list the methods of what is served somewhere
//
//	fairlead top                       show live how shared memory is used
//	fairlead shm ls                    list shared memory that is in use
//	fairlead shm stat                  print the rates at which it is used
//
//	fairlead completion SHELL          print a script that completes command lines
//
// The exit status is 0, 1 for a failure or a fault that was found, 2 for a command
// line that makes no sense, or 130 when it was interrupted.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
)

const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // as shells report a program that SIGINT ended
)

func main() {
	ctx, stop := notified(context.Background())
	// A second signal ends the program at once, in case the first does not.
	context.AfterFunc(ctx, stop)
	err := newCommand().ExecuteContext(ctx)
	code := report(os.Stderr, err, ctx.Err() != nil)
	stop()
	os.Exit(code)
}

// notified gives a context that ends with the signals that ask a program to end,
// but for those that it was started to ignore, as with nohup.
func notified(ctx context.Context) (context.Context, context.CancelFunc) {
	var signals []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	if len(signals) == 0 {
		return context.WithCancel(ctx) // no signals would mean all of them
	}
	return signal.NotifyContext(ctx, signals...)
}

// report prints why the program ends, and gives its exit status.
func report(w io.Writer, err error, interrupted bool) int {
	var misuse *usageError
	switch {
	case err == nil:
		return 0
	case interrupted:
		fmt.Fprintln(w, "fairlead: interrupted")
		return exitInterrupted
	case errors.As(err, &misuse):
		fmt.Fprintf(w, "fairlead: %s\nsee '%s --help'\n", printable(err.Error()), misuse.command)
		return exitUsage
	}
	fmt.Fprintln(w, "fairlead:", printable(err.Error()))
	return exitFailure
}

// printable escapes whatever could control a terminal: errors name files, and
// files may have any name. Lines stay lines.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == unicode.ReplacementChar && s[i] != "\ufffd"[0]:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// A usageError is a command line that makes no sense.
type usageError struct {
	err     error
	command string // whose help tells what would
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func misuse(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err, cmd.CommandPath()}
}

// arguments makes what check finds wrong, or flags that exclude each other, a
// usageError.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			err = cmd.ValidateFlagGroups()
		}
		return misuse(cmd, err)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "fairlead",
		Short:         "Zero-copy messages between goroutines, processes and machines",
		Version:       version(),
		Args:          arguments(cobra.NoArgs), // whatever is left over is no command
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true, // main prints them, once
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(misuse)
	root.AddCommand(newDemoCommand(), newWorkerCommand(), newInspectCommand(),
		newGenCommand(), newCompileCommand(), newIDCommand(), newFmtCommand(), newCompatCommand(),
		newConvertCommand(), newEncodeCommand(), newDecodeCommand(), newEvalCommand(),
		newSendCommand(), newRecvCommand(), newProxyCommand(), newKeygenCommand(),
		newCallCommand(), newLsCommand(), newTopCommand(), newShmCommand())
	return root
}

// version is what the go command built the program from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(unknown)"
	}
	return info.Main.Version + " " + info.GoVersion
}
