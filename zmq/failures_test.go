package zmq_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// Each test here is named for a failure that a peer caused in some engine.

// A raw is a peer that says whatever bytes the test wants.
type raw struct {
	t testing.TB
	net.Conn
}

func dialRaw(t testing.TB, endpoint string) *raw {
	t.Helper()
	network, addr, _ := strings.Cut(endpoint, "://")
	if network == "ipc" {
		network = "unix"
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &raw{t, c}
}

func (r *raw) say(b ...[]byte) {
	r.t.Helper()
	if _, err := r.Write(bytes.Join(b, nil)); err != nil {
		r.t.Fatal(err)
	}
}

func greeting() []byte {
	return zmtp.AppendGreeting(nil, zmtp.Greeting{Major: 3, Minor: 1, Mechanism: zmtp.NULL})
}

func frame(body []byte, command, more bool) []byte {
	b := zmtp.AppendHeader(nil, zmtp.FrameHeader{Command: command, More: more, Size: uint64(len(body))})
	return append(b, body...)
}

func ready(socketType string) []byte {
	m := zmtp.Metadata{}
	if socketType != "" {
		m = append(m, zmtp.Property{Name: zmtp.PropSocketType, Value: []byte(socketType)})
	}
	return frame(zmtp.AppendCommand(nil, "READY", zmtp.AppendMetadata(nil, m)), true, false)
}

// shake makes an honest handshake and reads what the other side says in it.
func (r *raw) shake(socketType string) *raw {
	r.t.Helper()
	r.say(greeting(), ready(socketType))
	b := make([]byte, zmtp.GreetingSize)
	if _, err := io.ReadFull(r, b); err != nil {
		r.t.Fatal(err)
	}
	r.frame()
	return r
}

// frame reads one frame.
func (r *raw) frame() (zmtp.FrameHeader, []byte) {
	r.t.Helper()
	var b []byte
	for {
		h, n, err := zmtp.ParseHeader(b, 1<<20)
		if err != nil {
			r.t.Fatal(err)
		}
		if n > 0 {
			body := make([]byte, h.Size)
			if _, err := io.ReadFull(r, body); err != nil {
				r.t.Fatal(err)
			}
			return h, body
		}
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			r.t.Fatal(err)
		}
		b = append(b, one[0])
	}
}

// dropped fails unless the other side closes the connection.
func (r *raw) dropped() {
	r.t.Helper()
	if _, err := io.Copy(io.Discard, r); errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatal("the connection was not closed")
	}
}

// honest fails unless an honest peer can still send to the PULL.
func honest(t testing.TB, pull *zmq.Socket, endpoint string) {
	t.Helper()
	push := open(t, zmq.Push)
	connect(t, push, endpoint)
	send(t, push, "honest")
	want(t, pull, "honest")
}

func TestBadHandshakesAreDropped(t *testing.T) {
	huge := append([]byte{2}, binary.BigEndian.AppendUint64(nil, 1<<62)...)
	for name, bytes := range map[string][][]byte{
		"frame of 2^62 bytes before READY":   {greeting(), huge},
		"command of 2^62 bytes before READY": {greeting(), append([]byte{6}, huge[1:]...)},
		"READY without Socket-Type":          {greeting(), ready("")},
		"READY with unknown Socket-Type":     {greeting(), ready("TELEPHONE")},
		"READY with Socket-Type PULL":        {greeting(), ready("PULL")},
		"READY with a truncated property":    {greeting(), frame([]byte("\x05READY\x0bSocket-Type\x00\x00\x00\x09PUSH"), true, false)},
		"a message before READY":             {greeting(), frame([]byte("hello"), false, false)},
		"HTTP":                               {[]byte("GET / HTTP/1.1\r\n\r\n")},
		"frame of 2^62 bytes after READY":    {greeting(), ready("PUSH"), huge},
		"reserved flags":                     {greeting(), ready("PUSH"), {0x80, 0}},
		"command without a name":             {greeting(), ready("PUSH"), {4, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			pull := open(t, zmq.Pull)
			endpoint := bind(t, pull, "tcp://127.0.0.1:*")
			r := dialRaw(t, endpoint)
			r.say(bytes...)
			r.dropped()
			honest(t, pull, endpoint)
		})
	}
}

