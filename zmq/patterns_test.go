package zmq_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// onEach runs a test on each transport.
func onEach(t *testing.T, f func(t *testing.T, endpoint string)) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) { f(t, endpoint) })
	}
}

func wantErr(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want %v", err, target)
	}
}

func TestReqRepAlternate(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		req, rep := open(t, zmq.Req), open(t, zmq.Rep)
		connect(t, req, bind(t, rep, endpoint))
		ctx := within(t)
		wantErr(t, rep.Send(ctx, []byte("early")), zmq.ErrState)
		_, err := req.Recv(ctx)
		wantErr(t, err, zmq.ErrState)
		for i := range 3 {
			send(t, req, fmt.Sprint("question ", i), "")
			wantErr(t, req.Send(ctx, []byte("again")), zmq.ErrState)
			want(t, rep, fmt.Sprint("question ", i), "")
			_, err := rep.Recv(ctx)
			wantErr(t, err, zmq.ErrState)
			send(t, rep, fmt.Sprint("answer ", i))
			want(t, req, fmt.Sprint("answer ", i))
		}
	})
}

func TestRequestsThroughAProxy(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		router, dealer := open(t, zmq.Router), open(t, zmq.Dealer)
		front := bind(t, router, endpoint)
		back := bind(t, dealer, "inproc://workers-"+strings.ReplaceAll(t.Name(), "/", "-"))
		capture, tap := open(t, zmq.Pub), open(t, zmq.Sub)
		if err := tap.Subscribe(""); err != nil {
			t.Fatal(err)
		}
		connect(t, tap, bind(t, capture, "inproc://tap-"+strings.ReplaceAll(t.Name(), "/", "-")))
		p := zmq.NewProxy(router, dealer, capture)
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		var reps []*zmq.Socket
		defer func() {
			cancel()
			for _, s := range append(reps, router, dealer) {
				_ = s.Close()
			}
			running.Wait()
		}()
		running.Go(func() {
			if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("the proxy ended with %v", err)
			}
		})
		var reqs []*zmq.Socket
		var asks []string
		for i := range 4 {
			rep := open(t, zmq.Rep)
			connect(t, rep, back)
			running.Go(func() {
				for {
					q, err := rep.Recv(context.Background())
					if err != nil {
						return
					}
					if err := rep.Send(context.Background(), append(q, []byte("!"))...); err != nil {
						return
					}
				}
			})
			reps = append(reps, rep)
			req := open(t, zmq.Req)
			connect(t, req, front)
			reqs = append(reqs, req)
			asks = append(asks, strings.Repeat(fmt.Sprint(i), 1<<(4*i)))
		}
		for range 5 {
			for i, req := range reqs {
				send(t, req, asks[i])
			}
			for i, req := range reqs {
				want(t, req, asks[i], "!")
			}
		}
		if st := p.Stats(); st.FrontMessages != 20 || st.BackMessages != 20 {
			t.Errorf("%+v, want 20 messages each way", st)
		}
		if got := recv(t, tap); len(got) != 3 {
			t.Errorf("the capture got %.100q, want a routing id, a delimiter and a body", got)
		}
		p.Pause()
		send(t, reqs[0], "paused")
		send(t, reqs[1], "paused")
		wait, stop := context.WithTimeout(ctx, 20*time.Millisecond)
		_, err := reqs[1].Recv(wait)
		stop()
		wantErr(t, err, context.DeadlineExceeded)
		p.Resume()
		want(t, reqs[0], "paused", "!")
		want(t, reqs[1], "paused", "!")
	})
}

func TestSubscriptions(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		xpub, sub := open(t, zmq.XPub), open(t, zmq.Sub)
		connect(t, sub, bind(t, xpub, endpoint))
		do := func(f func(...string) error, topic string) {
			t.Helper()
			if err := f(topic); err != nil {
				t.Fatal(err)
			}
		}
		do(sub.Subscribe, "a")
		want(t, xpub, "\x01a")
		do(sub.Subscribe, "a") // a second time
		do(sub.Subscribe, "abc")
		want(t, xpub, "\x01abc")
		for _, topic := range []string{"b", "a", "", "abcd", "ab"} {
			send(t, xpub, topic, "body")
		}
		for _, topic := range []string{"a", "abcd", "ab"} {
			want(t, sub, topic, "body")
		}
		do(sub.Unsubscribe, "a") // once is left
		do(sub.Unsubscribe, "abc")
		want(t, xpub, "\x00abc")
		send(t, xpub, "a1")
		want(t, sub, "a1")
		do(sub.Unsubscribe, "a")
		want(t, xpub, "\x00a")
		send(t, xpub, "a2")
		nothing(t, sub)
		do(sub.Subscribe, "z")
		want(t, xpub, "\x01z")
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
		want(t, xpub, "\x00z") // its peer is gone
	})
}

