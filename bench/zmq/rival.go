package zmqbench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/fairlead-go/fairlead/bench/company"
	"github.com/fairlead-go/fairlead/bench/harness"
)

// ends are the contestants that are written in Go.
var ends = map[string]open{
	"fairlead":        openFairlead,
	"fairlead-frames": openFairleadFrames,
	"floor":           openFloor,
	"go-zeromq":       openGoZeroMQ,
	"pebbe":           openPebbe,
}

// rival is a contestant in all its cases. It has one crew at a time.
type rival struct {
	who     string
	program string
	args    []string
	note    string
	missing string // why it takes no part at all
	noCurve string // why it takes no part in CURVE

	name string // of the crew's case
	crew *crew
}

// rivals are the contestants that the options select, in the order of the
// report.
func rivals(ctx context.Context, opt harness.Options) ([]*rival, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("zmqbench: %w", err)
	}
	inGo := func(who, note string) *rival {
		return &rival{who: who, program: self, args: []string{ChildArgument, who}, note: note}
	}
	goZeroMQ := inGo("go-zeromq", moduleVersion(goZeroMQModule))
	goZeroMQ.noCurve = goZeroMQModule + " has no CURVE"
	pebbe := inGo("pebbe", moduleVersion("github.com/pebbe/zmq4")+pebbeVersion()+", which copies what it sends and receives")
	pebbe.missing = pebbeMissing
	list := []*rival{
		inGo("fairlead", "messages of segments, received where they arrived and released"),
		inGo("fairlead-frames", "slices of bytes, the receiver's for good"),
		{who: "libzmq", note: ", in C, with one I/O thread; sends constant memory, which it neither copies nor allocates for"},
		pebbe,
		goZeroMQ,
		inGo("floor", "ZMTP's frames on bare connections, by writev: small messages about 64 KiB together, larger ones one by one; no queue, no goroutine, no encryption"),
	}
	var wanted []*rival
	for _, r := range list {
		if !opt.WantsWho(r.who) {
			continue
		}
		if r.program == "" {
			if err := r.findLibzmq(ctx); err != nil {
				return nil, err
			}
		}
		wanted = append(wanted, r)
	}
	return wanted, nil
}

// findLibzmq builds the C program and asks for its version.
func (r *rival) findLibzmq(ctx context.Context) error {
	program, err := buildLibzmq(ctx)
	if errors.Is(err, company.ErrMissing) {
		r.missing = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	r.program = program
	p, err := company.Start("libzmq", exec.Command(program, "pull", "64", "1", "null", "tcp://127.0.0.1:*"), nil)
	if err != nil {
		return err
	}
	defer p.Close()
	answer, err := p.Expect("open")
	if err != nil {
		return err
	}
	_, version, _ := strings.Cut(answer, " ")
	r.note = version + r.note
	return nil
}

// moduleVersion is the version of a module that this program was built with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return path
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return path + " " + m.Version
		}
	}
	return path
}

// join gives the rival's crew for a case, and ends that of the case before.
func (r *rival) join(name string, w workload) (*crew, error) {
	if r.name == name && r.crew != nil {
		return r.crew, nil
	}
	r.leave()
	c, err := w.start(r)
	if err != nil {
		return nil, err
	}
	r.name, r.crew = name, c
	return c, nil
}

func (r *rival) leave() {
	if r.crew != nil {
		r.crew.close()
		r.crew = nil
	}
}

// contestant is the rival in a case.
func (r *rival) contestant(name string, w workload) harness.Contestant {
	switch {
	case r.missing != "":
		return harness.Absent(r.who, r.missing)
	case w.curve && r.noCurve != "":
		return harness.Absent(r.who, r.noCurve)
	case w.pattern.sender == pub && runtime.GOOS == "windows":
		return harness.Absent(r.who, "child processes inherit no pipes on Windows")
	}
	return harness.Contestant{
		Who: r.who,
		Check: func() (harness.Answer, error) {
			c, err := r.join(name, w)
			if err != nil {
				return harness.Answer{}, err
			}
			return c.check()
		},
		Run: func(n int) (harness.Sample, error) {
			c, err := r.join(name, w)
			if err != nil {
				return harness.Sample{}, err
			}
			return c.run(n)
		},
	}
}
