package framing_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
)

// Where a read ran into its deadline when the table was there and nothing more than
// the beginning of the next packed word, the decoder took that for a run that the
// table ended with, and the stream for malformed.
func TestDeadlineAtAnyByte(t *testing.T) {
	noLeak(t)
	for _, f := range formats {
		for _, words := range [][]int{{40}, {1, 3}, {2, 0, 7}, {3, 30, 1, 5}} {
			if len(words) > 1 && (f == framing.Flat || f == framing.FlatPacked) {
				continue // one segment is all they have
			}
			msg := raw(t, 3, words...)
			whole := encode(t, f, msg)
			for at := 1; at < len(whole); at++ {
				parts := [][]byte{whole[:at], nil, whole[at:]}
				d := framing.NewDecoder(readerFunc(func(p []byte) (int, error) {
					if len(parts) == 0 {
						return 0, io.EOF
					}
					b := parts[0]
					if b == nil {
						parts = parts[1:]
						return 0, os.ErrDeadlineExceeded
					}
					n := copy(p, b)
					if parts[0] = b[n:]; n == len(b) {
						parts = parts[1:]
					}
					return n, nil
				}), framing.DecoderOptions{Format: f})
				if _, err := d.Decode(); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Fatalf("%v: %v, want the deadline after %d bytes", f, err, at)
				}
				got, err := d.Decode()
				if err != nil {
					t.Errorf("%v, segments of %d words: after a deadline at byte %d: %v", f, words, at, err)
					continue
				}
				if !same(contents(t, got), contents(t, msg)) {
					t.Errorf("%v: another message came after a deadline at byte %d", f, at)
				}
				got.Release()
				if _, err := d.Decode(); err != io.EOF {
					t.Errorf("%v: then %v, want io.EOF", f, err)
				}
			}
		}
	}
}

// lateConn gives its first bytes only when a deadline has passed, and with them the
// error that says so, as an [io.Reader] may.
type lateConn struct {
	net.Conn
	came, passed chan struct{}
	once         sync.Once
}

func (c *lateConn) SetReadDeadline(d time.Time) error {
	if !d.IsZero() {
		c.once.Do(func() { close(c.passed) })
	}
	return c.Conn.SetReadDeadline(d)
}

func (c *lateConn) Read(p []byte) (n int, err error) {
	select {
	case <-c.passed:
		return c.Conn.Read(p)
	default:
		n, err = c.Conn.Read(p)
		close(c.came)
		<-c.passed
		return n, errors.Join(err, os.ErrDeadlineExceeded)
	}
}

// The deadline by which a context had ended one Recv, and that the connection told
// together with a message, was the error of the next Recv.
func TestDeadlineWithAMessage(t *testing.T) {
	noLeakPool(t)
	x, y := net.Pipe()
	late := &lateConn{Conn: x, came: make(chan struct{}), passed: make(chan struct{})}
	p, q := framing.NewPipe(late, framing.PipeOptions{}), framing.NewPipe(y, framing.PipeOptions{})
	defer closeBoth(t, p, q)
	go func() {
		for i := range 2 {
			sendText(t, q, int64(i), "x")
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-late.came
		cancel()
	}()
	m, err := p.Recv(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := readText(m); n != 0 {
		t.Errorf("got message %d, want the first", n)
	}
	m.Release()
	if n, _ := recvText(t, p); n != 1 {
		t.Errorf("got message %d, want the second", n)
	}
}
