package rpc_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
)

// tape is a net.Conn that reads what was recorded, and records what is written.
type tape struct {
	net.Conn // nil: what is not below is not used
	mu       sync.Mutex
	some     *sync.Cond
	in       []byte
	ended    bool // nothing comes after in
	out      bytes.Buffer
	closed   bool
}

func newTape() *tape {
	t := new(tape)
	t.some = sync.NewCond(&t.mu)
	return t
}

func (t *tape) Read(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.in) == 0 {
		if t.closed || t.ended {
			return 0, io.EOF
		}
		t.some.Wait()
	}
	n := copy(b, t.in)
	t.in = t.in[n:]
	return n, nil
}

func (t *tape) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0, net.ErrClosed
	}
	return t.out.Write(b)
}

func (t *tape) play(b []byte, last bool) {
	t.mu.Lock()
	t.in, t.ended = append(t.in, b...), last
	t.some.Broadcast()
	t.mu.Unlock()
}

func (t *tape) Close() error {
	t.mu.Lock()
	t.closed = true
	t.some.Broadcast()
	t.mu.Unlock()
	return nil
}

func (*tape) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (*tape) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (*tape) SetDeadline(time.Time) error      { return nil }
func (*tape) SetReadDeadline(time.Time) error  { return nil }
func (*tape) SetWriteDeadline(time.Time) error { return nil }

// splice passes on all that one side writes to the other, and keeps it.
type splice struct {
	net.Conn
	mu   *sync.Mutex
	said *bytes.Buffer
}

func (s splice) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.said.Write(b)
	s.mu.Unlock()
	return s.Conn.Write(b)
}

// conversation makes one of each kind of call at the far end, in an order that is
// always the same.
func conversation(ctx context.Context, far rpc.Client) error {
	local := newHost()
	mine := local.serve()
	defer mine.Release()
	for _, f := range []rpc.Future{call(ctx, far, 21), with(ctx, far, makeOne, rpc.Client{}), with(ctx, far, use, mine.Retain()), with(ctx, far, giveBack, mine.Retain()), with(ctx, far, tailTo, mine.Retain())} {
		defer f.Release()
		if _, err := f.Wait(ctx); err != nil {
			return err
		}
		p := call(ctx, f.Client(0), 1) // may fail: not all have a capability there
		_, _ = p.Wait(ctx)
		p.Release()
	}
	h := with(ctx, far, promiseOf, rpc.Client{})
	defer h.Release()
	p := call(ctx, h.Client(0), 4)
	defer p.Release()
	r := with(ctx, far, resolveTo, mine.Retain())
	defer r.Release()
	_, err := p.Wait(ctx)
	return err
}

// record gives what both sides of the conversation say.
func record(t *testing.T) (client, server []byte) {
	a, b := net.Pipe()
	var mu sync.Mutex
	var said [2]bytes.Buffer
	h := newHost()
	sc := rpc.NewConn(framing.NewPipe(splice{b, &mu, &said[1]}, framing.PipeOptions{}), rpc.ConnOptions{Bootstrap: h.serve()})
	cc := rpc.NewConn(framing.NewPipe(splice{a, &mu, &said[0]}, framing.PipeOptions{}), rpc.ConnOptions{})
	far := cc.Bootstrap()
	if err := conversation(t.Context(), far); err != nil {
		t.Fatal(err)
	}
	far.Release()
	_ = cc.Close()
	_ = sc.Close()
	h.gone(t)
	return said[0].Bytes(), said[1].Bytes()
}

// What either side says, cut at every byte: the other ends the connection and
// keeps nothing, and none of its calls is left waiting.
func TestCutTranscripts(t *testing.T) {
	client, server := record(t)
	t.Logf("%d bytes of the client, %d of the server", len(client), len(server))
	step := 1
	if testing.Short() {
		step = 17
	}
	for cut := 0; cut <= len(client); cut += step {
		h := newHost()
		tp := newTape()
		conn := rpc.NewConn(framing.NewPipe(tp, framing.PipeOptions{}), rpc.ConnOptions{Bootstrap: h.serve()})
		tp.play(client[:cut], true)
		select {
		case <-conn.Done():
		case <-time.After(*patience):
			t.Fatalf("the server, cut at %d: the connection has not ended", cut)
		}
		_ = conn.Close()
		h.gone(t)
	}
	for cut := 0; cut <= len(server); cut += step {
		tp := newTape()
		conn := rpc.NewConn(framing.NewPipe(tp, framing.PipeOptions{}), rpc.ConnOptions{})
		ctx, cancel := context.WithTimeout(t.Context(), *patience)
		far := conn.Bootstrap()
		tp.play(server[:cut], true)
		if err := conversation(ctx, far); ctx.Err() != nil {
			t.Fatalf("the client, cut at %d: a call waits: %v", cut, err)
		}
		far.Release()
		cancel()
		_ = conn.Close()
	}
}
