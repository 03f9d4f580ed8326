// Package shmbench is the suite of shared memory: two processes, or five, hand
// each other messages from 56 bytes to 64 MiB. All sides are processes of their
// own, of one rival each; the one that measures only tells them when to begin.
package shmbench

import (
	"context"
	"fmt"
	"os"
	"runtime"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// Suite returns the suite of shared memory.
func Suite() harness.Suite {
	return harness.Suite{Name: "shm", Open: openSuite}
}

func openSuite(ctx context.Context, opt harness.Options) (*harness.Opened, error) {
	var selected []workload
	for _, w := range workloads() {
		if opt.WantsCase(w.name) {
			selected = append(selected, w)
		}
	}
	dir, err := os.MkdirTemp("", "bench-shm-")
	if err != nil {
		return nil, fmt.Errorf("shmbench: %w", err)
	}
	all, daemon, err := rivals(ctx, opt, dir, selected)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	var cases []harness.Case
	for _, w := range selected {
		c := harness.Case{
			Name:  w.name,
			Unit:  harness.Messages,
			Bytes: w.size,
			Want:  harness.Answer{Values: w.model(), Size: w.size * w.checkMessages()},
		}
		if w.idle { // the processor's nanoseconds of an idle second
			c.Unit, c.Bytes = harness.Operations, 0
		}
		for _, r := range all {
			c.Contestants = append(c.Contestants, r.contestant(w))
		}
		cases = append(cases, c)
	}
	return &harness.Opened{
		Cases: cases,
		Notes: notes(all),
		Close: func() error {
			for _, r := range all {
				r.leave()
			}
			daemon.stop()
			return os.RemoveAll(dir)
		},
	}, nil
}

func notes(all []*rival) []string {
	list := []string{fmt.Sprintf("%s %s/%s, GOMAXPROCS %d in each process", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))}
	for _, r := range all {
		if r.missing != "" {
			list = append(list, r.who+": missing: "+r.missing)
		} else {
			list = append(list, r.who+": "+r.note)
		}
	}
	return list
}
