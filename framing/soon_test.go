package framing_test

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/spin"
)

// A pipe looks for the next message before it sleeps once each was answered for a
// while, until one is not.
func TestExpects(t *testing.T) {
	for _, test := range []struct {
		name  string
		conns func(t *testing.T) (a, b net.Conn)
	}{
		{"unix", func(t *testing.T) (a, b net.Conn) { return conns(t, "unix") }},
		{"tcp", func(t *testing.T) (a, b net.Conn) { return conns(t, "tcp") }},
		{"TLS", tlsConns},
	} {
		t.Run(test.name, func(t *testing.T) {
			noLeak(t)
			x, y := test.conns(t)
			a, b := framing.NewPipe(x, framing.PipeOptions{}), framing.NewPipe(y, framing.PipeOptions{})
			defer a.Close()
			defer b.Close()
			exchange := func(answered bool) {
				sendText(t, a, 1, "x")
				receiveText(t, b, 1)
				if answered {
					sendText(t, b, 2, "y")
					receiveText(t, a, 2)
				}
			}
			for n := range framing.ManyAnswered + 1 {
				if a.Expects() || b.Expects() {
					t.Fatalf("it looks after %d messages", n)
				}
				exchange(true)
			}
			if !a.Expects() || !b.Expects() {
				t.Errorf("after %d messages the two ends look: %v %v", framing.ManyAnswered, a.Expects(), b.Expects())
			}
			// That nothing was answered is known at the next read.
			exchange(false)
			exchange(true)
			if !a.Expects() || b.Expects() {
				t.Errorf("after one that was not answered the two ends look: %v %v", a.Expects(), b.Expects())
			}
		})
	}
}

func receiveText(t *testing.T, p *framing.Pipe, want int64) {
	t.Helper()
	msg, err := p.Recv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	if n, _ := readText(msg); n != want {
		t.Errorf("message %d, want %d", n, want)
	}
}

// tlsConns gives both ends of a TLS connection over sockets that can look.
func tlsConns(t *testing.T) (a, b net.Conn) {
	x, y := conns(t, "tcp")
	server, client := certificate(t)
	return tls.Client(spin.NewSocket(x), client), tls.Server(spin.NewSocket(y), server)
}

// A server that refuses the client's certificate says so only after the client has
// begun to send: what it said is received though nothing more can be sent.
func TestAlertAfterBrokenWrite(t *testing.T) {
	server, client := certificate(t)
	server.ClientAuth = tls.RequireAnyClientCert
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"socket":     func(c net.Conn) net.Conn { return c },
		"that looks": func(c net.Conn) net.Conn { return spin.NewSocket(c) },
	} {
		t.Run(name, func(t *testing.T) {
			x, y := conns(t, "tcp")
			p := framing.NewPipe(tls.Client(wrap(x), client), framing.PipeOptions{})
			defer func() { _ = p.Close() }()
			go func() {
				_ = tls.Server(y, server).Handshake()
				_ = y.Close()
			}()
			for p.Send(t.Context(), text(p.NewMessage(0), 1, "x")) == nil && p.Flush() == nil {
				time.Sleep(time.Millisecond)
			}
			if _, err := p.Recv(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate required") {
				t.Errorf("received %v, want the alert", err)
			}
		})
	}
}
