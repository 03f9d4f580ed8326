//go:build unix

package interop_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq"
)

// talkAgain sends until something arrives, for a connection that may be lost with
// what was on its way.
func talkAgain(t *testing.T, from, to side) {
	t.Helper()
	n := 0
	until(t, "a message after the connection was lost", func() bool {
		n++
		from.send(word(fmt.Sprintf("again %d", n)))
		return to.ready(50 * time.Millisecond)
	})
	for {
		got := to.recv()
		if !strings.HasPrefix(got[0], word("again ")) {
			t.Fatalf("received %q", got)
		}
		if got[0] == word(fmt.Sprintf("again %d", n)) {
			return
		}
	}
}

func stop(t *testing.T, child *os.Process) {
	t.Helper()
	if err := child.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func goOn(t *testing.T, child *os.Process) {
	t.Helper()
	if err := child.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// TestStoppedPeerIsFoundOut: a peer that is stopped keeps its connection open, so
// that only heartbeats tell.
func TestStoppedPeerIsFoundOut(t *testing.T) {
	t.Parallel()
	cells(t, func(t *testing.T, transport string, weBind bool) {
		if (transport == "tcp") == weBind {
			return // once each is enough, because it takes time
		}
		t.Parallel()
		p := startPeer(t, "c")
		s := open(t, zmq.Dealer, zmq.Options{HeartbeatInterval: 50 * time.Millisecond, HeartbeatTimeout: time.Second})
		events := s.Monitor(10_000)
		name := p.open(t, "DEALER", "RECONNECT_IVL", "int:10")
		meet(t, s, p, name, transport, weBind)
		us, them := &ours{t: t, s: s}, &theirs{p, name}
		pass(t, us, them, []string{hello})
		pass(t, them, us, []string{hello})
		stop(t, p.cmd.Process)
		e := await(t, events, "the peer is dropped", isKind(zmq.Disconnected))
		if e.Err == nil || !strings.Contains(e.Err.Error(), "silent") {
			t.Errorf("the reason is %v, want that it was silent", e.Err)
		}
		goOn(t, p.cmd.Process)
		talkAgain(t, them, us)
		talkAgain(t, us, them)
	})
}

// TestTheirTimeToLive: a peer that said how long it can be waited for, and is
// stopped, is dropped after that time though we would wait longer.
func TestTheirTimeToLive(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "python")
	s := open(t, zmq.Dealer, zmq.Options{HeartbeatInterval: 300 * time.Millisecond, HeartbeatTimeout: time.Hour})
	theirTimeToLive(t, p, s)
}

func theirTimeToLive(t *testing.T, p *peer, s *zmq.Socket) {
	t.Helper()
	events := s.Monitor(10_000)
	name := p.open(t, "DEALER", "HEARTBEAT_IVL", "int:50", "HEARTBEAT_TTL", "int:1000", "HEARTBEAT_TIMEOUT", "int:60000")
	meet(t, s, p, name, "tcp", true)
	us, them := &ours{t: t, s: s}, &theirs{p, name}
	pass(t, them, us, []string{hello})
	before := s.Stats().Reads
	until(t, "PINGs arrived", func() bool { return s.Stats().Reads >= before+3 })
	stop(t, p.cmd.Process)
	await(t, events, "the peer is dropped", isKind(zmq.Disconnected))
	goOn(t, p.cmd.Process)
}

// TestTheirTimeToLiveAlone: it is kept also without heartbeats of ours.
func TestTheirTimeToLiveAlone(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "python")
	s := open(t, zmq.Dealer, zmq.Options{HeartbeatInterval: -1})
	theirTimeToLive(t, p, s)
}

