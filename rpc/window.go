package rpc

import "time"

const (
	// leastWindow is how many bytes of streams may always be under way. It is
	// what streams begin with.
	leastWindow = 64 << 10
	// restTime is how long nothing is under way before a window is halved.
	restTime = time.Second
	// measureTime is how long a measurement takes at least, so that it is of more
	// than how soon goroutines and processes were woken.
	measureTime = 2 * time.Millisecond
	// measureRounds is how many rounds it takes at least. A round ends when something
	// arrives that was sent after it began.
	measureRounds = 2
	// growth is how many times the throughput has to be of what it was for twice the
	// window, and keeping with half of it, so that the window stays so.
	growth, keeping = 1.1, 0.95
	// mostPause is how many measurements are made at most between two trials.
	mostPause = 16
)

// A window is how many bytes of streams may be under way, which is found out by
// trial: twice the window is kept if that lets more through, and half of it if
// that lets as much through. So it ends up between once and twice the product
// of what the way there lets through and how long it takes, and what waits on
// the way is bounded by as much.
//
// The time that a message takes is not looked at: it is the window divided by
// the throughput, and says nothing that this does not. The least of it, which
// other methods need, can't be measured where goroutines are woken at both ends.
//
// Its user tells it what happens; it has no lock and no clock.
type window struct {
	size        int64 // bytes that may be under way
	least, most int64
	largest     int64 // of the messages so far

	delivered int64 // bytes that have arrived
	limited   int64 // as many as there were when somebody last waited for room

	// A measurement begins after a round.
	until  int64 // of delivered, the end of the round
	rounds int   // of the measurement; less than 0 before it begins
	from   int64 // of delivered, its begin
	began  time.Duration

	rate        float64 // bytes a second, of the last measurement that counts
	trial       int     // up, down, or 0 if none is made
	before      int64   // the size before the trial
	next        int     // trial
	pause, left int     // measurements between trials, and until the next

	rested time.Duration // since when nothing is under way
}

const up, down = 1, -1

// newWindow gives a window that never has more than most bytes.
func newWindow(most int64) window {
	least := min(leastWindow, most)
	return window{size: least, least: least, most: most, next: up, rounds: -1}
}

// room tells whether one more message may be sent where so much is under way
// already, of one among some streams that share the window. One message may
// exceed it, so that there is always one to be run and one on its way.
func (w *window) room(underWay int64, streams int) bool {
	return underWay < max(w.size/int64(max(streams, 1)), w.least)+w.largest
}

// sent is told of a message that is sent, and how many bytes were under way
// before.
func (w *window) sent(bytes, underWay int64, now func() time.Duration) {
	w.largest = max(w.largest, bytes)
	if underWay > 0 || w.delivered == 0 {
		return
	}
	if rest := int64((now() - w.rested) / restTime); rest > 0 {
		w.size = max(w.size>>min(rest, 62), w.least)
		w.trial, w.next, w.pause, w.left = 0, up, 0, 0
	}
}

// waits is told that somebody waits for room.
func (w *window) waits() { w.limited = w.delivered }

// arrived is told of messages that have arrived, of how many bytes are under way
// still, and whether somebody waits for room.
func (w *window) arrived(bytes, underWay int64, waits bool, now func() time.Duration) {
	w.delivered += bytes
	switch {
	case waits:
		w.limited = w.delivered
	case underWay == 0:
		w.rested = now()
		w.giveUp()
		return
	case w.trial == 0 && w.delivered-w.limited > 2*(w.size+w.largest):
		w.again(underWay) // it is not the window that it goes by
		return
	}
	if w.delivered <= w.until {
		return
	}
	w.until = w.delivered + underWay
	if w.rounds++; w.rounds > 0 && w.rounds < measureRounds {
		return
	}
	t := now()
	switch {
	case w.rounds == 0:
		w.from, w.began = w.delivered, t
	case t-w.began >= measureTime:
		w.measured(float64(w.delivered-w.from) / (t - w.began).Seconds())
		w.again(underWay)
	}
}

// again begins a measurement anew.
func (w *window) again(underWay int64) {
	w.rounds = -1
	w.until = w.delivered + underWay
	w.limited = w.delivered
}

// giveUp is for a stream that pauses.
func (w *window) giveUp() {
	w.size, w.trial = w.kept(), 0
	w.again(0)
}

// kept gives the size as it is without a trial.
func (w *window) kept() int64 {
	if w.trial != 0 {
		return w.before
	}
	return w.size
}

// measured draws its conclusions from what was let through.
func (w *window) measured(rate float64) {
	switch w.trial {
	case up:
		if rate < growth*w.rate {
			w.fail()
			return
		}
		w.rate, w.pause = rate, 0
		w.try(up)
	case down:
		if rate < keeping*w.rate {
			w.fail()
			return
		}
		w.rate, w.pause = max(rate, w.rate), 0
		w.try(down)
	default:
		if w.left--; rate < w.rate/2 { // what takes twice as long has become slower, or waits
			w.next, w.left = down, -1
		}
		w.rate = rate
		if w.left < 0 {
			w.try(w.next)
		}
	}
}

// try makes a trial, the other one where the window is at its bounds.
func (w *window) try(which int) {
	to := w.stepped(which)
	if to == w.size && w.trial == 0 {
		which = -which
		to = w.stepped(which)
	}
	if to == w.size {
		w.trial = 0
		w.rest(-which)
		return
	}
	w.before, w.trial = w.size, which
	w.size = to
}

// stepped gives the next size. What is less than the largest message is all the
// same.
func (w *window) stepped(which int) int64 {
	if which == up {
		return min(2*max(w.size, w.largest), w.most)
	}
	if half := w.size / 2; half >= w.largest {
		return max(half, w.least)
	}
	return w.least
}

// fail undoes a trial.
func (w *window) fail() {
	w.size = w.before
	which := w.trial
	w.trial = 0
	w.rest(-which)
}

// rest puts off the next trial, the longer the more have failed.
func (w *window) rest(next int) {
	w.next = next
	w.pause = min(2*w.pause+1, mostPause)
	w.left = w.pause
}
