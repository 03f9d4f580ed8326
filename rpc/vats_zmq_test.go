package rpc_test

import (
	"path/filepath"
	"testing"

	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/zmq"
)

func init() {
	wirings = append(wirings,
		wiring{"zmq inproc", func(t *testing.T) (a, b rpc.Transport) { return zmqPair(t, "inproc://"+t.Name()) }},
		wiring{"zmq ipc", func(t *testing.T) (a, b rpc.Transport) {
			return zmqPair(t, "ipc://"+filepath.Join(t.TempDir(), "s"))
		}},
	)
}

func zmqPair(t *testing.T, endpoint string) (a, b rpc.Transport) {
	t.Helper()
	// One namespace for both, or they would not meet in one process.
	o := zmq.PipeOptions{Socket: zmq.Options{Namespace: new(zmq.Namespace)}}
	l, err := zmq.Listen(endpoint, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p, err := zmq.Dial(t.Context(), endpoint, o)
	if err != nil {
		t.Fatal(err)
	}
	q, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p, q
}