// TestPingsAreAnswered: the peer's PINGs are answered, so that it does not drop
// us, and are nothing that the program receives.
func TestPingsAreAnswered(t *testing.T) {
	t.Parallel()
	p := startPeer(t, "python")
	const interval, timeout = 30, 2000 // milliseconds
	type pinged struct {
		pair   [2]string // ours, theirs
		s      *zmq.Socket
		name   string
		before zmq.Stats
	}
	var all []*pinged
	for _, pair := range [][2]string{{"DEALER", "DEALER"}, {"PULL", "PUSH"}, {"SUB", "PUB"}, {"REP", "REQ"}, {"ROUTER", "DEALER"}} {
		typ, err := zmq.ParseType(pair[0])
		if err != nil {
			t.Fatal(err)
		}
		// Without PINGs of ours, so that only our PONGs keep the peer content.
		s := open(t, typ, zmq.Options{HeartbeatInterval: -1})
		if typ == zmq.Sub {
			(&ours{t: t, s: s}).subscribe("")
		}
		events := s.Monitor(1000)
		name := p.open(t, pair[1], "HEARTBEAT_IVL", fmt.Sprintf("int:%d", interval), "HEARTBEAT_TIMEOUT", fmt.Sprintf("int:%d", timeout))
		p.do("monitor", name)
		meet(t, s, p, name, "tcp", true)
		await(t, events, "a handshake", isKind(zmq.HandshakeDone))
		all = append(all, &pinged{pair, s, name, s.Stats()})
	}
	for _, c := range all {
		// Longer than the peer would wait for an answer.
		until(t, c.pair[0]+" has PINGs", func() bool {
			return c.s.Stats().Reads-c.before.Reads > timeout/interval*5/4
		})
	}
	for _, c := range all {
		after := c.s.Stats()
		if after.Unread != 0 || after.Received != 0 {
			t.Errorf("%s: %d messages wait, %d were received; want none", c.pair[0], after.Unread, after.Received)
		}
		if reads, writes := after.Reads-c.before.Reads, after.Writes-c.before.Writes; writes < reads/2 {
			t.Errorf("%s: %d writes after %d reads; want a PONG for each PING", c.pair[0], writes, reads)
		}
		p.do("send", c.name, hello)
		got := (&ours{t: t, s: c.s}).recv()
		if got[len(got)-1] != hello {
			t.Errorf("%s received %q", c.pair[0], got)
		}
		for {
			event := p.do("event", c.name, "0")[0]
			if event == "NONE" {
				break
			}
			if event == "DISCONNECTED" {
				t.Errorf("the peer dropped our %s", c.pair[0])
			}
		}
	}
}

// TestWeAreStopped: a libzmq that sends PINGs, or one that was told our TTL,
// finds out that our process is stopped, and goes on when it is continued.
func TestWeAreStopped(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]string{
		"their PING": {"HEARTBEAT_IVL", "int:50", "HEARTBEAT_TIMEOUT", "int:1000"},
		"our TTL":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, "python")
			name := p.open(t, "PUSH", options...)
			p.do("monitor", name)
			endpoint := p.do("bind", name, wildcard(t, "ipc"))[0]
			cmd, lines := startChild(t, endpoint)
			p.do("send", name, hello)
			first := receiveLine(t, lines)
			if first != hello {
				t.Fatalf("our process received %q", first)
			}
			// The peer cannot tell when it has had our PING with the TTL, without which
			// it does not find out: then it is tried again.
			found := false
			until(t, "the peer finds out", func() bool {
				time.Sleep(500 * time.Millisecond)
				stop(t, cmd.Process)
				for event := ""; event != "NONE" && !found; {
					event = p.do("event", name, "3000")[0]
					found = event == "DISCONNECTED"
				}
				if !found {
					goOn(t, cmd.Process)
				}
				return found
			})
			goOn(t, cmd.Process)
			p.event(name, func(event string) bool { return strings.HasPrefix(event, "HANDSHAKE_SUCCEEDED") })
			p.do("send", name, enough)
			for receiveLine(t, lines) != enough {
			}
		})
	}
}

func receiveLine(t *testing.T, lines <-chan string) string {
	t.Helper()
	timeout := time.NewTimer(*patience)
	defer timeout.Stop()
	select {
	case line := <-lines:
		return line
	case <-timeout.C:
		t.Fatal("our process does not receive")
	}
	return ""
}
