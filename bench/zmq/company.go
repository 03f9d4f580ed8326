package zmqbench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// company is the processes of a contestant in a case: one sender, and one
// receiver or more. They stay connected from the check to the last round.
type company struct {
	shape
	sender    *process
	receivers []*process
	dir       string // of ipc
}

// workload is a case as its company is told of it.
type workload struct {
	shape
	pattern   pattern
	transport string // tcp or ipc
	curve     bool
}

// start starts the processes of a rival and connects them.
func (w workload) start(r *rival) (_ *company, err error) {
	c := &company{shape: w.shape}
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
	launch := func(as role, pipes ...*os.File) (*process, error) {
		args := append([]string{string(as)}, w.args()...)
		args = append(args, security, endpoint)
		p, err := startProcess(exec.Command(r.program, append(r.args, args...)...), as, pipes)
		for _, f := range pipes {
			f.Close()
		}
		if err != nil {
			return nil, err
		}
		if as == w.pattern.sender {
			c.sender = p
		} else {
			c.receivers = append(c.receivers, p)
		}
		answer, err := p.expect("open")
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
func (c *company) greet() error {
	if err := each(c.receivers, func(p *process) error { return p.tell("hello") }); err != nil {
		return err
	}
	heard := make(chan error, 1)
	go func() {
		heard <- each(c.receivers, func(p *process) error { _, err := p.expect("ok"); return err })
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
	return each(c.receivers, func(p *process) error {
		if err := p.tell("last"); err != nil {
			return err
		}
		_, err := p.expect("ok")
		return err
	})
}

func (c *company) publish(greeting string) error {
	if err := c.sender.tell(greeting); err != nil {
		return err
	}
	_, err := c.sender.expect("ok")
	return err
}

func each(ps []*process, do func(*process) error) error {
	for _, p := range ps {
		if err := do(p); err != nil {
			return err
		}
	}
	return nil
}

// done is a worker's report of its work.
type done struct {
	begin, end, p50, p99 int64
	hash                 int64
}

// turn has all processes do n messages.
func (c *company) turn(verb string, n int) (sender done, receivers []done, sample harness.Sample, err error) {
	all := append(append([]*process{}, c.receivers...), c.sender)
	reports := make([]done, len(all))
	sample.Counted = true
	for _, step := range []func(i int, p *process) error{
		func(_ int, p *process) error { return p.tell(verb + " " + strconv.Itoa(n)) },
		func(_ int, p *process) error { _, err := p.expect("ready"); return err },
		func(_ int, p *process) error { return p.tell("go") }, // the sender last
		func(i int, p *process) error {
			answer, err := p.expect("done")
			if err != nil {
				return err
			}
			d := &reports[i]
			if _, err := fmt.Sscan(answer, &d.begin, &d.end, &d.p50, &d.p99, &d.hash); err != nil {
				return fmt.Errorf("zmqbench: %s: answer %q: %w", p.role, answer, err)
			}
			return nil
		},
		func(_ int, p *process) error { return p.tell("end") },
		func(_ int, p *process) error {
			answer, err := p.expect("ok")
			if err != nil {
				return err
			}
			var allocs, bytes int64
			if _, err := fmt.Sscan(answer, &allocs, &bytes); err != nil {
				return fmt.Errorf("zmqbench: %s: answer %q: %w", p.role, answer, err)
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
				return done{}, nil, harness.Sample{}, err
			}
		}
	}
	last := len(all) - 1
	return reports[last], reports[:last], sample, nil
}

// run sends n messages, and takes the time from before the first is sent until
// the last has come, of the slowest receiver.
func (c *company) run(n int) (harness.Sample, error) {
	sender, receivers, sample, err := c.turn("run", n)
	if err != nil {
		return harness.Sample{}, err
	}
	end := sender.end
	if c.sender.role != req {
		end = 0
		for _, r := range receivers {
			end = max(end, r.end)
		}
	}
	sample.Elapsed = time.Duration(end - sender.begin)
	sample.P50, sample.P99 = time.Duration(sender.p50), time.Duration(sender.p99)
	return sample, nil
}

// check sends messages that differ, and gives the hash that all receivers have
// of them; who has replies has the same.
func (c *company) check() (harness.Answer, error) {
	n := c.checkMessages()
	sender, receivers, _, err := c.turn("check", n)
	if err != nil {
		return harness.Answer{}, err
	}
	if c.sender.role == req {
		receivers = append(receivers, sender)
	}
	for i, r := range receivers {
		if r.hash != receivers[0].hash {
			return harness.Answer{}, fmt.Errorf("zmqbench: receiver %d got messages with the hash %016x, the first %016x", i+1, uint64(r.hash), uint64(receivers[0].hash))
		}
	}
	return harness.Answer{Values: uint64(receivers[0].hash), Size: n * c.size}, nil
}

// close ends the processes.
func (c *company) close() {
	all := c.receivers
	if c.sender != nil {
		all = append(all, c.sender)
	}
	for _, p := range all {
		_ = p.in.Close() // all at once, so that they leave together
	}
	for _, p := range all {
		p.close()
	}
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}
