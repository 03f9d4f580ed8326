package zmq

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// A receiver may give the role back before the keeper has looked that it was
// lent. What told the keeper so must not tell it again later, when a receiver
// reads.
func TestKeeperWaitsForItsRole(t *testing.T) {
	s := NewPull()
	defer s.Close()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := newConn(s, ours)
	c.peer = newPeer(s, nil)
	defer func() {
		s.in.exit(c)
		c.shut(nil)
		c.free()
	}()
	q := &s.in
	q.enter(c)
	borrow := func() {
		t.Helper()
		if !q.lend(c) {
			t.Fatal("the only connection was not lent")
		}
		q.mu.Lock()
		defer q.mu.Unlock()
		c.role.holder = receiver
	}
	giveBack := func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.entrust(c)
	}
	for range 3 {
		borrow()
		giveBack()
		if err := c.keep(); err != nil {
			t.Fatal(err)
		}
		borrow()
		had := make(chan holder)
		go func() {
			if err := c.keep(); err != nil {
				t.Error(err)
			}
			q.mu.Lock()
			h := c.role.holder
			q.mu.Unlock()
			had <- h
		}()
		select {
		case <-had:
			t.Fatal("the keeper reads while a receiver does")
		case <-time.After(20 * time.Millisecond):
		}
		giveBack()
		if h := <-had; h != keeper {
			t.Fatalf("the role is with %d when the keeper begins to read", h)
		}
	}
	// The end of the connection leaves it to a receiver that reads.
	borrow()
	c.shut(nil)
	done := make(chan error)
	go func() { done <- c.keep() }()
	select {
	case <-done:
		t.Fatal("the keeper took the role from a receiver")
	case <-time.After(20 * time.Millisecond):
	}
	giveBack()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Receivers that give up and come back all the time, while messages come singly,
// in bursts and in parts, lose none, and one alone has them in order.
func TestReceiversGiveUp(t *testing.T) {
	for _, tc := range []struct {
		name      string
		receivers int
	}{{"one", 1}, {"four", 4}} {
		t.Run(tc.name, func(t *testing.T) {
			const n = 10_000
			pull, push := NewPull(), NewPush()
			defer pull.Close()
			defer push.Close()
			endpoint, err := pull.Bind("tcp://127.0.0.1:*")
			if err != nil {
				t.Fatal(err)
			}
			if err := push.Connect(endpoint); err != nil {
				t.Fatal(err)
			}
			all, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			go func() {
				large := make([]byte, 100_000)
				for i := range n {
					size := 64
					if i%500 == 499 {
						size = len(large)
					}
					m := binary.LittleEndian.AppendUint32(make([]byte, 0, size), uint32(i))
					if push.Send(all, append(m, large[:size-4]...)) != nil {
						return
					}
					if i%50 == 0 || i%2000 < 100 {
						time.Sleep(50 * time.Microsecond)
					}
				}
			}()
			var mu sync.Mutex
			seen := make([]bool, n)
			left := n
			var receivers sync.WaitGroup
			for range tc.receivers {
				receivers.Go(func() {
					last := -1
					for all.Err() == nil {
						ctx, giveUp := context.WithTimeout(all, 200*time.Microsecond)
						m, err := pull.Recv(ctx)
						giveUp()
						if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						i := int(binary.LittleEndian.Uint32(m[0]))
						mu.Lock()
						if i >= n || seen[i] || tc.receivers == 1 && i != last+1 {
							t.Errorf("message %d after %d", i, last)
						} else {
							seen[i] = true
							left--
						}
						if left == 0 {
							cancel()
						}
						mu.Unlock()
						last = i
					}
				})
			}
			receivers.Wait()
			if left > 0 {
				t.Errorf("%d of %d messages did not come", left, n)
			}
		})
	}
}
