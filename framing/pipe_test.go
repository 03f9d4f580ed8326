package framing_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// What all of Fairlead's pipes offer.
var _ interface {
	NewMessage(sizeHint int) *segment.Message
	Send(ctx context.Context, msg *segment.Message) error
	Flush() error
	Recv(ctx context.Context) (*segment.Message, error)
	Close() error
} = (*framing.Pipe)(nil)

var networks = []string{"tcp", "unix", "tls", "net.Pipe"}

// conns are the two ends of a connection.
func conns(t testing.TB, network string) (a, b net.Conn) {
	t.Helper()
	var ln net.Listener
	var err error
	switch network {
	case "net.Pipe":
		return net.Pipe()
	case "tls":
		// On top of a TCP connection.
		a, b = conns(t, "tcp")
		server, client := certificate(t)
		return tls.Client(a, client), tls.Server(b, server)
	case "unix":
		// A path of a test's folder may be too long for a socket.
		dir, err := os.MkdirTemp("", "framing")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		ln, err = net.Listen("unix", filepath.Join(dir, "s"))
		if err != nil {
			t.Skipf("no unix sockets here: %v", err)
		}
	default:
		ln, err = net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = ln.Close() }()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	a, err = net.Dial(ln.Addr().Network(), ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return a, <-accepted
}

var certificate = func() func(t testing.TB) (server, client *tls.Config) {
	make := sync.OnceValues(func() (tls.Certificate, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return tls.Certificate{}, err
		}
		c := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: "framing"},
			DNSNames:     []string{"framing.test"},
			NotBefore:    time.Now().Add(-time.Hour),
			NotAfter:     time.Now().Add(time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	})
	return func(t testing.TB) (server, client *tls.Config) {
		t.Helper()
		cert, err := make()
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(leaf)
		return &tls.Config{Certificates: []tls.Certificate{cert}},
			&tls.Config{RootCAs: pool, ServerName: "framing.test"}
	}
}()

// pipes are the two ends of a connection, as pipes that the test's end closes.
func pipes(t testing.TB, network string, o framing.PipeOptions) (a, b *framing.Pipe) {
	t.Helper()
	ca, cb := conns(t, network)
	a, b = framing.NewPipe(ca, o), framing.NewPipe(cb, o)
	t.Cleanup(func() {
		// A peer that is gone already is no fault here.
		_ = a.Close()
		_ = b.Close()
	})
	return a, b
}

// sendText sends one message. Any goroutine may call it.
func sendText(t testing.TB, p *framing.Pipe, n int64, s string) {
	t.Helper()
	if err := p.Send(context.Background(), text(p.NewMessage(0), n, s)); err != nil {
		t.Error(err)
	}
}

// recvText receives one message.
func recvText(t testing.TB, p *framing.Pipe) (int64, string) {
	t.Helper()
	m, err := p.Recv(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	n, s := readText(m)
	if err := m.Err(); err != nil {
		t.Fatal(err)
	}
	return n, s
}

func TestPipeEcho(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			noLeakPool(t)
			a, b := pipes(t, network, framing.PipeOptions{VerifyOnRecv: true})
			done := make(chan error, 1)
			go func() {
				for {
					m, err := b.Recv(context.Background())
					if err == nil {
						err = b.Send(context.Background(), m) // a received message can be sent on
					}
					if err != nil {
						done <- err
						return
					}
				}
			}()
			for i := range 200 {
				want := string(make([]byte, i*i%40_000))
				sendText(t, a, int64(i), want)
				if n, s := recvText(t, a); n != int64(i) || s != want {
					t.Fatalf("sent %d and %d bytes, got %d and %d bytes", i, len(want), n, len(s))
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if err := <-done; err != io.EOF {
				t.Errorf("the peer of a closed pipe got %v, want io.EOF", err)
			}
			as, bs := a.Stats(), b.Stats()
			if as.Sent != 200 || as.Received != 200 || bs.Sent != 200 || bs.Received != 200 {
				t.Errorf("counted %+v and %+v", as, bs)
			}
			if as.SentBytes != bs.ReceivedBytes || bs.SentBytes != as.ReceivedBytes || as.SentBytes == 0 {
				t.Errorf("counted bytes %+v and %+v", as, bs)
			}
			if as.Copied == 0 || as.Copied == 200 {
				t.Errorf("%d messages of 200 were copied; small ones are and large ones aren't", as.Copied)
			}
			if as.WaitingBytes != 0 || as.Dropped != 0 || as.Errors != 0 {
				t.Errorf("counted %+v", as)
			}
		})
	}
}