func TestXSubSubscribesByMessages(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		xpub, xsub := open(t, zmq.XPub), open(t, zmq.XSub)
		connect(t, xsub, bind(t, xpub, endpoint))
		send(t, xsub, "\x01t")
		want(t, xpub, "\x01t")
		send(t, xpub, "t", "1")
		want(t, xsub, "t", "1")
		send(t, xsub, "up", "stream")
		want(t, xpub, "up", "stream")
		send(t, xsub, "\x00t")
		want(t, xpub, "\x00t")
		send(t, xpub, "t", "2")
		nothing(t, xsub)
	})
}

// A subscription does not arrive as messages do, and has to wake a receiver that
// reads the connection itself.
func TestSubscriptionsWakeWhoReceives(t *testing.T) {
	xpub, xsub := open(t, zmq.XPub, zmq.Options{HeartbeatInterval: -1}), open(t, zmq.XSub, zmq.Options{HeartbeatInterval: -1})
	connect(t, xsub, bind(t, xpub, "tcp://127.0.0.1:*"))
	got := make(chan []string, 1)
	go func() {
		defer close(got)
		for {
			m, err := xpub.Recv(context.Background())
			if err != nil {
				return
			}
			got <- texts(m)
		}
	}()
	for i := range 20 {
		for _, m := range [][]string{{"up"}, {fmt.Sprint("\x01", i)}, {"up", "again"}, {fmt.Sprint("\x00", i)}} {
			send(t, xsub, m...)
			select {
			case g := <-got:
				if !equal(g, m) {
					t.Fatalf("received %q, want %q", g, m)
				}
			case <-time.After(patience):
				t.Fatalf("%q was never received", m)
			}
		}
	}
	if err := xpub.Close(); err != nil {
		t.Error(err)
	}
	for range got {
	}
}

func TestManualSubscriptions(t *testing.T) {
	xpub, sub := open(t, zmq.XPub, zmq.Options{Manual: true}), open(t, zmq.Sub)
	if err := sub.Subscribe("asked", "given"); err != nil {
		t.Fatal(err)
	}
	connect(t, sub, bind(t, xpub, "tcp://127.0.0.1:*"))
	recv(t, xpub)
	recv(t, xpub)
	if err := xpub.Admit("given"); err != nil {
		t.Fatal(err)
	}
	send(t, xpub, "asked")
	send(t, xpub, "given")
	want(t, sub, "given")
	if err := xpub.Dismiss("given"); err != nil {
		t.Fatal(err)
	}
	send(t, xpub, "given")
	nothing(t, sub)
}

func TestTooManySubscriptionsDropThePeer(t *testing.T) {
	pub := open(t, zmq.Pub, zmq.Options{MaxSubscriptions: 3})
	r := dialRaw(t, bind(t, pub, "tcp://127.0.0.1:*")).shake("SUB")
	for i := range 4 {
		r.say(frame([]byte(fmt.Sprint("\x01", i)), false, false))
	}
	r.dropped()
	until(t, "its subscriptions are gone", func() bool { return zmq.Subscriptions(pub) == 0 })
}

func TestSubscriptionsAreSentAgain(t *testing.T) {
	path := "ipc://" + t.TempDir() + "/s"
	sub := open(t, zmq.Sub, zmq.Options{ReconnectInterval: time.Millisecond})
	if err := sub.Subscribe("a"); err != nil {
		t.Fatal(err)
	}
	connect(t, sub, path)
	for i := range 3 {
		xpub := open(t, zmq.XPub)
		bind(t, xpub, path)
		want(t, xpub, "\x01a")
		send(t, xpub, "a", fmt.Sprint(i))
		want(t, sub, "a", fmt.Sprint(i))
		_ = xpub.Close()
	}
}

