package rpcbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/bench/company"
	"github.com/fairlead-go/fairlead/bench/cpp"
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/shm"
)

// libraries are the contestants that are written in Go.
var libraries = map[string]library{
	"fairlead":      fairleadLibrary(shm.Adaptive),
	"fairlead-spin": fairleadLibrary(shm.Spin),
	"go-capnp":      goCapnpLibrary(),
	"grpc":          grpcLibrary(),
	"floor":         floorLibrary(),
}

// rival is a contestant in all its cases. It has one pair of processes at a
// time.
type rival struct {
	who     string
	program string
	args    []string
	note    string
	missing string // why it takes no part at all
	// over are the transports that it has.
	over []string
	// variant is one of Fairlead, which is left out where it is no other.
	variant bool

	name string // of the pair's case
	pair *pair
}

// rivals are the contestants that the options select, in the order of the
// report.
func rivals(ctx context.Context, opt harness.Options) ([]*rival, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("rpcbench: %w", err)
	}
	inGo := func(who, note string, over ...string) *rival {
		return &rival{who: who, program: self, args: []string{ChildArgument, who}, note: note, over: over}
	}
	spin := inGo("fairlead-spin", "the same by shared memory, whose ends spin while they wait", "shm")
	spin.variant = true
	list := []*rival{
		inGo("fairlead", "generated code; data is referred to, not copied", transports...),
		spin,
		inGo("go-capnp", moduleVersion(goCapnpModule)+fmt.Sprintf("; streams have a window of %d bytes", goCapnpWindow), "inproc", "unix", "tcp", "tls"),
		inGo("grpc", moduleVersion(grpcModule), "inproc", "unix", "tcp", "tls"),
		{who: "capnp-c++", note: "messages are told their sizes; data that is sent is referred to, not copied", over: []string{"inproc", "unix", "tcp", "tls"}},
		inGo("floor", "frames of the same sizes in a bare loop, many calls a write; no tables, no promises, no capabilities", "unix", "tcp", "tls"),
	}
	var wanted []*rival
	for _, r := range list {
		if !opt.WantsWho(r.who) {
			continue
		}
		if r.program == "" {
			if r.program, err = cppProgram.Build(ctx); errors.Is(err, cpp.ErrMissing) {
				r.missing = err.Error()
			} else if err != nil {
				return nil, err
			}
		}
		wanted = append(wanted, r)
	}
	return wanted, nil
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

// contestant is the rival in a case.
func (r *rival) contestant(transport string, w work) harness.Contestant {
	switch {
	case r.missing != "":
		return harness.Absent(r.who, r.missing)
	case !slices.Contains(r.over, transport) && r.who == "floor":
		return harness.Absent(r.who, "no bare loop is written for it")
	case !slices.Contains(r.over, transport):
		return harness.Absent(r.who, "it does not have the transport")
	case r.who == "grpc" && w.kind == addFutures:
		return harness.Absent(r.who, errNoFutures.Error())
	case transport == "shm" && runtime.GOOS != "linux":
		return harness.Absent(r.who, "shared memory is for Linux")
	case r.who == "go-capnp" && w.pipelined:
		return harness.Absent(r.who, errWrongPipeline.Error())
	case r.who == "grpc" && w.pipelined:
		return harness.Absent(r.who, errNoPromises.Error())
	}
	name := transport + "/" + w.name
	return harness.Contestant{
		Who: r.who,
		Check: func() (harness.Answer, error) {
			p, err := r.join(name, transport)
			if err != nil {
				return harness.Answer{}, err
			}
			reports, _, err := p.turn("check", w.checkCalls())
			if err != nil {
				return harness.Answer{}, err
			}
			return harness.Answer{Values: reports[len(reports)-1].Hash}, nil
		},
		Run: func(n int) (harness.Sample, error) {
			p, err := r.join(name, transport)
			if err != nil {
				return harness.Sample{}, err
			}
			reports, sample, err := p.turn("run", n)
			if err != nil {
				return harness.Sample{}, err
			}
			caller := reports[len(reports)-1]
			sample.Elapsed = time.Duration(caller.End - caller.Begin)
			sample.P50, sample.P99 = time.Duration(caller.P50), time.Duration(caller.P99)
			return sample, nil
		},
	}
}

