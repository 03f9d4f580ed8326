package gozmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// In these tests the peer does not read until Send has returned and the
// message's memory is overwritten. So each tells for sure whether zmq4 keeps the
// memory, which the tests of all pairs only make likely to show.

// A stage is a socket whose peer reads nothing until read is called.
type stage struct {
	sock zmq4.Socket
	// poke makes the overwritten memory seen by the socket's goroutines.
	poke func()
	// read gives the frame of the message that was sent.
	read func() []byte
}

// large is more than any of the sockets here holds for a peer that does not
// read.
const large = 4 << 20

func stagePub(mk maker) func(t *testing.T) stage {
	return func(t *testing.T) stage {
		pub := open(t, mk)
		sub := peer(t, listen(t, pub, "ipc"), zmq4.Sub)
		if err := sub.SendMsg(zmq4.NewMsg([]byte{1})); err != nil {
			t.Fatal(err)
		}
		subscribed(t, pub)
		// The goroutine that sends is busy with this one.
		if err := pub.Send(zmq4.NewMsg(make([]byte, large))); err != nil {
			t.Fatal(err)
		}
		return stage{
			sock: pub,
			poke: func() { pub.Send(zmq4.NewMsg([]byte("later"))) },
			read: func() []byte { readRaw(t, sub); return readRaw(t, sub)[0] },
		}
	}
}

func stageRep(t *testing.T) stage {
	rep := open(t, zmq4.NewRep)
	req := peer(t, listen(t, rep, "ipc"), zmq4.Req)
	if err := req.SendMsg(zmq4.NewMsgFrom(nil, []byte("please"))); err != nil {
		t.Fatal(err)
	}
	within(t, "Recv", func() error { _, err := rep.Recv(); return err })
	return stage{sock: rep, poke: func() {}, read: func() []byte { return readRaw(t, req)[1] }}
}

func stageInproc(t *testing.T) stage {
	pull := open(t, zmq4.NewPull)
	push := open(t, zmq4.NewPush)
	dial(t, push, listen(t, pull, "inproc"))
	const read = 11 // ten wait for Recv, and a goroutine has one more in its hand
	for range read {
		if err := push.Send(zmq4.NewMsg([]byte("before"))); err != nil {
			t.Fatal(err)
		}
	}
	return stage{sock: push, poke: func() {}, read: func() []byte {
		var got zmq4.Msg
		for range read + 1 {
			within(t, "Recv", func() (err error) { got, err = pull.Recv(); return err })
		}
		return got.Frames[0]
	}}
}

func readRaw(t *testing.T, c *zmq4.Conn) [][]byte {
	t.Helper()
	m, err := c.RecvMsg()
	if err != nil {
		t.Fatal(err)
	}
	return m.Frames
}

var keepers = []struct {
	name string
	make func(t *testing.T) stage
	size int
}{
	{"PUB", stagePub(zmq4.NewPub), 4096},
	{"XPUB", stagePub(zmq4.NewXPub), 4096},
	{"REP", stageRep, large},
	{"inproc", stageInproc, 248},
}

// TestKept: where zmq4 keeps the memory, a message arrives as it was sent.
func TestKept(t *testing.T) {
	for _, k := range keepers {
		t.Run(k.name, func(t *testing.T) {
			s := k.make(t)
			a := new(poisoner)
			msg, want := blob(t, a, k.size)
			got := delta(func() {
				if err := gozmq.Send(s.sock, msg); err != nil {
					t.Fatal(err)
				}
			})
			if a.out.Load() != 0 {
				t.Fatal("the message's memory is not back in the arena")
			}
			s.poke()
			if !bytes.Equal(s.read(), want[0]) {
				t.Fatal("the message arrived with what was written to its memory after Send")
			}
			if got.Copied != 1 || got.CopiedBytes != uint64(len(want[0])) || got.Sent != 1 {
				t.Errorf("counts %+v; want one frame copied", got)
			}
		})
	}
}

// TestLibraryKeeps shows that copying is needed there: sent without, what is
// written after Send arrives.
func TestLibraryKeeps(t *testing.T) {
	for _, k := range keepers {
		t.Run(k.name, func(t *testing.T) {
			if raceEnabled && k.name == "REP" {
				t.Skip("is the race that the copy avoids")
			}
			s := k.make(t)
			frame := bytes.Repeat([]byte{1}, k.size)
			if err := s.sock.SendMulti(zmq4.NewMsg(frame)); err != nil {
				t.Fatal(err)
			}
			for i := range frame {
				frame[i] = poison
			}
			s.poke()
			if got := s.read(); got[len(got)-1] != poison {
				t.Fatal("zmq4 did not keep the memory: it need not be copied")
			}
		})
	}
}

