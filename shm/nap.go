package shm

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/deadline"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/internal/spin"
)

// A nap is how an end of a pipe, a publisher or a subscriber waits for the other
// side. One call at a time waits by it.
type nap struct {
	bell  *mem.Doorbell
	word  *mem.Word // tells the other side that we sleep
	mode  Wait
	spins bool
	watch deadline.Watch

	ready    func() bool // tells whether the wait is over
	rest     func()      // is done before each sleep, if not nil
	armed    func()      // is done once the other side can see that we sleep, if not nil
	still    bool        // the wait does not spin
	look     func() bool // called by the doorbell; see arm
	epoch    uint32
	what     int    // is counted
	count    uint32 // ends the wait
	sleeps   atomic.Uint64
	patience spin.Patience
}

func (w *nap) begin(bell *mem.Doorbell, word *mem.Word, mode Wait, ready func() bool) {
	w.bell, w.word, w.mode, w.ready = bell, word, mode, ready
	w.spins = mode != Sleep && spin.Allowed()
	w.look = w.arm
	w.watch.SetDeadline = bell.SetDeadline
}

// wait waits until ready, and may return before. limit, if not 0, bounds it. Neither
// such a wait spins nor that of a sender that is short of memory: the other side gives
// memory back at once to one that it sees asleep. The error is that of ctx, or another
// if the other side is gone.
func (w *nap) wait(ctx context.Context, limit time.Duration) error {
	began := clock()
	still := w.still || limit != 0
	spun := !still && w.spins && (w.mode == Spin || !w.patience.Spent())
	if spun {
		if over, err := w.spin(ctx, began); over || err != nil {
			w.patience.Hit()
			return err
		}
		w.patience.Missed()
	}
	if w.rest != nil {
		w.rest()
	}
	if !w.watch.Begin(ctx, limit) {
		return ctx.Err()
	}
	err := w.bell.Wait(w.look)
	point("sleep.woken")
	w.word.SetPlain(uint64(sleepOf(w.epoch+1, 0, 0)))
	w.watch.End()
	w.sleeps.Add(1)
	if !still && !spun {
		w.patience.Slept(clock()-began, spinBudget)
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		return ctx.Err()
	}
	return err
}

// spin tells whether the wait was over before the time to sleep.
func (w *nap) spin(ctx context.Context, began time.Duration) (over bool, err error) {
	for w.mode == Spin || clock()-began < spinBudget {
		for range spinRounds {
			if w.ready() {
				return true, nil
			}
			mem.Pause(1)
		}
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// arm tells the other side that we sleep, then looks once more: what that did
// before it could see it shows here, and for what it does later it rings. It tells
// whether to sleep.
func (w *nap) arm() bool {
	w.epoch = (w.epoch + 1) | 1
	point("sleep.arm")
	w.word.Swap(uint64(sleepOf(w.epoch, w.what, w.count)))
	point("sleep.armed")
	if w.armed != nil && !w.ready() {
		w.armed()
	}
	return !w.ready()
}
