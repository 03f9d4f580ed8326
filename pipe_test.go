package fairlead_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

func TestBothWays(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		for _, s := range []string{"hello", "", large, "and more"} {
			exchange(t, here, there, s)
			exchange(t, there, here, s+"!")
		}
		if err := here.Flush(); err != nil {
			t.Error(err)
		}
	})
}

func TestOrder(t *testing.T) {
	const messages = 2000
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		ctx := within(t)
		go func() {
			for i := range messages {
				if err := here.Send(ctx, text(here, fmt.Sprint(i))); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		for i := range messages {
			want(t, there, fmt.Sprint(i))
		}
	})
}

func TestManySegments(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		msg := segment.New(arena.Pool()) // not the pipe's own
		root := msg.NewRoot(segment.Size{Ptrs: 3})
		for i := range uint16(3) {
			root.SetText(i, strings.Repeat("x", 30_000<<i))
		}
		if msg.Segments() < 2 {
			t.Fatal("one segment")
		}
		if err := here.Send(within(t), msg); err != nil {
			t.Fatal(err)
		}
		got, err := there.Recv(within(t))
		if err != nil {
			t.Fatal(err)
		}
		defer got.Release()
		for i := range uint16(3) {
			if n := len(got.Root().Struct().Text(i)); n != 30_000<<i {
				t.Errorf("text %d has %d bytes", i, n)
			}
		}
		if err := got.Err(); err != nil {
			t.Error(err)
		}
	})
}

func TestManySenders(t *testing.T) {
	const senders, messages = 8, 200
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		ctx := within(t)
		var all sync.WaitGroup
		defer all.Wait()
		for s := range senders {
			all.Go(func() {
				for i := range messages {
					m := here.NewMessage(0)
					root := m.NewRoot(segment.Size{DataWords: 1})
					root.SetUint32(0, uint32(s))
					root.SetUint32(4, uint32(i))
					if err := here.Send(ctx, m); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var next [senders]uint32
		for range senders * messages {
			m, err := there.Recv(ctx)
			if err != nil {
				t.Fatal(err)
			}
			root := m.Root().Struct()
			s, i := root.Uint32(0), root.Uint32(4)
			m.Release()
			if s >= senders || next[s] != i {
				t.Fatalf("message %d of sender %d, want %v", i, s, next)
			}
			next[s]++
		}
	})
}

func TestPeerCloses(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		sent := make(chan error)
		go func() {
			err := here.Send(context.Background(), text(here, "first"))
			if err == nil {
				err = here.Send(context.Background(), text(here, large))
			}
			sent <- errors.Join(err, here.Close())
		}()
		want(t, there, "first")
		want(t, there, large)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		if _, err := there.Recv(within(t)); err != io.EOF {
			t.Errorf("after the peer closed: %v, want io.EOF", err)
		}
		// A kernel takes messages until it has heard that nobody wants them.
		err := error(nil)
		for range 1000 {
			if err = there.Send(within(t), text(there, large)); err == nil {
				err = there.Flush()
			}
			if err != nil {
				break
			}
		}
		if !errors.Is(err, fairlead.ErrDisconnected) {
			t.Errorf("after the peer closed: %v, want ErrDisconnected", err)
		}
	})
}

func TestClosed(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		received := make(chan error)
		go func() {
			_, err := here.Recv(context.Background())
			received <- err
		}()
		send(t, there, "x") // so that the other end exists
		if err := <-received; err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := here.Recv(context.Background())
			received <- err
		}()
		if err := here.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-received; !errors.Is(err, fairlead.ErrClosed) {
			t.Errorf("Recv that Close ended: %v, want ErrClosed", err)
		}
		if err := here.Send(within(t), text(here, "x")); !errors.Is(err, fairlead.ErrClosed) {
			t.Errorf("Send after Close: %v, want ErrClosed", err)
		}
		if _, err := here.Recv(within(t)); !errors.Is(err, fairlead.ErrClosed) {
			t.Errorf("Recv after Close: %v, want ErrClosed", err)
		}
		if err := here.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