func TestRouter(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		router := open(t, zmq.Router, zmq.Options{Mandatory: true})
		actual := bind(t, router, endpoint)
		named := open(t, zmq.Dealer, zmq.Options{RoutingID: []byte("name"), ProbeRouter: true})
		connect(t, named, actual)
		want(t, router, "name", "")
		send(t, router, "name", "to you")
		want(t, named, "to you")
		wantErr(t, router.Send(within(t), []byte("nobody"), []byte("x")), zmq.ErrUnroutable)
		anon := open(t, zmq.Dealer)
		connect(t, anon, actual)
		send(t, anon, "who am I")
		got := recv(t, router)
		if len(got) != 2 || len(got[0]) != 5 || got[0][0] != 0 {
			t.Fatalf("received %q, want five bytes that begin with zero as routing id", got)
		}
		send(t, router, got[0], "that")
		want(t, anon, "that")
		_ = named.Close()
		until(t, "the peer is gone", func() bool { return zmq.Routes(router) == 1 })
		wantErr(t, router.Send(within(t), []byte("name"), []byte("x")), zmq.ErrUnroutable)
	})
}

func TestRouterHandover(t *testing.T) {
	for _, handover := range []bool{false, true} {
		t.Run(fmt.Sprint(handover), func(t *testing.T) {
			router := open(t, zmq.Router, zmq.Options{Handover: handover})
			actual := bind(t, router, "tcp://127.0.0.1:*")
			o := zmq.Options{RoutingID: []byte("same"), ReconnectInterval: time.Hour}
			first, second := open(t, zmq.Dealer, o), open(t, zmq.Dealer, o)
			connect(t, first, actual)
			send(t, first, "1")
			want(t, router, "same", "1")
			events := router.Monitor(100)
			connect(t, second, actual)
			for e := range events {
				if e.Kind == zmq.HandshakeFailed || e.Kind == zmq.HandshakeDone {
					if done := e.Kind == zmq.HandshakeDone; done != handover {
						t.Errorf("%v", e)
					}
					break
				}
			}
			winner := first
			if handover {
				winner = second
			}
			send(t, router, "same", "2")
			want(t, winner, "2")
		})
	}
}

func TestPairTakesOnePeer(t *testing.T) {
	a := open(t, zmq.Pair)
	actual := bind(t, a, "tcp://127.0.0.1:*")
	b := open(t, zmq.Pair)
	connect(t, b, actual)
	send(t, b, "1")
	want(t, a, "1")
	dialRaw(t, actual).shake("PAIR").dropped()
	send(t, a, "2")
	want(t, b, "2")
}

func TestConflateKeepsTheLast(t *testing.T) {
	push, pull := open(t, zmq.Push, zmq.Options{Conflate: true}), open(t, zmq.Pull, zmq.Options{Conflate: true})
	actual := bind(t, pull, "tcp://127.0.0.1:*")
	connect(t, push, actual)
	for i := range 1000 {
		send(t, push, fmt.Sprint(i))
	}
	until(t, "all is written", func() bool { return push.Stats().Waiting == 0 })
	last := 0
	for got := ""; got != "999"; last++ {
		got = recv(t, pull)[0]
	}
	if last > 500 {
		t.Errorf("%d messages were received, want only some of 1000", last)
	}
	wantErr(t, push.Send(within(t), []byte("a"), []byte("b")), zmq.ErrState)
}

func TestImmediateWaitsForAConnection(t *testing.T) {
	path := "ipc://" + t.TempDir() + "/s"
	for _, immediate := range []bool{false, true} {
		push := open(t, zmq.Push, zmq.Options{Immediate: immediate, Linger: -1})
		connect(t, push, path)
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		err := push.Send(ctx, []byte("x"))
		cancel()
		if failed := errors.Is(err, context.DeadlineExceeded); failed != immediate {
			t.Errorf("Immediate %v: %v", immediate, err)
		}
	}
}

