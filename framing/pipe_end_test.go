package framing_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-go/fairlead/framing"
)

// The tests of this file are about how calls end: contexts, Close, failures.

func TestRecvContext(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			noLeak(t)
			ca, cb := conns(t, network)
			p := framing.NewPipe(ca, framing.PipeOptions{})
			done := make(chan struct{})
			go func() { // completes a handshake, if there is one
				defer close(done)
				b := encode(t, framing.Binary, text(p.NewMessage(0), 9, "in two parts"))
				_, err := cb.Write(b[:11])
				if err != nil {
					t.Error(err)
				}
				done <- struct{}{}
				if _, err = cb.Write(b[11:]); err != nil {
					t.Error(err)
				}
			}()
			for range 3 {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
				_, err := p.Recv(ctx)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v, want the context's end", err)
				}
				cancel()
			}
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if _, err := p.Recv(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want the context's end", err)
			}
			<-done
			// The part that had come is still there.
			if n, s := recvText(t, p); n != 9 || s != "in two parts" {
				t.Errorf("got %d %q", n, s)
			}
			<-done
			_ = cb.Close()
			if _, err := p.Recv(context.Background()); err != io.EOF {
				t.Errorf("%v, want io.EOF", err)
			}
			if err := p.Close(); err != nil && network == "tcp" {
				t.Error(err)
			}
		})
	}
}

// TestSendContextWhileOthersWrite: a message that waits for room and whose
// context ends is not sent, and nothing is broken.
func TestSendContextWhileOthersWrite(t *testing.T) {
	noLeakPool(t)
	ca, cb := conns(t, "tcp")
	counting := &countingConn{Conn: ca, gate: make(chan struct{})}
	a, b := framing.NewPipe(counting, framing.PipeOptions{HighWater: 1000}), framing.NewPipe(cb, framing.PipeOptions{})
	defer closeBoth(t, a, b)
	led := make(chan struct{})
	go func() {
		defer close(led)
		sendText(t, a, 1, string(make([]byte, 1000)))
	}()
	for counting.count() == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := a.Send(ctx, text(a.NewMessage(0), 2, "never")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's end", err)
	}
	waiting := make(chan struct{})
	go func() {
		defer close(waiting)
		sendText(t, a, 3, "after room was made")
	}()
	close(counting.gate)
	<-led
	<-waiting
	for _, want := range []int64{1, 3} {
		if n, _ := recvText(t, b); n != want {
			t.Errorf("got message %d, want %d", n, want)
		}
	}
}

// TestSendContextInTheMiddle: a context that ends while its message is written
// hands the rest to the pipe.
func TestSendContextInTheMiddle(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			noLeakPool(t)
			a, b := pipes(t, network, framing.PipeOptions{})
			body := string(make([]byte, 20<<20)) // more than the kernel takes
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			go func() {
				for a.Stats().WaitingBytes == 0 {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(10 * time.Millisecond) // the write is stuck by now, and should work if not
				cancel()
			}()
			sendCtx(t, ctx, a, 1, body)
			<-ctx.Done()
			if err := a.Send(ctx, text(a.NewMessage(0), 9, "never")); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want the context's end", err)
			}
			other, stop := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer stop()
			if err := a.Send(other, text(a.NewMessage(0), 9, "never")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want the context's end, for 20 MiB are waiting", err)
			}
			if w := a.Stats().WaitingBytes; w < 20<<20 {
				t.Errorf("%d bytes are waiting", w)
			}
			go sendText(t, a, 2, "next")
			for _, want := range []int64{1, 2} {
				n, s := recvText(t, b)
				if n != want || want == 1 && s != body {
					t.Errorf("got message %d with %d bytes, want %d", n, len(s), want)
				}
			}
			if err := a.Flush(); err != nil {
				t.Error(err)
			}
			if s := a.Stats(); s.Sent != 2 || s.Dropped != 0 || s.WaitingBytes != 0 {
				t.Errorf("counted %+v", s)
			}
		})
	}
}

func sendCtx(t *testing.T, ctx context.Context, p *framing.Pipe, n int64, s string) {
	t.Helper()
	if err := p.Send(ctx, text(p.NewMessage(0), n, s)); err != nil {
		t.Fatal(err)
	}
}