func TestContextBreaksNothing(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		ctx, cancel := context.WithCancel(context.Background())
		waiting := make(chan error)
		go func() {
			_, err := there.Recv(ctx)
			waiting <- err
		}()
		cancel()
		if err := <-waiting; !errors.Is(err, context.Canceled) {
			t.Errorf("Recv: %v, want context.Canceled", err)
		}
		if err := here.Send(ctx, text(here, "never")); !errors.Is(err, context.Canceled) {
			t.Errorf("Send: %v, want context.Canceled", err)
		}
		send(t, here, "still there")
		want(t, there, "still there")
	})
}

// TestSlowPeer holds a sender up for as long as nobody receives.
func TestSlowPeer(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		w.dial.HighWater, w.server.HighWater = 1<<20, 1<<20
		w.server.ZMQ.RecvHighWaterBytes = 1 << 20
		w.dial.SHM.MaxBytes = 16 << 20
		here, there := pair(t, w)
		ctx, cancel := context.WithCancel(within(t))
		defer cancel()
		sent := make(chan int, 1)
		const enough = 1000 // no kernel holds so much
		go func() {
			n := 0
			for n < enough && here.Send(ctx, text(here, large)) == nil {
				n++
			}
			sent <- n
		}()
		want(t, there, large)
		// Until no more is sent for a while, which nothing tells.
		for last := uint64(0); len(sent) == 0 && here.Stats().Sent != last; time.Sleep(50 * time.Millisecond) {
			last = here.Stats().Sent
		}
		cancel()
		n := <-sent
		if n >= enough {
			t.Fatalf("%d messages of %d bytes were sent to one who received one", n, len(large))
		}
		for range n - 1 {
			want(t, there, large)
		}
	})
}

func TestStats(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		here, there := pair(t, w)
		for range 3 {
			exchange(t, here, there, large)
		}
		if err := here.Flush(); err != nil {
			t.Fatal(err)
		}
		s, r := here.Stats(), there.Stats()
		if s.Sent != 3 || s.SentBytes < 3*uint64(len(large)) || s.Received != 0 || s.Errors != 0 {
			t.Errorf("the sender's are %+v", s)
		}
		if r.Received != 3 || r.ReceivedBytes < 3*uint64(len(large)) || r.Sent != 0 || r.Errors != 0 {
			t.Errorf("the receiver's are %+v", r)
		}
		if err := here.Close(); err != nil {
			t.Fatal(err)
		}
		_ = here.Send(within(t), text(here, "x"))
		if s := here.Stats(); s.Errors != 1 || s.WaitingBytes != 0 {
			t.Errorf("after Close they are %+v, want one error and nothing waiting", s)
		}
	})
}

func TestLimits(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		if w.name == "shm" {
			t.Skip("a message takes no memory where it is received")
		}
		w.server.Limits.MessageBytes = 1 << 10
		here, there := pair(t, w)
		ctx := within(t)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_ = here.Send(ctx, text(here, large))
		}()
		_, err := there.Recv(ctx)
		_ = there.Close() // or the sender would wait for the rest to be taken
		<-sent
		var limit *segment.LimitError
		switch {
		case err == nil:
			t.Fatal("a message above the limit was received")
		case !errors.As(err, &limit) && !errors.Is(err, fairlead.ErrDisconnected) && err != io.EOF:
			t.Errorf("%v, want a limit or a lost connection", err)
		}
	})
}

func TestVerifyOnRecv(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		w.server.VerifyOnRecv = true
		here, there := pair(t, w)
		// A root pointer to what lies outside of the message.
		bad, err := segment.FromSegments([][]byte{{0, 0, 0, 0, 100, 0, 0, 0}})
		if err != nil {
			t.Fatal(err)
		}
		if err := here.Send(within(t), bad); err != nil {
			t.Fatal(err)
		}
		send(t, here, "good")
		if _, err := there.Recv(within(t)); !errors.Is(err, segment.ErrMalformed) {
			t.Errorf("%v, want ErrMalformed", err)
		}
		want(t, there, "good")
	})
}