func TestSilentPeersDoNotBlockAccept(t *testing.T) {
	pull := open(t, zmq.Pull, zmq.Options{HandshakeTimeout: time.Hour})
	endpoint := bind(t, pull, "tcp://127.0.0.1:*")
	events := pull.Monitor(4096)
	var silent []*raw
	for range 2 * 256 { // half of them have to give way
		silent = append(silent, dialRaw(t, endpoint))
	}
	honest(t, pull, endpoint)
	silent[0].dropped() // the oldest, after having got our greeting
	for e := range events {
		if e.Kind == zmq.HandshakeFailed {
			break
		}
	}
}

func TestFailedHandshakeKeepsNoDescriptor(t *testing.T) {
	if _, err := os.ReadDir("/proc/self/fd"); err != nil {
		t.Skip("no /proc/self/fd here")
	}
	descriptors := func() int {
		l, _ := os.ReadDir("/proc/self/fd")
		return len(l)
	}
	pull := open(t, zmq.Pull)
	endpoint := bind(t, pull, "tcp://127.0.0.1:*")
	honest(t, pull, endpoint)
	before := descriptors()
	for range 50 {
		r := dialRaw(t, endpoint)
		r.say([]byte("GET / HTTP/1.1\r\n\r\n"))
		r.dropped()
		_ = r.Close()
	}
	until(t, "no descriptor is left over", func() bool { return descriptors() <= before })
}

func TestSlowHandshakeTimesOut(t *testing.T) {
	pull := open(t, zmq.Pull, zmq.Options{HandshakeTimeout: 20 * time.Millisecond})
	r := dialRaw(t, bind(t, pull, "tcp://127.0.0.1:*"))
	r.say(greeting()[:20])
	r.dropped()
}

func TestWrongPasswordIsRefused(t *testing.T) {
	users := map[string]string{"admin": "secret"}
	for name, c := range map[string]struct {
		auth  zmq.Authenticator
		pass  string
		admit bool
	}{
		"right":            {zmq.AllowUsers(users), "secret", true},
		"wrong":            {zmq.AllowUsers(users), "Secret", false},
		"empty":            {zmq.AllowUsers(users), "", false},
		"no authenticator": {nil, "secret", false},
	} {
		t.Run(name, func(t *testing.T) {
			pull := open(t, zmq.Pull, zmq.Options{Security: zmq.PlainServer(c.auth)})
			push := open(t, zmq.Push, zmq.Options{Security: zmq.PlainClient("admin", c.pass), Linger: -1})
			events := push.Monitor(100)
			connect(t, push, bind(t, pull, "tcp://127.0.0.1:*"))
			send(t, push, "x")
			if c.admit {
				want(t, pull, "x")
				return
			}
			for e := range events {
				if e.Kind == zmq.HandshakeFailed {
					if !errors.Is(e.Err, zmq.ErrHandshake) {
						t.Errorf("failed with %v", e.Err)
					}
					break
				}
			}
			nothing(t, pull)
		})
	}
}

func TestPlainPeerIsRefusedByNull(t *testing.T) {
	pull := open(t, zmq.Pull)
	endpoint := bind(t, pull, "tcp://127.0.0.1:*")
	r := dialRaw(t, endpoint)
	r.say(zmtp.AppendGreeting(nil, zmtp.Greeting{Major: 3, Mechanism: zmtp.PLAIN}))
	r.dropped()
	honest(t, pull, endpoint)
}

func TestEndlessMoreFramesAreDropped(t *testing.T) {
	pull := open(t, zmq.Pull)
	endpoint := bind(t, pull, "tcp://127.0.0.1:*")
	r := dialRaw(t, endpoint).shake("PUSH")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	empty := bytes.Repeat([]byte{1, 0}, 8<<20)
	if _, err := r.Write(empty); err == nil {
		r.dropped()
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.TotalAlloc-before.TotalAlloc) - int64(len(empty)); grown > 4<<20 {
		t.Errorf("16 MiB of empty frames took %d bytes", grown)
	}
	honest(t, pull, endpoint)
}

func TestTooLargeMessageIsDropped(t *testing.T) {
	pull := open(t, zmq.Pull, zmq.Options{MaxMessageBytes: 1000})
	endpoint := bind(t, pull, "tcp://127.0.0.1:*")
	r := dialRaw(t, endpoint).shake("PUSH")
	r.say(frame(make([]byte, 600), false, true), frame(make([]byte, 600), false, false))
	r.dropped()
	honest(t, pull, endpoint)
}

