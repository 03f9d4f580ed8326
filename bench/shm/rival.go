package shmbench

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// rival is a contestant in all its cases. It has one crew at a time.
type rival struct {
	who     string
	program string
	args    []string
	note    string
	dir     string // where its crews have theirs
	missing string // why it takes no part at all
	// not says why it takes no part in a case; "" if it does. May be nil.
	not func(workload) string
	// inherit makes what the processes of a crew inherit: files gives it for
	// the sender (0) and each receiver (from 1), and done closes the rest. May
	// be nil.
	inherit func(workload) (files func(which int) ([]*os.File, error), done func(), err error)

	name string // of the crew's case
	crew *crew
}

// rivals are the contestants that the options select, in the order of the
// report, and the daemon that one of them needs.
func rivals(ctx context.Context, opt harness.Options, dir string, cases []workload) ([]*rival, *daemon, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("shmbench: %w", err)
	}
	list := goRivals()
	for _, r := range list {
		r.program, r.args = self, []string{ChildArgument, r.who}
	}
	list = slices.DeleteFunc(list, func(r *rival) bool { return !opt.WantsWho(r.who) })
	d := &daemon{dir: dir}
	if opt.WantsWho("iceoryx") {
		r, err := d.rival(ctx, cases)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, r)
	}
	for _, r := range list {
		r.dir = dir
	}
	return list, d, nil
}

// join gives the rival's crew for a case, and ends that of the case before.
func (r *rival) join(w workload) (*crew, error) {
	if r.name == w.name && r.crew != nil {
		return r.crew, nil
	}
	r.leave()
	c, err := w.start(r)
	if err != nil {
		return nil, err
	}
	r.name, r.crew = w.name, c
	return c, nil
}

func (r *rival) leave() {
	if r.crew != nil {
		r.crew.close()
		r.crew = nil
	}
}

// contestant is the rival in a case.
func (r *rival) contestant(w workload) harness.Contestant {
	if r.missing != "" {
		return harness.Absent(r.who, r.missing)
	}
	if why := w.without(r.who); why != "" {
		return harness.Absent(r.who, why)
	}
	if r.not != nil {
		if why := r.not(w); why != "" {
			return harness.Absent(r.who, why)
		}
	}
	return harness.Contestant{
		Who: r.who,
		Check: func() (harness.Answer, error) {
			c, err := r.join(w)
			if err != nil {
				return harness.Answer{}, err
			}
			return c.check()
		},
		Run: func(n int) (harness.Sample, error) {
			c, err := r.join(w)
			if err != nil {
				return harness.Sample{}, err
			}
			return c.run(n)
		},
	}
}
