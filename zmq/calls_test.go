package zmq_test

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/fairlead-go/fairlead/zmq"
)

// A countingListener accepts connections that count their calls to the kernel.
type countingListener struct {
	net.Listener
	reads, writes atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countingConn{Conn: c, l: l}, nil
}

type countingConn struct {
	net.Conn
	l *countingListener
}

func (c *countingConn) Read(b []byte) (int, error) {
	c.l.reads.Add(1)
	return c.Conn.Read(b)
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.l.writes.Add(1)
	return c.Conn.Write(b)
}

// SyscallConn is for what is written without waiting, by a vector.
func (c *countingConn) SyscallConn() (syscall.RawConn, error) {
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	return countingRaw{raw, c.l}, err
}

type countingRaw struct {
	syscall.RawConn
	l *countingListener
}

func (c countingRaw) Write(f func(fd uintptr) bool) error {
	return c.RawConn.Write(func(fd uintptr) bool {
		c.l.writes.Add(1)
		return f(fd)
	})
}

// counted has a socket accept connections that count.
func counted(t *testing.T, s *zmq.Socket) (l *countingListener, endpoint string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l = &countingListener{Listener: ln}
	zmq.Accept(s, l)
	return l, "tcp://" + ln.Addr().String()
}

func TestSystemCallsOfAConnection(t *testing.T) {
	const n = 20_000
	pass := func(t *testing.T, push, pull *zmq.Socket, n int, size, frames int) {
		t.Helper()
		go func() {
			for range n {
				if push.SendMessage(context.Background(), message(size, frames)) != nil {
					return
				}
			}
		}()
		ctx := within(t)
		for range n {
			m, err := pull.RecvMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			m.Release()
		}
	}
	t.Run("writes under load", func(t *testing.T) {
		push, pull := open(t, zmq.Push), open(t, zmq.Pull)
		l, endpoint := counted(t, push)
		connect(t, pull, endpoint)
		pass(t, push, pull, n, 64, 1)
		if w := l.writes.Load(); w > n/10 && !raceEnabled {
			t.Errorf("%d messages of 64 bytes took %d writes, want at most a tenth", n, w)
		}
	})
	t.Run("reads under load", func(t *testing.T) {
		push, pull := open(t, zmq.Push), open(t, zmq.Pull)
		l, endpoint := counted(t, pull)
		connect(t, push, endpoint)
		pass(t, push, pull, n, 64, 1)
		if r := l.reads.Load(); r > n/10 && !raceEnabled {
			t.Errorf("%d messages of 64 bytes took %d reads, want at most a tenth", n, r)
		}
	})
	t.Run("a large multipart", func(t *testing.T) {
		// A REP answers at once, from where the message lies.
		rep, req := open(t, zmq.Rep), open(t, zmq.Req)
		l, endpoint := counted(t, rep)
		connect(t, req, endpoint)
		send(t, req, "ask")
		want(t, rep, "ask")
		before := l.writes.Load()
		if err := rep.SendMessage(within(t), message(8<<10, 3)); err != nil {
			t.Fatal(err)
		}
		m, err := req.RecvMessage(within(t))
		if err != nil {
			t.Fatal(err)
		}
		m.Release()
		if w := l.writes.Load() - before; w != 1 {
			t.Errorf("a message of three large segments took %d writes, want 1", w)
		}
	})
}
