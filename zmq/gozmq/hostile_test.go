package gozmq_test

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
)

var null8 = make([]byte, 8) // a message whose root is a null pointer

// TestHostileFrames sends what is no message, over a wire. Each is an error of
// one call, and the message behind it arrives.
func TestHostileFrames(t *testing.T) {
	many := func(n int, frame []byte) (f [][]byte) {
		for range n {
			f = append(f, frame)
		}
		return f
	}
	dangling := []byte{0, 0, 0, 0, 9, 0, 0, 0} // a struct of nine words that are not there
	for _, tc := range []struct {
		name   string
		frames [][]byte
		o      gozmq.RecvOptions
		want   error
		env    int
	}{
		{"one empty frame", many(1, nil), gozmq.RecvOptions{}, segment.ErrMalformed, 0},
		{"empty first", [][]byte{nil, null8}, gozmq.RecvOptions{}, segment.ErrMalformed, 0},
		{"empty later", [][]byte{null8, nil}, gozmq.RecvOptions{}, segment.ErrMalformed, 0},
		{"empty between", [][]byte{null8, nil, null8}, gozmq.RecvOptions{}, segment.ErrMalformed, 0},
		{"7 bytes", many(1, null8[:7]), gozmq.RecvOptions{}, segment.ErrMalformed, 0},
		{"9 bytes later", [][]byte{null8, make([]byte, 9)}, gozmq.RecvOptions{}, segment.ErrMalformed, 0},
		{"512 segments", many(512, null8), gozmq.RecvOptions{}, segment.ErrLimit, 0},
		{"3 segments of 2", many(3, null8), gozmq.RecvOptions{Limits: segment.Limits{Segments: 2}}, segment.ErrLimit, 0},
		{"20000 empty frames", many(20000, nil), gozmq.RecvOptions{}, segment.ErrMalformed, 0},
		{"too many bytes", many(2, make([]byte, 64)), gozmq.RecvOptions{Limits: segment.Limits{MessageBytes: 127}}, segment.ErrLimit, 0},
		{"more than the default bytes", many(1, make([]byte, segment.DefaultMessageBytes+8)), gozmq.RecvOptions{}, segment.ErrLimit, 0},
		{"no segment behind the envelope", many(2, []byte("id")), gozmq.RecvOptions{Envelope: 2}, segment.ErrMalformed, 2},
		{"shorter than the envelope", many(1, []byte("id")), gozmq.RecvOptions{Envelope: 2}, segment.ErrMalformed, 1},
		{"no delimiter", many(3, null8), gozmq.RecvOptions{Envelope: gozmq.Delimited}, segment.ErrMalformed, 0},
		{"nothing behind the delimiter", [][]byte{[]byte("id"), nil}, gozmq.RecvOptions{Envelope: gozmq.Delimited}, segment.ErrMalformed, 2},
		{"odd behind the envelope", [][]byte{[]byte("id"), null8[:3]}, gozmq.RecvOptions{Envelope: 1}, segment.ErrMalformed, 1},
		{"dangling pointer", many(1, dangling), gozmq.RecvOptions{Verify: true}, segment.ErrMalformed, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pull := open(t, zmq4.NewPull)
			c := peer(t, listen(t, pull, "ipc"), zmq4.Push)
			go func() {
				c.SendMsg(zmq4.NewMsgFrom(tc.frames...))
				c.SendMsg(zmq4.NewMsg(null8))
			}()
			got := delta(func() {
				if env := wantErr(t, pull, tc.o, tc.want); len(env) != tc.env {
					t.Errorf("an envelope of %d frames came with the error; want %d", len(env), tc.env)
				}
			})
			if got.Errors != 1 || got.Received != 0 {
				t.Errorf("counts %+v; want one error", got)
			}
			_, msg := recv(t, pull, gozmq.RecvOptions{})
			same(t, msg, [][]byte{null8})
			msg.Release()
		})
	}
}

// A fake is a socket of another making, which hands out frames that it has.
type fake struct {
	zmq4.Socket
	typ  zmq4.SocketType
	in   []zmq4.Msg
	sent *zmq4.Msg
}

func (f *fake) Type() zmq4.SocketType { return f.typ }
func (f *fake) Addr() net.Addr        { return nil }
func (f *fake) SendMulti(m zmq4.Msg) error {
	f.sent = &m
	return nil
}

func (f *fake) Recv() (zmq4.Msg, error) {
	m := f.in[0]
	f.in = f.in[1:]
	return m, nil
}

func TestNoFrames(t *testing.T) {
	wantErr(t, &fake{typ: zmq4.Pull, in: []zmq4.Msg{{}}}, gozmq.RecvOptions{}, segment.ErrMalformed)
}

