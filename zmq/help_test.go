package zmq_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// patience is how long something may take that is not expected to take long.
const patience = 10 * time.Second

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, typ zmq.Type, o ...zmq.Options) *zmq.Socket {
	t.Helper()
	s := zmq.New(typ, o...)
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

func send(t testing.TB, s *zmq.Socket, frames ...string) {
	t.Helper()
	if err := s.Send(within(t), byteFrames(frames)...); err != nil {
		t.Fatal(err)
	}
}

func byteFrames(frames []string) [][]byte {
	var b [][]byte
	for _, f := range frames {
		b = append(b, []byte(f))
	}
	return b
}

func recv(t testing.TB, s *zmq.Socket) []string {
	t.Helper()
	frames, err := s.Recv(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return texts(frames)
}

func texts(frames [][]byte) (s []string) {
	for _, f := range frames {
		s = append(s, string(f))
	}
	return s
}

func want(t testing.TB, s *zmq.Socket, frames ...string) {
	t.Helper()
	if got := recv(t, s); !equal(got, frames) {
		t.Fatalf("received %.200q, want %.200q", got, frames)
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// nothing fails if a message arrives in a short while.
func nothing(t testing.TB, s *zmq.Socket) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if frames, err := s.Recv(ctx); err == nil {
		t.Fatalf("received %.200q, want nothing", frames)
	}
}

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// transports are endpoints to bind.
func transports(t testing.TB) map[string]string {
	return map[string]string{
		"tcp":    "tcp://127.0.0.1:*",
		"ipc":    "ipc://" + filepath.Join(t.TempDir(), "s"),
		"inproc": "inproc://" + strings.ReplaceAll(t.Name(), "/", "-"),
	}
}

// A failingListener is out of descriptors.
type failingListener struct{ calls atomic.Int64 }

func (l *failingListener) Accept() (net.Conn, error) {
	l.calls.Add(1)
	return nil, syscall.EMFILE
}
func (l *failingListener) Close() error   { return nil }
func (l *failingListener) Addr() net.Addr { return &net.TCPAddr{} }