// TestNotKept: the other sockets have written a frame of more than 255 bytes
// when Send returns, and so none is copied.
func TestNotKept(t *testing.T) {
	for _, p := range patterns {
		switch p.first(context.Background()).Type() {
		case zmq4.Pub, zmq4.XPub:
			continue
		}
		for _, transport := range []string{"tcp", "ipc"} {
			t.Run(p.name+"/"+transport, func(t *testing.T) {
				first, second := p.join(t, transport, true)
				a := new(poisoner)
				msg, want := build(t, a, 2, 4096)
				var env [][]byte
				short := 0 // the frames of the envelope that have bytes
				for _, f := range p.ask {
					if len(f) > 0 {
						short++
					}
				}
				got := delta(func() {
					sent := sending(first, msg, p.ask)
					var msg *segment.Message
					env, msg = recv(t, second, gozmq.RecvOptions{Envelope: p.second1})
					within(t, "Send", sent)
					same(t, msg, want)
					msg.Release()
				})
				if got.Copied != uint64(short) || got.RecvCopied != 0 || got.Received != 1 || a.out.Load() != 0 {
					t.Errorf("counts %+v; want %d frames of the envelope copied and no segment", got, short)
				}
				if second.Type() != zmq4.Router {
					return
				}
				msg, want = build(t, a, 2, 4096)
				got = delta(func() {
					sent := sending(second, msg, p.answer(env))
					_, msg := recv(t, first, gozmq.RecvOptions{Envelope: p.first1})
					within(t, "Send", sent)
					same(t, msg, want)
					msg.Release()
				})
				if got.Copied != 1 || a.out.Load() != 0 {
					t.Errorf("counts %+v; want only the routing id copied", got)
				}
			})
		}
	}
}

// TestAbandoned: when zmq4 gives up a message that its goroutine goes on
// writing, the memory is never used again.
func TestAbandoned(t *testing.T) {
	for _, c := range []struct {
		make maker
		peer zmq4.SocketType
	}{{zmq4.NewPush, zmq4.Pull}, {zmq4.NewDealer, zmq4.Dealer}, {zmq4.NewPair, zmq4.Pair}} {
		t.Run(string(c.peer), func(t *testing.T) {
			sock := open(t, c.make, zmq4.WithTimeout(20*time.Millisecond))
			stalled := peer(t, listen(t, sock, "ipc"), c.peer)
			a := new(poisoner)
			msg, want := blob(t, a, large)
			got := delta(func() {
				if err := gozmq.Send(sock, msg); !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("error %v; want the deadline", err)
				}
			})
			if got.Abandoned != 1 || got.Errors != 1 || got.Sent != 0 || a.out.Load() == 0 {
				t.Fatalf("counts %+v, %d pieces out; want the message abandoned", got, a.out.Load())
			}
			// The rest comes after all, and as it was.
			sameFrames(t, readRaw(t, stalled), want)
		})
	}
}

// TestReleasedOnError: where nobody reads a message any more after an error, its
// memory goes back.
func TestReleasedOnError(t *testing.T) {
	for _, mk := range []maker{zmq4.NewReq, zmq4.NewPull} {
		sock := open(t, mk) // has no peer, or does not send
		t.Run(string(sock.Type()), func(t *testing.T) {
			for _, size := range []int{40, 4096} {
				a := new(poisoner)
				msg, _ := build(t, a, 1, size)
				if err := gozmq.Send(sock, msg); err == nil {
					t.Fatal("no error")
				}
				if a.out.Load() != 0 {
					t.Errorf("a message of %d bytes is not back in its arena", size)
				}
			}
		})
	}
}

// blob builds a message of one segment, in the arena.
func blob(t testing.TB, a *poisoner, size int) (*segment.Message, [][]byte) {
	t.Helper()
	if size <= 4096 {
		return build(t, a, 1, size)
	}
	msg := segment.NewSized(a, size)
	root := msg.NewRoot(segment.Size{Ptrs: 1})
	root.SetData(0, bytes.Repeat([]byte{'d'}, size-16))
	segs, err := msg.ToSegments()
	if err != nil || len(segs) != 1 {
		t.Fatal(fmt.Sprint(len(segs), " segments: "), err)
	}
	return msg, [][]byte{bytes.Clone(segs[0])}
}

// TestReleasedWhenAPeerDies: REQ and ROUTER wait for their writes, whatever
// happens.
func TestReleasedWhenAPeerDies(t *testing.T) {
	for _, c := range []struct {
		make     maker
		peer     zmq4.SocketType
		envelope [][]byte
	}{{zmq4.NewReq, zmq4.Rep, nil}, {zmq4.NewRouter, zmq4.Dealer, frames("peer")}} {
		sock := open(t, c.make)
		t.Run(string(sock.Type()), func(t *testing.T) {
			conn := connect(t, listen(t, sock, "ipc"))
			dying, err := zmq4.Open(conn, null.Security(), c.peer, zmq4.SocketIdentity("peer"), false, nil)
			if err != nil {
				t.Fatal(err)
			}
			a := new(poisoner)
			eventually(t, "a connection", func() bool {
				msg, _ := build(t, a, 1, 40)
				return gozmq.Send(sock, msg, c.envelope...) == nil
			})
			readRaw(t, dying)
			msg, _ := blob(t, a, large)
			sent := sending(sock, msg, c.envelope)
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			within(t, "Send", func() error {
				if sent() == nil {
					return errors.New("a message that was cut is no error")
				}
				return nil
			})
			if n := a.out.Load(); n != 0 {
				t.Errorf("%d pieces of memory did not go back to the arena", n)
			}
		})
	}
}