func TestCloseWakesEverybody(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			noLeakPool(t)
			a, b := pipes(t, network, framing.PipeOptions{HighWater: 1000, Linger: 20 * time.Millisecond})
			var wg sync.WaitGroup
			body := string(make([]byte, 20<<20))
			ended := make(chan error, 16)
			for i := range 3 {
				wg.Go(func() {
					ended <- a.Send(context.Background(), text(a.NewMessage(0), int64(i), body))
				})
				wg.Go(func() {
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					_, err := a.Recv(ctx)
					ended <- err
				})
				wg.Go(func() {
					_, err := a.Recv(context.Background())
					ended <- err
				})
			}
			for a.Stats().WaitingBytes == 0 {
				time.Sleep(time.Millisecond)
			}
			wg.Go(func() { ended <- a.Flush() })
			time.Sleep(10 * time.Millisecond)
			for range 3 {
				wg.Go(func() {
					if err := a.Close(); !errors.Is(err, framing.ErrClosed) {
						t.Errorf("Close: %v, want ErrClosed for what was not sent", err)
					}
				})
			}
			wg.Wait()
			close(ended)
			for err := range ended {
				if !errors.Is(err, framing.ErrClosed) {
					t.Errorf("%v, want ErrClosed", err)
				}
			}
			if err := a.Send(context.Background(), text(a.NewMessage(0), 1, "late")); !errors.Is(err, framing.ErrClosed) {
				t.Errorf("Send: %v, want ErrClosed", err)
			}
			if err := a.Flush(); !errors.Is(err, framing.ErrClosed) {
				t.Errorf("Flush: %v, want ErrClosed", err)
			}
			if _, err := a.Recv(context.Background()); !errors.Is(err, framing.ErrClosed) {
				t.Errorf("Recv: %v, want ErrClosed", err)
			}
			if s := a.Stats(); s.Dropped == 0 || s.WaitingBytes != 0 {
				t.Errorf("counted %+v", s)
			}
			if network != "tcp" && network != "unix" {
				return // nothing of the message had got through
			}
			// The peer learns that the message is not whole.
			_, err := b.Recv(context.Background())
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, framing.ErrDisconnected) {
				t.Errorf("the peer got %v", err)
			}
		})
	}
}

func TestCloseSendsWhatIsWaiting(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			noLeakPool(t)
			a, b := pipes(t, network, framing.PipeOptions{ManualFlush: true, Linger: time.Minute})
			for i := range 100 {
				sendText(t, a, int64(i), "waits")
			}
			closed := make(chan error, 1)
			go func() { closed <- a.Close() }()
			for i := range 100 {
				if n, _ := recvText(t, b); n != int64(i) {
					t.Fatalf("message %d came in the place of %d", n, i)
				}
			}
			if _, err := b.Recv(context.Background()); err != io.EOF {
				t.Errorf("%v, want io.EOF", err)
			}
			if err := <-closed; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCloseWithoutLinger(t *testing.T) {
	noLeakPool(t)
	a, b := pipes(t, "tcp", framing.PipeOptions{ManualFlush: true, Linger: -1})
	sendText(t, a, 1, "dropped")
	if err := a.Close(); !errors.Is(err, framing.ErrClosed) {
		t.Errorf("%v, want ErrClosed for what was not sent", err)
	}
	if s := a.Stats(); s.Dropped != 1 || s.Sent != 0 {
		t.Errorf("counted %+v", s)
	}
	if _, err := b.Recv(context.Background()); err != io.EOF {
		t.Errorf("%v, want io.EOF", err)
	}
}

// TestLingerInFakeTime measures Close's patience without waiting for it.
func TestLingerInFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := net.Pipe()
		a := framing.NewPipe(ca, framing.PipeOptions{ManualFlush: true})
		sendText(t, a, 1, "nobody reads this")
		begin := time.Now()
		if err := a.Close(); !errors.Is(err, framing.ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("Close took %v, want the second that is the default", took)
		}
		_ = cb.Close()
	})
}

func TestContextsInFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca, cb := net.Pipe()
		a, b := framing.NewPipe(ca, framing.PipeOptions{HighWater: 1}), framing.NewPipe(cb, framing.PipeOptions{})
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		sendCtx(t, ctx, a, 1, "accepted") // written by a goroutine, when b receives
		if time.Since(begin) != 0 {
			t.Error("Send waited although there was room")
		}
		if err := a.Send(ctx, text(a.NewMessage(0), 2, "never")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's end", err)
		}
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("Send ended after %v", took)
		}
		go func() {
			time.Sleep(time.Minute)
			if err := a.Send(context.Background(), text(a.NewMessage(0), 3, "later")); err != nil {
				t.Error(err)
			}
		}()
		if n, _ := recvText(t, b); n != 1 {
			t.Errorf("got message %d", n)
		}
		short, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		if _, err := b.Recv(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's end", err)
		}
		if n, _ := recvText(t, b); n != 3 {
			t.Errorf("got message %d", n)
		}
		if took := time.Since(begin); took != time.Hour+time.Minute {
			t.Errorf("all took %v", took)
		}
		_ = a.Close()
		_ = b.Close()
	})
}

// brokenConn fails after so many bytes.
type brokenConn struct {
	net.Conn
	mu   sync.Mutex
	left int
}

var errBroken = errors.New("broken")

func (c *brokenConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(c.left, len(p))
	c.left -= n
	if n > 0 {
		if n, err := c.Conn.Write(p[:n]); err != nil {
			return n, err
		}
	}
	if n < len(p) {
		return n, errBroken
	}
	return n, nil
}

func TestWriteFailureEndsThePipe(t *testing.T) {
	for _, left := range []int{0, 10, 100_000} {
		t.Run(fmt.Sprint(left), func(t *testing.T) {
			noLeakPool(t)
			ca, cb := conns(t, "tcp")
			a := framing.NewPipe(&brokenConn{Conn: ca, left: left}, framing.PipeOptions{})
			b := framing.NewPipe(cb, framing.PipeOptions{})
			err := a.Send(context.Background(), text(a.NewMessage(0), 1, string(make([]byte, 200_000))))
			if !errors.Is(err, framing.ErrDisconnected) || !errors.Is(err, errBroken) {
				t.Errorf("%v, want ErrDisconnected and the cause", err)
			}
			again := a.Send(context.Background(), text(a.NewMessage(0), 2, "after"))
			if !errors.Is(again, framing.ErrDisconnected) || !errors.Is(again, errBroken) {
				t.Errorf("then %v, want ErrDisconnected and the cause", again)
			}
			if err := a.Flush(); !errors.Is(err, framing.ErrDisconnected) {
				t.Errorf("Flush: %v", err)
			}
			if s := a.Stats(); s.Dropped != 1 || s.WaitingBytes != 0 || s.Sent != 0 {
				t.Errorf("counted %+v", s)
			}
			_, err = b.Recv(context.Background())
			if left == 0 && err != io.EOF || left > 0 && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the peer got %v", err)
			}
			if err := a.Close(); !errors.Is(err, framing.ErrDisconnected) {
				t.Errorf("Close: %v", err)
			}
			_ = b.Close()
		})
	}
}

// TestPeerVanishes: a reset connection.
func TestPeerVanishes(t *testing.T) {
	noLeakPool(t)
	ca, cb := conns(t, "tcp")
	a := framing.NewPipe(ca, framing.PipeOptions{})
	if err := cb.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = cb.Close()
	_, err := a.Recv(context.Background())
	if !errors.Is(err, framing.ErrDisconnected) && err != io.EOF {
		t.Errorf("Recv: %v", err)
	}
	for i := 0; err == nil || err == io.EOF || i == 0; i++ {
		if i == 1000 {
			t.Fatal("the loss of the peer was never told")
		}
		err = a.Send(context.Background(), text(a.NewMessage(0), 1, "hello?"))
	}
	if !errors.Is(err, framing.ErrDisconnected) {
		t.Errorf("Send: %v", err)
	}
	_ = a.Close()
}

// TestMessagesOutliveThePipe: what was received is the caller's.
func TestMessagesOutliveThePipe(t *testing.T) {
	noLeakPool(t)
	a, b := pipes(t, "tcp", framing.PipeOptions{})
	sendText(t, a, 4, "stays")
	m, err := b.Recv(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	closeBoth(t, a, b)
	if n, s := readText(m); n != 4 || s != "stays" {
		t.Errorf("got %d %q", n, s)
	}
	m.Release()
}

func TestPipeOptionsAreChecked(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a negative high-water mark was accepted")
		}
	}()
	framing.NewPipe(nil, framing.PipeOptions{HighWater: -1})
}
