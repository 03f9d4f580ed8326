package interop_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// At the high-water mark. A message has 64 KiB, so that what fits into the
// kernel's buffers, which nobody counts, is some hundred messages, and tests send
// ten times that.
const (
	bulk    = "#65536:5"
	tooMany = 2000
)

// untilFull sends what send gives numbers until the context of one is over. It
// returns how many were taken.
func untilFull(t *testing.T, send func(ctx context.Context, n int) error) int {
	t.Helper()
	for n := range tooMany {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		err := send(ctx, n)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%d messages of 64 KiB did not meet a mark", tooMany)
	return 0
}

// untilAgain is the same for the peer.
func untilAgain(t *testing.T, p *peer, name string, envelope ...string) int {
	t.Helper()
	for n := range tooMany {
		words := append([]string{"send", name}, envelope...)
		_, err := p.try(append(words, word(string(number(n))), "-", bulk)...)
		switch {
		case err == nil:
		case err.Error() == "EAGAIN":
			return n
		default:
			t.Fatal(err)
		}
	}
	t.Fatalf("the peer sent %d messages of 64 KiB and did not meet a mark", tooMany)
	return 0
}

// receiveNumbered receives the messages from to n, and no more.
func receiveNumbered(t *testing.T, s side, from, n int, envelope ...string) {
	t.Helper()
	for i := from; i < n; i++ {
		expect(t, s, behind(envelope, []string{word(string(number(i))), "-", bulk})...)
	}
	if s.ready(50 * time.Millisecond) {
		t.Fatalf("after %d messages that were taken came %.100q", n, s.recv())
	}
}

// TestSenderBlocks: PUSH, DEALER and PAIR wait at the mark, and what a call that
// timed out had is not sent later.
func TestSenderBlocks(t *testing.T) {
	p := startPeer(t, "c")
	for _, pair := range [][2]string{{"PUSH", "PULL"}, {"DEALER", "DEALER"}, {"PAIR", "PAIR"}} {
		t.Run(pair[0], func(t *testing.T) {
			for _, transport := range []string{"tcp", "ipc"} {
				typ, err := zmq.ParseType(pair[0])
				if err != nil {
					t.Fatal(err)
				}
				const mark = 5
				s := open(t, typ, zmq.Options{SendHighWater: mark})
				name := p.open(t, pair[1], "RCVHWM", "int:1")
				meet(t, s, p, name, transport, transport == "tcp")
				n := untilFull(t, func(ctx context.Context, n int) error {
					return s.Send(ctx, number(n), nil, frame(bulk))
				})
				if waiting := s.Stats().Waiting; waiting > mark {
					t.Errorf("%d messages wait, the mark is %d", waiting, mark)
				}
				them := &theirs{p, name}
				receiveNumbered(t, them, 0, n)
				pass(t, &ours{t: t, s: s}, them, []string{hello})
			}
		})
	}
}

// TestReceiverStops: what ours does not receive makes theirs wait at its mark, and
// nothing is lost.
func TestReceiverStops(t *testing.T) {
	p := startPeer(t, "c")
	for _, pair := range [][2]string{{"PULL", "PUSH"}, {"DEALER", "DEALER"}, {"PAIR", "PAIR"}} {
		t.Run(pair[0], func(t *testing.T) {
			for _, transport := range []string{"tcp", "ipc"} {
				typ, err := zmq.ParseType(pair[0])
				if err != nil {
					t.Fatal(err)
				}
				const mark = 5
				s := open(t, typ, zmq.Options{RecvHighWater: mark})
				name := p.open(t, pair[1], "SNDHWM", "int:5", "SNDTIMEO", "int:200")
				meet(t, s, p, name, transport, transport == "tcp")
				n := untilAgain(t, p, name)
				if unread := s.Stats().Unread; unread > mark {
					t.Errorf("%d messages were read and not received, the mark is %d", unread, mark)
				}
				us := &ours{t: t, s: s}
				receiveNumbered(t, us, 0, n)
				pass(t, &theirs{p, name}, us, []string{hello})
			}
		})
	}
}

// TestMarkOfBytes: a mark of bytes makes the sender wait too, and the receiver
// read no further.
func TestMarkOfBytes(t *testing.T) {
	p := startPeer(t, "c")
	const mark = 1 << 20
	t.Run("sender", func(t *testing.T) {
		s := open(t, zmq.Push, zmq.Options{SendHighWater: -1, SendHighWaterBytes: mark})
		name := p.open(t, "PULL", "RCVHWM", "int:1")
		meet(t, s, p, name, "tcp", true)
		n := untilFull(t, func(ctx context.Context, n int) error {
			return s.Send(ctx, number(n), nil, frame(bulk))
		})
		if waiting := s.Stats().WaitingBytes; waiting >= mark+65536+8 {
			t.Errorf("%d bytes wait, the mark is %d", waiting, mark)
		}
		receiveNumbered(t, &theirs{p, name}, 0, n)
	})
	t.Run("receiver", func(t *testing.T) {
		s := open(t, zmq.Pull, zmq.Options{RecvHighWater: -1, RecvHighWaterBytes: mark})
		name := p.open(t, "PUSH", "SNDHWM", "int:5", "SNDTIMEO", "int:200")
		meet(t, s, p, name, "tcp", true)
		n := untilAgain(t, p, name)
		if unread := s.Stats().Unread; unread > mark/65536+1 {
			t.Errorf("%d messages were read and not received, the mark is %d bytes", unread, mark)
		}
		receiveNumbered(t, &ours{t: t, s: s}, 0, n)
	})
}

// TestPublisherDrops: a subscriber that does not read loses whole messages, and
// the others get all.
func TestPublisherDrops(t *testing.T) {
	slow, quick := startPeer(t, "c"), startPeer(t, "c")
	const mark = 10
	s := open(t, zmq.XPub, zmq.Options{SendHighWater: mark})
	endpoint := bind(t, s, wildcard(t, "tcp"))
	us := &ours{t: t, s: s}
	slowName := slow.open(t, "SUB", "RCVHWM", "int:1", "SUBSCRIBE", hexOption(""))
	slow.do("connect", slowName, endpoint)
	expect(t, us, "01")
	quickName := quick.open(t, "SUB", "SUBSCRIBE", hexOption("0"))
	quick.do("connect", quickName, endpoint)
	expect(t, us, word("\x010"))

	n := 0
	for ; s.Stats().Dropped < 20; n++ {
		if n == tooMany {
			t.Fatalf("%d messages to a subscriber that does not read, and none was dropped", n)
		}
		m := []string{word(string(number(n))), "-", bulk}
		pass(t, us, &theirs{quick, quickName}, m)
	}
	if waiting := s.Stats().Waiting; waiting > mark {
		t.Errorf("%d messages wait, the mark is %d", waiting, mark)
	}
	dropped := int(s.Stats().Dropped)
	them := &theirs{slow, slowName}
	last := -1
	for i := 0; i < n-dropped; i++ {
		last = increasing(t, them.recv(), last)
	}
	if them.ready(50 * time.Millisecond) {
		t.Fatalf("%d of %d were dropped, and yet came %.100q", dropped, n, them.recv())
	}
	// It has caught up, so it gets everything again.
	pass(t, us, them, []string{hello})
}

func increasing(t *testing.T, words []string, last int) int {
	t.Helper()
	if len(words) != 3 || words[1] != "-" || words[2] != told(frame(bulk)) {
		t.Fatalf("a message in parts: %.300q", words)
	}
	n := 0
	if _, err := fmt.Sscanf(string(frame(words[0])), "%d", &n); err != nil || n <= last {
		t.Fatalf("message %q came after %d", frame(words[0]), last)
	}
	return n
}

// TestTheirPublisherDrops: ours gets whole messages in order, too, where theirs
// drops.
func TestTheirPublisherDrops(t *testing.T) {
	p := startPeer(t, "c")
	s := open(t, zmq.Sub, zmq.Options{RecvHighWater: 5})
	us := &ours{t: t, s: s}
	us.subscribe("")
	name := p.open(t, "XPUB", "SNDHWM", "int:5")
	meet(t, s, p, name, "tcp", false)
	expect(t, &theirs{p, name}, "01")
	p.do("flood", name, fmt.Sprint(tooMany), "-", bulk)
	last, n := -1, 0
	for ended := false; !ended; {
		p.do("send", name, enough) // which may be dropped, too
		for !ended && us.ready(100*time.Millisecond) {
			got := us.recv()
			if ended = got[0] == enough; !ended {
				last = increasing(t, got, last)
				n++
			}
		}
	}
	if n < 5 || n >= tooMany {
		t.Errorf("received %d of %d; want some", n, tooMany)
	}
}

// TestRouterToOneWhoDoesNotRead: a ROUTER of ours drops for a peer without room or
// one that it does not know, or says so if it is mandatory; others are not held up.
func TestRouterToOneWhoDoesNotRead(t *testing.T) {
	p := startPeer(t, "c")
	for _, mandatory := range []bool{false, true} {
		t.Run(fmt.Sprintf("mandatory %v", mandatory), func(t *testing.T) {
			const mark = 5
			s := open(t, zmq.Router, zmq.Options{SendHighWater: mark, Mandatory: mandatory})
			endpoint := bind(t, s, wildcard(t, "tcp"))
			us := &ours{t: t, s: s}
			slow := p.open(t, "DEALER", "ROUTING_ID", hexOption("slow"), "RCVHWM", "int:1")
			quick := p.open(t, "DEALER", "ROUTING_ID", hexOption("quick"))
			for _, name := range []string{slow, quick} {
				p.do("connect", name, endpoint)
				p.do("send", name, hello)
				if got := us.recv(); got[1] != hello {
					t.Fatalf("received %q", got)
				}
			}
			err := s.Send(within(t), []byte("nobody"), []byte("x"))
			if mandatory != errors.Is(err, zmq.ErrUnroutable) || !mandatory && err != nil {
				t.Errorf("to nobody: %v", err)
			}
			send := func(ctx context.Context, n int) error {
				return s.Send(ctx, []byte("slow"), number(n), nil, frame(bulk))
			}
			var n int
			if mandatory {
				n = untilFull(t, send)
			} else {
				before := s.Stats().Dropped
				for sent := 0; s.Stats().Dropped == before; sent++ {
					if err := send(within(t), sent); err != nil {
						t.Fatal(err)
					}
					n = sent
				}
			}
			pass(t, &onward{us, word("quick")}, &theirs{p, quick}, []string{hello})
			receiveNumbered(t, &theirs{p, slow}, 0, n)
			pass(t, &onward{us, word("slow")}, &theirs{p, slow}, []string{hello})
		})
	}
}

// onward sends to one peer of a ROUTER.
type onward struct {
	*ours
	id string
}

func (o *onward) send(words ...string) { o.ours.send(behind([]string{o.id}, words)...) }

// TestTheirRouterAndOurs: a mandatory ROUTER of libzmq meets its mark where ours
// does not receive, and does not know us any more when we are gone.
func TestTheirRouterAndOurs(t *testing.T) {
	p := startPeer(t, "c")
	s := open(t, zmq.Dealer, zmq.Options{RecvHighWater: 5, RoutingID: frame(idA)})
	name := p.open(t, "ROUTER", "ROUTER_MANDATORY", "int:1", "SNDHWM", "int:5", "SNDTIMEO", "int:200")
	meet(t, s, p, name, "tcp", false)
	us := &ours{t: t, s: s}
	us.send(hello)
	expect(t, &theirs{p, name}, idA, hello)
	n := untilAgain(t, p, name, idA)
	receiveNumbered(t, us, 0, n)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, "the peer does not know us", func() bool {
		_, err := p.try("send", name, idA, hello)
		return err != nil && err.Error() == "EHOSTUNREACH"
	})
}

