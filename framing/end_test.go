package framing_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/spin"
	"github.com/fairlead-go/fairlead/segment"
)

// The system tells of a reset once. Where Send had met it, Recv found the end of the
// stream, as if the peer had closed after its last message.
func TestResetIsNoEnd(t *testing.T) {
	noLeakPool(t)
	x, y := conns(t, "tcp")
	p := framing.NewPipe(y, framing.PipeOptions{})
	defer p.Close()
	if _, err := x.Write(encode(t, framing.Binary, text(segment.New(heap{}), 1, "came before"))); err != nil {
		t.Fatal(err)
	}
	if n, _ := recvText(t, p); n != 1 {
		t.Errorf("got message %d", n)
	}
	if err := x.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = x.Close()
	var err error
	for err == nil {
		err = p.Send(t.Context(), text(p.NewMessage(0), 1, "hello?"))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Skipf("here a reset is told so: %v", err)
	}
	if _, err := p.Recv(t.Context()); !errors.Is(err, framing.ErrDisconnected) {
		t.Errorf("Recv after a reset: %v, want ErrDisconnected", err)
	}
}

// Package tls gives io.EOF where the connection below was cut between two messages.
func TestCutOfTLSIsNoEnd(t *testing.T) {
	noLeakPool(t)
	for what, end := range map[string]func(whole, below net.Conn) error{
		"closed": func(whole, _ net.Conn) error { return whole.Close() },
		"cut":    func(_, below net.Conn) error { return below.Close() },
	} {
		t.Run(what, func(t *testing.T) {
			x, y := conns(t, "tcp")
			server, client := certificate(t)
			peer := tls.Server(x, server)
			p := framing.NewPipe(tls.Client(spin.NewSocket(y), client), framing.PipeOptions{})
			defer p.Close()
			if _, err := peer.Write(encode(t, framing.Binary, text(segment.New(heap{}), 1, "came before"))); err != nil {
				t.Fatal(err)
			}
			if err := end(peer, x); err != nil {
				t.Fatal(err)
			}
			if n, _ := recvText(t, p); n != 1 {
				t.Errorf("got message %d", n)
			}
			_, err := p.Recv(t.Context())
			if cut := errors.Is(err, framing.ErrDisconnected); cut != (what == "cut") || !cut && err != io.EOF {
				t.Errorf("Recv at the end: %v", err)
			}
		})
	}
}
