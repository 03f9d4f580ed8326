package reference

import (
	"context"
	_ "embed" // the C++ program is compiled at run time
	"errors"
	"os/exec"
	"time"

	"github.com/fairlead-go/fairlead/bench/cpp"
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/bench/schema"
)

// The contestants beside Fairlead and the floor.
const (
	peerName   = "capnp-c++"
	peerO3Name = "capnp-c++-O3"
	scaledName = "capnp-c++-scaled"
)

//go:embed cpp/reference.c++
var peerSource []byte

// buildPeer compiles the C++ program.
func buildPeer(ctx context.Context, flags ...string) (string, error) {
	return cpp.Program{Name: "reference", Source: peerSource, Flags: flags, Schemas: map[string][]byte{
		"carsales.capnp": schema.CarSales,
		"catrank.capnp":  schema.CatRank,
		"eval.capnp":     schema.Eval,
	}}.Build(ctx)
}

// peer is a C++ program's process, or the reason why there is none.
type peer struct {
	who     string
	child   *harness.Child
	version string
	missing string
}

// startPeers starts the C++ programs that are wanted: one as the library's own
// build has it, and one that the compiler did more for.
func startPeers(ctx context.Context, opt harness.Options) ([]peer, error) {
	var peers []peer
	for _, p := range []struct {
		who   string
		flags []string
	}{{peerName, nil}, {peerO3Name, []string{"-O3"}}} {
		if !opt.WantsWho(p.who) {
			continue
		}
		started, err := startPeer(ctx, p.who, p.flags)
		if err != nil {
			return nil, errors.Join(err, closePeers(peers))
		}
		peers = append(peers, started)
	}
	return peers, nil
}

func startPeer(ctx context.Context, who string, flags []string) (peer, error) {
	program, err := buildPeer(ctx, flags...)
	if errors.Is(err, cpp.ErrMissing) {
		return peer{who: who, missing: err.Error()}, nil
	}
	if err != nil {
		return peer{}, err
	}
	child, err := harness.StartChild(exec.Command(program))
	if err != nil {
		return peer{}, err
	}
	version, err := child.Version()
	if err != nil {
		return peer{}, errors.Join(err, child.Close())
	}
	return peer{who: who, child: child, version: version}, nil
}

func closePeers(peers []peer) error {
	var errs []error
	for _, p := range peers {
		if p.child != nil {
			errs = append(errs, p.child.Close())
		}
	}
	return errors.Join(errs...)
}

func (p peer) contestant(name string) harness.Contestant {
	if p.child == nil {
		return harness.Absent(p.who, p.missing)
	}
	return p.child.Contestant(p.who, p.who, name)
}

func (p peer) note() string {
	if p.child == nil {
		return p.who + ": missing: " + p.missing
	}
	return p.who + ": " + p.version
}

// timed measures what do takes.
func timed(do func() error) (harness.Sample, error) {
	before := countAllocs()
	start := time.Now()
	err := do()
	elapsed := time.Since(start)
	allocs := countAllocs().since(before)
	return harness.Sample{Elapsed: elapsed, Counted: true, Allocs: allocs.objects, AllocBytes: allocs.bytes}, err
}
