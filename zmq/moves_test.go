package zmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// Each test here is for something that went wrong when sockets moved: bound,
// connected, took that back or closed while others did something.

// quick is options of sockets that find each other again soon.
func quick(o zmq.Options) zmq.Options {
	o.ReconnectInterval, o.ReconnectMax = time.Millisecond, 5*time.Millisecond
	return o
}

// race runs functions at once.
func race(fs ...func()) {
	var all sync.WaitGroup
	for _, f := range fs {
		all.Go(f)
	}
	all.Wait()
}

// What is bound or connected while the socket is closed, or while that is taken back,
// is given up with everything that it does.
func TestEndpointIsGivenUpAtOnce(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			for i := range 200 {
				s, other := open(t, zmq.Dealer), open(t, zmq.Dealer)
				_ = s.Connect(endpoint) // somebody waits for whoever binds
				var err error
				race(
					func() { _, err = other.Bind(endpoint) },
					func() { _ = other.Close() },
				)
				if err != nil && !errors.Is(err, zmq.ErrClosed) {
					t.Fatal(err)
				}
				if !strings.HasSuffix(endpoint, "*") {
					third := open(t, zmq.Dealer)
					if _, err := third.Bind(endpoint); err != nil {
						t.Fatalf("time %d: %v", i, err)
					}
					_ = third.Close()
				}
				at := endpoint
				if name == "tcp" {
					at = "tcp://127.0.0.1:1"
				}
				race(
					func() { _ = s.Connect(at) },
					func() { _ = s.Disconnect(at) },
					func() {
						if i%2 == 0 {
							_ = s.Close()
						}
					},
				)
				_ = s.Close()
				if st := s.Stats(); st.Peers != 0 {
					t.Fatalf("a closed socket has %d peers", st.Peers)
				}
			}
		})
	}
}

// What was sent before there was anybody to receive it comes first.
func TestInprocKeepsItsOrderWhenBound(t *testing.T) {
	for i := range 50 {
		o := zmq.Options{Namespace: new(zmq.Namespace), Linger: -1}
		push, pull := open(t, zmq.Push, o), open(t, zmq.Pull, o)
		connect(t, push, "inproc://later")
		var all sync.WaitGroup
		const most = 300
		all.Go(func() {
			for n := range most {
				send(t, push, fmt.Sprint(n))
			}
		})
		until(t, "something waits", func() bool { return push.Stats().Waiting > int64(i) })
		bind(t, pull, "inproc://later")
		for n := range most {
			want(t, pull, fmt.Sprint(n))
		}
		all.Wait()
	}
}

// Who connected inproc and was refused when the name was bound tries again, as over
// other transports.
func TestInprocTriesAgain(t *testing.T) {
	o := quick(zmq.Options{Namespace: new(zmq.Namespace)})
	first, second, bound := open(t, zmq.Pair, o), open(t, zmq.Pair, o), open(t, zmq.Pair, o)
	connect(t, first, "inproc://pair")
	connect(t, second, "inproc://pair")
	bind(t, bound, "inproc://pair")
	send(t, first, "first")
	want(t, bound, "first")
	_ = first.Close()
	send(t, second, "second")
	want(t, bound, "second")
}

// A message names the peer that sent it, also if another one is at its endpoint when it
// is received.
func TestRouterNamesWhoSent(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			o := quick(zmq.Options{})
			router := open(t, zmq.Router, o)
			for i, id := range []string{"a", "b"} {
				o.RoutingID = []byte(id)
				dealer := open(t, zmq.Dealer, o)
				endpoint = bind(t, dealer, endpoint)
				if i == 0 {
					connect(t, router, endpoint)
				}
				send(t, dealer, "hello")
				until(t, "it has arrived", func() bool { return router.Stats().Unread == int64(i+1) })
				_ = dealer.Close()
			}
			want(t, router, "a", "hello")
			want(t, router, "b", "hello")
		})
	}
}

// A reply is for whoever asked, and not for who is at that endpoint now.
func TestReplyIsForWhoAsked(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			rep, dealer := open(t, zmq.Rep, quick(zmq.Options{})), open(t, zmq.Dealer)
			endpoint = bind(t, dealer, endpoint)
			connect(t, rep, endpoint)
			send(t, dealer, "", "first")
			want(t, rep, "first")
			_ = dealer.Close()
			next := open(t, zmq.Dealer)
			bind(t, next, endpoint)
			send(t, next, "", "second")
			until(t, "it has arrived", func() bool { return rep.Stats().Unread == 1 })
			send(t, rep, "to the first")
			want(t, rep, "second")
			send(t, rep, "to the second")
			want(t, next, "", "to the second")
		})
	}
}

