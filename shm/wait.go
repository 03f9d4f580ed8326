package shm

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

const (
	// spinBudget is how long a wait spins: more than the round trip of two that
	// sleep, for else each of them may find the other asleep for ever.
	spinBudget = 20 * time.Microsecond
	// spinRounds is how many looks there are between two looks at the clock.
	spinRounds = 16
)

var started = time.Now()

// clock is the time since the program began.
func clock() time.Duration { return time.Since(started) }

// A waiter is how one side of a pipe waits for the peer. One call at a time waits
// by it; the side's lock guards busy and changed, and the rest belongs to the call
// that has set busy.
type waiter struct {
	nap
	pipe    *Pipe
	busy    bool
	changed chan struct{} // closed when busy ended, or what the others wait for came
}

func (w *waiter) begin(p *Pipe, bell *mem.Doorbell, word *mem.Word, mode Wait, ready func() bool) {
	w.pipe, w.rest = p, p.rest
	w.nap.begin(bell, word, mode, ready)
}

// signal wakes the calls that wait for the one that waits. The caller has the
// side's lock.
func (w *waiter) signal() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}

func (w *waiter) changes() <-chan struct{} {
	if w.changed == nil {
		w.changed = make(chan struct{})
	}
	return w.changed
}

// settle waits until no call waits any more. The caller has the side's lock.
func (w *waiter) settle(mu *sync.Mutex) {
	for w.busy {
		changed := w.changes()
		mu.Unlock()
		<-changed
		mu.Lock()
	}
	w.signal()
}

// wait is that of the nap, and ends the pipe if the peer is gone. The error is
// that of ctx.
func (w *waiter) wait(ctx context.Context, limit time.Duration) error {
	if err := w.nap.wait(ctx, limit); err != ctx.Err() {
		w.fault(err)
	}
	return ctx.Err()
}

// fault ends the pipe if a sleep has ended for that.
func (w *waiter) fault(err error) {
	switch {
	case err == nil, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
	case errors.Is(err, io.EOF):
		w.pipe.end(errGone)
	default:
		w.pipe.end(disconnected(err))
	}
}
