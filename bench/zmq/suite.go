// Package zmqbench is the suite of ZeroMQ: two processes, or five, send
// messages to each other by tcp and ipc. All sides are processes of their own,
// of one rival each; the one that measures only tells them when to begin.
package zmqbench

import (
	"context"
	"fmt"
	"runtime"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// Suite returns the suite of ZeroMQ.
func Suite() harness.Suite {
	return harness.Suite{Name: "zmq", Open: openSuite}
}

// namedWorkload is a case.
type namedWorkload struct {
	name string
	workload
}

func workloads() []namedWorkload {
	var list []namedWorkload
	for _, transport := range []string{"tcp", "ipc"} {
		for _, p := range []pattern{pushPull, reqRep} {
			for _, size := range sizes {
				for _, frames := range []int{1, maxFrames} {
					list = append(list, namedWorkload{
						name:     fmt.Sprintf("%s/%s/%s/%d", transport, p.name, size.name, frames),
						workload: workload{shape: shape{size.bytes, frames}, pattern: p, transport: transport},
					})
				}
			}
		}
		for _, size := range sizes {
			list = append(list, namedWorkload{
				name:     fmt.Sprintf("%s/%s/%s", transport, pubSub.name, size.name),
				workload: workload{shape: shape{size.bytes, 1}, pattern: pubSub, transport: transport},
			})
		}
	}
	for _, size := range sizes {
		list = append(list, namedWorkload{
			name:     fmt.Sprintf("curve/%s/%s/1", pushPull.name, size.name),
			workload: workload{shape: shape{size.bytes, 1}, pattern: pushPull, transport: "tcp", curve: true},
		})
	}
	return list
}

func openSuite(ctx context.Context, opt harness.Options) (*harness.Opened, error) {
	all, err := rivals(ctx, opt)
	if err != nil {
		return nil, err
	}
	var cases []harness.Case
	for _, w := range workloads() {
		if !opt.WantsCase(w.name) {
			continue
		}
		c := harness.Case{
			Name:  w.name,
			Unit:  harness.Messages,
			Bytes: w.size,
			Want:  harness.Answer{Values: w.model(), Size: w.size * w.checkMessages()},
		}
		for _, r := range all {
			c.Contestants = append(c.Contestants, r.contestant(w.name, w.workload))
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
