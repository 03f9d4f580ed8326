package gozmq_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
	"github.com/go-zeromq/zmq4/security/plain"
)

// The package comment says what zmq4 does wrong. Each test here shows one such
// thing, and fails when zmq4 does it right: then the comment has to change.

func TestHazardEveryPeerGetsEveryMessage(t *testing.T) {
	for _, c := range []struct{ from, to maker }{{zmq4.NewPush, zmq4.NewPull}, {zmq4.NewDealer, zmq4.NewDealer}} {
		from := open(t, c.from)
		t.Run(string(from.Type()), func(t *testing.T) {
			var to [2]zmq4.Socket
			for i := range to {
				to[i] = open(t, c.to)
				dial(t, from, listen(t, to[i], "ipc"))
			}
			msg, want := build(t, new(poisoner), 2, 40)
			if err := gozmq.Send(from, msg); err != nil {
				t.Fatal(err)
			}
			for _, s := range to {
				_, got := recv(t, s, gozmq.RecvOptions{})
				same(t, got, want)
				got.Release()
			}
		})
	}
}

var ping = []byte{0, 10, 'c', 't', 'x'}

func TestHazardPingIsGivenToTheUserAndNotAnswered(t *testing.T) {
	dealer := open(t, zmq4.NewDealer)
	c := peer(t, listen(t, dealer, "ipc"), zmq4.Dealer)
	if err := c.SendCmd(zmq4.CmdPing, ping); err != nil {
		t.Fatal(err)
	}
	within(t, "Recv", func() error {
		m, err := dealer.Recv()
		if err == nil && (m.Type != zmq4.CmdMsg || !bytes.Equal(m.Frames[0], append([]byte("\x04PING"), ping...))) {
			err = fmt.Errorf("received %v", m)
		}
		return err
	})
	if err := dealer.Send(zmq4.NewMsgString("first")); err != nil {
		t.Fatal(err)
	}
	if m, err := c.RecvMsg(); err != nil || m.Type != zmq4.UsrMsg {
		t.Fatalf("the peer received %v, %v; want the message and no PONG before it", m, err)
	}
}

