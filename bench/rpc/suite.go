// Package rpcbench is the suite of calls: one process calls, and another
// serves, over each transport, with Fairlead and with those that have calls too.
// The program that measures only tells them when to begin.
package rpcbench

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// Suite returns the suite of calls.
func Suite() harness.Suite {
	return harness.Suite{Name: "rpc", Open: openSuite}
}

func openSuite(ctx context.Context, opt harness.Options) (*harness.Opened, error) {
	all, err := rivals(ctx, opt)
	if err != nil {
		return nil, err
	}
	var cases []harness.Case
	for _, transport := range transports {
		for _, w := range works {
			name := transport + "/" + w.name
			if !opt.WantsCase(name) {
				continue
			}
			c := harness.Case{
				Name:  name,
				Unit:  harness.Calls,
				Bytes: w.size,
				Want:  harness.Answer{Values: w.model()},
			}
			for _, r := range all {
				if !r.variant || slices.Contains(r.over, transport) {
					c.Contestants = append(c.Contestants, r.contestant(transport, w))
				}
			}
			cases = append(cases, c)
		}
	}
	return &harness.Opened{
		Cases: cases,
		Notes: notes(all),
		Close: func() error {
			for _, r := range all {
				r.leave()
			}
			return nil
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
