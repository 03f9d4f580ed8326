//go:build !purego

package rpc_test

import (
	"context"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/shm"
)

func init() {
	wirings = append(wirings, wiring{"shm", shmPair})
}

func shmPair(t *testing.T) (a, b rpc.Transport) {
	t.Helper()
	ours, theirs, err := shm.Pair()
	if err != nil {
		t.Fatal(err)
	}
	type end struct {
		pipe *shm.Pipe
		err  error
	}
	far := make(chan end, 1)
	go func() {
		p, err := shm.Attach(context.Background(), theirs, shm.Options{})
		far <- end{p, err}
	}()
	near, err := shm.Attach(context.Background(), ours, shm.Options{})
	other := <-far
	if err != nil || other.err != nil {
		t.Fatal(err, other.err)
	}
	return near, other.pipe
}
