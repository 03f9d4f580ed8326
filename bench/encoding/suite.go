// Package encoding is the suite that measures building, encoding, reading,
// packing and unpacking of messages in memory.
package encoding

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// Suite returns the encoding suite.
func Suite() harness.Suite {
	return harness.Suite{Name: "encoding", Open: open}
}

// rival is a contestant of this process.
type rival struct {
	who   string
	works func(s shape, framed []byte) works
	// lacks says why the contestant has no work of a case.
	lacks string
	// module is the Go module whose version the notes name.
	module string
}

func rivals() []rival {
	return []rival{
		{who: "fairlead", works: fairleadWorks},
		{who: "fairlead-pool", works: fairleadPoolWorks},
		{who: "fairlead-held", works: fairleadHeldWorks},
		{who: "fairlead-decoder", works: fairleadDecoderWorks},
		{who: "fairlead-noasm", works: fairleadNoasmWorks},
		{who: "floor", works: floorWorks},
		{who: "go-capnp", works: goCapnpWorks, module: "capnproto.org/go/capnp/v3"},
		{who: "protobuf", works: func(s shape, _ []byte) works { return protobufWorks(s) }, lacks: "the format has no such form", module: "google.golang.org/protobuf"},
		{who: "flatbuffers", works: func(s shape, _ []byte) works { return flatbuffersWorks(s) }, lacks: "the format has no such form", module: "github.com/google/flatbuffers"},
	}
}

// localCases makes the cases with the wanted contestants of this process.
func localCases(want func(who string) bool) ([]harness.Case, error) {
	var cases []harness.Case
	for _, s := range shapes() {
		framed, err := goCapnpFramed(s.model)
		if err != nil {
			return nil, fmt.Errorf("encoding: %s: %w", s.name, err)
		}
		framed = append([]byte(nil), framed...)
		byAction := make(map[string][]harness.Contestant)
		for _, r := range rivals() {
			if !want(r.who) {
				continue
			}
			w := r.works(s, framed)
			for _, action := range s.actions {
				if k, ok := w[action]; ok {
					byAction[action] = append(byAction[action], harness.Local(r.who, k.check, k.run))
				} else if r.lacks != "" {
					byAction[action] = append(byAction[action], harness.Absent(r.who, r.lacks))
				}
			}
		}
		for _, action := range s.actions {
			cases = append(cases, harness.Case{
				Name:        s.name + "/" + action,
				Bytes:       throughput(s, action, len(framed)),
				Want:        harness.Answer{Values: s.values()},
				Contestants: byAction[action],
			})
		}
	}
	return cases, nil
}

func open(ctx context.Context, opt harness.Options) (*harness.Opened, error) {
	var wg sync.WaitGroup
	start := func(p *process, failed *error, do func() (process, error)) {
		wg.Go(func() { *p, *failed = do() })
	}
	var cppProcess process
	var cppFailed error
	if wanted(cppSeats, opt) {
		start(&cppProcess, &cppFailed, func() (process, error) { return startCPP(ctx) })
	}
	twins := fairleadTwins()
	twinProcesses := make([]process, len(twins))
	twinFailed := make([]error, len(twins))
	for i, t := range twins {
		if wanted(t.seats, opt) {
			start(&twinProcesses[i], &twinFailed[i], func() (process, error) { return startTwin(ctx, t) })
		}
	}
	cases, err := localCases(opt.WantsWho)
	wg.Wait()
	closeAll := func() error {
		var errs []error
		for _, p := range append(twinProcesses, cppProcess) {
			if p.child != nil {
				errs = append(errs, p.child.Close())
			}
		}
		return errors.Join(errs...)
	}
	if err = errors.Join(append(twinFailed, err, cppFailed)...); err != nil {
		return nil, errors.Join(err, closeAll())
	}
	for i := range cases {
		c := &cases[i]
		for j, t := range twins {
			take(c, twinProcesses[j], t.seats)
		}
		take(c, cppProcess, cppSeats)
		slices.SortStableFunc(c.Contestants, func(a, b harness.Contestant) int {
			return slices.Index(order, a.Who) - slices.Index(order, b.Who)
		})
	}
	return &harness.Opened{Cases: cases, Notes: notes(cppProcess), Close: closeAll}, nil
}

// throughput is the size that MB/s is reckoned with: 0 where a blob is only
// referred to, and so nothing flows.
func throughput(s shape, action string, size int) int {
	if s.blob != nil && action != "encode" {
		return 0
	}
	return size
}

// take gives the process's contestants their seats in the case.
func take(c *harness.Case, p process, seats []seat) {
	_, action, _ := strings.Cut(c.Name, "/")
	for _, s := range seats {
		switch {
		case !s.joins(action):
		case p.child != nil:
			c.Contestants = append(c.Contestants, p.child.Contestant(s.who, s.as, c.Name))
		case p.missing != "":
			c.Contestants = append(c.Contestants, harness.Absent(s.who, p.missing))
		}
	}
}

// order is that of the columns.
var order = []string{
	"fairlead", "fairlead-pool", "fairlead-held", "fairlead-decoder", "fairlead-noasm", "fairlead-safe", "fairlead-safe-held",
	"capnp-c++", "capnp-c++-new", "go-capnp", "protobuf", "flatbuffers", "floor",
}

// notes tells what is compared.
func notes(cppProcess process) []string {
	list := []string{fmt.Sprintf("%s %s/%s, GOMAXPROCS %d", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, r := range rivals() {
			for _, dep := range info.Deps {
				if dep.Path == r.module {
					list = append(list, r.who+": "+dep.Path+" "+dep.Version)
				}
			}
		}
	}
	switch {
	case cppProcess.child != nil:
		list = append(list, "capnp-c++: "+cppProcess.version+"; reads with its reader made once and the root held, capnp-c++-new makes a reader for each message")
	case cppProcess.missing != "":
		list = append(list, "capnp-c++: missing: "+cppProcess.missing)
	}
	return append(list, "blob1M/encode goes to a discarding socket that copies each byte once into a window of 64 KiB, as a kernel would")
}
