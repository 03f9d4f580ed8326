package shm

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// The last message that is built in a pipe's memory is released while Close waits for a
// sender that still sleeps there.
func TestCloseBesideSender(t *testing.T) {
	var closing atomic.Pointer[func()]
	points = func(name string) {
		if name == "sleep.woken" {
			if f := closing.Swap(nil); f != nil {
				(*f)()
			}
		}
	}
	t.Cleanup(func() { points = nil })
	a, _ := attached(t)
	held := a.NewMessage(0)
	held.RootBuilder()
	o := &a.out
	is := func(what func() bool) {
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Microsecond) {
			o.mu.Lock()
			now := what()
			o.mu.Unlock()
			if now {
				return
			}
		}
		t.Error("never")
	}
	sent := make(chan error)
	go func() {
		for {
			m := segment.New(arena.Pool())
			m.NewRoot(segment.Size{DataWords: 1})
			if err := a.Send(context.Background(), m); err != nil {
				sent <- err
				return
			}
		}
	}()
	is(func() bool { return o.wait.busy })
	time.Sleep(time.Millisecond) // it is asleep then
	release := func() {
		is(func() bool { return o.wait.changed != nil }) // Close waits
		held.Release()
	}
	closing.Store(&release)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := <-sent; !errors.Is(err, ErrClosed) {
		t.Errorf("%v, want ErrClosed", err)
	}
}
