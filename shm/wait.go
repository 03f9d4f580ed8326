package shm

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

const (
	// spinBudget is how long a wait spins: more than the round trip of two that
	// sleep, for else each of them may find the other asleep for ever.
	spinBudget = 20 * time.Microsecond
	// After so many spins in vain a wait sleeps at once.
	misses   = 3
	longWait = 2 * spinBudget // a wait for which a spin is in vain
	// mostShort is how many short sleeps it takes at most until a spin is tried again.
	mostShort = 1024
	// spinRounds is how many looks there are between two looks at the clock.
	spinRounds = 16
)

var started = time.Now()

// clock is the time since the program began.
func clock() time.Duration { return time.Since(started) }

// maySpin tells whether spinning can help: the peer needs a processor meanwhile,
// and the collector of this process a P.
func maySpin() bool { return mem.Processors() > 1 && runtime.GOMAXPROCS(0) > 1 }

// A patience decides whether a wait begins with spinning. After a few spins in vain
// it does not, until a sleep was so short that a spin would have done. Where the
// peer needs the processor that we spin on, spinning is in vain though sleeps are
// short, and so it is tried again ever more rarely.
type patience struct {
	misses int // spins in vain, the last ones
	short  int // sleeps that were short, since
	enough int // of them to try again
}

// spent tells that spinning is of no use now.
func (p *patience) spent() bool { return p.misses >= misses }

// hit is told that a spin was not in vain.
func (p *patience) hit() { *p = patience{} }

// missed is told that one was.
func (p *patience) missed() {
	if p.misses++; p.spent() {
		p.short, p.enough = 0, min(max(1, 2*p.enough), mostShort)
	}
}

// slept is told how long a wait took that did not spin.
func (p *patience) slept(d time.Duration) {
	if !p.spent() || d > spinBudget {
		return
	}
	if p.short++; p.short >= p.enough {
		p.misses = misses - 1
	}
}

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
