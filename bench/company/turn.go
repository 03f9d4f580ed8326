package company

import (
	"fmt"
	"strconv"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// Report is what a worker says of its work.
type Report struct {
	Begin, End int64 // readings of [Clock]
	P50, P99   int64 // nanoseconds; 0 if it has no latencies
	Hash       uint64
}

// Turn has the processes do n messages, of a run or a check, and gives their
// reports in the same order. They are told to begin in this order too, so the
// one that sends comes last. The sample has their allocations, all together.
func Turn(all []*Process, verb string, n int) ([]Report, harness.Sample, error) {
	reports := make([]Report, len(all))
	sample := harness.Sample{Counted: true}
	for _, step := range []func(i int, p *Process) error{
		func(_ int, p *Process) error { return p.Tell(verb + " " + strconv.Itoa(n)) },
		func(_ int, p *Process) error { _, err := p.Expect("ready"); return err },
		func(_ int, p *Process) error { return p.Tell("go") },
		func(i int, p *Process) error {
			answer, err := p.Expect("done")
			if err != nil {
				return err
			}
			d := &reports[i]
			var hash int64
			if _, err := fmt.Sscan(answer, &d.Begin, &d.End, &d.P50, &d.P99, &hash); err != nil {
				return fmt.Errorf("company: %s: answer %q: %w", p.Name, answer, err)
			}
			d.Hash = uint64(hash)
			return nil
		},
		func(_ int, p *Process) error { return p.Tell("end") },
		func(_ int, p *Process) error {
			answer, err := p.Expect("ok")
			if err != nil {
				return err
			}
			var allocs, bytes int64
			if _, err := fmt.Sscan(answer, &allocs, &bytes); err != nil {
				return fmt.Errorf("company: %s: answer %q: %w", p.Name, answer, err)
			}
			if allocs < 0 {
				sample.Counted = false
			}
			sample.Allocs += uint64(max(allocs, 0))
			sample.AllocBytes += uint64(max(bytes, 0))
			return nil
		},
	} {
		for i, p := range all {
			if err := step(i, p); err != nil {
				return nil, harness.Sample{}, err
			}
		}
	}
	return reports, sample, nil
}
