package interop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// shapes are the messages that each pair exchanges.
var shapes = []struct {
	name  string
	words []string
}{
	{"empty", []string{"-"}},
	{"1 byte", []string{"61"}},
	{"255 bytes", []string{"#255:1"}},
	{"256 bytes", []string{"#256:2"}},
	{"64 KiB", []string{"#65536:3"}},
	{"1 MiB", []string{"#1048576:4"}},
	{"empty frames between", []string{"61", "-", "62", "-"}},
	{"only empty frames", []string{"-", "-", "-"}},
	{"all sizes", []string{"-", "#65536:5", "61", "#255:6", "-", "#256:7", "#100000:8"}},
	{"20 frames", slices.Repeat([]string{"#200:9"}, 20)},
}

// A side is one end of a pair, ours or the peer's, so that a pair's dialogue is
// written once for both.
type side interface {
	send(words ...string)
	trySend(words ...string) bool // false if the peer is not known yet
	recv() []string
	ready(time.Duration) bool // a message can be received
	subscribe(topic string)   // SUB
}

type ours struct {
	t      *testing.T
	s      *zmq.Socket
	waited [][]byte
}

func (o *ours) send(words ...string) {
	o.t.Helper()
	if err := o.s.Send(within(o.t), frames(words)...); err != nil {
		o.t.Fatal(err)
	}
}

func (o *ours) trySend(words ...string) bool {
	o.t.Helper()
	err := o.s.Send(within(o.t), frames(words)...)
	if err != nil && !errors.Is(err, zmq.ErrUnroutable) {
		o.t.Fatal(err)
	}
	return err == nil
}

func (o *ours) recv() []string {
	o.t.Helper()
	if got := o.waited; got != nil {
		o.waited = nil
		return toldAll(got)
	}
	got, err := o.s.Recv(within(o.t))
	if err != nil {
		o.t.Fatal(err)
	}
	return toldAll(got)
}

func (o *ours) ready(d time.Duration) bool {
	o.t.Helper()
	if o.waited != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	got, err := o.s.Recv(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		o.t.Fatal(err)
	}
	o.waited = got
	return err == nil
}

func (o *ours) subscribe(topic string) {
	o.t.Helper()
	if err := o.s.Subscribe(topic); err != nil {
		o.t.Fatal(err)
	}
}

type theirs struct {
	p    *peer
	name string
}

func (s *theirs) send(words ...string) {
	s.p.t.Helper()
	s.p.do(append([]string{"send", s.name}, words...)...)
}

func (s *theirs) trySend(words ...string) bool {
	s.p.t.Helper()
	_, err := s.p.try(append([]string{"send", s.name}, words...)...)
	if err != nil && err.Error() != "EHOSTUNREACH" {
		s.p.t.Fatal(err)
	}
	return err == nil
}

func (s *theirs) recv() []string {
	s.p.t.Helper()
	return s.p.do("recv", s.name)
}

func (s *theirs) ready(d time.Duration) bool {
	s.p.t.Helper()
	return s.p.poll(s.name, d)
}

func (s *theirs) subscribe(topic string) {
	s.p.t.Helper()
	s.p.do("set", s.name, "SUBSCRIBE", hexOption(topic))
}

// expect receives a message that has to be these frames.
func expect(t testing.TB, s side, words ...string) {
	t.Helper()
	want := toldAll(frames(words))
	if got := s.recv(); !slices.Equal(got, want) {
		t.Fatalf("%T received %.200q, want %.200q", s, got, want)
	}
}

// pass sends a message that has to arrive as it is.
func pass(t testing.TB, from, to side, words []string) {
	t.Helper()
	from.send(words...)
	expect(t, to, words...)
}

func behind(envelope []string, words []string) []string {
	return append(slices.Clone(envelope), words...)
}

var (
	idA, idB = word("id of A"), word("id of B")
	hello    = word("hello")
	enough   = word("enough")
)

