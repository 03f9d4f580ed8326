package interop_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// The messages of a sequence: a number of 8 digits, an empty frame and a body
// that is large enough to be cut.
const bodyBytes = 20_000

var body = fmt.Sprintf("#%d:7", bodyBytes)

// sequence checks that messages that arrive are whole and in order. Some may be
// missing.
type sequence struct {
	t    *testing.T
	last int
	got  int
}

func newSequence(t *testing.T) *sequence { return &sequence{t: t, last: -1} }

// take takes the words of a message behind its envelope.
func (q *sequence) take(words []string) {
	q.t.Helper()
	if len(words) != 3 || words[1] != "-" || words[2] != told(frame(body)) {
		q.t.Fatalf("a message in parts: %.300q", words)
	}
	n, err := strconv.Atoi(string(frame(words[0])))
	if err != nil {
		q.t.Fatal(err)
	}
	if n <= q.last {
		q.t.Fatalf("message %d came after %d", n, q.last)
	}
	q.last = n
	q.got++
}

// baseline is what must be the same after a test: what this process has open.
type baseline struct {
	buffers int64
	files   int
}

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // no such thing on this system
	}
	return len(entries)
}

// leavesNothing checks that what a test uses is given back. It is called first,
// when the peers that it starts are not there, and checks when they are gone.
func leavesNothing(t *testing.T) {
	t.Helper()
	before := baseline{zmq.Outstanding(), openFiles()}
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		until(t, fmt.Sprintf("buffers and files are back at %+v", before), func() bool {
			return zmq.Outstanding() <= before.buffers && openFiles() <= before.files
		})
	})
}