func TestHighWaterBlocksPush(t *testing.T) {
	for name, o := range map[string]zmq.Options{
		"count": {SendHighWater: 10, Linger: -1},
		"bytes": {SendHighWaterBytes: 10, Linger: -1},
	} {
		t.Run(name, func(t *testing.T) {
			push := open(t, zmq.Push, o)
			connect(t, push, "ipc://"+t.TempDir()+"/nobody")
			for range 10 {
				send(t, push, "x")
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			wantErr(t, push.Send(ctx, []byte("x")), context.DeadlineExceeded)
		})
	}
}

func TestInprocHighWater(t *testing.T) {
	push, pull := open(t, zmq.Push, zmq.Options{SendHighWater: 3}), open(t, zmq.Pull, zmq.Options{RecvHighWater: 4})
	connect(t, push, bind(t, pull, "inproc://mark"))
	for range 7 {
		send(t, push, "x")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	wantErr(t, push.Send(ctx, []byte("x")), context.DeadlineExceeded)
	waited := make(chan error)
	go func() { waited <- push.Send(within(t), []byte("y")) }()
	want(t, pull, "x")
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestCurve(t *testing.T) {
	server, client, stranger := zmq.NewKeyPair(), zmq.NewKeyPair(), zmq.NewKeyPair()
	auth := zmq.AllowKeys(client.Public())
	pull := open(t, zmq.Pull, zmq.Options{Security: zmq.CurveServer(server, auth)})
	actual := bind(t, pull, "tcp://127.0.0.1:*")
	push := open(t, zmq.Push, zmq.Options{Security: zmq.CurveClient(client, server.Public())})
	connect(t, push, actual)
	for _, n := range []int{0, 1, 100, 8 << 10, 64 << 10, 3 << 20} {
		body := strings.Repeat("c", n)
		send(t, push, body, "", body)
		want(t, pull, body, "", body)
	}
	// Segments are read where they were decrypted.
	for _, size := range []int{64, 64 << 10} {
		if err := push.SendMessage(within(t), message(size, 1)); err != nil {
			t.Fatal(err)
		}
		m, err := pull.RecvMessage(within(t))
		if err != nil {
			t.Fatal(err)
		}
		m.Release()
	}
	for name, sec := range map[string]zmq.Security{
		"a stranger":           zmq.CurveClient(stranger, server.Public()),
		"a wrong server's key": zmq.CurveClient(client, stranger.Public()),
	} {
		bad := open(t, zmq.Push, zmq.Options{Security: sec, Linger: -1})
		events := bad.Monitor(10)
		connect(t, bad, actual)
		send(t, bad, name)
		for e := range events {
			if e.Kind == zmq.HandshakeFailed {
				break
			} else if e.Kind == zmq.HandshakeDone {
				t.Errorf("%s was admitted", name)
				break
			}
		}
	}
	nothing(t, pull)
}

func TestMessagesAreReadInPlace(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		before := zmq.Outstanding()
		blocks, _ := arena.Pool().Outstanding()
		router, dealer := open(t, zmq.Router), open(t, zmq.Dealer, zmq.Options{RoutingID: []byte("id")})
		connect(t, dealer, bind(t, router, endpoint))
		for _, size := range []int{64, 4 << 10, 64 << 10, 1 << 20} {
			m := segment.NewSized(arena.Pool(), size+64)
			data := m.RootBuilder().NewData(size)
			data[size-1] = 42
			if err := dealer.SendMessage(within(t), m, []byte("topic")); err != nil {
				t.Fatal(err)
			}
			envelope := make([][]byte, 2)
			got, err := router.RecvEnvelope(within(t), envelope)
			if err != nil {
				t.Fatal(err)
			}
			if !equal(texts(envelope), []string{"id", "topic"}) {
				t.Errorf("envelope %q", envelope)
			}
			if d := got.Root().Data(); len(d) != size || d[size-1] != 42 {
				t.Errorf("%d bytes arrived, want %d", len(d), size)
			}
			got.Release()
		}
		send(t, dealer, "not", "words")
		envelope := make([][]byte, 1)
		_, err := router.RecvEnvelope(within(t), envelope)
		wantErr(t, err, segment.ErrMalformed)
		if string(envelope[0]) != "id" {
			t.Errorf("the sender of a malformed message is %q, want id", envelope[0])
		}
		_ = router.Close()
		_ = dealer.Close()
		until(t, "all buffers are back", func() bool { return zmq.Outstanding() == before })
		until(t, "all blocks are back", func() bool { n, _ := arena.Pool().Outstanding(); return n == blocks })
	})
}

func TestFanOutSharesOneMessage(t *testing.T) {
	pub := open(t, zmq.Pub)
	actual := bind(t, pub, "tcp://127.0.0.1:*")
	var subs []*zmq.Socket
	for range 4 {
		s := open(t, zmq.Sub)
		if err := s.Subscribe(""); err != nil {
			t.Fatal(err)
		}
		connect(t, s, actual)
		subs = append(subs, s)
	}
	until(t, "four subscribers", func() bool { return zmq.Wishers(pub, "") == 4 })
	blocks, _ := arena.Pool().Outstanding()
	m := segment.NewSized(arena.Pool(), 70<<10)
	m.RootBuilder().NewData(64 << 10)
	if err := pub.SendMessage(within(t), m); err != nil {
		t.Fatal(err)
	}
	for _, s := range subs {
		got, err := s.RecvMessage(within(t))
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
	}
	until(t, "the message is released", func() bool { n, _ := arena.Pool().Outstanding(); return n == blocks })
	if st := pub.Stats(); st.CopiedBytes != 0 || st.Sent != 4 {
		t.Errorf("%d bytes were copied to send %d messages, want none and 4", st.CopiedBytes, st.Sent)
	}
}

func TestSystemCallsUnderLoad(t *testing.T) {
	pull, push := open(t, zmq.Pull), open(t, zmq.Push)
	connect(t, push, bind(t, pull, "tcp://127.0.0.1:*"))
	const n = 20_000
	calls, counted := systemCalls()
	go func() {
		for range n {
			if push.SendMessage(context.Background(), message(64, 1)) != nil {
				return
			}
		}
	}()
	ctx := within(t)
	for range n {
		m, err := pull.RecvMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		m.Release()
	}
	t.Logf("%d writes and %d reads", push.Stats().Writes, pull.Stats().Reads)
	// With the race detector the sender is too slow to load a connection.
	if w, r := push.Stats().Writes, pull.Stats().Reads; !raceEnabled && (w > n/10 || r > n/10) {
		t.Errorf("%d messages took %d writes and %d reads, want at most a tenth", n, w, r)
	}
	// The kernel's own count has those of the whole process, wake-ups too.
	if now, _ := systemCalls(); counted && !raceEnabled && now-calls > n/5 {
		t.Errorf("%d messages took %d system calls to read and write, want at most a fifth", n, now-calls)
	}
	until(t, "all are counted", func() bool { return push.Stats().Waiting == 0 })
	w := push.Stats().Writes
	c := push.Stats().CopiedBytes
	if err := push.SendMessage(context.Background(), message(256<<10, 4)); err != nil {
		t.Fatal(err)
	}
	copied := pull.Stats().CopiedBytes
	m, err := pull.RecvMessage(within(t))
	if err != nil {
		t.Fatal(err)
	}
	m.Release()
	until(t, "it is written", func() bool { return push.Stats().Waiting == 0 })
	if got := push.Stats().Writes - w; got != 1 {
		t.Errorf("a message of 4 large segments took %d writes, want 1", got)
	}
	if got := push.Stats().CopiedBytes - c; got != 0 {
		t.Errorf("sending it copied %d bytes", got)
	}
	// The first read may take the beginning of the first segment with it.
	if got := pull.Stats().CopiedBytes - copied; got > 64<<10 {
		t.Errorf("receiving it copied %d bytes", got)
	}
}

// systemCalls is how often this process has called the kernel to read or write.
func systemCalls() (n int, ok bool) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		var calls int
		if _, err := fmt.Sscanf(line, "syscr: %d", &calls); err == nil {
			n += calls
		} else if _, err := fmt.Sscanf(line, "syscw: %d", &calls); err == nil {
			n += calls
		}
	}
	return n, true
}

