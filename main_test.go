package fairlead_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// within bounds what a test waits for.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// until waits for what comes about soon.
func until(t testing.TB, what string, is func() bool) {
	t.Helper()
	for ctx := within(t); !is(); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("never: %s", what)
		}
	}
}

// A way is a URL to listen at, and the options for both ends.
type way struct {
	name         string
	url          string
	server, dial fairlead.Options
}

// ways are all transports, each at an address of its own.
func ways(t testing.TB) []way {
	t.Helper()
	dir := shortDir(t)
	server, client := tlsConfigs(t)
	secure := fairlead.Options{TLS: server}
	all := []way{
		{name: "tcp", url: "tcp://127.0.0.1:0"},
		{name: "tls", url: "tls://127.0.0.1:*", server: secure, dial: fairlead.Options{TLS: client}},
		{name: "unix", url: "unix://" + filepath.Join(dir, "stream")},
		{name: "zmq+tcp", url: "zmq+tcp://127.0.0.1:*"},
		{name: "zmq+ipc", url: "zmq+ipc://" + filepath.Join(dir, "zmq")},
		{name: "zmq+inproc", url: "zmq+inproc://" + dir},
	}
	shared := way{name: "shm", url: "shm://" + filepath.Join(dir, "shared")}
	if ln, err := fairlead.Listen(shared.url, shared.server); !errors.Is(err, errors.ErrUnsupported) {
		if err == nil {
			_ = ln.Close()
		}
		all = append(all, shared)
	}
	return all
}

// onAll runs a test over each transport.
func onAll(t *testing.T, f func(t *testing.T, w way)) {
	t.Helper()
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) { f(t, w) })
	}
}

// shortDir is a folder whose name leaves room for that of a socket.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%s was left behind", entries[0].Name())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

var tlsConfigs = func() func(t testing.TB) (server, client *tls.Config) {
	once := sync.OnceValues(func() (*tls.Config, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		ca := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		}
		der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
		if err != nil {
			return nil, err
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AddCert(leaf)
		return &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}},
			RootCAs:      pool, ClientCAs: pool,
			MinVersion: tls.VersionTLS13,
		}, nil
	})
	return func(t testing.TB) (server, client *tls.Config) {
		t.Helper()
		both, err := once()
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: both.Certificates, MinVersion: both.MinVersion},
			&tls.Config{RootCAs: both.RootCAs, MinVersion: both.MinVersion}
	}
}()

func listen(t testing.TB, w way) *fairlead.Listener {
	t.Helper()
	ln, err := fairlead.Listen(w.url, w.server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	})
	return ln
}

// connect gives both ends of a new pipe.
func connect(t testing.TB, w way, ln *fairlead.Listener) (here, there fairlead.Pipe) {
	t.Helper()
	type accepted struct {
		p   fairlead.Pipe
		err error
	}
	ctx := within(t)
	got := make(chan accepted, 1)
	go func() {
		p, err := ln.Accept(ctx)
		got <- accepted{p, err}
	}()
	here, err := fairlead.Dial(ctx, ln.URL(), w.dial)
	a := <-got
	if err != nil {
		t.Fatal(err)
	}
	if a.err != nil {
		t.Fatal(a.err)
	}
	t.Cleanup(func() {
		_ = here.Close()
		_ = a.p.Close()
	})
	return here, a.p
}

func pair(t testing.TB, w way) (here, there fairlead.Pipe) {
	t.Helper()
	return connect(t, w, listen(t, w))
}

func text(p fairlead.Pipe, s string) *segment.Message {
	m := p.NewMessage(0)
	m.RootBuilder().SetText(s)
	return m
}

func send(t testing.TB, p fairlead.Pipe, s string) {
	t.Helper()
	if err := p.Send(within(t), text(p, s)); err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, p fairlead.Pipe, s string) {
	t.Helper()
	m, err := p.Recv(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if got := m.Root().Text(); got != s {
		t.Fatalf("received %.40q, want %.40q", got, s)
	}
}

// exchange sends while the other end receives: a stream's kernel takes only part
// of a large message before that.
func exchange(t testing.TB, from, to fairlead.Pipe, s string) {
	t.Helper()
	ctx := within(t)
	sent := make(chan error, 1)
	go func() { sent <- from.Send(ctx, text(from, s)) }()
	want(t, to, s)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
}

// large is a text that no transport copies to send it with others.
var large = strings.Repeat("large ", 1<<18)
