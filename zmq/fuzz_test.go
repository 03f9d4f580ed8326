package zmq_test

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// FuzzPeer lets a peer say anything behind an honest greeting, or without one,
// to each type of socket. Nothing may panic, hang or be left over.
func FuzzPeer(f *testing.F) {
	f.Add(uint8(zmq.Pull), true, frame([]byte("hello"), false, false))
	f.Add(uint8(zmq.XPub), true, frame([]byte("\x01topic"), false, false))
	f.Add(uint8(zmq.XPub), true, frame([]byte("\x09SUBSCRIBEtopic"), true, false))
	f.Add(uint8(zmq.Rep), true, append(frame(nil, false, true), frame([]byte("q"), false, false)...))
	f.Add(uint8(zmq.Router), true, frame([]byte("\x04PING\x00\x00abc"), true, false))
	f.Add(uint8(zmq.Pull), true, []byte{2, 0x40, 0, 0, 0, 0, 0, 0, 0})
	f.Add(uint8(zmq.Pull), false, greeting())
	f.Add(uint8(zmq.Sub), true, append(frame([]byte("t"), false, true), 1, 0, 1, 0, 0, 0))
	partner := map[zmq.Type]string{
		zmq.Pair: "PAIR", zmq.Pub: "SUB", zmq.Sub: "PUB", zmq.XPub: "XSUB", zmq.XSub: "XPUB", zmq.Req: "REP",
		zmq.Rep: "REQ", zmq.Dealer: "ROUTER", zmq.Router: "DEALER", zmq.Push: "PULL", zmq.Pull: "PUSH",
	}
	f.Fuzz(func(t *testing.T, kind uint8, shaken bool, b []byte) {
		typ := zmq.Type((int(kind)+len(partner)-1)%len(partner)) + zmq.Pair
		s := zmq.New(typ, zmq.Options{MaxMessageBytes: 1 << 16, Linger: -1})
		defer func() { _ = s.Close() }()
		c, err := net.Dial("unix", strings.TrimPrefix(bind(t, s, "ipc://*"), "ipc://"))
		if err != nil {
			t.Skip(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(patience))
		if shaken {
			b = append(append(greeting(), ready(partner[typ])...), b...)
		}
		if _, err := c.Write(b); err != nil {
			return
		}
		_ = c.(*net.UnixConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Fatal("the connection was not closed")
			}
		}
	})
}

// FuzzServer lets a server that we connect to say anything.
func FuzzServer(f *testing.F) {
	f.Add(greeting())
	f.Add(append(greeting(), ready("PULL")...))
	f.Add(append(append(greeting(), ready("PULL")...), frame(zmtp.AppendError(nil, "no"), true, false)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Skip(err)
		}
		defer func() { _ = ln.Close() }()
		s := zmq.NewPush(zmq.Options{ReconnectInterval: -1, Linger: -1})
		defer func() { _ = s.Close() }()
		connect(t, s, "ipc://"+ln.Addr().String())
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write(b); err != nil {
			return
		}
		_ = c.(*net.UnixConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c); err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				t.Fatal("the connection was not closed")
			}
		}
	})
}

// FuzzEndpoint binds and connects to nothing, but parses.
func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"tcp://127.0.0.1:5555", "tcp://*:*", "ipc:///tmp/x", "ipc://*", "inproc://a", "tcp://", "udp://x:1", "tcp://[::1]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { zmq.ParseEndpoint(s) })
}
