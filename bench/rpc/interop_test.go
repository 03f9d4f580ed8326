package rpcbench

import (
	"testing"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// TestInterop has Fairlead's clients call the servers of the others who speak
// Cap'n Proto, and the other way round.
func TestInterop(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a C++ program and starts many processes")
	}
	ours, err := rivals(t.Context(), harness.Options{Who: []string{"fairlead"}})
	if err != nil {
		t.Fatal(err)
	}
	others, err := rivals(t.Context(), harness.Options{Who: []string{"go-capnp", "capnp-c++"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		if other.missing != "" {
			t.Run(other.who, func(t *testing.T) { require(t, other.missing) })
			continue
		}
		for _, sides := range [][2]*rival{{ours[0], other}, {other, ours[0]}} {
			server, client := sides[0], sides[1]
			for _, transport := range []string{"unix", "tcp", "tls"} {
				for _, w := range works {
					if server.who == "go-capnp" && w.pipelined {
						continue // see errWrongPipeline
					}
					name := transport + "/" + w.name
					t.Run(client.who+" calls "+server.who+"/"+name, func(t *testing.T) {
						p, err := startPair(server, client, name, transport)
						if err != nil {
							t.Fatal(err)
						}
						defer p.close()
						reports, _, err := p.turn("check", w.checkCalls())
						if err != nil {
							t.Fatal(err)
						}
						if got, want := reports[1].Hash, w.model(); got != want {
							t.Errorf("results hash to %016x, want %016x", got, want)
						}
					})
				}
			}
		}
	}
}
