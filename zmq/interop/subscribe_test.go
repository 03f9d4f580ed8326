package interop_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// A subscriber is a SUB or XSUB of either side.
type subscriber struct {
	side
	want, cancel func(topic string)
}

func ourSubscriber(t *testing.T, o *ours) subscriber {
	if o.s.Type() == zmq.XSub {
		return explicit(o)
	}
	return subscriber{o, o.subscribe, func(topic string) {
		if err := o.s.Unsubscribe(topic); err != nil {
			t.Fatal(err)
		}
	}}
}

func theirSubscriber(s *theirs, typ string) subscriber {
	if typ == "XSUB" {
		return explicit(s)
	}
	return subscriber{s, s.subscribe, func(topic string) { s.p.do("set", s.name, "UNSUBSCRIBE", hexOption(topic)) }}
}

// explicit subscribes by messages, as an XSUB does.
func explicit(s side) subscriber {
	return subscriber{
		s,
		func(topic string) { s.send(word("\x01" + topic)) },
		func(topic string) { s.send(word("\x00" + topic)) },
	}
}

// sees checks what an XPUB is told.
func sees(t *testing.T, xpub side, from subscriber, what string) {
	t.Helper()
	settle(t, from, xpub)
	expect(t, xpub, word(what))
}

// seesNone checks that an XPUB is told nothing about what was done before: the
// next thing it is told is a later subscription of the same peer.
func seesNone(t *testing.T, xpub side, from subscriber) {
	t.Helper()
	marker := fmt.Sprintf("marker %d", peerSockets.next())
	from.want(marker)
	sees(t, xpub, from, "\x01"+marker)
	from.cancel(marker)
	sees(t, xpub, from, "\x00"+marker)
}

// TestSubscriptions subscribes by prefix, twice, and cancels, with an XPUB that
// sees it; each role is ours and theirs.
func TestSubscriptions(t *testing.T) {
	p := startPeer(t, "python")
	for _, typ := range []string{"SUB", "XSUB"} {
		t.Run("our XPUB their "+typ, func(t *testing.T) {
			cells(t, func(t *testing.T, transport string, weBind bool) {
				a, b := ends(t, p, "XPUB", "", typ, "", transport, weBind)
				converse(t, a, theirSubscriber(b, typ))
			})
		})
		t.Run("our "+typ+" their XPUB", func(t *testing.T) {
			cells(t, func(t *testing.T, transport string, weBind bool) {
				b, a := ends(t, p, typ, "", "XPUB", "", transport, weBind)
				converse(t, a, ourSubscriber(t, b))
			})
		})
	}
}

func converse(t *testing.T, pub side, sub subscriber) {
	publish := func(topics ...string) {
		t.Helper()
		for _, topic := range topics {
			pub.send(word(topic), "-", word("about "+topic))
		}
	}
	receive := func(topics ...string) {
		t.Helper()
		for _, topic := range topics {
			expect(t, sub, word(topic), "-", word("about "+topic))
		}
	}

	sub.want("animal.")
	sees(t, pub, sub, "\x01animal.")
	publish("animal", "animal.", "animal.cat", "plant.rose", "", "anima", "animal.dog")
	receive("animal.", "animal.cat", "animal.dog")

	// Again the same: told once, delivered once, and cancelled by the second.
	sub.want("animal.")
	seesNone(t, pub, sub)
	publish("animal.cow")
	receive("animal.cow")
	sub.cancel("animal.")
	seesNone(t, pub, sub)
	publish("plant.tulip", "animal.pig")
	receive("animal.pig")

	// Two that match are one message.
	sub.want("ani")
	sees(t, pub, sub, "\x01ani")
	publish("animal.hen", "anise")
	receive("animal.hen", "anise")

	sub.cancel("animal.")
	sees(t, pub, sub, "\x00animal.")
	publish("animal.elk", "plant.lily")
	receive("animal.elk")
	sub.cancel("ani")
	sees(t, pub, sub, "\x00ani")
	publish("animal.owl", "anise")

	// All, and topics that are no text.
	sub.want("\x00\x01\xff")
	sees(t, pub, sub, "\x01\x00\x01\xff")
	publish("\x00\x01\xff\x00", "\x00\x01", "")
	receive("\x00\x01\xff\x00")
	sub.want("")
	sees(t, pub, sub, "\x01")
	publish("", "x")
	receive("", "x")
	long := strings.Repeat("long ", 100)
	sub.want(long)
	sees(t, pub, sub, "\x01"+long)
	publish(long)
	receive(long)
	if sub.ready(20 * time.Millisecond) {
		t.Fatalf("received %.100q, which was published only once or not wanted", sub.recv())
	}
}

