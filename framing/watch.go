package framing

import (
	"context"
	"sync"
	"time"
)

// longAgo is a deadline that ends a call at once.
var longAgo = time.Unix(1, 0)

// A watch ends a blocking call on a connection when the call's context ends, by
// a deadline in the past. It stays armed for a context that is used again, so
// that calls with the same context cost no memory.
type watch struct {
	setDeadline func(time.Time) error

	mu   sync.Mutex
	done <-chan struct{} // of the context that is watched
	stop func() bool
	busy bool // a call is under way
	hit  bool // and was ended
	shut bool // every call is ended
}

// begin is called before a call. It returns false if the call must not begin,
// because the context has ended or the watch was shut.
func (w *watch) begin(ctx context.Context) bool {
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
	w.busy = done != nil
	return true
}

func (w *watch) fire(done <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy && w.done == done {
		w.hit = true
		_ = w.setDeadline(longAgo)
	}
}

// end is called after a call, and tells whether the watch ended it.
func (w *watch) end() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	hit := w.hit
	w.busy, w.hit = false, false
	if hit && !w.shut {
		_ = w.setDeadline(time.Time{})
	}
	return hit || w.shut
}

// close ends the call under way and all later ones if all is set, and forgets
// the context.
func (w *watch) close(all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		w.stop()
	}
	w.done, w.stop = nil, nil
	if all {
		w.shut = true
		_ = w.setDeadline(longAgo)
	}
}