// TestRefused: what can't be sent is refused before anything is, and the
// message's memory goes back.
func TestRefused(t *testing.T) {
	failed := errors.New("a fault of the message")
	withEmpty := func(t *testing.T, a *poisoner) *segment.Message {
		mem, _ := a.Allocate(8)
		msg, err := segment.Open([][]byte{mem, {}}, segment.Options{Owner: owner(func() { a.Free(mem, 8) })})
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	sized := func(n, size int) func(*testing.T, *poisoner) *segment.Message {
		return func(t *testing.T, a *poisoner) *segment.Message {
			msg, _ := build(t, a, n, size)
			return msg
		}
	}
	for _, tc := range []struct {
		name     string
		make     maker
		inproc   bool
		msg      func(*testing.T, *poisoner) *segment.Message
		envelope [][]byte
		want     error
		says     string
	}{
		{"empty segment", zmq4.NewPush, false, withEmpty, nil, segment.ErrMalformed, "segment 1"},
		{"empty segment on REP", zmq4.NewRep, false, withEmpty, nil, segment.ErrMalformed, "delimiter"},
		{"fault", zmq4.NewPush, false, func(t *testing.T, a *poisoner) *segment.Message {
			msg, _ := build(t, a, 1, 40)
			msg.Fail(failed)
			return msg
		}, nil, failed, "fault"},
		{"too many segments", zmq4.NewPush, false, sized(gozmq.MaxFrames+1, 40), nil, segment.ErrLimit, "1025"},
		{"too many frames", zmq4.NewDealer, false, sized(gozmq.MaxFrames, 40), frames(""), segment.ErrLimit, "1025"},
		{"ROUTER without a routing id", zmq4.NewRouter, false, sized(1, 40), nil, segment.ErrMisuse, "routing id"},
		{"ROUTER with an empty routing id", zmq4.NewRouter, false, sized(1, 40), frames("", "x"), segment.ErrMisuse, "routing id"},
		{"subscription by SUB", zmq4.NewSub, false, sized(1, 40), nil, segment.ErrMisuse, "subscription"},
		{"subscription by XSUB", zmq4.NewXSub, false, sized(1, 40), nil, segment.ErrMisuse, "subscription"},
		{"long frame on inproc", zmq4.NewPull, true, sized(1, 256), nil, segment.ErrLimit, "inproc"},
		{"long frame on inproc, PUB", zmq4.NewPub, true, sized(2, 256), nil, segment.ErrLimit, "255"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sock := open(t, tc.make)
			if tc.inproc {
				listen(t, sock, "inproc")
			}
			a := new(poisoner)
			msg := tc.msg(t, a)
			got := delta(func() {
				err := gozmq.Send(sock, msg, tc.envelope...)
				if !errors.Is(err, tc.want) || !strings.HasPrefix(err.Error(), "gozmq: ") || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("error %v; want %v that says %q", err, tc.want, tc.says)
				}
			})
			if got.Errors != 1 || got.Copied != 0 || a.out.Load() != 0 {
				t.Errorf("counts %+v, %d pieces of memory out; want an error and nothing else", got, a.out.Load())
			}
		})
	}
}

// TestUnbuilt: a message in which nothing was built is a null root.
func TestUnbuilt(t *testing.T) {
	f := &fake{typ: zmq4.Push}
	if err := gozmq.Send(f, segment.New(new(poisoner))); err != nil {
		t.Fatal(err)
	}
	sameFrames(t, f.sent.Frames, [][]byte{null8})
}

// TestRetained: a message that somebody else holds too goes to several sockets.
func TestRetained(t *testing.T) {
	a := new(poisoner)
	msg, want := build(t, a, 2, 4096)
	socks := []*fake{{typ: zmq4.Push}, {typ: zmq4.Pub}, {typ: zmq4.Rep}}
	for range socks[1:] {
		msg.Retain()
	}
	for i, f := range socks {
		if a.out.Load() == 0 {
			t.Fatalf("released before send %d", i)
		}
		if err := gozmq.Send(f, msg); err != nil {
			t.Fatal(err)
		}
	}
	if a.out.Load() != 0 {
		t.Fatal("not released by the last send")
	}
	sameFrames(t, socks[1].sent.Frames, want)
	sameFrames(t, socks[2].sent.Frames, want)
}

func TestEnvelopeBelowDelimited(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	gozmq.RecvWith(&fake{typ: zmq4.Pull}, gozmq.RecvOptions{Envelope: -2})
}

func FuzzRecv(f *testing.F) {
	f.Add([]byte{}, 8, 0)
	f.Add(bytes.Repeat([]byte{0}, 64), 16, 0)
	f.Add([]byte("id\x00\x00\x00\x00\x00\x00\x00\x00"), 2, 1)
	_, tree := build(f, new(poisoner), 3, 64)
	f.Add(slices.Concat(tree...), 64, 0)
	f.Add(slices.Concat(tree...), 64, gozmq.Delimited)
	f.Fuzz(func(t *testing.T, b []byte, size, envelope int) {
		if size < 0 || size > 1<<16 || envelope < gozmq.Delimited || envelope > 8 || len(b) > 1<<16 {
			return
		}
		// Frames of that size; of size 0 many empty ones.
		var in [][]byte
		for rest := b; len(in) < 600 && (len(rest) > 0 || len(in) == 0); {
			n := min(size, len(rest))
			in = append(in, bytes.Clone(rest[:n]))
			rest = rest[n:]
		}
		env, msg, err := gozmq.RecvWith(&fake{typ: zmq4.Dealer, in: []zmq4.Msg{zmq4.NewMsgFrom(in...)}}, gozmq.RecvOptions{Envelope: envelope})
		if err != nil {
			if msg != nil || !errors.Is(err, segment.ErrMalformed) && !errors.Is(err, segment.ErrLimit) {
				t.Fatalf("message %v, error %v", msg, err)
			}
			return
		}
		defer msg.Release()
		segs, err := msg.ToSegments()
		if err != nil {
			t.Fatal(err)
		}
		sameFrames(t, slices.Concat(env, segs), in)
		msg.Verify()
	})
}