// A reply to one who left waits for nobody.
func TestReplyToNobodyIsNotKept(t *testing.T) {
	before := zmq.Outstanding()
	rep, dealer := open(t, zmq.Rep, zmq.Options{Immediate: true}), open(t, zmq.Dealer)
	connect(t, rep, bind(t, dealer, "tcp://127.0.0.1:*"))
	send(t, dealer, "", "question")
	want(t, rep, "question")
	_ = dealer.Close()
	until(t, "the peer is gone", func() bool { return rep.Stats().Peers == 0 })
	send(t, rep, "answer")
	_ = rep.Close()
	until(t, "all buffers are back", func() bool { return zmq.Outstanding() == before })
}

// A request that could not be sent takes nothing from the one before: its reply is
// received.
func TestReplyAfterARequestNotSent(t *testing.T) {
	o := zmq.Options{Namespace: new(zmq.Namespace), Relaxed: true, Correlate: true, SendHighWater: 1, RecvHighWater: 1}
	req, rep := open(t, zmq.Req, o), open(t, zmq.Rep, zmq.Options{Namespace: o.Namespace, RecvHighWater: 1})
	bind(t, rep, "inproc://rep")
	connect(t, req, "inproc://rep")
	send(t, req, "one")
	send(t, req, "two")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if err := req.Send(ctx, []byte("three")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, q := range []string{"one", "two"} {
		want(t, rep, q)
		send(t, rep, "to "+q)
	}
	want(t, req, "to two")
}

// A reply to a REQ that is gone is none to the request of the next with its routing id.
func TestReplyToAnEarlierLife(t *testing.T) {
	router := open(t, zmq.Router)
	endpoint := bind(t, router, "tcp://127.0.0.1:*")
	var asked [2][]string
	var req *zmq.Socket
	for i, question := range []string{"one", "two"} {
		req = open(t, zmq.Req, zmq.Options{RoutingID: []byte("r"), Correlate: true})
		connect(t, req, endpoint)
		send(t, req, question)
		asked[i] = recv(t, router)
		if i == 0 {
			_ = req.Close()
			until(t, "the first is gone", func() bool { return zmq.Routes(router) == 0 })
		}
	}
	for _, question := range asked {
		send(t, router, question...)
	}
	want(t, req, "two")
}

// Who has a reply and asks again gets the next, also if the one who wrote the first does
// not know yet that it is written.
func TestReplyToWhoHasTheLast(t *testing.T) {
	router, dealer := open(t, zmq.Router, zmq.Options{SendHighWater: 1}), open(t, zmq.Dealer, zmq.Options{RoutingID: []byte("d")})
	connect(t, dealer, bind(t, router, "tcp://127.0.0.1:*"))
	until(t, "they know each other", func() bool { return zmq.Routes(router) == 1 })
	written := make(chan struct{})
	zmq.HoldWrites(router, written)
	var first sync.WaitGroup
	first.Go(func() { send(t, router, "d", "first") })
	want(t, dealer, "first")
	send(t, router, "d", "second")
	close(written)
	first.Wait()
	want(t, dealer, "second")
}

// What an XPUB receives about a topic is in the order in which it happened, whoever it
// is of.
func TestSubscriptionsComeInTheirOrder(t *testing.T) {
	o := zmq.Options{Namespace: new(zmq.Namespace)}
	xpub, a, b := open(t, zmq.XPub, o), open(t, zmq.Sub, o), open(t, zmq.Sub, o)
	bind(t, xpub, "inproc://news")
	connect(t, a, "inproc://news")
	connect(t, b, "inproc://news")
	for _, two := range [][2]*zmq.Socket{{a, b}, {b, a}} {
		for _, f := range []func(...string) error{two[0].Subscribe, two[1].Subscribe, two[0].Unsubscribe, two[1].Unsubscribe} {
			if err := f("x"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		want(t, xpub, "\x01x")
		want(t, xpub, "\x00x")
	}
}

// An XPUB that connects inproc forgets what those wanted who were there before.
func TestInprocSubscriptionsEndWithTheirPeer(t *testing.T) {
	o := quick(zmq.Options{Namespace: new(zmq.Namespace)})
	xpub, first, second := open(t, zmq.XPub, o), open(t, zmq.Sub, o), open(t, zmq.Sub, o)
	connect(t, xpub, "inproc://sub")
	if err := first.Subscribe("a"); err != nil {
		t.Fatal(err)
	}
	bind(t, first, "inproc://sub")
	want(t, xpub, "\x01a")
	_ = first.Close()
	bind(t, second, "inproc://sub")
	want(t, xpub, "\x00a")
	if n := zmq.Subscriptions(xpub); n != 0 {
		t.Errorf("%d topics are left", n)
	}
}

// What a SUB did not get to say on a connection that is lost is not said on the next,
// where it may not be true any more.
func TestSubscriptionsAreOfOneConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	accept := func() *raw {
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(patience))
		return (&raw{t, c}).shake("PUB")
	}
	sub := open(t, zmq.Sub, zmq.Options{ReconnectInterval: 50 * time.Millisecond})
	connect(t, sub, "tcp://"+ln.Addr().String())
	peer := accept()
	until(t, "they know each other", func() bool { return zmq.Live(sub) == 1 })
	var topics []string
	for i := range 20_000 { // more than the kernel takes
		topics = append(topics, fmt.Sprintf("%01000d", i))
	}
	if err := sub.Subscribe(topics...); err != nil {
		t.Fatal(err)
	}
	_ = peer.Close()
	until(t, "the connection is lost", func() bool { return zmq.Live(sub) == 0 })
	if err := sub.Unsubscribe(topics...); err != nil {
		t.Fatal(err)
	}
	if err := sub.Subscribe("end"); err != nil {
		t.Fatal(err)
	}
	peer = accept()
	if h, body := peer.frame(); !h.Command || !strings.HasSuffix(string(body), "end") || len(body) > 100 {
		t.Errorf("said %v %.40q", h, body)
	}
}

// What was written whole when a connection was lost does not leave again, also if the
// writer had not come to notice the loss.
func TestWhatWasWrittenLeavesOnce(t *testing.T) {
	push := open(t, zmq.Push)
	if again := zmq.LoseWhileWriting(push, 2+5+2+3, "first", "second", "third"); again != "\x00\x06second\x00\x05third" {
		t.Errorf("%q leaves again", again)
	}
}

// A socket that conflates does so inproc too, where its peer has the queue.
func TestInprocConflates(t *testing.T) {
	names := new(zmq.Namespace)
	push, pull := open(t, zmq.Push, zmq.Options{Namespace: names, Conflate: true}), open(t, zmq.Pull, zmq.Options{Namespace: names})
	bind(t, pull, "inproc://last")
	connect(t, push, "inproc://last")
	for _, text := range []string{"first", "second", "last"} {
		send(t, push, text)
	}
	want(t, pull, "last")
	nothing(t, pull)
}

// The hook of what is dropped for a later message may look at the sender.
func TestHookOfWhatIsConflated(t *testing.T) {
	names := new(zmq.Namespace)
	push, pull := open(t, zmq.Push, zmq.Options{Namespace: names}), open(t, zmq.Pull, zmq.Options{Namespace: names, Conflate: true})
	bind(t, pull, "inproc://last")
	connect(t, push, "inproc://last")
	released := make(chan zmq.Stats, 3)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range 2 {
			m := segment.New(arena.Pool())
			m.RootBuilder().SetExternalData(make([]byte, 64<<10), func() { released <- push.Stats() })
			if err := push.SendMessage(within(t), m); err != nil {
				t.Error(err)
			}
		}
	}()
	select {
	case <-sent:
	case <-within(t).Done():
		t.Fatal("the hook waits for the sender, which calls it")
	}
	<-released
}

