package zmq_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// TestInteropCurve talks CURVE with libzmq, each side being the server.
func TestInteropCurve(t *testing.T) {
	py := startPython(t)
	server, client := zmq.NewKeyPair(), zmq.NewKeyPair()
	sizes := []int{0, 1, 255, 256, 9000, 64 << 10, 1 << 20}
	t.Run("we serve", func(t *testing.T) {
		py.t = t
		rep := open(t, zmq.Rep, zmq.Options{Security: zmq.CurveServer(server, zmq.AllowKeys(client.Public()))})
		py.do("new a REQ")
		py.do("opt a CURVE_SERVERKEY s:%s", server.Public())
		py.do("opt a CURVE_PUBLICKEY s:%s", client.Public())
		py.do("opt a CURVE_SECRETKEY s:%s", client.Secret().Z85())
		py.do("connect a %s", bind(t, rep, "tcp://127.0.0.1:*"))
		for _, n := range sizes {
			m := []string{strings.Repeat("c", n), "", "x"}
			py.do("send a %s", hexFrames(m...))
			want(t, rep, m...)
			send(t, rep, m...)
			if got := py.do("recv a"); got != hexFrames(m...) {
				t.Fatalf("they received %.100q", got)
			}
		}
	})
	t.Run("they serve", func(t *testing.T) {
		py.t = t
		req := open(t, zmq.Req, zmq.Options{Security: zmq.CurveClient(client, server.Public())})
		py.do("new b REP")
		py.do("opt b CURVE_SERVER 1")
		py.do("opt b CURVE_SECRETKEY s:%s", server.Secret().Z85())
		connect(t, req, py.do("bind b tcp://127.0.0.1:*"))
		for _, n := range sizes {
			m := []string{strings.Repeat("c", n), "", "x"}
			send(t, req, m...)
			if got := py.do("recv b"); got != hexFrames(m...) {
				t.Fatalf("they received %.100q", got)
			}
			py.do("send b %s", hexFrames(m...))
			want(t, req, m...)
		}
	})
	t.Run("subscriptions", func(t *testing.T) {
		py.t = t
		xpub := open(t, zmq.XPub, zmq.Options{Security: zmq.CurveServer(server, zmq.AllowAny)})
		py.do("new c SUB")
		py.do("opt c CURVE_SERVERKEY s:%s", server.Public())
		py.do("opt c CURVE_PUBLICKEY s:%s", client.Public())
		py.do("opt c CURVE_SECRETKEY s:%s", client.Secret().Z85())
		py.do("opt c SUBSCRIBE s:topic")
		py.do("connect c %s", bind(t, xpub, "tcp://127.0.0.1:*"))
		want(t, xpub, "\x01topic")
		send(t, xpub, "topic", "news")
		if got := py.do("recv c"); got != hexFrames("topic", "news") {
			t.Fatalf("they received %q", got)
		}
	})
	py.t = t
}

// TestInteropPlain talks PLAIN with libzmq.
func TestInteropPlain(t *testing.T) {
	py := startPython(t)
	pull := open(t, zmq.Pull, zmq.Options{Security: zmq.PlainServer(zmq.AllowUsers(map[string]string{"admin": "secret"}))})
	actual := bind(t, pull, "tcp://127.0.0.1:*")
	for i, password := range []string{"wrong", "secret"} {
		py.do("new p%d PUSH", i)
		py.do("opt p%d LINGER 0", i)
		py.do("opt p%d PLAIN_USERNAME s:admin", i)
		py.do("opt p%d PLAIN_PASSWORD s:%s", i, password)
		py.do("connect p%d %s", i, actual)
		py.do("send p%d %s", i, hexFrames(password))
	}
	want(t, pull, "secret")
	nothing(t, pull)
	push := open(t, zmq.Push, zmq.Options{Security: zmq.PlainClient("any", "body")})
	py.do("exec import zmq.auth.thread; auth = zmq.auth.thread.ThreadAuthenticator(ctx); auth.start(); auth.configure_plain(domain='*', passwords={'any': 'body'})")
	py.do("new s PULL")
	py.do("opt s PLAIN_SERVER 1")
	connect(t, push, py.do("bind s tcp://127.0.0.1:*"))
	send(t, push, "to them")
	if got := py.do("recv s"); got != hexFrames("to them") {
		t.Errorf("they received %q", got)
	}
	py.do("exec auth.stop()")
}

// TestInteropHeartbeat keeps connections alive with PING and PONG on both sides.
func TestInteropHeartbeat(t *testing.T) {
	py := startPython(t)
	o := zmq.Options{HeartbeatInterval: 10 * time.Millisecond, HeartbeatTimeout: 2 * time.Second}
	pull := open(t, zmq.Pull, o)
	events := pull.Monitor(100)
	py.do("new a PUSH")
	py.do("opt a HEARTBEAT_IVL 10")
	py.do("opt a HEARTBEAT_TIMEOUT 2000")
	py.do("connect a %s", bind(t, pull, "tcp://127.0.0.1:*"))
	py.do("send a 31")
	want(t, pull, "1")
	writes := pull.Stats().Writes
	until(t, "ten heartbeats", func() bool { return pull.Stats().Writes >= writes+10 })
	py.do("send a 32")
	want(t, pull, "2")
	for len(events) > 0 {
		if e := <-events; e.Kind == zmq.Disconnected {
			t.Errorf("%v", e)
		}
	}
}

// TestInteropReconnect kills a libzmq peer and starts another at its place.
func TestInteropReconnect(t *testing.T) {
	endpoint := "ipc://" + filepath.Join(t.TempDir(), "s")
	dealer := open(t, zmq.Dealer, zmq.Options{ReconnectInterval: 5 * time.Millisecond})
	connect(t, dealer, endpoint)
	for i := range 3 {
		py := startPython(t)
		py.do("new a DEALER")
		py.do("bind a %s", endpoint)
		send(t, dealer, fmt.Sprint(i), "x")
		if got := py.do("recv a"); got != hexFrames(fmt.Sprint(i), "x") {
			t.Fatalf("they received %q", got)
		}
		py.do("send a 79")
		want(t, dealer, "y")
		_ = py.cmd.Process.Kill()
		until(t, "the loss was noticed", func() bool { return zmq.Live(dealer) == 0 })
	}
}

// TestInteropLarge moves a message of 256 MiB.
func TestInteropLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("256 MiB")
	}
	py := startPython(t)
	const n = 256 << 20
	pull := open(t, zmq.Pull, zmq.Options{MaxMessageBytes: -1})
	py.do("new a PUSH")
	py.do("connect a %s", bind(t, pull, "tcp://127.0.0.1:*"))
	py.do("exec socks['a'].send(b'z' * %d)", n)
	frames, err := pull.Recv(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(frames) != 1 || len(frames[0]) != n || frames[0][n-1] != 'z' || frames[0][n/2] != 'z' {
		t.Errorf("%d frames arrived", len(frames))
	}
	push := open(t, zmq.Push)
	py.do("new b PULL")
	connect(t, push, py.do("bind b tcp://127.0.0.1:*"))
	if err := push.Send(within(t), frames[0]); err != nil {
		t.Fatal(err)
	}
	py.do("exec assert len(socks['b'].recv()) == %d", n)
}