func TestPushGoesToOnePeer(t *testing.T) {
	for _, typ := range []zmq.Type{zmq.Push, zmq.Dealer} {
		t.Run(typ.String(), func(t *testing.T) {
			to := map[zmq.Type]zmq.Type{zmq.Push: zmq.Pull, zmq.Dealer: zmq.Dealer}[typ]
			s := open(t, typ)
			endpoint := bind(t, s, "tcp://127.0.0.1:*")
			peers := []*zmq.Socket{open(t, to), open(t, to), open(t, to)}
			for _, p := range peers {
				connect(t, p, endpoint)
			}
			until(t, "three peers", func() bool { return s.Stats().Peers == 3 })
			for i := range 9 {
				send(t, s, fmt.Sprint(i))
			}
			seen := map[string]bool{}
			for _, p := range peers {
				for range 3 {
					seen[recv(t, p)[0]] = true
				}
				nothing(t, p)
			}
			if len(seen) != 9 {
				t.Errorf("%d different messages arrived, want 9", len(seen))
			}
		})
	}
}

func TestPingIsAnsweredAndNotReceived(t *testing.T) {
	pull := open(t, zmq.Pull)
	r := dialRaw(t, bind(t, pull, "tcp://127.0.0.1:*")).shake("PUSH")
	r.say(frame(zmtp.AppendPing(nil, zmtp.Ping{TTL: time.Second, Context: []byte("context")}), true, false), frame([]byte("message"), false, false))
	h, body := r.frame()
	if want := zmtp.AppendPong(nil, []byte("context")); !h.Command || !bytes.Equal(body, want) {
		t.Errorf("PING was answered by %q, want %q", body, want)
	}
	want(t, pull, "message")
}

func TestSilentPeerIsDroppedByHeartbeat(t *testing.T) {
	pull := open(t, zmq.Pull, zmq.Options{HeartbeatInterval: 5 * time.Millisecond, HeartbeatTimeout: 20 * time.Millisecond})
	r := dialRaw(t, bind(t, pull, "tcp://127.0.0.1:*")).shake("PUSH")
	if _, body := r.frame(); !bytes.HasPrefix(body, []byte("\x04PING")) {
		t.Errorf("a silent peer got %q, want PING", body)
	}
	r.dropped()
}

func TestPingFloodHasBoundedMemory(t *testing.T) {
	pull := open(t, zmq.Pull)
	r := dialRaw(t, bind(t, pull, "tcp://127.0.0.1:*")).shake("PUSH")
	_ = r.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	ping := frame(zmtp.AppendPing(nil, zmtp.Ping{Context: bytes.Repeat([]byte{1}, 16)}), true, false)
	before := zmq.Outstanding()
	for range 20 {
		r.say(bytes.Repeat(ping, 5000))
	}
	if n := zmq.Outstanding() - before; n > 16 {
		t.Errorf("a peer that reads no PONG keeps %d buffers", n)
	}
}

// What a socket does not receive costs it nothing, however much it is.
func TestMessagesToASenderHaveBoundedMemory(t *testing.T) {
	for _, tc := range []struct {
		name  string
		typ   zmq.Type
		peer  string
		frame []byte
	}{
		{"small to a PUSH", zmq.Push, "PULL", make([]byte, 1000)},
		{"large to a PUSH", zmq.Push, "PULL", make([]byte, 20_000)},
		{"small to a PUB", zmq.Pub, "SUB", make([]byte, 1000)},
		{"subscriptions to a PUB", zmq.Pub, "SUB", append([]byte{1}, make([]byte, 500)...)},
		{"subscriptions to an XPUB", zmq.XPub, "SUB", append([]byte{1}, make([]byte, 500)...)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := open(t, tc.typ)
			r := dialRaw(t, bind(t, s, "tcp://127.0.0.1:*")).shake(tc.peer)
			before := zmq.Outstanding()
			many := bytes.Repeat(frame(tc.frame, false, false), 64)
			reads := func() uint64 { return s.Stats().Reads }
			was := reads()
			for sent := 0; sent < 16<<20; sent += len(many) {
				r.say(many)
			}
			r.say(frame(zmtp.AppendPing(nil, zmtp.Ping{}), true, false))
			r.frame() // the PONG: everything before was looked at
			if reads() == was {
				t.Error("nothing was read")
			}
			if n := zmq.Outstanding() - before; n > 16 {
				t.Errorf("16 MiB that are not received keep %d buffers", n)
			}
		})
	}
}

