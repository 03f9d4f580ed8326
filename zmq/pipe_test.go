package zmq_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// text makes a message that holds a text.
func text(t testing.TB, p *zmq.Pipe, s string) *segment.Message {
	t.Helper()
	m := p.NewMessage(0)
	m.RootBuilder().SetText(s)
	return m
}

func sendText(t testing.TB, p *zmq.Pipe, s string) {
	t.Helper()
	if err := p.Send(within(t), text(t, p, s)); err != nil {
		t.Fatal(err)
	}
}

func wantText(t testing.TB, p *zmq.Pipe, s string) {
	t.Helper()
	m, err := p.Recv(within(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if got := m.Root().Text(); got != s {
		t.Fatalf("received %q, want %q", got, s)
	}
}

// listen listens for pipes until the test ends.
func listen(t testing.TB, endpoint string) *zmq.Listener {
	t.Helper()
	l, err := zmq.Listen(endpoint, zmq.PipeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestPipeToListener(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			l := listen(t, endpoint)
			var ours, theirs [2]*zmq.Pipe
			var err error
			for i := range ours {
				if ours[i], err = zmq.Dial(within(t), l.Endpoint(), zmq.PipeOptions{}); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = ours[i].Close() }()
				if theirs[i], err = l.Accept(within(t)); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range []string{"a", "b"} {
				sendText(t, ours[0], "0"+s)
				sendText(t, ours[1], "1"+s)
			}
			wantText(t, theirs[1], "1a")
			wantText(t, theirs[0], "0a")
			sendText(t, theirs[0], "back")
			wantText(t, ours[0], "back")
			if err := ours[0].Flush(); err != nil {
				t.Fatal(err)
			}
			if err := ours[0].Close(); err != nil {
				t.Fatal(err)
			}
			wantText(t, theirs[0], "0b")
			if _, err := theirs[0].Recv(within(t)); err != io.EOF {
				t.Errorf("after the peer closed: %v, want io.EOF", err)
			}
			if err := theirs[0].Send(within(t), text(t, theirs[0], "x")); !errors.Is(err, zmq.ErrDisconnected) {
				t.Errorf("after the peer closed: %v, want ErrDisconnected", err)
			}
			wantText(t, theirs[1], "1b")
			if err := theirs[1].Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := ours[1].Recv(within(t)); err != io.EOF {
				t.Errorf("after the listener's pipe closed: %v, want io.EOF", err)
			}
			if _, err := theirs[1].Recv(within(t)); !errors.Is(err, zmq.ErrClosed) {
				t.Errorf("after Close: %v, want ErrClosed", err)
			}
		})
	}
}

func TestPipeOfSockets(t *testing.T) {
	for _, typ := range []zmq.Type{zmq.Dealer, zmq.Pair} {
		t.Run(typ.String(), func(t *testing.T) {
			a, b := open(t, typ), open(t, typ)
			connect(t, b, bind(t, a, "ipc://"+filepath.Join(t.TempDir(), "s")))
			p, err := zmq.NewPipe(within(t), a, zmq.PipeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			q, err := zmq.NewPipe(within(t), b, zmq.PipeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			sendText(t, p, "there")
			wantText(t, q, "there")
			sendText(t, q, "back")
			wantText(t, p, "back")
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := q.Recv(within(t)); err != io.EOF {
				t.Errorf("after the peer closed: %v, want io.EOF", err)
			}
			if err := q.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
	if _, err := zmq.NewPipe(within(t), zmq.NewPush(), zmq.PipeOptions{}); !errors.Is(err, zmq.ErrState) {
		t.Errorf("a pipe of a PUSH: %v, want ErrState", err)
	}
}

func TestPipeStats(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			l := listen(t, endpoint)
			var err error
			var ours, theirs [2]*zmq.Pipe
			for i := range ours {
				if ours[i], err = zmq.Dial(within(t), l.Endpoint(), zmq.PipeOptions{}); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = ours[i].Close() }()
				if theirs[i], err = l.Accept(within(t)); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				sendText(t, theirs[1], "x")
				wantText(t, ours[1], "x")
			}
			if err := theirs[1].Flush(); err != nil {
				t.Fatal(err)
			}
			copied := uint64(3)
			if name == "inproc" {
				copied = 0
			}
			if s := theirs[1].Stats(); s.Sent != 3 || s.SentBytes != 3*16 || s.Copied != copied || s.Received != 0 || s.Waiting != 0 || s.Errors != 0 {
				t.Errorf("the sender's: %+v", s)
			}
			if s := ours[1].Stats(); s.Received != 3 || s.ReceivedBytes != 3*16 || s.Sent != 0 {
				t.Errorf("the receiver's: %+v", s)
			}
			if s := theirs[0].Stats(); s != (zmq.PipeStats{}) {
				t.Errorf("that of another peer: %+v, want zeros", s)
			}
			if _, err := theirs[0].Recv(canceled()); err == nil {
				t.Error("received nothing")
			}
			if s := theirs[0].Stats(); s.Errors != 1 {
				t.Errorf("after an error: %+v", s)
			}
		})
	}
}

func TestStopListening(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			l := listen(t, endpoint)
			here, err := zmq.Dial(within(t), l.Endpoint(), zmq.PipeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = here.Close() }()
			l.StopListening()
			again, err := zmq.Listen(l.Endpoint(), zmq.PipeOptions{})
			if err != nil {
				t.Fatal("the endpoint is not free:", err)
			}
			defer func() { _ = again.Close() }()
			there, err := l.Accept(within(t)) // had connected before
			if err != nil {
				t.Fatal(err)
			}
			sendText(t, here, "still there")
			wantText(t, there, "still there")
			if cause := here.Cause(); cause != nil {
				t.Errorf("the connection lasts, but ended by %v", cause)
			}
			if err := there.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := here.Recv(within(t)); err != io.EOF {
				t.Errorf("%v, want io.EOF", err)
			}
			if cause := here.Cause(); name != "inproc" && cause != io.EOF {
				t.Errorf("the connection ended by %v, want io.EOF", cause)
			}
		})
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// endEach listens for pipes, and ends each at once.
func endEach(t *testing.T, endpoint string) (at string) {
	t.Helper()
	ln := listen(t, endpoint)
	go func() {
		for {
			p, err := ln.Accept(context.Background())
			if err != nil {
				return
			}
			_ = p.Close()
		}
	}()
	return ln.Endpoint()
}

// A listener that ends each pipe at once: who dials gets the pipe, and learns that
// it has ended.
func TestPipeThatEndsAtOnce(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			at := endEach(t, endpoint)
			ctx := within(t)
			for i := range 300 {
				p, err := zmq.Dial(ctx, at, zmq.PipeOptions{})
				if err != nil {
					t.Fatalf("pipe %d: %v", i, err)
				}
				if _, err := p.Recv(ctx); err != io.EOF {
					t.Errorf("pipe %d: Recv gave %v, want EOF", i, err)
				}
				_ = p.Close()
			}
		})
	}
}