// TestPeerIsKilledAndReceives: ours sends without end to peers that bind an
// endpoint, one after the other, each of which is killed.
func TestPeerIsKilledAndReceives(t *testing.T) {
	for _, transport := range []string{"tcp", "ipc"} {
		t.Run(transport, func(t *testing.T) {
			startPeer(t, "c") // built and in the file cache before files are counted
			leavesNothing(t)
			s := open(t, zmq.Push, zmq.Options{SendHighWater: 50})
			p := startPeer(t, "c")
			name := p.open(t, "PULL")
			endpoint := p.do("bind", name, wildcard(t, transport))[0]
			connect(t, s, endpoint)
			stop, cancel := context.WithCancel(context.Background())
			sent := make(chan int)
			go func() {
				n := 0
				for s.Send(stop, number(n), nil, frame(body)) == nil {
					n++
				}
				sent <- n
			}()
			seq := newSequence(t)
			for range *restarts {
				for range 100 {
					seq.take(p.do("recv", name))
				}
				p.kill()
				p = startPeer(t, "c")
				name = p.open(t, "PULL")
				until(t, "the endpoint is free", func() bool {
					_, err := p.try("bind", name, endpoint)
					return err == nil
				})
			}
			for range 100 {
				seq.take(p.do("recv", name))
			}
			cancel()
			n := <-sent
			// The last peer has no reason to lose anything.
			for seq.last < n-1 {
				seq.take(p.do("recv", name))
			}
			if waiting := s.Stats().Waiting; waiting != 0 {
				t.Errorf("%d messages still wait", waiting)
			}
			t.Logf("%d sent, %d received by %d peers", n, seq.got, *restarts+1)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPeerIsKilledAndSends: peers send to ours, one after the other, each of which
// is killed while it sends.
func TestPeerIsKilledAndSends(t *testing.T) {
	cells(t, func(t *testing.T, transport string, weBind bool) {
		startPeer(t, "c")
		leavesNothing(t)
		s := open(t, zmq.Pull, zmq.Options{RecvHighWater: 50})
		var endpoint string
		if weBind {
			endpoint = bind(t, s, wildcard(t, transport))
		}
		// What a peer sent before it was killed may still arrive when the next ones
		// send, in turn with theirs: in its own order, and whole.
		var from []*sequence
		for i := range *restarts {
			p := startPeer(t, "c")
			name := p.open(t, "PUSH")
			switch {
			case weBind:
				p.do("connect", name, endpoint)
			case endpoint == "":
				endpoint = p.do("bind", name, wildcard(t, transport))[0]
				connect(t, s, endpoint)
			default:
				until(t, "the endpoint is free", func() bool {
					_, err := p.try("bind", name, endpoint)
					return err == nil
				})
			}
			p.begin("flood", name, "100000", "-", body, word(fmt.Sprint(i)))
			from = append(from, newSequence(t))
			for from[i].got < 100 {
				frames, err := s.Recv(within(t))
				if err != nil {
					t.Fatalf("peer %d, of whose messages %d came: %v", i, from[i].got, err)
				}
				words := toldAll(frames)
				who, err := strconv.Atoi(string(frames[len(frames)-1]))
				if err != nil || who < 0 || who > i {
					t.Fatalf("a message in parts: %.300q", words)
				}
				from[who].take(words[:len(words)-1])
			}
			p.kill()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestWeComeBack: a peer of libzmq connects again to an endpoint that was closed
// and bound again, and what it queued in the meantime arrives.
func TestWeComeBack(t *testing.T) {
	p := startPeer(t, "python")
	for _, transport := range []string{"tcp", "ipc"} {
		t.Run(transport, func(t *testing.T) {
			endpoint := wildcard(t, transport)
			name := ""
			for i := range *restarts + 1 {
				s := open(t, zmq.Pull, zmq.Options{})
				endpoint = bind(t, s, endpoint)
				if name == "" {
					name = p.open(t, "PUSH", "RECONNECT_IVL", "int:10")
					p.do("monitor", name)
					p.do("connect", name, endpoint)
				}
				p.do("send", name, word(fmt.Sprint("here ", i)))
				us := &ours{t: t, s: s}
				for _, what := range []string{"queued ", "here "} {
					if i == 0 && what == "queued " {
						continue
					}
					expect(t, us, word(fmt.Sprint(what, i)))
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				p.event(name, func(event string) bool { return event[:4] == "DISC" })
				p.do("send", name, word(fmt.Sprint("queued ", i+1)))
			}
		})
	}
}

// TestStaleSocketFile: who was killed leaves the file of its socket behind, and
// that is no hindrance, for libzmq after us nor for us after libzmq.
func TestStaleSocketFile(t *testing.T) {
	endpoint := wildcard(t, "ipc")
	p := startPeer(t, "c")
	name := p.open(t, "PUSH")
	p.do("bind", name, endpoint)
	p.kill()
	if _, err := os.Stat(endpoint[len("ipc://"):]); err != nil {
		t.Fatalf("the peer left nothing behind: %v", err)
	}
	s := open(t, zmq.Pull, zmq.Options{})
	bind(t, s, endpoint)
	p = startPeer(t, "c")
	name = p.open(t, "PUSH")
	p.do("connect", name, endpoint)
	pass(t, &theirs{p, name}, &ours{t: t, s: s}, []string{hello})
	// While we use it, nobody else of ours gets it.
	if _, err := open(t, zmq.Pull, zmq.Options{}).Bind(endpoint); err == nil {
		t.Error("an endpoint in use was taken over")
	}
}

// TestRequestsToRestartedServer: a REQ of ours that is relaxed asks a REP again
// that was killed with its request.
func TestRequestsToRestartedServer(t *testing.T) {
	p := startPeer(t, "c")
	name := p.open(t, "REP")
	endpoint := p.do("bind", name, wildcard(t, "ipc"))[0]
	s := open(t, zmq.Req, zmq.Options{Relaxed: true, Correlate: true})
	connect(t, s, endpoint)
	us := &ours{t: t, s: s}
	for i := range *restarts {
		them := &theirs{p, name}
		ask, answer := word(fmt.Sprint("ask ", i)), word(fmt.Sprint("answer ", i))
		pass(t, us, them, []string{ask, "-"})
		pass(t, them, us, []string{answer, "-"})
		pass(t, us, them, []string{word("never answered")})
		p.kill()
		p = startPeer(t, "c")
		name = p.open(t, "REP")
		p.do("bind", name, endpoint)
		// The peer's end may not be known yet, so a request may be lost.
		until(t, "a request arrives", func() bool {
			us.send(ask)
			return p.poll(name, 100*time.Millisecond)
		})
		for p.poll(name, 50*time.Millisecond) {
			p.do("recv", name)
			p.do("send", name, answer)
		}
		expect(t, us, answer)
	}
}
