// Package deadline makes calls that know deadlines only, as those of package net,
// end with a context.
package deadline

import (
	"context"
	"sync"
	"time"
)

// Past is a deadline that ends a call at once.
var Past = time.Unix(1, 0)

// A Watch ends a blocking call when the call's context ends, by a deadline in the
// past. It stays armed for a context that is used again, so that calls with the
// same context cost no memory. One call at a time may be under way.
type Watch struct {
	// SetDeadline sets the deadline of the calls, and must be set before the first.
	SetDeadline func(time.Time) error

	mu   sync.Mutex
	done <-chan struct{} // of the context that is watched
	stop func() bool
	busy bool // a call is under way that the context may end
	hit  bool // and was ended
	set  bool // a deadline is set
	shut bool // every call is ended
}

// Begin is called before a call, which may take as long as limit, if that is not
// 0. It returns false if the call must not begin, because the context has ended or
// the watch was shut.
func (w *Watch) Begin(ctx context.Context, limit time.Duration) bool {
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
	if limit > 0 {
		w.set = true
		_ = w.SetDeadline(time.Now().Add(limit))
	}
	return true
}

func (w *Watch) fire(done <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy && w.done == done {
		w.hit, w.set = true, true
		_ = w.SetDeadline(Past)
	}
}

// Interrupt ends the call under way, if it has begun, or else the next one. It need
// not end that: the caller has a reason to look again anyway.
func (w *Watch) Interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.set = true
	_ = w.SetDeadline(Past)
}

// End is called after a call, and tells whether the context or Close ended it.
func (w *Watch) End() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	hit := w.hit
	if w.set && !w.shut {
		_ = w.SetDeadline(time.Time{})
	}
	w.busy, w.hit, w.set = false, false, false
	return hit || w.shut
}

// Close ends the call under way and all later ones if all is set, and forgets the
// context.
func (w *Watch) Close(all bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		w.stop()
	}
	w.done, w.stop = nil, nil
	if all {
		w.shut = true
		_ = w.SetDeadline(Past)
	}
}