// A socket that was connected before a pipe is made of it: also if the first
// connections have ended, there is another.
func TestPipeOfOneThatComesBack(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			at := endEach(t, endpoint)
			s := zmq.NewDealer(zmq.Options{ReconnectInterval: time.Millisecond, ReconnectMax: time.Millisecond})
			events := s.Monitor(64)
			connect(t, s, at)
			for lost := 0; lost < 2; {
				select {
				case e := <-events:
					if e.Kind == zmq.Disconnected {
						lost++
					}
				case <-within(t).Done():
					t.Fatalf("%d connections ended, want 2", lost)
				}
			}
			p, err := zmq.NewPipe(within(t), s, zmq.PipeOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Recv(within(t)); err != io.EOF {
				t.Errorf("Recv gave %v, want EOF", err)
			}
			_ = p.Close()
		})
	}
}

// What is sent to a pipe while it is closed is given back, with the blocks that its
// messages were built in.
func TestPipeClosedUnderSender(t *testing.T) {
	for name, endpoint := range transports(t) {
		t.Run(name, func(t *testing.T) {
			l := listen(t, endpoint)
			pool := arena.NewPool(arena.PoolOptions{})
			for range 20 {
				here, err := zmq.Dial(within(t), l.Endpoint(), zmq.PipeOptions{Arena: pool})
				if err != nil {
					t.Fatal(err)
				}
				there, err := l.Accept(within(t))
				if err != nil {
					t.Fatal(err)
				}
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					for i := 0; here.Send(t.Context(), here.NewMessage(0)) == nil; i++ {
						if i == 10 {
							sent <- struct{}{}
						}
					}
				}()
				<-sent
				_ = there.Close()
				<-sent
				_ = here.Close()
			}
			until(t, "all blocks are back", func() bool { n, _ := pool.Outstanding(); return n == 0 })
		})
	}
}

func TestPipeBuffered(t *testing.T) {
	a, b := open(t, zmq.Dealer), open(t, zmq.Dealer)
	connect(t, b, bind(t, a, "ipc://"+filepath.Join(t.TempDir(), "s")))
	p, err := zmq.NewPipe(within(t), a, zmq.PipeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := zmq.NewPipe(within(t), b, zmq.PipeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if q.Buffered() {
		t.Error("a message is said to be there that was never sent")
	}
	sendText(t, p, "one")
	sendText(t, p, "two")
	for _, want := range []string{"one", "two"} {
		for ctx := within(t); !q.Buffered(); time.Sleep(time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("%q is never said to be there", want)
			}
		}
		wantText(t, q, want)
	}
	if q.Buffered() {
		t.Error("a message is said to be there that was received")
	}
	sendText(t, p, "three")
	_ = q.Close()
	if q.Buffered() {
		t.Error("a message is said to be there after Close")
	}
	_ = p.Close()
}
