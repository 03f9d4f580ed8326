// Command fairlead shows what Fairlead does, and looks into messages.
//
//	fairlead demo [DIR]     send a tree of files between two processes over every transport
//	fairlead inspect FILE   print the segments, pointers, sizes and faults of any message
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fairlead:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "fairlead",
		Short:         "Zero-copy messages between goroutines, processes and machines",
		SilenceErrors: true, // main prints them, once
		SilenceUsage:  true,
	}
	root.AddCommand(newDemoCommand(), newWorkerCommand(), newInspectCommand())
	return root
}