func TestNoAllocations(t *testing.T) {
	if raceEnabled || arena.Pool().Debugging() {
		t.Skip("the race detector makes pools forget, and in debug mode nothing is used again")
	}
	ctx := context.Background()
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			pull, push := open(t, zmq.Pull), open(t, zmq.Push)
			connect(t, push, bind(t, pull, "tcp://127.0.0.1:*"))
			msg := message(size, 1)
			f := func() {
				if err := push.SendMessage(ctx, msg.Retain()); err != nil {
					t.Fatal(err)
				}
				m, err := pull.RecvMessage(ctx)
				if err != nil {
					t.Fatal(err)
				}
				m.Release()
			}
			for range 200 {
				f()
			}
			if n := testing.AllocsPerRun(1000, f); n != 0 {
				t.Errorf("%v allocations a message", n)
			}
		})
	}
}

// TestManySendersKeepTheirOrder has goroutines share a socket on both sides.
func TestManySendersKeepTheirOrder(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		pull, push := open(t, zmq.Pull), open(t, zmq.Push)
		connect(t, push, bind(t, pull, endpoint))
		const senders, n = 4, 2000
		large := make([]byte, 12_000)
		var running sync.WaitGroup
		for s := range senders {
			running.Go(func() {
				for i := range n {
					body := large[:0]
					if i%50 == 0 {
						body = large
					}
					if err := push.Send(within(t), []byte{byte(s)}, []byte(fmt.Sprint(i)), body); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		next := make([]int, senders)
		for range senders * n {
			m := recv(t, pull)
			s := m[0][0]
			if len(m) != 3 || m[1] != fmt.Sprint(next[s]) {
				t.Fatalf("sender %d: received %.50q, want number %d", s, m, next[s])
			}
			next[s]++
		}
		running.Wait()
	})
}

// TestManyReceiversGetEachMessageOnce has goroutines share a PULL.
func TestManyReceiversGetEachMessageOnce(t *testing.T) {
	pull := open(t, zmq.Pull)
	actual := bind(t, pull, "tcp://127.0.0.1:*")
	const n = 3000
	seen := make([]int, 3*n)
	var mu sync.Mutex
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			for range n {
				m, err := pull.Recv(within(t))
				if err != nil {
					t.Error(err)
					return
				}
				var i int
				_, _ = fmt.Sscan(string(m[0]), &i)
				mu.Lock()
				seen[i]++
				mu.Unlock()
			}
		})
	}
	for s := range 3 {
		push := open(t, zmq.Push)
		connect(t, push, actual)
		for i := range n {
			send(t, push, fmt.Sprint(s*n+i))
		}
	}
	running.Wait()
	for i, times := range seen {
		if times != 1 {
			t.Fatalf("message %d was received %d times", i, times)
		}
	}
}

