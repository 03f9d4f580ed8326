package gozmq_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

const poison = 0xa5

// A poisoner is an arena that overwrites what is given back to it, so that
// whoever still reads it sends that.
type poisoner struct{ out atomic.Int64 }

func (p *poisoner) Allocate(minBytes int) ([]byte, error) {
	p.out.Add(1)
	return make([]byte, minBytes), nil
}

func (p *poisoner) Free(mem []byte, _ int) {
	for i := range mem {
		mem[i] = poison
	}
	p.out.Add(-1)
}

// build makes a message of that many segments of size bytes each, and gives a
// copy of its segments too. size is a multiple of 8 and at least 40. A message of
// one segment is built in the arena; of more it is read from memory that goes
// back to the arena with the message.
func build(t testing.TB, a *poisoner, segments, size int) (*segment.Message, [][]byte) {
	t.Helper()
	words := size / 8
	var msg *segment.Message
	if segments == 1 {
		msg = segment.NewSized(a, size)
		root := msg.NewRoot(segment.Size{DataWords: uint16(words - 1)})
		for i := range words - 1 {
			root.SetUint64(uint32(8*i), uint64(i)<<32|0xd0d0)
		}
	} else {
		mem, _ := a.Allocate(segments * size)
		var err error
		msg, err = segment.Open(tree(mem, segments, words), segment.Options{
			Limits: segment.Limits{Segments: segments},
			Owner:  owner(func() { a.Free(mem, len(mem)) }),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	segs, err := msg.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	want := make([][]byte, len(segs))
	for i, s := range segs {
		want[i] = bytes.Clone(s)
	}
	return msg, want
}

type owner func()

func (o owner) Release() { o() }

// tree writes a struct into each of n segments, each with far pointers to its
// children in the next ones.
//
//	│ struct pointer │ data … │ far pointer … │
func tree(mem []byte, n, words int) [][]byte {
	fan := min(16, words-2)
	data := words - 1 - fan
	segs := make([][]byte, n)
	for i := range segs {
		s := mem[i*words*8 : (i+1)*words*8 : (i+1)*words*8]
		binary.LittleEndian.PutUint64(s, uint64(data)<<32|uint64(fan)<<48)
		for w := 1; w <= data; w++ {
			binary.LittleEndian.PutUint64(s[8*w:], uint64(i)<<32|uint64(w)<<8|0xd0)
		}
		for c := range fan {
			if child := i*fan + c + 1; child < n {
				binary.LittleEndian.PutUint64(s[8*(1+data+c):], uint64(child)<<32|2)
			}
		}
		segs[i] = s
	}
	return segs
}

func same(t testing.TB, msg *segment.Message, want [][]byte) {
	t.Helper()
	if err := msg.Verify(); err != nil {
		t.Fatalf("what arrived is not sound: %v", err)
	}
	got, err := msg.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	sameFrames(t, got, want)
}

func sameFrames(t testing.TB, got, want [][]byte) {
	t.Helper()
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("%d frames arrived, not the %d that were sent, or others:\n got %s\nwant %s", len(got), len(want), brief(got), brief(want))
	}
}

func brief(frames [][]byte) string {
	s := fmt.Sprintf("%.40x", frames)
	return s[:min(len(s), 300)]
}

// delta gives what the counts have grown by while f ran.
func delta(f func()) gozmq.Stats {
	a := gozmq.ReadStats()
	f()
	b := gozmq.ReadStats()
	return gozmq.Stats{
		Sent: b.Sent - a.Sent, SentBytes: b.SentBytes - a.SentBytes,
		Copied: b.Copied - a.Copied, CopiedBytes: b.CopiedBytes - a.CopiedBytes,
		Received: b.Received - a.Received, ReceivedBytes: b.ReceivedBytes - a.ReceivedBytes,
		RecvCopied: b.RecvCopied - a.RecvCopied, RecvCopiedBytes: b.RecvCopiedBytes - a.RecvCopiedBytes,
		Abandoned: b.Abandoned - a.Abandoned, Commands: b.Commands - a.Commands, Errors: b.Errors - a.Errors,
	}
}

type maker = func(context.Context, ...zmq4.Option) zmq4.Socket

// open makes a socket that is silent and that the test's end closes.
func open(t testing.TB, mk maker, opts ...zmq4.Option) zmq4.Socket {
	t.Helper()
	s := mk(context.Background(), append([]zmq4.Option{zmq4.WithLogger(log.New(io.Discard, "", 0))}, opts...)...)
	t.Cleanup(func() { s.Close() })
	return s
}

var names atomic.Int64

// listen binds a socket and gives the endpoint to dial.
func listen(t testing.TB, s zmq4.Socket, transport string) string {
	t.Helper()
	var ep string
	switch transport {
	case "tcp":
		ep = "tcp://127.0.0.1:0"
	case "ipc":
		ep = "ipc://" + sockFile(t)
	default:
		ep = fmt.Sprintf("inproc://gozmq-test-%d", names.Add(1))
	}
	if err := s.Listen(ep); err != nil {
		t.Fatal(err)
	}
	if transport == "tcp" {
		return "tcp://" + s.Addr().String()
	}
	return ep
}

func sockFile(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gz") // the name of a socket is at most 100 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func dial(t testing.TB, s zmq4.Socket, ep string) {
	t.Helper()
	if err := s.Dial(ep); err != nil {
		t.Fatal(err)
	}
}

func connect(t testing.TB, ep string) net.Conn {
	t.Helper()
	network, addr, _ := strings.Cut(ep, "://")
	if network == "ipc" {
		network = "unix"
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// peer connects to a socket as a peer that reads and writes only when it is
// told to.
func peer(t testing.TB, ep string, typ zmq4.SocketType) *zmq4.Conn {
	t.Helper()
	c, err := zmq4.Open(connect(t, ep), null.Security(), typ, zmq4.SocketIdentity("peer"), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// within runs f, which must end.
func within(t testing.TB, what string, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	case <-time.After(patience):
		t.Fatalf("%s takes for ever", what)
	}
}

// recv receives a message, which must arrive.
func recv(t testing.TB, s zmq4.Socket, o gozmq.RecvOptions) (envelope [][]byte, msg *segment.Message) {
	t.Helper()
	within(t, "RecvWith", func() (err error) {
		envelope, msg, err = gozmq.RecvWith(s, o)
		return err
	})
	return envelope, msg
}

func subscribed(t testing.TB, pub zmq4.Socket) {
	t.Helper()
	eventually(t, "a subscription", func() bool { return len(pub.(zmq4.Topics).Topics()) > 0 })
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come", what)
		}
	}
}