// noLeakPool checks that messages give their arena's memory back, and the
// receive buffers too.
func noLeakPool(t *testing.T) {
	t.Helper()
	noLeak(t)
	blocks, _ := arena.Pool().Outstanding()
	t.Cleanup(func() {
		if after, _ := arena.Pool().Outstanding(); after != blocks {
			t.Errorf("%d blocks of the pool were not given back", after-blocks)
		}
	})
}

// TestManySendersAndReceivers: messages of one sender stay in order and none is
// mixed with another, lost or doubled.
func TestManySendersAndReceivers(t *testing.T) {
	const senders, each = 8, 300
	for _, network := range networks {
		for _, manual := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/manual %v", network, manual), func(t *testing.T) {
				noLeakPool(t)
				a, b := pipes(t, network, framing.PipeOptions{ManualFlush: manual, HighWater: 200_000, VerifyOnRecv: true})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				var wg sync.WaitGroup
				for s := range senders {
					wg.Go(func() {
						for i := range each {
							body := string(make([]byte, (i*131+s)%3000))
							if i%50 == s {
								body = string(make([]byte, 70_000+s))
							}
							if s%2 == 0 {
								sendText(t, a, int64(s*each+i), body)
							} else if err := a.Send(ctx, text(a.NewMessage(0), int64(s*each+i), body)); err != nil {
								t.Error(err)
							}
						}
						if err := a.Flush(); err != nil {
							t.Error(err)
						}
					})
				}
				var mu sync.Mutex
				seen := make(map[int64]int)
				var total int
				for range 3 {
					wg.Go(func() {
						for {
							m, err := b.Recv(ctx)
							if errors.Is(err, context.Canceled) {
								return
							}
							if err != nil {
								t.Error(err)
								return
							}
							n, s := readText(m)
							i, from := int(n)%each, int(n)/each
							want := (i*131 + from) % 3000
							if i%50 == from {
								want = 70_000 + from
							}
							if len(s) != want {
								t.Errorf("message %d has %d bytes, want %d", n, len(s), want)
							}
							m.Release()
							mu.Lock()
							seen[n]++
							total++
							if total == senders*each {
								cancel()
							}
							mu.Unlock()
						}
					})
				}
				wg.Wait()
				for n, times := range seen {
					if times != 1 {
						t.Errorf("message %d came %d times", n, times)
					}
				}
				if len(seen) != senders*each {
					t.Errorf("%d messages came, want %d", len(seen), senders*each)
				}
			})
		}
	}
}

func TestOrderOfOneSender(t *testing.T) {
	a, b := pipes(t, "tcp", framing.PipeOptions{})
	const n = 5000
	go func() {
		for i := range n {
			sendText(t, a, int64(i), "x")
		}
	}()
	for i := range n {
		if got, _ := recvText(t, b); got != int64(i) {
			t.Fatalf("message %d came in the place of %d", got, i)
		}
	}
}

// countingConn counts the writes that reach the connection.
type countingConn struct {
	net.Conn
	mu     sync.Mutex
	writes int
	gate   chan struct{} // each write takes one, if not nil
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.writes++
	c.mu.Unlock()
	if c.gate != nil {
		<-c.gate
	}
	return c.Conn.Write(p)
}

func (c *countingConn) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