func TestSendsSurviveARestartOfThePeer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	push := open(t, zmq.Push, zmq.Options{ReconnectInterval: time.Millisecond})
	connect(t, push, "ipc://"+path)
	for round := range 5 {
		pull := open(t, zmq.Pull)
		bind(t, pull, "ipc://"+path)
		for i := range 10 {
			send(t, push, fmt.Sprint(round, i))
			want(t, pull, fmt.Sprint(round, i))
		}
		if err := pull.Close(); err != nil {
			t.Fatal(err)
		}
		until(t, "the loss was noticed", func() bool { return zmq.Live(push) == 0 })
	}
}

func TestStalledSubscriberStaysAtItsMark(t *testing.T) {
	pub := open(t, zmq.Pub, zmq.Options{SendHighWater: 50})
	endpoint := bind(t, pub, "tcp://127.0.0.1:*")
	stalled := dialRaw(t, endpoint).shake("SUB")
	stalled.say(frame([]byte("\x01"), false, false))
	sub := open(t, zmq.Sub)
	if err := sub.Subscribe(""); err != nil {
		t.Fatal(err)
	}
	connect(t, sub, endpoint)
	until(t, "two subscribers", func() bool { return zmq.Wishers(pub, "") == 2 })
	const n, size = 500, 64 << 10
	body := strings.Repeat("b", size)
	for i := range n {
		send(t, pub, fmt.Sprint(i), body)
		want(t, sub, fmt.Sprint(i), body)
	}
	st := pub.Stats()
	if st.Dropped == 0 || st.Waiting > 51 {
		t.Errorf("%d messages wait for a stalled subscriber and %d were dropped; the mark is 50", st.Waiting, st.Dropped)
	}
}

func TestTimedOutSendIsNotSent(t *testing.T) {
	pull, push := open(t, zmq.Pull, zmq.Options{RecvHighWater: 1}), open(t, zmq.Push, zmq.Options{SendHighWater: 1})
	connect(t, push, bind(t, pull, "tcp://127.0.0.1:*"))
	body := strings.Repeat("b", 1<<20)
	sent := 0
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		err := push.Send(ctx, []byte(fmt.Sprint(sent)), []byte(body))
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sent++
	}
	for i := range sent {
		want(t, pull, fmt.Sprint(i), body)
	}
	send(t, push, "next", "one")
	want(t, pull, "next", "one")
	nothing(t, pull)
}

func TestNonReadingPeerDoesNotBlockRouter(t *testing.T) {
	router := open(t, zmq.Router, zmq.Options{SendHighWater: 4})
	endpoint := bind(t, router, "tcp://127.0.0.1:*")
	dealer := open(t, zmq.Dealer, zmq.Options{RoutingID: []byte("good")})
	connect(t, dealer, endpoint)
	bad := dialRaw(t, endpoint).shake("DEALER")
	bad.say(frame([]byte("hello"), false, false))
	id := recv(t, router)[0]
	until(t, "two routes", func() bool { return zmq.Routes(router) == 2 })
	body := strings.Repeat("b", 1<<20)
	for i := range 50 {
		send(t, router, id, body)
		send(t, router, "good", fmt.Sprint(i))
		want(t, dealer, fmt.Sprint(i))
	}
	if st := router.Stats(); st.Dropped == 0 || st.Waiting > 5 {
		t.Errorf("%d wait, %d dropped; the mark is 4", st.Waiting, st.Dropped)
	}
}

func TestReqSurvivesTheDeathOfARep(t *testing.T) {
	req := open(t, zmq.Req, zmq.Options{Relaxed: true, Correlate: true})
	a, b := open(t, zmq.Rep), open(t, zmq.Rep)
	connect(t, a, bind(t, req, "tcp://127.0.0.1:*"))
	until(t, "a", func() bool { return req.Stats().Peers == 1 })
	send(t, req, "1")
	want(t, a, "1")
	_ = a.Close()
	until(t, "a is gone", func() bool { return req.Stats().Peers == 0 })
	connect(t, b, bind(t, req, "tcp://127.0.0.1:*"))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := req.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the reply of the dead: %v", err)
	}
	send(t, req, "2")
	want(t, b, "2")
	send(t, b, "3")
	want(t, req, "3")
}

