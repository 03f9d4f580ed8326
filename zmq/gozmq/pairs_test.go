package gozmq_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/plain"
)

// A pattern is two sockets of which the first speaks first.
type pattern struct {
	name          string
	first, second maker
	ask           [][]byte // the envelope that the first sends
	second1       int      // the envelope that the second gets
	answers       bool     // the second answers
	answer        func(got [][]byte) [][]byte
	first1        int  // the envelope that the first gets back
	fixed         bool // the first can only dial: it does not wait for a peer
	topic         string
}

func none([][]byte) [][]byte        { return nil }
func mirror(got [][]byte) [][]byte  { return got }
func named(name string) zmq4.Option { return zmq4.WithID(zmq4.SocketIdentity(name)) }
func frames(names ...string) (f [][]byte) {
	for _, n := range names {
		f = append(f, []byte(n))
	}
	return f
}

var patterns = []pattern{
	{name: "PUSH-PULL", first: zmq4.NewPush, second: zmq4.NewPull},
	{name: "PAIR-PAIR", first: zmq4.NewPair, second: zmq4.NewPair, answers: true, answer: none},
	{name: "PUB-SUB", first: zmq4.NewPub, second: zmq4.NewSub},
	{name: "PUB-SUB topic", first: zmq4.NewPub, second: zmq4.NewSub, ask: frames("prices.eu"), second1: 1, topic: "prices"},
	{name: "PUB-XSUB", first: zmq4.NewPub, second: zmq4.NewXSub},
	{name: "XPUB-SUB", first: zmq4.NewXPub, second: zmq4.NewSub},
	{name: "XPUB-XSUB topic", first: zmq4.NewXPub, second: zmq4.NewXSub, ask: frames("prices.eu"), second1: 1, topic: "prices"},
	{name: "SUB-XPUB upward", first: zmq4.NewSub, second: zmq4.NewXPub, ask: frames("up"), second1: 1},
	{name: "REQ-REP", first: zmq4.NewReq, second: zmq4.NewRep, answers: true, answer: none, fixed: true},
	{name: "REQ-ROUTER", first: zmq4.NewReq, second: zmq4.NewRouter, second1: gozmq.Delimited, answers: true, answer: mirror, fixed: true},
	{name: "DEALER-REP", first: zmq4.NewDealer, second: zmq4.NewRep, ask: frames(""), answers: true, answer: none, first1: 1},
	{name: "DEALER-DEALER", first: zmq4.NewDealer, second: zmq4.NewDealer, answers: true, answer: none},
	{name: "DEALER-ROUTER", first: zmq4.NewDealer, second: zmq4.NewRouter, second1: 1, answers: true, answer: mirror},
	{name: "ROUTER-ROUTER", first: zmq4.NewRouter, second: zmq4.NewRouter, ask: frames("second"), second1: 1, answers: true, answer: mirror, first1: 1, fixed: true},
}

// join connects the two sockets of a pattern.
func (p pattern) join(t *testing.T, transport string, secondBinds bool) (first, second zmq4.Socket) {
	t.Helper()
	first = open(t, p.first, named("first"))
	second = open(t, p.second, named("second"))
	p.meet(t, first, second, transport, secondBinds)
	return first, second
}

func (p pattern) meet(t *testing.T, first, second zmq4.Socket, transport string, secondBinds bool) {
	t.Helper()
	if second.Type() == zmq4.Sub {
		if err := second.SetOption(zmq4.OptionSubscribe, p.topic); err != nil {
			t.Fatal(err)
		}
	}
	if secondBinds {
		dial(t, first, listen(t, second, transport))
	} else {
		dial(t, second, listen(t, first, transport))
	}
	if second.Type() == zmq4.XSub {
		if err := second.Send(zmq4.NewMsg(append([]byte{1}, p.topic...))); err != nil {
			t.Fatal(err)
		}
	}
	if first.Type() == zmq4.Pub || first.Type() == zmq4.XPub {
		subscribed(t, first)
	}
}

// sending sends in a goroutine, for a socket may write only as fast as its peer
// reads. The result waits for its end.
func sending(s zmq4.Socket, msg *segment.Message, envelope [][]byte) func() error {
	done := make(chan error, 1)
	go func() { done <- gozmq.Send(s, msg, envelope...) }()
	return func() error { return <-done }
}

