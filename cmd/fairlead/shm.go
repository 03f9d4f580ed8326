package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/regions"
)

// aboutRegions is what commands show of shared memory.
const aboutRegions = `Each line is an end of a pipe or a publisher: what it has sent and received, how many
messages are with the peer (held) and how many of these wait to be taken (waiting), the
blocks and the memory that it has, what was dropped, and for how long the oldest message
has been with the peer. Only processes of one's own are seen.`

func newShmCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shm",
		Short: "Look on at shared memory that is in use",
		Args:  arguments(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newShmLsCommand(), newShmStatCommand())
	return cmd
}

func newShmLsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls [PID...]",
		Short: "List shared memory that is in use, with what went through it",
		Long: `List shared memory that is in use by processes, with what went through it.

` + aboutRegions,
		Args:              arguments(processes),
		ValidArgsFunction: completeProcesses,
		RunE: func(cmd *cobra.Command, args []string) error {
			rates, err := look(new(regions.Watch), args)
			if err != nil {
				return fmt.Errorf("shm ls: %w", err)
			}
			return writeRegions(cmd.OutOrStdout(), rates, false, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

func newShmStatCommand() *cobra.Command {
	var (
		asJSON   bool
		interval time.Duration
		count    int
	)
	cmd := &cobra.Command{
		Use:   "stat [PID...]",
		Short: "Print the rates at which shared memory is used",
		Long: `Print the rates at which processes use shared memory, each over the interval before.

` + aboutRegions,
		Args:              arguments(processes),
		ValidArgsFunction: completeProcesses,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case interval < time.Millisecond:
				return misuse(cmd, fmt.Errorf("shm stat: --interval %v, want 1ms or more", interval))
			case count < 1:
				return misuse(cmd, fmt.Errorf("shm stat: -n %d, want 1 or more", count))
			}
			var w regions.Watch
			if _, err := look(&w, args); err != nil {
				return fmt.Errorf("shm stat: %w", err)
			}
			for range count {
				if err := pause(cmd.Context(), interval); err != nil {
					return err
				}
				rates, err := look(&w, args)
				if err != nil {
					return fmt.Errorf("shm stat: %w", err)
				}
				if err := writeRegions(cmd.OutOrStdout(), rates, true, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	cmd.Flags().DurationVarP(&interval, "interval", "i", time.Second, "`TIME` over which rates are taken")
	cmd.Flags().IntVarP(&count, "count", "n", 1, "print `N` times")
	return cmd
}

// processes checks that all arguments are numbers of processes.
func processes(_ *cobra.Command, args []string) error {
	for _, a := range args {
		if n, err := strconv.Atoi(a); err != nil || n < 1 {
			return fmt.Errorf("%q is no number of a process", a)
		}
	}
	return nil
}

func completeProcesses(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, _ := regions.List()
	var pids []string
	for _, r := range all {
		if s := fmt.Sprintf("%d\t%s", r.Owner, r.Command); !slices.Contains(pids, s) {
			pids = append(pids, s)
		}
	}
	slices.Sort(pids)
	return pids, cobra.ShellCompDirectiveNoFileComp
}

// look looks at the regions of processes, or of all if none is named.
func look(w *regions.Watch, pids []string) ([]regions.Rate, error) {
	all, err := regions.List()
	if err != nil {
		return nil, err
	}
	rates := w.Look(all, time.Now())
	if len(pids) > 0 {
		rates = slices.DeleteFunc(rates, func(r regions.Rate) bool { return !slices.Contains(pids, strconv.Itoa(r.Owner)) })
	}
	return rates, nil
}

// pause waits, or gives why it was interrupted.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// regionObject is a region in JSON, without its rates those that are totals.
type regionObject struct {
	PID           int      `json:"pid"`
	Command       string   `json:"command"`
	Kind          string   `json:"kind"`
	PeerPID       int      `json:"peer_pid,omitempty"`
	Subscribers   *int     `json:"subscribers,omitempty"`
	Since         string   `json:"since"`
	Sent          uint64   `json:"sent"`
	SentBytes     uint64   `json:"sent_bytes"`
	Received      uint64   `json:"received"`
	ReceivedBytes uint64   `json:"received_bytes"`
	Copied        uint64   `json:"copied"`
	Dropped       uint64   `json:"dropped"`
	Held          int      `json:"held"`
	Waiting       *int64   `json:"waiting,omitempty"`
	Blocks        int      `json:"blocks"`
	Bytes         int64    `json:"bytes"`
	SentPerS      *float64 `json:"sent_per_s,omitempty"`
	SentMBPerS    *float64 `json:"sent_mb_s,omitempty"`
	RecvPerS      *float64 `json:"received_per_s,omitempty"`
	RecvMBPerS    *float64 `json:"received_mb_s,omitempty"`
	DroppedPerS   *float64 `json:"dropped_per_s,omitempty"`
	OldestS       *float64 `json:"oldest_s,omitempty"`
}

func objectOf(r *regions.Rate, rates bool) *regionObject {
	o := &regionObject{
		PID: r.Owner, Command: r.Command, Kind: kindOf(r), PeerPID: r.PeerPID, Since: r.Since.Format(time.RFC3339Nano),
		Sent: r.Sent, SentBytes: r.SentBytes, Received: r.Received, ReceivedBytes: r.ReceivedBytes,
		Copied: r.Copied, Dropped: r.Dropped, Held: r.Lent, Blocks: r.Blocks, Bytes: r.Bytes,
	}
	if r.Publisher {
		o.Subscribers = &r.Peers
	}
	if r.Waiting >= 0 {
		o.Waiting = &r.Waiting
	}
	if rates {
		sent, received, oldest := r.SentBytesPerS/1e6, r.ReceivedBytesPerS/1e6, r.OldestAge.Seconds()
		o.SentPerS, o.SentMBPerS, o.RecvPerS, o.RecvMBPerS = &r.SentPerS, &sent, &r.ReceivedPerS, &received
		o.DroppedPerS, o.OldestS = &r.DroppedPerS, &oldest
	}
	return o
}

func kindOf(r *regions.Rate) string {
	if r.Publisher {
		return "publisher"
	}
	return "pipe"
}

// writeRegions writes regions as lines, of JSON or of a table.
func writeRegions(w io.Writer, all []regions.Rate, rates, asJSON bool) error {
	var out bytes.Buffer
	if asJSON {
		e := json.NewEncoder(&out)
		for i := range all {
			if err := e.Encode(objectOf(&all[i], rates)); err != nil {
				return err
			}
		}
	} else {
		writeRegionTable(&out, all, rates)
	}
	_, err := w.Write(out.Bytes())
	return err
}

func writeRegionTable(out *bytes.Buffer, all []regions.Rate, rates bool) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := "pid\tcommand\tkind\tpeer\tsent\tMB\treceived\tMB\theld\twaiting\tblocks\tmemory MB\tdropped\t\n"
	if rates {
		head = "pid\tcommand\tkind\tpeer\tsent/s\tMB/s\treceived/s\tMB/s\theld\twaiting\tblocks\tmemory MB\tdropped/s\toldest s\t\n"
	}
	fmt.Fprint(t, head)
	for i := range all {
		r := &all[i]
		peer := strconv.Itoa(r.PeerPID)
		if r.Publisher {
			peer = count(r.Peers, "subscriber")
		}
		waiting := "?"
		if r.Waiting >= 0 {
			waiting = strconv.FormatInt(r.Waiting, 10)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t", r.Owner, printable(r.Command), kindOf(r), peer)
		if rates {
			fmt.Fprintf(t, "%.0f\t%.1f\t%.0f\t%.1f\t", r.SentPerS, r.SentBytesPerS/1e6, r.ReceivedPerS, r.ReceivedBytesPerS/1e6)
		} else {
			fmt.Fprintf(t, "%d\t%.1f\t%d\t%.1f\t", r.Sent, float64(r.SentBytes)/1e6, r.Received, float64(r.ReceivedBytes)/1e6)
		}
		fmt.Fprintf(t, "%d\t%s\t%d\t%.1f\t", r.Lent, waiting, r.Blocks, float64(r.Bytes)/1e6)
		if rates {
			fmt.Fprintf(t, "%.0f\t%.1f\t\n", r.DroppedPerS, r.OldestAge.Seconds())
		} else {
			fmt.Fprintf(t, "%d\t\n", r.Dropped)
		}
	}
	_ = t.Flush() // to memory
}

var errNoTerminal = errors.New("the standard output is no terminal; for scripts there is \"fairlead shm stat\"")
