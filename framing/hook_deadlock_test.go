package framing_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// The release hooks of messages that were dropped ran under the pipe's lock: one
// that looked at the pipe never came back, and nor did Close.
func TestReleaseHookMayLookAtThePipe(t *testing.T) {
	for _, c := range []struct {
		name string
		left int // bytes until writing fails
		opts framing.PipeOptions
		end  func(t *testing.T, p *framing.Pipe)
	}{
		{"Close without linger", 1 << 30, framing.PipeOptions{ManualFlush: true, Linger: -1}, func(t *testing.T, p *framing.Pipe) {}},
		{"Flush that fails", 0, framing.PipeOptions{ManualFlush: true}, func(t *testing.T, p *framing.Pipe) {
			if err := p.Flush(); !errors.Is(err, errBroken) {
				t.Errorf("Flush: %v, want the cause", err)
			}
		}},
		{"Flush that fails in the middle", 10_000, framing.PipeOptions{ManualFlush: true}, func(t *testing.T, p *framing.Pipe) {
			if err := p.Flush(); !errors.Is(err, errBroken) {
				t.Errorf("Flush: %v, want the cause", err)
			}
		}},
		{"Close whose write fails", 0, framing.PipeOptions{ManualFlush: true}, func(t *testing.T, p *framing.Pipe) {}},
		{"Send that fails", 0, framing.PipeOptions{}, func(t *testing.T, p *framing.Pipe) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeakPool(t)
			ca, cb := conns(t, "tcp")
			defer func() { _ = cb.Close() }()
			p := framing.NewPipe(&brokenConn{Conn: ca, left: c.left}, c.opts)
			var released, dropped atomic.Int64
			const msgs = 3
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range msgs {
					msg := p.NewMessage(0)
					if !msg.NewRoot(segment.Size{Ptrs: 1}).SetExternalData(0, make([]byte, 16<<10), func() {
						dropped.Store(int64(p.Stats().Dropped))
						released.Add(1)
						_ = p.Flush() // takes the lock as well
					}) {
						t.Error("the data was copied")
					}
					_ = p.Send(context.Background(), msg)
				}
				c.end(t, p)
				_ = p.Close()
			}()
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.Fatal("a release hook that looks at its pipe waits for ever")
			}
			if n := released.Load(); n != msgs {
				t.Errorf("%d hooks ran, want %d", n, msgs)
			}
			if n := dropped.Load(); n == 0 {
				t.Error("no hook saw a message dropped: the test does not test what it says")
			}
		})
	}
}
