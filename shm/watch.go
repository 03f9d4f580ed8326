package shm

import (
	"context"
	"sync"
	"time"
)

// longAgo is a deadline that ends a sleep at once.
var longAgo = time.Unix(1, 0)

// A watch ends a sleep when its context ends or the pipe does, by a deadline in
// the past. It stays armed for a context that is used again, so that calls with the
// same context cost no memory.
type watch struct {
	setDeadline func(time.Time) error

	mu   sync.Mutex
	done <-chan struct{} // of the context that is watched
	stop func() bool
	busy bool // a sleep is under way
	set  bool // a deadline is set
	shut bool // every sleep is ended
}

// begin is called before a sleep, which may take as long as limit, if that is not
// 0. It returns false if the sleep must not begin.
func (w *watch) begin(ctx context.Context, limit time.Duration) bool {
	done := ctx.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	if done != nil && w.done != done {
		if w.stop != nil {
			w.stop()
		}
		w.done = done
		w.stop = context.AfterFunc(ctx, func() { w.fire(done) })
	}
	// A context that ended before fired when nothing was busy.
	if w.shut || done != nil && ctx.Err() != nil {
		return false
	}
	w.busy = true
	if limit > 0 {
		w.set = true
		_ = w.setDeadline(time.Now().Add(limit))
	}
	return true
}

func (w *watch) fire(done <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy && w.done == done {
		w.set = true
		_ = w.setDeadline(longAgo)
	}
}

// end is called after a sleep.
func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.set && !w.shut {
		_ = w.setDeadline(time.Time{})
	}
	w.busy, w.set = false, false
}

// close ends the sleep under way and all later ones, and forgets the context.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		w.stop()
	}
	w.done, w.stop = nil, nil
	w.shut = true
	_ = w.setDeadline(longAgo)
}
