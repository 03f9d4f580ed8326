package rpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

var cutStep = flag.Int("cutstep", 211, "at every how many bytes conversations over TLS and ZeroMQ are cut")

// A meter counts what passes through connections, in both directions, and ends
// them when it was so much.
type meter struct {
	most int64 // below 0 for no end

	mu     sync.Mutex
	passed int64
	cut    bool
	conns  []net.Conn
}

// through gives c as the meter sees it.
func (m *meter) through(c net.Conn) net.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conns = append(m.conns, c)
	return metered{c, m}
}

type metered struct {
	net.Conn
	m *meter
}

func (c metered) Write(b []byte) (int, error) {
	m := c.m
	m.mu.Lock()
	n := len(b)
	if left := m.most - m.passed; m.most >= 0 && int64(n) >= left {
		n, m.cut = int(left), true
	}
	m.passed += int64(n)
	cut, conns := m.cut, m.conns
	m.mu.Unlock()
	n, err := c.Conn.Write(b[:n])
	if cut {
		for _, c := range conns {
			_ = c.Close()
		}
		return n, net.ErrClosed
	}
	return n, err
}

// converse holds the conversation between two transports, of which cut tells
// whether they were cut. All of it ends, and nothing is left.
func converse(t *testing.T, a, b rpc.Transport, cut func() bool) {
	t.Helper()
	h := newHost()
	server := rpc.NewConn(b, rpc.ConnOptions{Bootstrap: h.serve()})
	client := rpc.NewConn(a, rpc.ConnOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), *patience)
	defer cancel()
	far := client.Bootstrap()
	err := conversation(ctx, far)
	far.Release()
	switch {
	case ctx.Err() != nil:
		t.Fatalf("a call waits: %v", err)
	case cut():
		for who, c := range map[string]*rpc.Conn{"client": client, "server": server} {
			select {
			case <-c.Done():
			case <-ctx.Done():
				t.Fatalf("the %s has not noticed the end", who)
			}
		}
	case err != nil:
		t.Fatal(err)
	}
	_ = client.Close()
	_ = server.Close()
	h.gone(t)
}

// What TLS and ZeroMQ make of a conversation, cut at every byte, their handshakes
// included as far as a connection comes of them.
func TestCutLive(t *testing.T) {
	for _, test := range []struct {
		name    string
		connect func(t *testing.T, m *meter) (a, b rpc.Transport)
	}{
		{"TLS", func(t *testing.T, m *meter) (a, b rpc.Transport) {
			x, y := unixPair(t)
			config := tlsConfig(t)
			return framing.NewPipe(tls.Client(m.through(x), config), framing.PipeOptions{}),
				framing.NewPipe(tls.Server(m.through(y), config), framing.PipeOptions{})
		}},
		{"zmq ipc", func(t *testing.T, m *meter) (a, b rpc.Transport) {
			dir := t.TempDir()
			ln, err := zmq.Listen("ipc://"+filepath.Join(dir, "s"), zmq.PipeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			between, err := net.Listen("unix", filepath.Join(dir, "r"))
			if err != nil {
				t.Fatal(err)
			}
			var all sync.WaitGroup
			all.Go(func() {
				near, err := between.Accept()
				if err != nil {
					return
				}
				far, err := net.Dial("unix", filepath.Join(dir, "s"))
				if err != nil {
					t.Error(err)
					return
				}
				near, far = m.through(near), m.through(far)
				all.Go(func() { _, _ = io.Copy(near, far); near.Close(); far.Close() })
				_, _ = io.Copy(far, near)
				near.Close()
				far.Close()
			})
			t.Cleanup(func() {
				_ = between.Close()
				_ = ln.Close()
				all.Wait()
			})
			p, err := zmq.Dial(t.Context(), "ipc://"+filepath.Join(dir, "r"), zmq.PipeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			q, err := ln.Accept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return p, q
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			at := int64(0)
			if test.name != "TLS" { // a ZeroMQ socket goes on connecting until its handshake is done
				m := &meter{most: -1}
				a, b := test.connect(t, m)
				m.mu.Lock()
				at = m.passed + 1
				m.mu.Unlock()
				_ = a.Close()
				_ = b.Close()
			}
			cuts := 0
			for whole := false; !whole; at += int64(*cutStep) {
				t.Run("", func(t *testing.T) {
					m := &meter{most: at}
					a, b := test.connect(t, m)
					converse(t, a, b, func() bool {
						m.mu.Lock()
						defer m.mu.Unlock()
						whole = !m.cut
						return m.cut
					})
				})
				if t.Failed() {
					t.Fatalf("cut at byte %d", at)
				}
				cuts++
			}
			t.Logf("%d cuts up to byte %d", cuts, at)
		})
	}
}

// counted is a transport that ends after some messages.
type counted struct {
	rpc.Transport
	left *atomic.Int64
}

var errCut = errors.New("the transport was cut")

func (c counted) Send(ctx context.Context, m *segment.Message) error {
	if c.left.Add(-1) < 0 {
		m.Release()
		_ = c.Close()
		return errCut
	}
	return c.Transport.Send(ctx, m)
}

// A conversation that ends after each of its messages, on every transport.
func TestCutBetweenMessages(t *testing.T) {
	for _, w := range wirings {
		t.Run(w.name, func(t *testing.T) {
			for n, whole := int64(0), false; !whole; n++ {
				t.Run("", func(t *testing.T) {
					a, b := w.connect(t)
					var left atomic.Int64
					left.Store(n)
					converse(t, counted{a, &left}, counted{b, &left}, func() bool {
						whole = left.Load() >= 0
						return !whole
					})
				})
				if t.Failed() {
					t.Fatalf("cut after message %d", n)
				}
			}
		})
	}
}