func TestManualFlushIsOneWrite(t *testing.T) {
	ca, cb := conns(t, "tcp")
	counting := &countingConn{Conn: ca}
	a, b := framing.NewPipe(counting, framing.PipeOptions{ManualFlush: true}), framing.NewPipe(cb, framing.PipeOptions{})
	defer closeBoth(t, a, b)
	for i := range 100 {
		sendText(t, a, int64(i), "hello")
	}
	if n := counting.count(); n != 0 {
		t.Errorf("%d writes before Flush", n)
	}
	if w := a.Stats().WaitingBytes; w != 100*(8+8+16+8) {
		t.Errorf("%d bytes are waiting", w)
	}
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := counting.count(); n != 1 {
		t.Errorf("%d writes for one Flush", n)
	}
	if s := a.Stats(); s.Writes != 1 || s.Sent != 100 || s.WaitingBytes != 0 {
		t.Errorf("counted %+v", s)
	}
	for i := range 100 {
		if n, _ := recvText(t, b); n != int64(i) {
			t.Fatalf("message %d came in the place of %d", n, i)
		}
	}
	if s := b.Stats(); s.Reads > 3 {
		t.Errorf("%d reads for what was one write", s.Reads)
	}
}

func closeBoth(t *testing.T, a, b *framing.Pipe) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestGroupCommit: what is sent while a write is under way leaves with the next
// one, and none is forgotten.
func TestGroupCommit(t *testing.T) {
	ca, cb := conns(t, "tcp")
	counting := &countingConn{Conn: ca, gate: make(chan struct{})}
	a, b := framing.NewPipe(counting, framing.PipeOptions{}), framing.NewPipe(cb, framing.PipeOptions{})
	defer closeBoth(t, a, b)
	first := make(chan struct{})
	go func() {
		defer close(first)
		sendText(t, a, 0, "leads")
	}()
	for counting.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	for i := range 50 {
		sendText(t, a, int64(i+1), "follows") // does not block
	}
	counting.gate <- struct{}{}
	counting.gate <- struct{}{}
	<-first
	for i := range 51 {
		if n, _ := recvText(t, b); n != int64(i) {
			t.Fatalf("message %d came in the place of %d", n, i)
		}
	}
	if n := counting.count(); n != 2 {
		t.Errorf("%d writes, want 2", n)
	}
	close(counting.gate)
}

// TestLeaderIsRelieved: one Send does not go on writing for all others.
func TestLeaderIsRelieved(t *testing.T) {
	ca, cb := conns(t, "tcp")
	counting := &countingConn{Conn: ca, gate: make(chan struct{})}
	a, b := framing.NewPipe(counting, framing.PipeOptions{}), framing.NewPipe(cb, framing.PipeOptions{})
	defer closeBoth(t, a, b)
	led := make(chan struct{})
	go func() {
		defer close(led)
		sendText(t, a, 0, "leads")
	}()
	for i := range 3 {
		for counting.count() != i+1 {
			time.Sleep(time.Millisecond)
		}
		sendText(t, a, int64(i+1), "follows")
		if i == 2 {
			<-led // although the third write is stuck
		}
		counting.gate <- struct{}{}
	}
	counting.gate <- struct{}{}
	for i := range 4 {
		if n, _ := recvText(t, b); n != int64(i) {
			t.Fatalf("message %d came in the place of %d", n, i)
		}
	}
	close(counting.gate)
}

func TestFaultyMessageIsNotSent(t *testing.T) {
	a, b := pipes(t, "tcp", framing.PipeOptions{})
	bad := segment.New(failing{})
	bad.NewRoot(segment.Size{DataWords: 1})
	if err := a.Send(context.Background(), bad); !errors.Is(err, errNoMemory) {
		t.Errorf("%v, want the arena's error", err)
	}
	sendText(t, a, 1, "good")
	if n, s := recvText(t, b); n != 1 || s != "good" {
		t.Errorf("got %d %q", n, s)
	}
	if s := a.Stats(); s.Sent != 1 || s.Errors != 1 {
		t.Errorf("counted %+v", s)
	}
}

