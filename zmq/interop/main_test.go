package interop_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/zmq"
)

var (
	large    = flag.Bool("large", false, "exchange frames of 256 MiB too")
	restarts = flag.Int("restarts", 3, "how often each test of reconnecting kills its peer")
	patience = flag.Duration("patience", 30*time.Second, "how long to wait for what is expected to happen soon")
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	flag.Parse()
	if dir := os.Getenv("TMPDIR"); len(dir) > 40 {
		// The path of an ipc socket has at most 107 bytes.
		_ = os.Setenv("TMPDIR", "/tmp")
	}
	goleak.VerifyTestMain(m)
}

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), *patience)
	t.Cleanup(cancel)
	return ctx
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(*patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func open(t testing.TB, typ zmq.Type, o zmq.Options) *zmq.Socket {
	t.Helper()
	if o.ReconnectInterval == 0 {
		o.ReconnectInterval, o.ReconnectMax = 10*time.Millisecond, 50*time.Millisecond
	}
	if o.Linger == 0 {
		o.Linger = -1
	}
	s := zmq.New(typ, o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func bind(t testing.TB, s *zmq.Socket, endpoint string) string {
	t.Helper()
	actual, err := s.Bind(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	return actual
}

func connect(t testing.TB, s *zmq.Socket, endpoint string) {
	t.Helper()
	if err := s.Connect(endpoint); err != nil {
		t.Fatal(err)
	}
}

// wildcard is an endpoint to bind. A folder of a test's own has too long a name
// for a socket.
func wildcard(t testing.TB, transport string) string {
	t.Helper()
	if transport == "tcp" {
		return "tcp://127.0.0.1:*"
	}
	dir, err := os.MkdirTemp("", "zmq")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return "ipc://" + filepath.Join(dir, "s")
}

// cells runs a test over tcp and ipc, with either side bound.
func cells(t *testing.T, test func(t *testing.T, transport string, weBind bool)) {
	for _, transport := range []string{"tcp", "ipc"} {
		for _, weBind := range []bool{true, false} {
			who := "they bind"
			if weBind {
				who = "we bind"
			}
			t.Run(transport+"/"+who, func(t *testing.T) { test(t, transport, weBind) })
		}
	}
}

// meet connects our socket and the peer's.
func meet(t testing.TB, s *zmq.Socket, p *peer, name, transport string, weBind bool) (endpoint string) {
	t.Helper()
	endpoint = wildcard(t, transport)
	if weBind {
		endpoint = bind(t, s, endpoint)
		p.do("connect", name, endpoint)
	} else {
		endpoint = p.do("bind", name, endpoint)[0]
		connect(t, s, endpoint)
	}
	return endpoint
}

// await takes events until one is wanted.
func await(t testing.TB, events <-chan zmq.Event, what string, wanted func(zmq.Event) bool) zmq.Event {
	t.Helper()
	var seen []zmq.Event
	timeout := time.NewTimer(*patience)
	defer timeout.Stop()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				t.Fatalf("no event: %s; the monitor was closed after %v", what, seen)
			}
			if wanted(e) {
				return e
			}
			seen = append(seen, e)
		case <-timeout.C:
			t.Fatalf("no event: %s; there were %v", what, seen)
		}
	}
}

func isKind(k zmq.EventKind) func(zmq.Event) bool {
	return func(e zmq.Event) bool { return e.Kind == k }
}

// number is how the messages of a sequence begin.
func number(i int) []byte { return fmt.Appendf(nil, "%08d", i) }