// join gives the rival's pair for a case, and ends that of the case before.
func (r *rival) join(name, transport string) (*pair, error) {
	if r.name == name && r.pair != nil {
		return r.pair, nil
	}
	r.leave()
	p, err := startPair(r, r, name, transport)
	if err != nil {
		return nil, err
	}
	r.name, r.pair = name, p
	return p, nil
}

func (r *rival) leave() {
	if r.pair != nil {
		r.pair.close()
		r.pair = nil
	}
}

// pair is the processes of a contestant in a case. They stay connected from the
// check to the last round.
type pair struct {
	server *company.Process // nil in process
	client *company.Process
	dir    string
}

// startPair starts a server and a client of the case name, and connects them.
func startPair(server, client *rival, name, transport string) (_ *pair, err error) {
	p := &pair{}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return nil, fmt.Errorf("rpcbench: %w", err)
	}
	if transport == "tls" {
		if err := writeCertificate(p.dir); err != nil {
			return nil, err
		}
	}
	launch := func(r *rival, role, endpoint string) (*company.Process, string, error) {
		args := slices.Concat(r.args, []string{role, name, p.dir, endpoint})
		c, err := company.Start(r.who+" "+role, exec.Command(r.program, args...), nil)
		if err != nil {
			return nil, "", err
		}
		answer, err := c.Expect("open")
		if err != nil {
			c.Close()
			return nil, "", err
		}
		endpoint, _, _ = strings.Cut(answer, " ")
		return c, endpoint, nil
	}
	endpoint := "-"
	if transport != "inproc" {
		if p.server, endpoint, err = launch(server, "server", endpoint); err != nil {
			return nil, err
		}
	}
	p.client, _, err = launch(client, "client", endpoint)
	return p, err
}

// all are the processes, the one that calls last.
func (p *pair) all() []*company.Process {
	if p.server == nil {
		return []*company.Process{p.client}
	}
	return []*company.Process{p.server, p.client}
}

// turn has both do n calls. While others have their turn they are stopped: one that
// spins for a message would take a processor from them.
func (p *pair) turn(verb string, n int) ([]company.Report, harness.Sample, error) {
	for _, c := range p.all() {
		c.Resume()
		defer c.Pause()
	}
	return company.Turn(p.all(), verb, n)
}

// close ends the processes, the one that calls first.
func (p *pair) close() {
	for _, c := range []*company.Process{p.client, p.server} {
		if c != nil {
			c.Resume()
			c.Close()
		}
	}
	_ = os.RemoveAll(p.dir)
}

// ChildArgument is the first of the arguments that make this program a worker.
// Those that follow are the contestant, server or client, the case, the folder of
// the pair, and for a client where the server listens.
const ChildArgument = "child-rpc"

// ServeChild is a worker. args are what follows [ChildArgument].
func ServeChild(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 5 {
		return fmt.Errorf("rpcbench: worker: got arguments %q, want a contestant, server or client, a case, a folder and an endpoint", args)
	}
	lib, ok := libraries[args[0]]
	if !ok {
		return fmt.Errorf("rpcbench: worker: no contestant has the name %q", args[0])
	}
	transport, w, err := parseCase(args[2])
	if err != nil {
		return err
	}
	l := link{transport: transport, dir: args[3], endpoint: args[4], many: w.kind == addMany}
	switch role := args[1]; {
	case role == "server" && transport != "inproc":
		endpoint, err := lib.serve(l)
		if err != nil {
			return fmt.Errorf("rpcbench: %s: serve: %w", args[0], err)
		}
		err = company.ServeWorker(in, out, endpoint, serving{})
		return fmt.Errorf("rpcbench: %s: server: %w", args[0], err)
	case role != "client":
		return fmt.Errorf("rpcbench: worker: no side of %s has the name %q", args[2], role)
	}
	c, err := lib.connect(l)
	if err != nil {
		return fmt.Errorf("rpcbench: %s: dial: %w", args[0], err)
	}
	err = company.ServeWorker(in, out, l.endpoint, newCalling(w, c))
	return fmt.Errorf("rpcbench: %s: client: %w", args[0], err)
}

// connect gives a client, whose server is elsewhere or here.
func (lib library) connect(l link) (caller, error) {
	if l.transport == "inproc" {
		return lib.local()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return lib.dial(ctx, l)
}

// socketPath is where a link's socket is.
func (l link) socketPath() string { return filepath.Join(l.dir, socketFile) }