func TestPipeArena(t *testing.T) {
	own := arena.NewPool(arena.PoolOptions{})
	a, b := pipes(t, "tcp", framing.PipeOptions{Arena: own})
	m := text(a.NewMessage(100_000), 1, "from my own")
	if blocks, bytes := own.Outstanding(); blocks != 1 || bytes < 100_000 {
		t.Errorf("%d blocks of %d bytes are out", blocks, bytes)
	}
	if err := a.Send(context.Background(), m); err != nil {
		t.Fatal(err)
	}
	if blocks, _ := own.Outstanding(); blocks != 0 {
		t.Errorf("%d blocks are out after Send", blocks)
	}
	if n, _ := recvText(t, b); n != 1 {
		t.Error("another message came")
	}
}

func TestRecvFaults(t *testing.T) {
	good := encode(t, framing.Binary, text(segment.New(heap{}), 1, "x"))
	cases := []struct {
		name   string
		stream []byte
		end    string
		offset int64
	}{
		{"closed between two messages", good, "EOF", -1},
		{"closed in a message", append(good[:len(good):len(good)], good[:13]...), "unexpected EOF", int64(len(good))},
		{"too many segments", append(good[:len(good):len(good)], 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0), "limit", int64(len(good))},
		{"no root", append(good[:len(good):len(good)], make([]byte, 8)...), "malformed", int64(len(good))},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			noLeak(t)
			ca, cb := conns(t, "tcp")
			p := framing.NewPipe(ca, framing.PipeOptions{})
			defer func() { _ = p.Close() }()
			if _, err := cb.Write(c.stream); err != nil {
				t.Fatal(err)
			}
			if err := cb.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if n, _ := recvText(t, p); n != 1 {
				t.Error("another message came")
			}
			_, err := p.Recv(context.Background())
			if endsAs(err) != c.end {
				t.Fatalf("ends with %v, want %s", err, c.end)
			}
			var at *framing.Error
			if c.offset >= 0 && (!errors.As(err, &at) || at.Offset != c.offset) {
				t.Errorf("%v does not say offset %d", err, c.offset)
			}
			if _, again := p.Recv(context.Background()); again != err {
				t.Errorf("then %v, want %v again", again, err)
			}
			// The other direction works on.
			sendText(t, p, 2, "y")
			m, err := framing.Read(cb)
			if err != nil {
				t.Fatal(err)
			}
			m.Release()
			_ = cb.Close()
		})
	}
}

func TestVerifyOnRecv(t *testing.T) {
	bad, err := segment.FromSegments([][]byte{{0xf0, 0, 0, 0, 1, 0, 0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	noLeak(t)
	a, b := pipes(t, "unix", framing.PipeOptions{VerifyOnRecv: true})
	if err := a.Send(context.Background(), bad); err != nil {
		t.Fatal(err)
	}
	sendText(t, a, 5, "sound")
	if _, err := b.Recv(context.Background()); !errors.Is(err, segment.ErrMalformed) {
		t.Errorf("%v, want malformed", err)
	}
	if n, s := recvText(t, b); n != 5 || s != "sound" {
		t.Errorf("got %d %q", n, s)
	}
}

func TestPipeMessages(t *testing.T) {
	a, b := pipes(t, "tcp", framing.PipeOptions{})
	for i := range 5 {
		m := a.NewMessage(0)
		m.NewRoot(segment.Size{DataWords: 1}).SetUint64(0, uint64(i))
		if err := a.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for msg, err := range b.Messages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if got := msg.Root().Struct().Uint64(0); got != n {
			t.Errorf("message %d is %d", n, got)
		}
		msg.Release()
		n++
	}
	if n != 5 {
		t.Errorf("%d messages, want 5", n)
	}
}