func TestEmptyMessages(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			a, b := open(t, zmq.Pair), open(t, zmq.Pair)
			connect(t, b, bind(t, a, endpoint))
			send(t, b, "")
			want(t, a, "")
			send(t, a, "", "", "")
			want(t, b, "", "", "")
			if err := a.Send(within(t)); err == nil {
				t.Error("a message without frames was sent")
			}
			send(t, a, "")
			if m, err := b.RecvMessage(within(t)); err == nil {
				m.Release()
				t.Error("an empty frame was read as a segment")
			}
		})
	}
}

func TestInprocFramesArrive(t *testing.T) {
	push, pull := open(t, zmq.Push), open(t, zmq.Pull)
	connect(t, push, "inproc://frames")
	send(t, push, "before", "the bind")
	bind(t, pull, "inproc://frames")
	want(t, pull, "before", "the bind")
	body := []byte("the very same")
	if err := push.Send(within(t), body); err != nil {
		t.Fatal(err)
	}
	got, err := pull.Recv(within(t))
	if err != nil || len(got) != 1 || &got[0][0] != &body[0] {
		t.Errorf("received %q, %v; want the very same slice", got, err)
	}
}

func TestLeavingPeerEndsNoRecv(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			pull := open(t, zmq.Pull)
			actual := bind(t, pull, endpoint)
			for i := range 3 {
				push := open(t, zmq.Push)
				connect(t, push, actual)
				send(t, push, fmt.Sprint(i))
				if err := push.Close(); err != nil {
					t.Fatal(err)
				}
			}
			got := map[string]bool{}
			for range 3 {
				got[recv(t, pull)[0]] = true
			}
			if len(got) != 3 {
				t.Errorf("received %v", got)
			}
			until(t, "all are gone", func() bool { return pull.Stats().Peers == 0 })
			nothing(t, pull)
		})
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			router := zmq.NewRouter()
			actual := bind(t, router, endpoint)
			var dealers []*zmq.Socket
			for range 5 {
				d := zmq.NewDealer()
				connect(t, d, actual)
				send(t, d, "hello")
				recv(t, router)
				dealers = append(dealers, d)
			}
			lost := zmq.NewPush(zmq.Options{Linger: -1})
			connect(t, lost, "tcp://127.0.0.1:1")
			waiting := make(chan error)
			go func() {
				_, err := router.Recv(context.Background())
				waiting <- err
			}()
			for _, s := range append(dealers, router, lost) {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := <-waiting; !errors.Is(err, zmq.ErrClosed) {
				t.Errorf("Recv ended with %v, want ErrClosed", err)
			}
			if err := router.Send(context.Background(), []byte("x"), []byte("y")); !errors.Is(err, zmq.ErrClosed) {
				t.Errorf("Send after Close: %v, want ErrClosed", err)
			}
			if _, err := router.Bind(endpoint); !errors.Is(err, zmq.ErrClosed) {
				t.Errorf("Bind after Close: %v, want ErrClosed", err)
			}
			sub := zmq.NewSub()
			if err := sub.Close(); err != nil {
				t.Error(err)
			}
			if err := sub.Subscribe("x"); !errors.Is(err, zmq.ErrClosed) {
				t.Errorf("Subscribe after Close: %v, want ErrClosed", err)
			}
		})
	}
	until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	until(t, "no buffer is left", func() bool { return zmq.Outstanding() == 0 })
}

func TestAcceptDoesNotSpinWithoutDescriptors(t *testing.T) {
	pull := open(t, zmq.Pull)
	ln := &failingListener{}
	zmq.Accept(pull, ln)
	time.Sleep(100 * time.Millisecond)
	if n := ln.calls.Load(); n == 0 || n > 20 {
		t.Errorf("%d attempts to accept in 100 ms", n)
	}
}

func TestStaleSocketFileIsTakenOver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Skipf("no unix sockets here: %v", err)
	}
	ln.SetUnlinkOnClose(false)
	other := open(t, zmq.Pull)
	if _, err := other.Bind("ipc://" + path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a socket in use was taken over: %v", err)
	}
	_ = ln.Close()
	honest(t, other, bind(t, other, "ipc://"+path))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Bind("ipc://" + file); err == nil {
		t.Error("a file that is no socket was taken over")
	}
}
