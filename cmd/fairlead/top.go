package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/regions"
)

func newTopCommand() *cobra.Command {
	var interval time.Duration
	cmd := &cobra.Command{
		Use:   "top [PID...]",
		Short: "Show live how shared memory is used",
		Long: `Show live how processes use shared memory, the busiest first, until it is interrupted.

` + aboutRegions,
		Args:              arguments(processes),
		ValidArgsFunction: completeProcesses,
		RunE: func(cmd *cobra.Command, args []string) error {
			if interval < 100*time.Millisecond {
				return misuse(cmd, fmt.Errorf("top: --interval %v, want 100ms or more", interval))
			}
			w := terminal(cmd.OutOrStdout())
			if w == nil {
				return fmt.Errorf("top: %w", errNoTerminal)
			}
			var watch regions.Watch
			for {
				rates, err := look(&watch, args)
				if err != nil {
					return fmt.Errorf("top: %w", err)
				}
				width, height := screen(w)
				if _, err := w.Write(topScreen(rates, time.Now(), width, height)); err != nil {
					return err
				}
				if pause(cmd.Context(), interval) != nil {
					return nil // the way to end it
				}
			}
		},
	}
	cmd.Flags().DurationVarP(&interval, "interval", "i", time.Second, "`TIME` between two looks")
	return cmd
}

// screen is the size of a terminal.
func screen(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 120, 40
}

// topScreen is what a terminal shows: the table, cut to its size, over what was
// there before.
func topScreen(rates []regions.Rate, now time.Time, width, height int) []byte {
	const (
		home       = "\x1b[H"
		clearLine  = "\x1b[K"
		clearBelow = "\x1b[J"
	)
	slices.SortStableFunc(rates, func(a, b regions.Rate) int {
		return cmp.Compare(b.SentBytesPerS+b.ReceivedBytesPerS, a.SentBytesPerS+a.ReceivedBytesPerS)
	})
	var sent, bytesSent float64
	var memory int64
	for _, r := range rates {
		sent += r.SentPerS
		bytesSent += r.SentBytesPerS
		memory += r.Bytes
	}
	var table bytes.Buffer
	fmt.Fprintf(&table, "%s  %s  %.0f messages/s  %.1f MB/s  %.1f MB of memory\n\n", now.Format(time.TimeOnly),
		count(len(rates), "region"), sent, bytesSent/1e6, float64(memory)/1e6)
	writeRegionTable(&table, rates, true)
	out := []byte(home)
	lines := 0
	for line := range bytes.Lines(table.Bytes()) {
		if lines++; lines >= height {
			break
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if runes := []rune(string(line)); len(runes) > width {
			line = []byte(string(runes[:width]))
		}
		out = append(append(append(out, line...), clearLine...), "\r\n"...)
	}
	return append(out, clearBelow...)
}