// TestSubscribersInNumbers: an XPUB is told of the first who wants a topic and of
// the last who does not, by default; with Verbose of each who wants it.
func TestSubscribersInNumbers(t *testing.T) {
	p := startPeer(t, "python")
	for _, verbose := range []bool{false, true} {
		t.Run(fmt.Sprintf("our XPUB/verbose %v", verbose), func(t *testing.T) {
			s := open(t, zmq.XPub, zmq.Options{Verbose: verbose})
			endpoint := bind(t, s, wildcard(t, "tcp"))
			var subs []subscriber
			for range 2 {
				name := p.open(t, "SUB")
				p.do("connect", name, endpoint)
				subs = append(subs, theirSubscriber(&theirs{p, name}, "SUB"))
			}
			inNumbers(t, &ours{t: t, s: s}, subs, verbose)
			// A peer that goes away takes its subscriptions with it.
			subs[0].want("left behind")
			sees(t, &ours{t: t, s: s}, subs[0], "\x01left behind")
			p.do("close", subs[0].side.(*theirs).name)
			expect(t, &ours{t: t, s: s}, word("\x00left behind"))
		})
		t.Run(fmt.Sprintf("their XPUB/verbose %v", verbose), func(t *testing.T) {
			name := p.open(t, "XPUB")
			if verbose {
				p.do("set", name, "XPUB_VERBOSE", "int:1")
			}
			endpoint := p.do("bind", name, wildcard(t, "tcp"))[0]
			var subs []subscriber
			for range 2 {
				s := open(t, zmq.Sub, zmq.Options{})
				connect(t, s, endpoint)
				subs = append(subs, ourSubscriber(t, &ours{t: t, s: s}))
			}
			inNumbers(t, &theirs{p, name}, subs, verbose)
			subs[0].want("left behind")
			sees(t, &theirs{p, name}, subs[0], "\x01left behind")
			if err := subs[0].side.(*ours).s.Close(); err != nil {
				t.Fatal(err)
			}
			expect(t, &theirs{p, name}, word("\x00left behind"))
		})
	}
}

func inNumbers(t *testing.T, pub side, subs []subscriber, verbose bool) {
	first, second := subs[0], subs[1]
	first.want("t")
	sees(t, pub, first, "\x01t")
	second.want("t")
	if verbose {
		sees(t, pub, second, "\x01t")
	} else {
		seesNone(t, pub, second)
	}
	first.cancel("t")
	seesNone(t, pub, first)
	pub.send(word("t"))
	expect(t, second, word("t"))
	second.cancel("t")
	sees(t, pub, second, "\x00t")
	if first.ready(0) || second.ready(0) {
		t.Fatal("a message came after its subscription was cancelled")
	}
}

// TestSubscriptionsComeBack: a subscriber of ours subscribes again at a publisher
// that was restarted, and one of theirs at ours.
func TestSubscriptionsComeBack(t *testing.T) {
	p := startPeer(t, "python")
	t.Run("their XPUB", func(t *testing.T) {
		s := open(t, zmq.Sub, zmq.Options{})
		sub := ourSubscriber(t, &ours{t: t, s: s})
		sub.want("kept")
		sub.want("given up")
		endpoint := wildcard(t, "ipc")
		connect(t, s, endpoint)
		for i := range 3 {
			name := p.open(t, "XPUB")
			p.do("bind", name, endpoint)
			told := map[string]bool{}
			topics := []string{"\x01kept", "\x01given up"}
			if i > 0 {
				topics = topics[:1]
			}
			for range topics {
				told[p.do("recv", name)[0]] = true
			}
			for _, topic := range topics {
				if !told[word(topic)] {
					t.Fatalf("round %d: told %v, want %q", i, told, topic)
				}
			}
			seesNone(t, &theirs{p, name}, sub)
			pass(t, &theirs{p, name}, sub, []string{word("kept"), word(fmt.Sprint(i))})
			if i == 0 {
				sub.cancel("given up")
				sees(t, &theirs{p, name}, sub, "\x00given up")
			}
			p.do("close", name)
		}
	})
	t.Run("our XPUB", func(t *testing.T) {
		name := p.open(t, "SUB", "SUBSCRIBE", hexOption("kept"), "RECONNECT_IVL", "int:10")
		endpoint := wildcard(t, "ipc")
		p.do("connect", name, endpoint)
		for i := range 3 {
			s := open(t, zmq.XPub, zmq.Options{})
			bind(t, s, endpoint)
			us := &ours{t: t, s: s}
			settle(t, &theirs{p, name}, us)
			expect(t, us, word("\x01kept"))
			pass(t, us, &theirs{p, name}, []string{word("kept"), word(fmt.Sprint(i))})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
