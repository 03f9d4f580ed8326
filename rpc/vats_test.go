package rpc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	mathbig "math/big"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
)

// A wiring connects two vats.
type wiring struct {
	name    string
	connect func(t *testing.T) (a, b rpc.Transport)
}

// watched is the wiring whose connections have interceptors.
const watched = "loop, watched"

var wirings = []wiring{
	{"loop", loop},
	{watched, loop},
	{"unix", func(t *testing.T) (a, b rpc.Transport) {
		x, y := unixPair(t)
		return framing.NewPipe(x, framing.PipeOptions{}), framing.NewPipe(y, framing.PipeOptions{})
	}},
	{"tcp", func(t *testing.T) (a, b rpc.Transport) {
		x, y := streamPair(t, "tcp", "127.0.0.1:0")
		return framing.NewPipe(x, framing.PipeOptions{}), framing.NewPipe(y, framing.PipeOptions{})
	}},
	{"net.Pipe", func(t *testing.T) (a, b rpc.Transport) {
		x, y := net.Pipe()
		return framing.NewPipe(x, framing.PipeOptions{}), framing.NewPipe(y, framing.PipeOptions{})
	}},
	{"TLS", func(t *testing.T) (a, b rpc.Transport) {
		x, y := unixPair(t)
		config := tlsConfig(t)
		return framing.NewPipe(tls.Client(x, config), framing.PipeOptions{}), framing.NewPipe(tls.Server(y, config), framing.PipeOptions{})
	}},
}

func unixPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	return streamPair(t, "unix", filepath.Join(t.TempDir(), "s"))
}

func streamPair(t testing.TB, network, address string) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

var tlsConfig = func() func(t *testing.T) *tls.Config {
	make := sync.OnceValues(func() (*tls.Config, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		template := &x509.Certificate{
			SerialNumber: mathbig.NewInt(1), Subject: pkix.Name{CommonName: "vat"}, DNSNames: []string{"vat"},
			NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			return nil, err
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AddCert(cert)
		return &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, RootCAs: pool, ServerName: "vat",
		}, nil
	})
	return func(t *testing.T) *tls.Config {
		c, err := make()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}()

// loop is the simplest transport that there can be: messages in memory, without
// bound, read from where the sender built them.
func loop(t *testing.T) (a, b rpc.Transport) {
	p, q := newLine(), newLine()
	return &end{in: p, out: q}, &end{in: q, out: p}
}

// A line carries messages one way.
type line struct {
	mu     sync.Mutex
	msgs   []*segment.Message
	closed bool
	some   chan struct{} // has a token if there may be something
}

func newLine() *line { return &line{some: make(chan struct{}, 1)} }

func (l *line) signal() {
	select {
	case l.some <- struct{}{}:
	default:
	}
}

type end struct{ in, out *line }

func (e *end) NewMessage(hint int) *segment.Message { return segment.NewSized(arena.Pool(), hint) }
func (e *end) Flush() error                         { return nil }

func (e *end) Send(_ context.Context, m *segment.Message) error {
	defer m.Release()
	b, err := framing.Marshal(m)
	if err != nil {
		return err
	}
	copied, _, err := framing.Unmarshal(b)
	if err != nil {
		return err
	}
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	if e.out.closed {
		copied.Release()
		return io.ErrClosedPipe
	}
	e.out.msgs = append(e.out.msgs, copied)
	e.out.signal()
	return nil
}

func (e *end) Recv(ctx context.Context) (*segment.Message, error) {
	for {
		e.in.mu.Lock()
		if len(e.in.msgs) > 0 {
			m := e.in.msgs[0]
			e.in.msgs = e.in.msgs[1:]
			e.in.mu.Unlock()
			return m, nil
		}
		closed := e.in.closed
		e.in.mu.Unlock()
		if closed {
			return nil, io.EOF
		}
		select {
		case <-e.in.some:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (e *end) Close() error {
	for _, l := range []*line{e.in, e.out} {
		l.mu.Lock()
		l.closed = true
		l.signal()
		l.mu.Unlock()
	}
	return nil
}

// vats are two connected vats. a has nothing to offer but what it sends, b has
// the bootstrap capability. In one process there are no connections.
type vats struct {
	a, b *rpc.Conn
	here rpc.Client // the bootstrap capability, in one process
}

// boot gives the bootstrap capability as a has it. The caller owns it.
func (v vats) boot() rpc.Client {
	if v.a == nil {
		return v.here.Retain()
	}
	return v.a.Bootstrap()
}

// everywhere is onEach, and runs the test in one process as well.
func everywhere(t *testing.T, test func(t *testing.T, connect func(bootstrap rpc.Client) vats)) {
	t.Helper()
	t.Run("in process", func(t *testing.T) {
		test(t, func(bootstrap rpc.Client) vats {
			t.Cleanup(bootstrap.Release)
			return vats{here: bootstrap}
		})
	})
	onEach(t, test)
}

// onEach runs a test on vats that are connected in each way. At the end both
// connections must be idle: nothing is held any more.
func onEach(t *testing.T, test func(t *testing.T, connect func(bootstrap rpc.Client) vats)) {
	t.Helper()
	for _, w := range wirings {
		t.Run(w.name, func(t *testing.T) {
			test(t, func(bootstrap rpc.Client) vats { return meet(t, w, bootstrap, rpc.Limits{}) })
		})
	}
}

func meet(t *testing.T, w wiring, bootstrap rpc.Client, limits rpc.Limits) vats {
	t.Helper()
	x, y := w.connect(t)
	ours, theirs := rpc.ConnOptions{Limits: limits}, rpc.ConnOptions{Bootstrap: bootstrap, Limits: limits}
	if w.name == watched {
		watchAll(t, &ours, &theirs)
	}
	v := vats{a: rpc.NewConn(x, ours), b: rpc.NewConn(y, theirs)}
	t.Cleanup(func() {
		if !t.Failed() && v.a.Err() == nil && v.b.Err() == nil {
			v.idle(t)
		}
		v.a.Close()
		v.b.Close()
	})
	return v
}

// idle waits until neither connection holds anything for the other.
func (v vats) idle(t *testing.T) {
	t.Helper()
	within(t, func() string {
		for name, c := range map[string]*rpc.Conn{"a": v.a, "b": v.b} {
			s := c.Stats()
			if s.Questions+s.Answers+s.Exports+s.Imports+s.Executing+s.Embargoes != 0 || s.QueuedBytes != 0 {
				return fmt.Sprintf("%s is not idle: %+v", name, s)
			}
		}
		return ""
	})
}

// within waits until check has nothing to say.
func within(t *testing.T, check func() string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		what := check()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
		time.Sleep(time.Millisecond)
	}
}
