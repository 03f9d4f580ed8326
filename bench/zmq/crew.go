package zmqbench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/fairlead-go/fairlead/bench/company"
	"github.com/fairlead-go/fairlead/bench/harness"
)

// crew is the processes of a contestant in a case: one sender, and one
// receiver or more. They stay connected from the check to the last round.
type crew struct {
	shape
	sender    *company.Process
	receivers []*company.Process
	dir       string // of ipc
	asks      bool   // the sender has replies
}

// workload is a case as its crew is told of it.
type workload struct {
	shape
	pattern   pattern
	transport string // tcp or ipc
	curve     bool
}

// start starts the processes of a rival and connects them.
func (w workload) start(r *rival) (_ *crew, err error) {
	c := &crew{shape: w.shape, asks: w.pattern.sender == req}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	endpoint := "tcp://127.0.0.1:0"
	if w.transport == "ipc" {
		if c.dir, err = os.MkdirTemp("", "bench-"); err != nil {
			return nil, fmt.Errorf("zmqbench: %w", err)
		}
		endpoint = "ipc://" + filepath.Join(c.dir, "socket")
	}
	security := "null"
	if w.curve {
		security = "curve"
	}
	launch := func(as role, pipes ...*os.File) (*company.Process, error) {
		args := append([]string{string(as)}, w.args()...)
		args = append(args, security, endpoint)
		p, err := company.Start(string(as), exec.Command(r.program, append(r.args, args...)...), pipes)
		if err != nil {
			return nil, err
		}
		if as == w.pattern.sender {
			c.sender = p
		} else {
			c.receivers = append(c.receivers, p)
		}
		answer, err := p.Expect("open")
		if err != nil {
			return nil, err
		}
		if _, err := fmt.Sscan(answer, &endpoint); err != nil {
			return nil, fmt.Errorf("zmqbench: %s: answer %q: %w", as, answer, err)
		}
		return p, nil
	}
	if w.pattern.sender != pub {
		if _, err := launch(w.pattern.receiver); err != nil {
			return nil, err
		}
		_, err = launch(w.pattern.sender)
		return c, err
	}
	var acknowledged, acknowledge []*os.File
	for range w.pattern.receivers {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, fmt.Errorf("zmqbench: %w", err)
		}
		acknowledged, acknowledge = append(acknowledged, r), append(acknowledge, w)
	}
	defer func() {
		for _, f := range acknowledge {
			f.Close() // again, but for those that were not handed over
		}
	}()
	if _, err := launch(w.pattern.sender, acknowledged...); err != nil {
		return nil, err
	}
	for _, f := range acknowledge {
		if _, err := launch(w.pattern.receiver, f); err != nil {
			return nil, err
		}
	}
	return c, c.greet()
}

// greet sends greetings until every subscriber has one, and so will have all
// that follows, and then a last one, before which nothing more is waiting.
func (c *crew) greet() error {
	if err := each(c.receivers, func(p *company.Process) error { return p.Tell("hello") }); err != nil {
		return err
	}
	heard := make(chan error, 1)
	go func() {
		heard <- each(c.receivers, func(p *company.Process) error { _, err := p.Expect("ok"); return err })
	}()
	for waiting := true; waiting; {
		if err := c.publish("hello"); err != nil {
			return err
		}
		select {
		case err := <-heard:
			if err != nil {
				return err
			}
			waiting = false
		case <-time.After(2 * time.Millisecond):
		}
	}
	if err := c.publish("last"); err != nil {
		return err
	}
	return each(c.receivers, func(p *company.Process) error {
		if err := p.Tell("last"); err != nil {
			return err
		}
		_, err := p.Expect("ok")
		return err
	})
}

func (c *crew) publish(greeting string) error {
	if err := c.sender.Tell(greeting); err != nil {
		return err
	}
	_, err := c.sender.Expect("ok")
	return err
}

func each(ps []*company.Process, do func(*company.Process) error) error {
	for _, p := range ps {
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}

// turn has all processes do n messages.
func (c *crew) turn(verb string, n int) (sender company.Report, receivers []company.Report, sample harness.Sample, err error) {
	reports, sample, err := company.Turn(append(append([]*company.Process{}, c.receivers...), c.sender), verb, n)
	if err != nil {
		return company.Report{}, nil, harness.Sample{}, err
	}
	last := len(reports) - 1
	return reports[last], reports[:last], sample, nil
}

// run sends n messages, and takes the time from before the first is sent until
// the last has come, of the slowest receiver.
func (c *crew) run(n int) (harness.Sample, error) {
	sender, receivers, sample, err := c.turn("run", n)
	if err != nil {
		return harness.Sample{}, err
	}
	end := sender.End
	if !c.asks {
		end = 0
		for _, r := range receivers {
			end = max(end, r.End)
		}
	}
	sample.Elapsed = time.Duration(end - sender.Begin)
	sample.P50, sample.P99 = time.Duration(sender.P50), time.Duration(sender.P99)
	return sample, nil
}

// check sends messages that differ, and gives the hash that all receivers have
// of them; who has replies has the same.
func (c *crew) check() (harness.Answer, error) {
	n := c.checkMessages()
	sender, receivers, _, err := c.turn("check", n)
	if err != nil {
		return harness.Answer{}, err
	}
	if c.asks {
		receivers = append(receivers, sender)
	}
	for i, r := range receivers {
		if r.Hash != receivers[0].Hash {
			return harness.Answer{}, fmt.Errorf("zmqbench: receiver %d got messages with the hash %016x, the first %016x", i+1, r.Hash, receivers[0].Hash)
		}
	}
	return harness.Answer{Values: receivers[0].Hash, Size: n * c.size}, nil
}

// close ends the processes.
func (c *crew) close() {
	all := c.receivers
	if c.sender != nil {
		all = append(all, c.sender)
	}
	for _, p := range all {
		p.Dismiss() // all at once, so that they leave together
	}
	for _, p := range all {
		p.Close()
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}