func (p pattern) run(t *testing.T, first, second zmq4.Socket, segments, size int) {
	t.Helper()
	a := new(poisoner)
	ask, askWant := build(t, a, segments, size)
	sent := sending(first, ask, p.ask)
	env, got := recv(t, second, gozmq.RecvOptions{Envelope: p.second1, Verify: true})
	within(t, "Send", sent)
	same(t, got, askWant)
	got.Release()
	switch {
	case second.Type() == zmq4.Router:
		if len(env) == 0 || string(env[0]) != "first" {
			t.Fatalf("envelope %q; want the routing id in front", env)
		}
	case !slices.EqualFunc(env, p.ask[:p.second1], bytes.Equal):
		t.Fatalf("envelope %q; want %q", env, p.ask[:p.second1])
	}
	if p.answers {
		answer, answerWant := build(t, a, segments+1, size)
		sent := sending(second, answer, p.answer(env))
		env, got := recv(t, first, gozmq.RecvOptions{Envelope: p.first1, Verify: true})
		within(t, "Send", sent)
		same(t, got, answerWant)
		got.Release()
		if len(env) != p.first1 {
			t.Fatalf("the answer's envelope is %q; want %d frames", env, p.first1)
		}
	}
	if n := a.out.Load(); n != 0 {
		t.Fatalf("%d pieces of memory did not go back to the arena", n)
	}
}

func TestPairs(t *testing.T) {
	for _, transport := range []string{"tcp", "ipc", "inproc"} {
		for _, p := range patterns {
			for _, secondBinds := range []bool{true, false} {
				if p.fixed && !secondBinds {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%v", transport, p.name, secondBinds), func(t *testing.T) {
					first, second := p.join(t, transport, secondBinds)
					sizes := []int{40, 248}
					if transport != "inproc" {
						sizes = append(sizes, 256, 64<<10)
					}
					for _, size := range sizes {
						for _, segments := range []int{1, 2, 510} {
							if size == 64<<10 && segments == 510 {
								continue // 32 MiB say no more than 512 KiB
							}
							p.run(t, first, second, segments, size)
						}
					}
				})
			}
		}
	}
}

// TestMostSegments sends as many segments as a receiver takes, and one more.
func TestMostSegments(t *testing.T) {
	p := patterns[0]
	for _, transport := range []string{"tcp", "ipc", "inproc"} {
		t.Run(transport, func(t *testing.T) {
			push, pull := p.join(t, transport, true)
			p.run(t, push, pull, segment.DefaultSegments, 40)

			a := new(poisoner)
			more, _ := build(t, a, segment.DefaultSegments+1, 40)
			sent := sending(push, more, nil)
			wantErr(t, pull, gozmq.RecvOptions{}, segment.ErrLimit)
			within(t, "Send", sent)

			// The receiver can ask for more.
			more, want := build(t, a, gozmq.MaxFrames, 40)
			sent = sending(push, more, nil)
			_, msg := recv(t, pull, gozmq.RecvOptions{Limits: segment.Limits{Segments: gozmq.MaxFrames}})
			within(t, "Send", sent)
			same(t, msg, want)
			msg.Release()
		})
	}
}

// TestPlain sends through sockets of the only other mechanism of zmq4, which
// writes each frame by another way.
func TestPlain(t *testing.T) {
	for _, name := range []string{"PUSH-PULL", "REQ-REP", "PUB-SUB topic", "DEALER-ROUTER"} {
		p := patterns[slices.IndexFunc(patterns, func(p pattern) bool { return p.name == name })]
		t.Run(name, func(t *testing.T) {
			secure := func() zmq4.Option { return zmq4.WithSecurity(plain.Security("user", "secret")) }
			first := open(t, p.first, named("first"), secure())
			second := open(t, p.second, named("second"), secure())
			p.meet(t, first, second, "tcp", true)
			for _, size := range []int{40, 4096} {
				p.run(t, first, second, 3, size)
			}
		})
	}
}

func wantErr(t *testing.T, s zmq4.Socket, o gozmq.RecvOptions, want error) (envelope [][]byte) {
	t.Helper()
	within(t, "RecvWith", func() error {
		var msg *segment.Message
		var err error
		if envelope, msg, err = gozmq.RecvWith(s, o); msg != nil || !errors.Is(err, want) {
			return fmt.Errorf("message %v, error %v; want %v", msg, err, want)
		}
		return nil
	})
	return envelope
}