// pairs are which types talk to each other, and how. Each has both roles in turn
// on our side.
var pairs = []struct {
	a, b string
	talk func(t *testing.T, a, b side)
}{
	{"PAIR", "PAIR", bothWays},
	{"PUB", "SUB", func(t *testing.T, a, b side) {
		b.subscribe("")
		greet(t, a, b)
		oneWay(t, a, b)
	}},
	{"XPUB", "SUB", func(t *testing.T, a, b side) {
		b.subscribe("")
		settle(t, b, a)
		expect(t, a, "01")
		oneWay(t, a, b)
	}},
	{"PUB", "XSUB", func(t *testing.T, a, b side) {
		b.send("01")
		greet(t, a, b)
		oneWay(t, a, b)
	}},
	{"XPUB", "XSUB", func(t *testing.T, a, b side) {
		b.send("01")
		settle(t, b, a)
		expect(t, a, "01")
		oneWay(t, a, b)
		// What is no subscription travels up as it is.
		pass(t, b, a, []string{word("up")})
		pass(t, b, a, []string{word("up"), "-", word("and up")})
		pass(t, b, a, []string{"00"})
	}},
	{"REQ", "REP", bothWays},
	{"REQ", "ROUTER", func(t *testing.T, a, b side) {
		for _, m := range shapes {
			envelope := []string{idA, "-"}
			a.send(m.words...)
			expect(t, b, behind(envelope, m.words)...)
			b.send(behind(envelope, m.words)...)
			expect(t, a, m.words...)
		}
	}},
	{"DEALER", "REP", func(t *testing.T, a, b side) {
		for _, envelope := range [][]string{{"-"}, {word("x"), "#300:1", "-"}} {
			for _, m := range shapes {
				a.send(behind(envelope, m.words)...)
				expect(t, b, m.words...)
				b.send(m.words...)
				expect(t, a, behind(envelope, m.words)...)
			}
		}
	}},
	{"DEALER", "DEALER", bothWays},
	{"DEALER", "ROUTER", func(t *testing.T, a, b side) {
		for _, m := range shapes {
			a.send(m.words...)
			expect(t, b, behind([]string{idA}, m.words)...)
			b.send(behind([]string{idA}, m.words)...)
			expect(t, a, m.words...)
		}
	}},
	{"ROUTER", "ROUTER", func(t *testing.T, a, b side) {
		// A ROUTER can address a peer as soon as it has its routing id.
		until(t, "A knows B", func() bool { return a.trySend(idB, hello) })
		expect(t, b, idA, hello)
		for _, m := range shapes {
			a.send(behind([]string{idB}, m.words)...)
			expect(t, b, behind([]string{idA}, m.words)...)
			b.send(behind([]string{idA}, m.words)...)
			expect(t, a, behind([]string{idB}, m.words)...)
		}
	}},
	{"PUSH", "PULL", oneWay},
}

func oneWay(t *testing.T, a, b side) {
	for _, m := range shapes {
		pass(t, a, b, m.words)
	}
}

func bothWays(t *testing.T, a, b side) {
	for _, m := range shapes {
		pass(t, a, b, m.words)
		pass(t, b, a, m.words)
	}
}

// settle waits until what from has to say has come to the other side. A socket
// of libzmq takes note of new connections, and subscribes there, only when it is
// used.
func settle(t *testing.T, from, to side) {
	t.Helper()
	until(t, "a message", func() bool {
		from.ready(time.Millisecond)
		return to.ready(20 * time.Millisecond)
	})
}

// greet sends until a subscription has arrived, which a PUB does not tell.
func greet(t *testing.T, a, b side) {
	t.Helper()
	until(t, "a first message", func() bool {
		a.send(hello)
		return b.ready(20 * time.Millisecond)
	})
	a.send(enough)
	for {
		switch got := b.recv(); got[0] {
		case hello:
		case enough:
			return
		default:
			t.Fatalf("received %.100q", got)
		}
	}
}

// TestPairs exchanges messages of all shapes between all types of sockets.
func TestPairs(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			p := startPeer(t, kind)
			t.Logf("libzmq %s", p.do("version")[0])
			for _, pair := range pairs {
				t.Run("our "+pair.a+" their "+pair.b, func(t *testing.T) {
					cells(t, func(t *testing.T, transport string, weBind bool) {
						a, b := ends(t, p, pair.a, idA, pair.b, idB, transport, weBind)
						pair.talk(t, a, b)
					})
				})
				if pair.a == pair.b {
					continue
				}
				t.Run("our "+pair.b+" their "+pair.a, func(t *testing.T) {
					cells(t, func(t *testing.T, transport string, weBind bool) {
						b, a := ends(t, p, pair.b, idB, pair.a, idA, transport, weBind)
						pair.talk(t, a, b)
					})
				})
			}
		})
	}
}

// ends opens and connects a socket of ours and one of the peer's.
func ends(t *testing.T, p *peer, typ, id, peerType, peerID, transport string, weBind bool) (*ours, *theirs) {
	t.Helper()
	ourType, err := zmq.ParseType(typ)
	if err != nil {
		t.Fatal(err)
	}
	o := zmq.Options{Mandatory: ourType == zmq.Router}
	switch ourType {
	case zmq.Req, zmq.Dealer, zmq.Router:
		o.RoutingID = frame(id)
	}
	var options []string
	switch peerType {
	case "ROUTER":
		options = []string{"ROUTER_MANDATORY", "int:1", "ROUTING_ID", "hex:" + peerID}
	case "REQ", "DEALER":
		options = []string{"ROUTING_ID", "hex:" + peerID}
	}
	s := open(t, ourType, o)
	name := p.open(t, peerType, options...)
	meet(t, s, p, name, transport, weBind)
	return &ours{t: t, s: s}, &theirs{p: p, name: name}
}