// Of two who bind the same path at once one is refused, and who is not can be connected to.
func TestPathIsBoundOnce(t *testing.T) {
	for i := range 100 {
		endpoint := "ipc://" + filepath.Join(t.TempDir(), "s")
		var pulls [3]*zmq.Socket
		var errs [3]error
		var fs []func()
		for i := range pulls {
			pulls[i] = open(t, zmq.Pull)
			fs = append(fs, func() { _, errs[i] = pulls[i].Bind(endpoint) })
		}
		race(fs...)
		var bound []*zmq.Socket
		for i, err := range errs {
			if err == nil {
				bound = append(bound, pulls[i])
			} else if !errors.Is(err, zmq.ErrEndpoint) {
				t.Fatal(err)
			}
		}
		if len(bound) != 1 {
			t.Fatalf("time %d: %d are bound", i, len(bound))
		}
		honest(t, bound[0], endpoint)
		for _, p := range pulls {
			_ = p.Close()
		}
	}
}

// A peer that subscribes and takes that back all the time waits for an XPUB that does
// not receive it, and nothing of it is lost.
func TestSubscriptionsNobodyReceives(t *testing.T) {
	const all, most = 5000, 100 + 10
	for _, command := range []bool{true, false} { // as peers of ZMTP 3.1 say it, and older ones
		pub := open(t, zmq.XPub, zmq.Options{Verbose: true, VerboseCancel: true, MaxSubscriptions: 100, RecvHighWater: 10})
		r := dialRaw(t, bind(t, pub, "tcp://127.0.0.1:*")).shake("SUB")
		var said [2][]byte
		for i := range said {
			said[i] = frame(zmtp.AppendSubscription(nil, zmtp.Subscription{Cancel: i > 0, Topic: []byte("topic")}, command), command, false)
		}
		r.say(bytes.Repeat(append(said[0], said[1]...), all/2))
		until(t, "it reads no more", func() bool { return pub.Stats().Unread == most })
		for i := range all {
			if n := pub.Stats().Unread; n > most {
				t.Fatalf("%d wait, want %d at most", n, most)
			}
			want(t, pub, string(rune(1-i%2))+"topic")
		}
	}
}
