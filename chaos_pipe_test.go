package fairlead_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// letter makes message n of a pipe, with so many bytes that follow from n.
func letter(p fairlead.Pipe, n uint64, size int) *segment.Message {
	m := p.NewMessage(size)
	s := m.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	s.SetUint64(0, n)
	d := s.NewData(0, size)
	for i := 0; i < len(d); i += 61 {
		d[i] = byte(n + uint64(i))
	}
	return m
}

// isLetter tells whether m is message n.
func isLetter(m *segment.Message, n uint64) bool {
	s := m.Root().Struct()
	for i, d := 0, s.Data(0); i < len(d); i += 61 {
		if d[i] != byte(n+uint64(i)) {
			return false
		}
	}
	return s.Uint64(0) == n && m.Err() == nil
}

// ended tells whether an error is one that a pipe ends with, at either end.
func ended(err error) bool {
	return err == io.EOF || errors.Is(err, fairlead.ErrDisconnected) || errors.Is(err, fairlead.ErrClosed)
}

// echoSome sends back what arrives, and leaves after so many messages.
func echoSome(t *testing.T, p fairlead.Pipe, most int) {
	defer func() { _ = p.Close() }()
	for i := 0; ; i++ {
		m, err := p.Recv(within(t))
		if err == nil && i == most {
			m.Release()
			return
		}
		if err == nil {
			err = p.Send(within(t), m)
		}
		if err != nil {
			if !ended(err) {
				t.Error(err)
			}
			return
		}
	}
}

// correspond sends n messages over a pipe, takes most of what comes back, keeps some
// of it and leaves.
func correspond(t *testing.T, p fairlead.Pipe, rnd *rand.Rand, n, most int) {
	var sizes []int
	for range n {
		size := rnd.IntN(100)
		if rnd.IntN(10) == 0 {
			size = rnd.IntN(200_000)
		}
		sizes = append(sizes, size)
	}
	var sending sync.WaitGroup
	sending.Go(func() {
		for i, size := range sizes {
			if err := p.Send(within(t), letter(p, uint64(i), size)); err != nil {
				if !ended(err) {
					t.Error(err)
				}
				return
			}
		}
	})
	kept := make(map[uint64]*segment.Message)
	for i := range uint64(min(n, most)) {
		m, err := p.Recv(within(t))
		if err != nil {
			if !ended(err) {
				t.Error(err)
			}
			break
		}
		kept[i] = m
		if !isLetter(m, i) {
			t.Errorf("message %d is wrong", i)
		}
		if rnd.IntN(20) > 0 {
			m.Release()
			delete(kept, i)
		}
	}
	_ = p.Close()
	sending.Wait()
	for i, m := range kept {
		if !isLetter(m, i) {
			t.Errorf("message %d is wrong when the pipe is closed", i)
		}
		m.Release()
	}
}

// Pipes are opened and closed at either end at any time while messages go both ways:
// what arrives is right and in its order, and all memory comes back.
func TestPipeChaos(t *testing.T) {
	onAll(t, func(t *testing.T, w way) {
		seed := chaosBegins(t)
		pool := arena.NewPool(arena.PoolOptions{})
		w.server.Arena, w.dial.Arena = pool, pool
		ln := listen(t, w)
		ctx, cancel := context.WithCancel(context.Background())
		var all, guests sync.WaitGroup
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, 0))
			for {
				p, err := ln.Accept(ctx)
				if err != nil {
					return
				}
				most := rnd.IntN(200)
				all.Go(func() { echoSome(t, p, most) })
			}
		})
		for i := range 4 {
			guests.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(i+1)))
				for range *chaosSessions / 4 {
					p, err := fairlead.Dial(within(t), ln.URL(), w.dial)
					if err != nil {
						t.Error(err)
						return
					}
					n := 1 + rnd.IntN(150)
					correspond(t, p, rnd, n, rnd.IntN(2*n))
				}
			})
		}
		guests.Wait()
		cancel()
		all.Wait()
		until(t, "all blocks are back", func() bool { blocks, _ := pool.Outstanding(); return blocks == 0 })
	})
}