// TestLargeFrames exchanges frames of 256 MiB, behind a flag.
func TestLargeFrames(t *testing.T) {
	if !*large {
		t.Skip("for frames of 256 MiB run with -large")
	}
	p := startPeer(t, "c")
	cells(t, func(t *testing.T, transport string, weBind bool) {
		s := open(t, zmq.Pair, zmq.Options{MaxMessageBytes: 300 << 20})
		name := p.open(t, "PAIR")
		meet(t, s, p, name, transport, weBind)
		us, them := &ours{t: t, s: s}, &theirs{p: p, name: name}
		m := []string{"61", fmt.Sprintf("#%d:1", 256<<20), "-", "62"}
		pass(t, us, them, m)
		pass(t, them, us, m)
	})
}

// TestShare checks that each of several libzmq peers gets its share of what a
// PUSH and a DEALER send, once, and that what they send arrives once.
func TestShare(t *testing.T) {
	p := startPeer(t, "python")
	for _, pair := range [][2]string{{"PUSH", "PULL"}, {"DEALER", "DEALER"}} {
		t.Run(pair[0], func(t *testing.T) {
			const peers, each = 3, 20
			typ, err := zmq.ParseType(pair[0])
			if err != nil {
				t.Fatal(err)
			}
			s := open(t, typ, zmq.Options{})
			var names []string
			for range peers {
				name := p.open(t, pair[1])
				connect(t, s, p.do("bind", name, wildcard(t, "tcp"))[0])
				names = append(names, name)
			}
			us := &ours{t: t, s: s}
			for i := range peers * each {
				us.send(word(string(number(i))), "-")
			}
			seen := map[string]bool{}
			for _, name := range names {
				last := ""
				for range each {
					got := p.do("recv", name)
					if len(got) != 2 || got[1] != "-" || seen[got[0]] || got[0] <= last {
						t.Fatalf("%s received %q after %q", name, got, last)
					}
					seen[got[0]], last = true, got[0]
				}
				if p.poll(name, 0) {
					t.Fatalf("%s received more than its share: %q", name, p.do("recv", name))
				}
			}
			if pair[0] == "PUSH" {
				return
			}
			for _, name := range names {
				p.do("flood", name, fmt.Sprint(each), "-", word(name))
			}
			next := map[string]int{}
			for range peers * each {
				got, err := s.Recv(within(t))
				if err != nil {
					t.Fatal(err)
				}
				from := string(got[2])
				if want := number(next[from]); len(got) != 3 || string(got[0]) != string(want) {
					t.Fatalf("received %q, want %q from %s", got, want, from)
				}
				next[from]++
			}
		})
	}
}

// TestTypesThatDoNotMatch: both sides refuse, and say so.
func TestTypesThatDoNotMatch(t *testing.T) {
	p := startPeer(t, "python")
	for _, pair := range [][2]string{{"PUSH", "PUSH"}, {"REQ", "SUB"}, {"PUB", "PULL"}, {"PAIR", "DEALER"}} {
		for _, weBind := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s %s/we bind %v", pair[0], pair[1], weBind), func(t *testing.T) {
				typ, err := zmq.ParseType(pair[0])
				if err != nil {
					t.Fatal(err)
				}
				s := open(t, typ, zmq.Options{})
				events := s.Monitor(100)
				name := p.open(t, pair[1])
				p.do("monitor", name)
				meet(t, s, p, name, "tcp", weBind)
				e := await(t, events, "a failed handshake", isKind(zmq.HandshakeFailed))
				if !errors.Is(e.Err, zmq.ErrHandshake) {
					t.Errorf("the reason is %v, want one that matches ErrHandshake", e.Err)
				}
				// Which is all that libzmq says about this.
				p.event(name, func(event string) bool { return strings.HasPrefix(event, "DISCONNECTED") })
			})
		}
	}
}

// event takes the peer's events of a socket until one is wanted.
func (p *peer) event(name string, wanted func(event string) bool) string {
	p.t.Helper()
	var seen []string
	for range 1000 {
		got := strings.Join(p.do("event", name, "30000"), " ")
		if wanted(got) {
			return got
		}
		seen = append(seen, got)
		if got == "NONE 0" {
			break
		}
	}
	p.t.Fatalf("the peer has no such event; there were %q", seen)
	return ""
}