func TestPingIsSkipped(t *testing.T) {
	for _, transport := range []string{"tcp", "ipc"} {
		router := open(t, zmq4.NewRouter)
		c := peer(t, listen(t, router, transport), zmq4.Dealer)
		_, want := build(t, new(poisoner), 2, 40)
		got := delta(func() {
			for range 2 {
				if err := c.SendCmd(zmq4.CmdPing, ping); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.SendMsg(zmq4.NewMsgFrom(want...)); err != nil {
				t.Fatal(err)
			}
			env, msg := recv(t, router, gozmq.RecvOptions{Envelope: 1})
			same(t, msg, want)
			msg.Release()
			sameFrames(t, env, frames("peer"))
		})
		if got.Commands != 2 || got.Received != 1 || got.Errors != 0 {
			t.Errorf("counts %+v; want 2 commands and 1 message", got)
		}
	}
}

func TestHazardPingIsAnErrorOfRep(t *testing.T) {
	rep := open(t, zmq4.NewRep)
	c := peer(t, listen(t, rep, "ipc"), zmq4.Req)
	if err := c.SendCmd(zmq4.CmdPing, ping); err != nil {
		t.Fatal(err)
	}
	within(t, "Recv", func() error {
		if _, err := gozmq.Recv(rep); err == nil || !strings.Contains(err.Error(), "invalid REP message") {
			return fmt.Errorf("error %v", err)
		}
		return nil
	})
}

func TestHazardSendToNobodySucceeds(t *testing.T) {
	t.Run("never connected", func(t *testing.T) {
		push := open(t, zmq4.NewPush, zmq4.WithTimeout(time.Millisecond))
		msg, _ := build(t, new(poisoner), 1, 40)
		if err := gozmq.Send(push, msg); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the peer died", func(t *testing.T) {
		push := open(t, zmq4.NewPush)
		c := peer(t, listen(t, push, "ipc"), zmq4.Pull)
		msg, _ := build(t, new(poisoner), 1, 40)
		if err := gozmq.Send(push, msg); err != nil {
			t.Fatal(err)
		}
		c.Close()
		eventually(t, "a send to nobody", func() bool {
			msg, _ := build(t, new(poisoner), 1, 40)
			return gozmq.Send(push, msg) == nil
		})
	})
	t.Run("the peer died, tcp", func(t *testing.T) {
		push := open(t, zmq4.NewPush)
		c := peer(t, listen(t, push, "tcp"), zmq4.Pull)
		msg, _ := build(t, new(poisoner), 1, 40)
		if err := gozmq.Send(push, msg); err != nil {
			t.Fatal(err)
		}
		readRaw(t, c) // what is unread would make the kernel tell of the close
		c.Close()
		msg, _ = build(t, new(poisoner), 1, 40)
		if err := gozmq.Send(push, msg); err != nil {
			t.Fatalf("the first message after the peer's death gives %v", err)
		}
	})
	t.Run("PUB without a subscriber", func(t *testing.T) {
		pub := open(t, zmq4.NewPub)
		msg, _ := build(t, new(poisoner), 1, 40)
		if err := gozmq.Send(pub, msg); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("unknown routing id", func(t *testing.T) {
		router := open(t, zmq4.NewRouter)
		peer(t, listen(t, router, "ipc"), zmq4.Dealer)
		msg, _ := build(t, new(poisoner), 1, 40)
		if err := gozmq.Send(router, msg, []byte("nobody")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestHazardOnePeerLeavingEndsRecv(t *testing.T) {
	pull := open(t, zmq4.NewPull)
	ep := listen(t, pull, "ipc")
	leaves, stays := peer(t, ep, zmq4.Push), peer(t, ep, zmq4.Push)
	leaves.Close()
	wantErr(t, pull, gozmq.RecvOptions{}, io.EOF)
	_, want := build(t, new(poisoner), 1, 40)
	if err := stays.SendMsg(zmq4.NewMsgFrom(want...)); err != nil {
		t.Fatal(err)
	}
	_, msg := recv(t, pull, gozmq.RecvOptions{})
	same(t, msg, want)
	msg.Release()
}

func TestHazardSilentPeerBlocksHandshakes(t *testing.T) {
	pull := open(t, zmq4.NewPull)
	ep := listen(t, pull, "tcp")
	silent := connect(t, ep)
	honest := connect(t, ep)
	// The greeting is the first thing that the socket sends to who connects.
	var b [1]byte
	if _, err := io.ReadFull(silent, b[:]); err != nil {
		t.Fatal(err)
	}
	honest.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := honest.Read(b[:]); !os.IsTimeout(err) {
		t.Fatalf("an honest peer was greeted while a silent one was there: %v", err)
	}
	silent.Close()
	honest.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(honest, b[:]); err != nil {
		t.Fatalf("an honest peer was not greeted after the silent one left: %v", err)
	}
}

func TestHazardPlainAcceptsAnyPassword(t *testing.T) {
	pull := open(t, zmq4.NewPull, zmq4.WithSecurity(plain.Security("user", "secret")))
	push := open(t, zmq4.NewPush, zmq4.WithSecurity(plain.Security("mallory", "guess")))
	dial(t, push, listen(t, pull, "tcp"))
	msg, want := build(t, new(poisoner), 1, 40)
	if err := gozmq.Send(push, msg); err != nil {
		t.Fatal(err)
	}
	_, got := recv(t, pull, gozmq.RecvOptions{})
	same(t, got, want)
	got.Release()
}

func TestHazardInprocLosesLongFrames(t *testing.T) {
	pull := open(t, zmq4.NewPull)
	ep := listen(t, pull, "inproc")
	push := open(t, zmq4.NewPush)
	dial(t, push, ep)
	for _, n := range []int{255, 256} {
		if err := push.Send(zmq4.NewMsg(make([]byte, n))); err != nil {
			t.Fatal(err)
		}
		within(t, "Recv", func() error {
			m, err := pull.Recv()
			if arrived := len(m.Frames[0]) == n; err == nil && arrived != (n == 255) {
				err = fmt.Errorf("%d of %d bytes arrived", len(m.Frames[0]), n)
			}
			return err
		})
	}
}

func TestHazardReqPanicsWhenAPeerDied(t *testing.T) {
	req := open(t, zmq4.NewReq)
	var reps [2]*zmq4.Conn
	for i := range reps {
		file := sockFile(t)
		l, err := net.Listen("unix", file)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		opened := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				reps[i], err = zmq4.Open(c, null.Security(), zmq4.Rep, nil, true, nil)
			}
			opened <- err
		}()
		dial(t, req, "ipc://"+file)
		if err := <-opened; err != nil {
			t.Fatal(err)
		}
		defer reps[i].Close()
	}
	msg, _ := build(t, new(poisoner), 1, 40)
	if err := gozmq.Send(req, msg); err != nil {
		t.Fatal(err)
	}
	reps[1].Close()
	msg, _ = build(t, new(poisoner), 1, 40)
	defer func() {
		if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), "index out of range") {
			t.Errorf("recovered %v; want zmq4's index out of range", r)
		}
	}()
	gozmq.Send(req, msg)
}

func TestHazardGoroutinesLeftAfterClose(t *testing.T) {
	count := func(name string) int {
		buf := make([]byte, 1<<20)
		return strings.Count(string(buf[:runtime.Stack(buf, true)]), name+"(")
	}
	for _, c := range []struct {
		name, goroutine string
		open            func(t *testing.T) zmq4.Socket
	}{
		{"PUB", "(*pubMWriter).run", func(t *testing.T) zmq4.Socket { return open(t, zmq4.NewPub) }},
		{"inproc", "inproc.(*conn).read", func(t *testing.T) zmq4.Socket {
			s := open(t, zmq4.NewPull)
			listen(t, s, "inproc")
			return s
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := count(c.goroutine)
			s := c.open(t)
			eventually(t, "the goroutine", func() bool { return count(c.goroutine) > before })
			s.Close()
			time.Sleep(20 * time.Millisecond)
			if count(c.goroutine) <= before {
				t.Error("the goroutine ends with the socket")
			}
		})
	}
}

func TestXPubRecvAfterClose(t *testing.T) {
	xpub := zmq4.NewXPub(context.Background())
	xpub.Close()
	wantErr(t, xpub, gozmq.RecvOptions{}, context.Canceled)
}

func TestHazardStalledSubscriberStallsTheOthers(t *testing.T) {
	pub := open(t, zmq4.NewPub)
	ep := listen(t, pub, "ipc")
	var subs [2]*zmq4.Conn
	var conns [2]net.Conn
	for i := range subs {
		conns[i] = connect(t, ep)
		var err error
		if subs[i], err = zmq4.Open(conns[i], null.Security(), zmq4.Sub, nil, false, nil); err != nil {
			t.Fatal(err)
		}
		topic := fmt.Sprint(i)
		if err := subs[i].SendMsg(zmq4.NewMsgString("\x01" + topic)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a subscription", func() bool { return len(pub.(zmq4.Topics).Topics()) == i+1 })
	}
	for _, topic := range []string{"0", "1"} {
		// Without a mark Send never blocks and never fails, whatever is waiting.
		for range 3 {
			msg, _ := blob(t, new(poisoner), large)
			if err := gozmq.Send(pub, msg, []byte(topic)); err != nil {
				t.Fatal(err)
			}
		}
	}
	conns[1].SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if m, err := subs[1].RecvMsg(); !os.IsTimeout(errors.Unwrap(err)) {
		t.Fatalf("a subscriber got %d frames, %v, while another one stalled", len(m.Frames), err)
	}
	go func() {
		for range 3 {
			subs[0].RecvMsg()
		}
	}()
	conns[1].SetReadDeadline(time.Now().Add(patience))
	if got := readRaw(t, subs[1]); string(got[0]) != "1" {
		t.Fatalf("received %.40q", got)
	}
}

// childRole names, in a child process, what it is to do.
const childRole = "FAIRLEAD_GOZMQ_CHILD"

// child is a program with one socket that does nothing but listen.
func child(string) {
	s := zmq4.NewPull(context.Background(), zmq4.WithLogger(log.New(io.Discard, "", 0)))
	if err := s.Listen("tcp://127.0.0.1:0"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("tcp://" + s.Addr().String())
	io.Copy(io.Discard, os.Stdin) // until the parent ends
}

func TestHazardAPeerKillsTheProcess(t *testing.T) {
	for _, c := range []struct {
		name, dying string
		attack      func(t *testing.T, ep string)
	}{
		{"a header of 9 bytes", "makeslice: len out of range", func(t *testing.T, ep string) {
			if _, err := peer(t, ep, zmq4.Push).Write([]byte{2, 0x40, 0, 0, 0, 0, 0, 0, 0}); err != nil {
				t.Fatal(err)
			}
		}},
		{"a READY without Socket-Type", "unknown socket-type", func(t *testing.T, ep string) {
			conn := connect(t, ep)
			greeting := make([]byte, 64)
			greeting[0], greeting[9], greeting[10] = 0xff, 0x7f, 3
			copy(greeting[12:], "NULL")
			if _, err := conn.Write(append(greeting, "\x04\x06\x05READY"...)); err != nil {
				t.Fatal(err)
			}
		}},
		{"a READY that is cut", "out of range", func(t *testing.T, ep string) {
			conn := connect(t, ep)
			greeting := make([]byte, 64)
			greeting[0], greeting[9], greeting[10] = 0xff, 0x7f, 3
			copy(greeting[12:], "NULL")
			if _, err := conn.Write(append(greeting, "\x04\x08\x05READY\x01a"...)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), childRole+"=listen")
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var ep string
			_, scanErr := fmt.Fscanln(stdout, &ep)
			if scanErr == nil {
				c.attack(t, ep)
			}
			if err := cmd.Wait(); scanErr != nil || err == nil || ctx.Err() != nil || !strings.Contains(stderr.String(), c.dying) {
				t.Fatalf("the child ended with %v, having said: %.300s", err, stderr.String())
			}
		})
	}
}