// TestReleaseHookMayUseTheSocket runs a hook of external data, in a message that
// is dropped with its peer.
func TestReleaseHookMayUseTheSocket(t *testing.T) {
	push := open(t, zmq.Push, zmq.Options{Linger: -1})
	endpoint := "ipc://" + t.TempDir() + "/nobody"
	connect(t, push, endpoint)
	m := segment.New(arena.Pool())
	released := make(chan zmq.Stats, 1)
	m.RootBuilder().SetExternalData(make([]byte, 64<<10), func() { released <- push.Stats() })
	if err := push.SendMessage(within(t), m); err != nil {
		t.Fatal(err)
	}
	if err := push.Disconnect(endpoint); err != nil {
		t.Fatal(err)
	}
	if st := <-released; st.Dropped != 1 {
		t.Errorf("%d messages were dropped, want 1", st.Dropped)
	}
}

func TestUnbindAndDisconnect(t *testing.T) {
	onEach(t, func(t *testing.T, endpoint string) {
		pull, push := open(t, zmq.Pull), open(t, zmq.Push, zmq.Options{ReconnectInterval: time.Millisecond})
		actual := bind(t, pull, endpoint)
		connect(t, push, actual)
		send(t, push, "1")
		want(t, pull, "1")
		if err := pull.Unbind(actual); err != nil {
			t.Fatal(err)
		}
		wantErr(t, pull.Unbind(actual), zmq.ErrEndpoint)
		until(t, "both noticed", func() bool { return pull.Stats().Peers == 0 && zmq.Live(push) == 0 })
		send(t, push, "2") // waits for the endpoint
		bind(t, pull, actual)
		want(t, pull, "2")
		if err := push.Disconnect(actual); err != nil {
			t.Fatal(err)
		}
		until(t, "the peer is gone again", func() bool { return pull.Stats().Peers == 0 && push.Stats().Peers == 0 })
	})
}

func TestEndpointsThatCannotBe(t *testing.T) {
	s := open(t, zmq.Pull)
	for _, endpoint := range []string{"", "tcp", "tcp://", "tcp://host", "udp://127.0.0.1:1", "127.0.0.1:5555"} {
		_, err := s.Bind(endpoint)
		wantErr(t, err, zmq.ErrEndpoint)
		wantErr(t, s.Connect(endpoint), zmq.ErrEndpoint)
	}
	for _, endpoint := range []string{"tcp://*:5555", "tcp://127.0.0.1:*", "ipc://*"} {
		wantErr(t, s.Connect(endpoint), zmq.ErrEndpoint)
	}
	bind(t, s, "inproc://twice")
	_, err := s.Bind("inproc://twice")
	wantErr(t, err, zmq.ErrEndpoint)
	wantErr(t, open(t, zmq.Pub).Connect("inproc://twice"), zmq.ErrEndpoint)
}
