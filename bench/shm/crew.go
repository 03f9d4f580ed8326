package shmbench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/bench/company"
	"github.com/fairlead-go/fairlead/bench/harness"
)

// crew is the processes of a contestant in a case. They stay connected from the
// check to the last round.
type crew struct {
	workload
	sender    *company.Process
	receivers []*company.Process
	dir       string
}

// start starts the processes of a rival and connects them.
func (w workload) start(r *rival) (_ *crew, err error) {
	c := &crew{workload: w}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.dir, err = os.MkdirTemp(r.dir, "crew-"); err != nil {
		return nil, fmt.Errorf("shmbench: %w", err)
	}
	endpoint := filepath.Join(c.dir, "socket")
	inherited := func(int) ([]*os.File, error) { return nil, nil }
	if r.inherit != nil {
		var done func()
		if inherited, done, err = r.inherit(w); err != nil {
			return nil, err
		}
		defer done()
	}
	launch := func(as role, which int) error {
		files, err := inherited(which)
		if err != nil {
			return err
		}
		args := append(append([]string{}, r.args...), string(as), strconv.Itoa(w.size), string(w.mode), strconv.Itoa(w.receivers), endpoint)
		if as == sub {
			args = append(args, strconv.Itoa(which-1))
		}
		p, err := company.Start(string(as), exec.Command(r.program, args...), files)
		if err != nil {
			return err
		}
		if as == w.sender {
			c.sender = p
		} else {
			c.receivers = append(c.receivers, p)
		}
		answer, err := p.Expect("open")
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(answer, &endpoint); err != nil {
			return fmt.Errorf("shmbench: %s: answer %q: %w", as, answer, err)
		}
		return nil
	}
	if w.sender == pub {
		if err := launch(pub, 0); err != nil {
			return nil, err
		}
		for i := range w.receivers {
			if err := launch(sub, i+1); err != nil {
				return nil, err
			}
		}
		return c, nil
	}
	if err := launch(w.receiver, 1); err != nil {
		return nil, err
	}
	return c, launch(w.sender, 0)
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
	if c.idle {
		return c.rest(n)
	}
	sender, receivers, sample, err := c.turn("run", n)
	if err != nil {
		return harness.Sample{}, err
	}
	end := sender.End
	if !c.workload.sender.asks() {
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
	if c.workload.sender.asks() {
		receivers = append(receivers, sender)
	}
	for i, r := range receivers {
		if r.Hash != receivers[0].Hash {
			return harness.Answer{}, fmt.Errorf("shmbench: receiver %d got messages with the hash %016x, the first %016x", i+1, r.Hash, receivers[0].Hash)
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
