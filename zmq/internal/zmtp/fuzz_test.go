package zmtp_test

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

func FuzzGreeting(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		g, n, err := zmtp.ParseGreeting(b)
		known(t, err)
		for end := range b {
			if _, _, early := zmtp.ParseGreeting(b[:end]); early != nil && err == nil {
				t.Fatalf("%v for %d bytes, none for all", early, end)
			}
		}
		if err != nil || n == 0 {
			return
		}
		again, n, err := zmtp.ParseGreeting(zmtp.AppendGreeting(nil, g))
		if again != g || n != zmtp.GreetingSize || err != nil {
			t.Fatalf("%+v comes back as %+v, %v", g, again, err)
		}
		for _, mechanism := range []string{zmtp.NULL, zmtp.PLAIN, zmtp.CURVE} {
			minor, err := zmtp.Negotiate(zmtp.Greeting{Major: 3, Minor: 1, Mechanism: mechanism, AsServer: true}, g)
			known(t, err)
			if err == nil && (g.Mechanism != mechanism || minor > 1) {
				t.Fatalf("%s agrees with %+v to speak 3.%d", mechanism, g, minor)
			}
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte, limit uint64) {
		h, n, err := zmtp.ParseHeader(b, limit)
		known(t, err)
		if err != nil || n == 0 {
			if n != 0 || h != (zmtp.FrameHeader{}) || err == nil && len(b) >= zmtp.MaxHeader {
				t.Fatalf("%+v, %d, %v", h, n, err)
			}
			return
		}
		if h.Size > limit || h.Size > math.MaxInt64 || h.More && h.Command || n > len(b) {
			t.Fatalf("%+v in %d bytes, the limit is %d", h, n, limit)
		}
		again, _, err := zmtp.ParseHeader(zmtp.AppendHeader(nil, h), limit)
		if again != h || err != nil {
			t.Fatalf("%+v comes back as %+v, %v", h, again, err)
		}
	})
}

func FuzzCommand(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := zmtp.ParseCommand(b)
		known(t, err)
		if err != nil {
			return
		}
		if got := zmtp.AppendCommand(nil, c.Name, c.Data); !bytes.Equal(got, b) {
			t.Fatalf("%q comes back as %q", b, got)
		}
		if p, err := zmtp.ParsePing(c.Data); err == nil {
			if got := zmtp.AppendPing(nil, p); !bytes.Equal(got[5:], c.Data) {
				t.Fatalf("PING %q comes back as %q", c.Data, got[5:])
			}
		} else {
			known(t, err)
		}
		if context, err := zmtp.ParsePong(c.Data); err == nil {
			zmtp.AppendPong(nil, context)
		} else {
			known(t, err)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := zmtp.ParseMetadata(b)
		known(t, err)
		if err != nil {
			return
		}
		if got := zmtp.AppendMetadata(nil, m); !bytes.Equal(got, b) {
			t.Fatalf("%q comes back as %q", b, got)
		}
		for _, p := range m {
			if v, ok := m.Get(p.Name); !ok || !bytes.Equal(v, p.Value) {
				t.Fatalf("property %s is %q, %v", p.Name, v, ok)
			}
		}
		_, _ = m.SocketType(), m.Identity()
	})
}

func FuzzSubscription(f *testing.F) {
	f.Fuzz(func(t *testing.T, command bool, b []byte) {
		s, ok, err := zmtp.ParseSubscription(command, b)
		known(t, err)
		if ok && err != nil || len(s.Topic) > zmtp.MaxTopic {
			t.Fatalf("%+v, %v", s, err)
		}
		if !ok {
			return
		}
		if got := zmtp.AppendSubscription(nil, s, command); !bytes.Equal(got, b) {
			t.Fatalf("%q comes back as %q", b, got)
		}
	})
}

func FuzzZ85(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		k, err := zmtp.ParsePublicKey(text)
		known(t, err)
		if err == nil && k.String() != text {
			t.Fatalf("%q comes back as %q", text, k)
		}
	})
}

// feed gives m the commands of a stream of frames, as from a socket, and checks
// what has to hold after each.
func feed(t *testing.T, m zmtp.Mechanism, stream []byte) {
	t.Helper()
	if _, _, err := m.Next(nil); err != nil {
		t.Fatal(err)
	}
	ended := false
	for {
		h, n, err := zmtp.ParseHeader(stream, zmtp.MaxHandshake)
		known(t, err)
		if err != nil || n == 0 || uint64(len(stream)-n) < h.Size {
			return
		}
		out, done, err := m.Next(stream[n : n+int(h.Size)])
		stream = stream[n+int(h.Size):]
		known(t, err)
		if ended && err == nil {
			t.Fatal("goes on after its end")
		}
		if done != (m.Peer() != nil) || done && err != nil {
			t.Fatalf("done %v, %v, but the peer is %+v", done, err, m.Peer())
		}
		if done && !m.Peer().SocketType().Valid() {
			t.Fatalf("the peer is %+v", m.Peer())
		}
		if len(out) > zmtp.MaxHandshake {
			t.Fatalf("sends %d bytes", len(out))
		}
		ended = done || err != nil
	}
}

func FuzzNULL(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, kind := range []zmtp.SocketType{zmtp.Router, zmtp.Dealer, zmtp.Sub} {
			feed(t, must(zmtp.NewNULL(says(kind, ""))), stream)
		}
	})
}

func FuzzPLAINClient(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte) { feed(t, pairs()[1].client(), stream) })
}

func FuzzPLAINServer(f *testing.F) {
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := pairs()[1].server()
		feed(t, m, stream)
		if m.Peer() != nil && (m.User() != "admin" || !bytes.Contains(stream, []byte("secret"))) {
			t.Fatal("let in without the password")
		}
	})
}

