package zmqbench

import (
	"context"
	_ "embed" // the C program is compiled at run time

	"github.com/fairlead-go/fairlead/bench/company"
)

//go:embed libzmq/libzmq.c
var libzmqSource []byte

// buildLibzmq compiles the worker on libzmq. See [company.Program.Build].
func buildLibzmq(ctx context.Context) (string, error) {
	return company.Program{
		File:     "libzmq.c",
		Source:   libzmqSource,
		Compiler: "gcc",
		Args:     []string{"-std=gnu11", "-O2", "-Wall"},
		Libs:     []string{"-lzmq", "-lpthread"},
	}.Build(ctx)
}
