package shmbench

import (
	"time"

	"github.com/fairlead-go/fairlead/bench/company"
	"github.com/fairlead-go/fairlead/bench/harness"
)

const (
	// restTime is for how long an idle connection is looked at, after settleTime
	// in which everybody comes to rest.
	restTime   = 100 * time.Millisecond
	settleTime = 20 * time.Millisecond
)

// rest leaves the connection idle, while one end waits for a message and the other
// does nothing, and gives n times the processor's time that both processes take in a
// second of that.
func (c *crew) rest(n int) (harness.Sample, error) {
	if _, _, _, err := c.turn("run", 1); err != nil {
		return harness.Sample{}, err
	}
	waits := c.receivers[0]
	if err := begin(waits); err != nil {
		return harness.Sample{}, err
	}
	time.Sleep(settleTime)
	before, err := c.processor()
	if err != nil {
		return harness.Sample{}, err
	}
	start := time.Now()
	time.Sleep(restTime)
	after, err := c.processor()
	if err != nil {
		return harness.Sample{}, err
	}
	share := float64(after-before) / float64(time.Since(start))
	if err := begin(c.sender); err != nil {
		return harness.Sample{}, err
	}
	for _, p := range []*company.Process{c.sender, waits} {
		for _, word := range []string{"done", "ok"} {
			if _, err := p.Expect(word); err != nil {
				return harness.Sample{}, err
			}
			if word == "done" {
				if err := p.Tell("end"); err != nil {
					return harness.Sample{}, err
				}
			}
		}
	}
	return harness.Sample{Elapsed: time.Duration(share * float64(n) * float64(time.Second))}, nil
}

// begin makes a worker begin with one message.
func begin(p *company.Process) error {
	if err := p.Tell("run 1"); err != nil {
		return err
	}
	if _, err := p.Expect("ready"); err != nil {
		return err
	}
	return p.Tell("go")
}

// processor is the time that both processes have had of the processors.
func (c *crew) processor() (time.Duration, error) {
	var sum time.Duration
	for _, p := range []*company.Process{c.sender, c.receivers[0]} {
		d, err := processorTime(p.PID())
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}
