// Package reference is the suite of the three programs that Cap'n Proto's C++
// library measures itself with: car sales, search ranking and expressions. A
// client makes a random request, a server answers it, and the client looks at
// the answer. The random numbers are those of the original, so that the number
// of bytes of a thousand iterations is known.
package reference

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/framing"
)

// Suite returns the reference suite.
func Suite() harness.Suite {
	return harness.Suite{Name: "reference", Open: open}
}

// checkIterations is how many iterations a contestant's check has, here and in
// the C++ program.
const checkIterations = 20

// referenceCase is a program with a way to hand its messages over.
type referenceCase struct {
	name    string // PROGRAM/MODE/REUSE
	program func() program
	plain   func() plainProgram
	// kept tells that messages are built in memory that is used again.
	kept           bool
	objects, piped bool // else bytes in memory
	format         framing.Format
}

// modes are the ways in the order of the report.
var modes = []struct {
	name           string
	objects, piped bool
	format         framing.Format
}{
	{name: "object", objects: true},
	{name: "bytes"},
	{name: "packed", format: framing.Packed},
	{name: "pipe", piped: true},
	{name: "pipe-packed", piped: true, format: framing.Packed},
}

func allCases() []referenceCase {
	var cases []referenceCase
	for _, p := range programs {
		for _, m := range modes {
			for _, reuse := range []string{"reuse", "noreuse"} {
				cases = append(cases, referenceCase{
					name:    p.name + "/" + m.name + "/" + reuse,
					program: p.new,
					plain:   p.plain,
					kept:    reuse == "reuse",
					objects: m.objects,
					piped:   m.piped,
					format:  m.format,
				})
			}
		}
	}
	return cases
}

func caseNamed(name string) (referenceCase, bool) {
	cases := allCases()
	i := slices.IndexFunc(cases, func(c referenceCase) bool { return c.name == name })
	if i < 0 {
		return referenceCase{}, false
	}
	return cases[i], true
}

// run carries n iterations out from the seed.
type run func(n int, probe *probe) (harness.Sample, error)

// runner prepares Fairlead's runs of the case.
func (c referenceCase) runner() run {
	prog := c.program()
	if c.piped {
		return func(n int, probe *probe) (harness.Sample, error) {
			prog.restart()
			return passPipe(c, prog, n, probe)
		}
	}
	pass := func() func(int, *probe) error {
		if c.objects {
			return newObjects(prog, c.kept).pass
		}
		return newInMemory(prog, c.kept, c.format).pass
	}()
	return func(n int, probe *probe) (harness.Sample, error) {
		prog.restart()
		return timed(func() error { return pass(n, probe) })
	}
}

// contestant is Fairlead in this case.
func (c referenceCase) contestant() harness.Contestant {
	runner := sync.OnceValue(c.runner)
	return harness.Contestant{
		Who: "fairlead",
		Check: func() (harness.Answer, error) {
			p := probe{hashing: true, values: fnvOffset, bytes: fnvOffset}
			_, err := runner()(checkIterations, &p)
			a := harness.Answer{Values: uint64(p.values), Size: int(p.size)}
			if c.kept && !c.objects && !c.piped {
				// Else where the segments end is the library's choice, or the
				// bytes are not at hand.
				a.Bytes = uint64(p.bytes)
			}
			return a, err
		},
		Run: func(n int) (harness.Sample, error) { return runner()(n, nil) },
	}
}

// floor is the program with plain Go values in the place of messages.
func (c referenceCase) floor() harness.Contestant {
	prog := c.plain()
	return harness.Contestant{
		Who:   "floor",
		Check: func() (harness.Answer, error) { return c.model() },
		Run: func(n int) (harness.Sample, error) {
			prog.restart()
			return timed(func() error { return passPlain(prog, n, nil) })
		},
	}
}

// model is what every contestant's check must come to.
func (c referenceCase) model() (harness.Answer, error) {
	prog := c.plain()
	prog.restart()
	p := probe{hashing: true, values: fnvOffset}
	err := passPlain(prog, checkIterations, &p)
	return harness.Answer{Values: uint64(p.values)}, err
}

func open(ctx context.Context, opt harness.Options) (*harness.Opened, error) {
	peers, err := startPeers(ctx, opt)
	if err != nil {
		return nil, err
	}
	cases, err := harnessCases(opt, peers)
	if err != nil {
		return nil, errors.Join(err, closePeers(peers))
	}
	return &harness.Opened{Cases: cases, Notes: notes(opt, peers), Close: func() error { return closePeers(peers) }}, nil
}

func harnessCases(opt harness.Options, peers []peer) ([]harness.Case, error) {
	var cases []harness.Case
	for _, c := range allCases() {
		if !opt.WantsCase(c.name) {
			continue
		}
		want, err := c.model()
		if err != nil {
			return nil, fmt.Errorf("reference: %s: %w", c.name, err)
		}
		contestants := []harness.Contestant{c.contestant()}
		for _, p := range peers {
			contestants = append(contestants, p.contestant(c.name))
		}
		if s, ok := c.scaled(); ok {
			contestants = append(contestants, s)
		}
		contestants = append(contestants, c.floor())
		cases = append(cases, harness.Case{Name: c.name, Alike: true, Want: want, Contestants: contestants})
	}
	return cases, nil
}

// notes tells what is compared.
func notes(opt harness.Options, peers []peer) []string {
	list := []string{fmt.Sprintf("%s %s/%s, GOMAXPROCS %d", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))}
	for _, p := range peers {
		list = append(list, p.note())
	}
	if opt.WantsWho(scaledName) {
		list = append(list, scaling...)
	}
	return append(list, "floor: the program with plain Go values in the place of messages, which are not handed over but there")
}