// TestTooLarge: who sends more than the other's limit is dropped, by ours and by
// theirs, and nothing of it is received.
func TestTooLarge(t *testing.T) {
	p := startPeer(t, "python")
	const limit = 100_000
	t.Run("ours has the limit", func(t *testing.T) {
		s := open(t, zmq.Pull, zmq.Options{MaxMessageBytes: limit})
		events := s.Monitor(1000)
		name := p.open(t, "PUSH", "RECONNECT_IVL", "int:10")
		meet(t, s, p, name, "tcp", true)
		us, them := &ours{t: t, s: s}, &theirs{p, name}
		pass(t, them, us, []string{fmt.Sprintf("#%d:1", limit)})
		them.send(fmt.Sprintf("#%d:1", limit+1))
		e := await(t, events, "the peer is dropped", isKind(zmq.Disconnected))
		if !errors.Is(e.Err, zmq.ErrTooLarge) {
			t.Errorf("the reason is %v, want one that matches ErrTooLarge", e.Err)
		}
		// It comes back; in several frames it is too much as well.
		await(t, events, "the peer is back", isKind(zmq.HandshakeDone))
		them.send(fmt.Sprintf("#%d:1", limit/2), fmt.Sprintf("#%d:1", limit/2), "61")
		e = await(t, events, "the peer is dropped", isKind(zmq.Disconnected))
		if !errors.Is(e.Err, zmq.ErrTooLarge) {
			t.Errorf("the reason is %v, want one that matches ErrTooLarge", e.Err)
		}
		await(t, events, "the peer is back", isKind(zmq.HandshakeDone))
		pass(t, them, us, []string{hello})
	})
	t.Run("theirs has the limit", func(t *testing.T) {
		s := open(t, zmq.Push, zmq.Options{})
		events := s.Monitor(1000)
		name := p.open(t, "PULL", "MAXMSGSIZE", fmt.Sprintf("int:%d", limit))
		meet(t, s, p, name, "tcp", false)
		us, them := &ours{t: t, s: s}, &theirs{p, name}
		pass(t, us, them, []string{fmt.Sprintf("#%d:1", limit)})
		us.send(fmt.Sprintf("#%d:1", limit+1))
		await(t, events, "the peer drops us", isKind(zmq.Disconnected))
		await(t, events, "we are back", isKind(zmq.HandshakeDone))
		pass(t, us, them, []string{hello})
	})
}
