package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/rpc"
)

// switchboard is where clients connect to a host, and connections are lost.
type switchboard struct {
	h       *host
	dials   atomic.Int64
	refuses atomic.Bool

	mu    sync.Mutex
	conns []*rpc.Conn
}

func (s *switchboard) dial(context.Context) (*rpc.Conn, error) {
	s.dials.Add(1)
	if s.refuses.Load() {
		return nil, errors.New("nobody answers")
	}
	ours, theirs := newMemory()
	server := rpc.NewConn(theirs, rpc.ConnOptions{Bootstrap: s.h.serve()})
	s.mu.Lock()
	s.conns = append(s.conns, server)
	s.mu.Unlock()
	return rpc.NewConn(ours, rpc.ConnOptions{}), nil
}

// cut loses all connections.
func (s *switchboard) cut() {
	s.mu.Lock()
	conns := s.conns
	s.conns = nil
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

var fast = rpc.ReconnectOptions{MinDelay: time.Millisecond, MaxDelay: 4 * time.Millisecond, Waiting: 100}

func TestReconnect(t *testing.T) {
	s := &switchboard{h: newHost()}
	c := rpc.Reconnect(s.dial, fast)
	defer s.cut()
	if n := s.dials.Load(); n != 0 {
		t.Errorf("%d dials before there is a call", n)
	}
	for i := range 5 {
		if got := wait(t, call(t.Context(), c, 21)); got != 42 {
			t.Errorf("got %d, want 42", got)
		}
		made := with(t.Context(), c, makeOne, rpc.Client{})
		wait(t, call(t.Context(), made.Client(0), 1))
		if n := s.dials.Load(); n != int64(i+1) {
			t.Errorf("%d dials for %d connections", n, i+1)
		}
		holds := with(t.Context(), c, hold, rpc.Client{})
		wait(t, call(t.Context(), c, 1))
		soon(t, "the call holds", func() bool { return s.h.holding.Load() == 1 })
		s.cut()
		soon(t, "the handler has ended", func() bool { return s.h.holding.Load() == 0 })
		fails(t, holds, rpc.ErrDisconnected, "") // and is not repeated
		fails(t, call(t.Context(), made.Client(0), 1), rpc.ErrDisconnected, "")
		made.Release()
	}
	c.Release()
	s.h.gone(t)
	if n := s.h.holds.Load(); n != 5 {
		t.Errorf("%d calls held, want 5: one was repeated", n)
	}
}

// Calls wait while nobody answers, and go in their order.
func TestReconnectWaits(t *testing.T) {
	s := &switchboard{h: newHost()}
	defer s.cut()
	s.refuses.Store(true)
	c := rpc.Reconnect(s.dial, fast)
	var all []rpc.Future
	for i := range uint64(fast.Waiting) {
		all = append(all, call(t.Context(), c, i))
	}
	fails(t, call(t.Context(), c, 0), rpc.ErrOverloaded, fmt.Sprint(fast.Waiting))
	soon(t, "it has tried thrice", func() bool { return s.dials.Load() >= 3 })
	s.refuses.Store(false)
	for i, f := range all {
		if got := wait(t, f); got != 2*uint64(i) {
			t.Errorf("got %d, want %d", got, 2*i)
		}
	}
	c.Release()
	s.h.gone(t)
}

// What waits for a connection is told why it was revoked, and calls on its results.
func TestReconnectRevoked(t *testing.T) {
	s := &switchboard{h: newHost()}
	s.refuses.Store(true)
	c, revoke := rpc.Revocable(rpc.Reconnect(s.dial, fast))
	made := with(t.Context(), c, makeOne, rpc.Client{})
	f := call(t.Context(), made.Client(0), 1)
	revoke(errors.New("taken away"))
	fails(t, made, rpc.ErrFailed, "taken away")
	fails(t, f, rpc.ErrFailed, "taken away")
	c.Release()
}

// Nobody dials for calls that are cancelled, nor after the client is released.
func TestReconnectStops(t *testing.T) {
	s := &switchboard{h: newHost()}
	s.refuses.Store(true)
	c := rpc.Reconnect(s.dial, fast)
	f := call(t.Context(), c, 1)
	soon(t, "it has tried", func() bool { return s.dials.Load() >= 1 })
	f.Release()
	soon(t, "it rests", func() bool {
		n := s.dials.Load()
		time.Sleep(10 * fast.MaxDelay)
		return s.dials.Load() == n
	})
	f = call(t.Context(), c, 1)
	c.Release()
	fails(t, f, rpc.ErrDisconnected, "released")
}