// damage changes b at some place, and tells whether it did.
func damage(b []byte, at uint16, mask []byte) ([]byte, bool) {
	c := bytes.Clone(b)
	for i, m := range mask {
		c[(int(at)+i)%len(c)] ^= m
	}
	return c, !bytes.Equal(b, c)
}

// outcome checks what became of a command of CURVE that was damaged or not.
func outcome(t *testing.T, damaged bool, err error) {
	t.Helper()
	known(t, err)
	if damaged && !errors.Is(err, zmtp.ErrAuth) {
		t.Fatalf("a damaged command gives %v", err)
	}
}

// accepted tells whether metadata is what a socket of that type takes.
func accepted(raw []byte, kind zmtp.SocketType) bool {
	m := must(zmtp.NewNULL(says(kind, "")))
	_, _, _ = m.Next(nil)
	_, done, _ := m.Next(append([]byte("\x05READY"), raw...))
	return done
}

// The client is honest but for a command of it that is damaged on its way, and
// its metadata. Its stream, in the clear, is tried as well.
func FuzzCURVEServer(f *testing.F) {
	f.Fuzz(func(t *testing.T, command byte, at uint16, mask, metadata []byte) {
		feed(t, pairs()[2].server(), metadata)
		m := must(zmtp.NewCURVEServer(serverKeys, zmtp.AllowAny, says(zmtp.Router, "")))
		c := newRFCClient(serverKeys.Public())
		hello, damaged := c.hello(1), false
		if command%3 == 0 {
			hello, damaged = damage(hello, at, mask)
		}
		welcome, _, err := m.Next(hello)
		outcome(t, damaged, err)
		if damaged {
			return
		}
		c.welcome(t, welcome)
		initiate := c.initiate(2, metadata)
		if command%3 == 1 {
			initiate, damaged = damage(initiate, at, mask)
		}
		_, done, err := m.Next(initiate)
		if len(hello)+len(initiate) <= zmtp.MaxHandshake {
			outcome(t, damaged, err)
			if want := !damaged && accepted(metadata, zmtp.Router); done != want {
				t.Fatalf("done %v, %v, want %v", done, err, want)
			}
		}
		if !done {
			return
		}
		b := message("CurveZMQMESSAGEC", 3, append([]byte{command & 2}, metadata...), c.serverPub, c.sec)
		if command%3 == 2 {
			b, damaged = damage(b, at, mask)
		}
		_, isCommand, payload, err := m.Wrapper().Unwrap(b)
		outcome(t, damaged, err)
		if !damaged && (err != nil || !bytes.Equal(payload, metadata) || isCommand != (command&2 != 0)) {
			t.Fatalf("%q comes as %q, %v", metadata, payload, err)
		}
	})
}

// The same with an honest server.
func FuzzCURVEClient(f *testing.F) {
	f.Fuzz(func(t *testing.T, command byte, at uint16, mask, metadata []byte) {
		feed(t, pairs()[2].client(), metadata)
		m := must(zmtp.NewCURVEClient(clientKeys, serverKeys.Public(), says(zmtp.Dealer, "")))
		s := newRFCServer()
		hello, _, err := m.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		s.hello(t, hello)
		welcome, damaged := s.welcome(), false
		if command%3 == 0 {
			welcome, damaged = damage(welcome, at, mask)
		}
		initiate, _, err := m.Next(welcome)
		outcome(t, damaged, err)
		if damaged {
			return
		}
		s.initiate(t, initiate)
		ready := s.ready(1, metadata)
		if command%3 == 1 {
			ready, damaged = damage(ready, at, mask)
		}
		_, done, err := m.Next(ready)
		if len(welcome)+len(ready) <= zmtp.MaxHandshake {
			outcome(t, damaged, err)
			if want := !damaged && accepted(metadata, zmtp.Dealer); done != want {
				t.Fatalf("done %v, %v, want %v", done, err, want)
			}
		}
		if !done {
			return
		}
		b := message("CurveZMQMESSAGES", 2, append([]byte{command & 2}, metadata...), s.client, s.sec)
		if command%3 == 2 {
			b, damaged = damage(b, at, mask)
		}
		_, isCommand, payload, err := m.Wrapper().Unwrap(b)
		outcome(t, damaged, err)
		if !damaged && (err != nil || !bytes.Equal(payload, metadata) || isCommand != (command&2 != 0)) {
			t.Fatalf("%q comes as %q, %v", metadata, payload, err)
		}
	})
}

var fuzzSender, fuzzReceiver *zmtp.Wrapper

// Any bytes instead of a MESSAGE, and any damage to one.
func FuzzUnwrap(f *testing.F) {
	fuzzSender, fuzzReceiver = session(f)
	f.Fuzz(func(t *testing.T, flags byte, body []byte, at uint16, mask []byte) {
		sender, receiver := fuzzSender.Clone(), fuzzReceiver.Clone()
		if _, _, _, err := receiver.Unwrap(bytes.Clone(body)); !errors.Is(err, zmtp.ErrAuth) {
			t.Fatalf("bytes in the clear give %v", err)
		}
		more, command := flags&3 == 1, flags&3 == 2
		frame := must(sender.Wrap(nil, more, command, body))
		_, n, err := zmtp.ParseHeader(frame, math.MaxUint64)
		if err != nil {
			t.Fatal(err)
		}
		b, damaged := damage(frame[n:], at, mask)
		gotMore, gotCommand, payload, err := receiver.Unwrap(b)
		outcome(t, damaged, err)
		if !damaged && (err != nil || gotMore != more || gotCommand != command || !bytes.Equal(payload, body)) {
			t.Fatalf("%q comes as %q, %v", body, payload, err)
		}
	})
}
