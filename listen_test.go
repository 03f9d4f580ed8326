package fairlead_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/zmq"
)

func TestAcceptMany(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		ln := listen(t, w)
		var here, there [3]fairlead.Pipe
		for i := range here {
			here[i], there[i] = connect(t, w, ln)
		}
		for i := range here {
			send(t, here[i], strings.Repeat("x", i))
		}
		for i := range here {
			want(t, there[i], strings.Repeat("x", i))
			send(t, there[i], "back")
			want(t, here[i], "back")
		}
	})
}

func TestListenerCloses(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		ln := listen(t, w)
		here, there := connect(t, w, ln)
		ended := make(chan error)
		go func() {
			_, err := ln.Accept(context.Background())
			ended <- err
		}()
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, fairlead.ErrClosed) {
			t.Errorf("Accept that Close ended: %v, want ErrClosed", err)
		}
		if _, err := ln.Accept(within(t)); !errors.Is(err, fairlead.ErrClosed) {
			t.Errorf("Accept after Close: %v, want ErrClosed", err)
		}
		// What was accepted lives on, and the address is free again.
		send(t, here, "still there")
		want(t, there, "still there")
		w.url = ln.URL()
		again := listen(t, w)
		here2, there2 := connect(t, w, again)
		send(t, there2, "anew")
		want(t, here2, "anew")
		send(t, there, "and again")
		want(t, here, "and again")
	})
}

func TestAcceptContext(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		ln := listen(t, w)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() {
			_, err := ln.Accept(ctx)
			ended <- err
		}()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want context.Canceled", err)
		}
		here, there := connect(t, w, ln)
		send(t, here, "hello")
		want(t, there, "hello")
	})
}

// TestNotAccepted closes a listener that somebody has connected to.
func TestNotAccepted(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		ln := listen(t, w)
		_, _ = connect(t, w, ln) // so that the listener's socket lives on
		here, err := fairlead.Dial(within(t), ln.URL(), w.dial)
		if err != nil {
			t.Fatal(err)
		}
		defer here.Close()
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := here.Recv(within(t)); err != io.EOF && !errors.Is(err, fairlead.ErrDisconnected) {
			t.Errorf("%v, want io.EOF or ErrDisconnected", err)
		}
	})
}

func TestListenTwice(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		ln := listen(t, w)
		_, err := fairlead.Listen(ln.URL(), w.server)
		if err == nil || !strings.Contains(err.Error(), ln.URL()) {
			t.Errorf("%v, want one that names %s", err, ln.URL())
		}
		here, there := connect(t, w, ln)
		send(t, here, "hello")
		want(t, there, "hello")
	})
}

func TestDialNobody(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		ln := listen(t, w)
		if err := ln.Close(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(within(t))
		if strings.HasPrefix(w.name, "zmq") {
			cancel()
		}
		defer cancel()
		if p, err := fairlead.Dial(ctx, ln.URL(), w.dial); err == nil {
			_ = p.Close()
			t.Fatal("connected to nobody")
		} else if !strings.Contains(err.Error(), ln.URL()) {
			t.Errorf("%v, want one that names %s", err, ln.URL())
		}
	})
}

func TestPeer(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		server, client := tlsConfigs(t)
		client.Certificates = server.Certificates
		server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, client.RootCAs
		keys, theirs := zmq.NewKeyPair(), zmq.NewKeyPair()
		w.server.TLS, w.dial.TLS = server, client
		w.server.ZMQ.Security = zmq.CurveServer(keys, zmq.AllowKeys(theirs.Public()))
		w.dial.ZMQ.Security = zmq.CurveClient(theirs, keys.Public())
		here, there := pair(t, w)
		p := there.Peer()
		switch w.name {
		case "tcp", "zmq+tcp", "tls":
			if host, _, err := net.SplitHostPort(p.Addr); err != nil || host != "127.0.0.1" {
				t.Errorf("address %q, want one of 127.0.0.1", p.Addr)
			}
		default:
			if p.Addr != "" && p.Addr != "@" {
				t.Errorf("address %q, want none", p.Addr)
			}
		}
		switch w.name {
		case "unix", "shm":
			if p.Process == nil || p.Process.UID != os.Getuid() || p.Process.PID != os.Getpid() {
				t.Errorf("process %+v, want uid %d, pid %d", p.Process, os.Getuid(), os.Getpid())
			}
		case "tls":
			if p.TLS == nil || len(p.TLS.VerifiedChains) == 0 || p.TLS.PeerCertificates[0].Subject.CommonName != "test" {
				t.Errorf("TLS %+v, want a certificate", p.TLS)
			}
			if s := here.Peer().TLS; s == nil || len(s.VerifiedChains) == 0 {
				t.Error("the server's certificate is missing")
			}
		case "zmq+tcp", "zmq+ipc":
			if p.User != theirs.Public().String() {
				t.Errorf("user %q, want the key %v", p.User, theirs.Public())
			}
		}
		if p.String() == "" {
			t.Error("no description")
		}
	})
}

// TestSilentClients has many connect who never begin the handshake.
func TestSilentClients(t *testing.T) {
	for _, w := range ways(t) {
		if w.name != "tls" {
			continue
		}
		ln := listen(t, w)
		addr := strings.TrimPrefix(ln.URL(), "tls://")
		for range 1100 { // more than time-outs alone would get rid of while we wait
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		here, there := connect(t, w, ln)
		send(t, here, "hello")
		want(t, there, "hello")
	}
}

func TestTLSRefusals(t *testing.T) {
	server, client := tlsConfigs(t)
	for _, tc := range []struct {
		name         string
		server, dial fairlead.Options
		want         string
	}{
		{"no certificate", fairlead.Options{}, fairlead.Options{}, "no certificate"},
		{"unknown authority", fairlead.Options{TLS: server}, fairlead.Options{}, "certificate"},
		{"other name", fairlead.Options{TLS: server}, fairlead.Options{TLS: &tls.Config{RootCAs: client.RootCAs, ServerName: "other"}}, "other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ln, err := fairlead.Listen("tls://127.0.0.1:0", tc.server)
			if err == nil {
				defer ln.Close()
				_, err = fairlead.Dial(within(t), ln.URL(), tc.dial)
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "tls://127.0.0.1") {
				t.Errorf("%v, want one of %q that names the URL", err, tc.want)
			}
		})
	}
}

func TestOptionsRefused(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		w.server.HighWater = -1
		if _, err := fairlead.Listen(w.url, w.server); err == nil || !strings.Contains(err.Error(), "-1") {
			t.Errorf("%v, want one that names -1", err)
		}
	})
}
