package rpc

import (
	"slices"
	"sync/atomic"
)

// A listener is told when something is decided, unless it is gone by then.
type listener struct {
	f    func()
	gone *atomic.Bool // nil: never
}

// listeners are those who wait for one thing. Whoever uses them has the lock of
// that.
type listeners struct {
	list    []listener
	sweepAt int // how many there are when those that are gone are left out again
}

// sweepFrom is how many there are at least when a list is swept.
const sweepFrom = 64

// add keeps f until take. A peer can make listeners and leave again without end,
// so those that are gone are left out whenever there are twice as many.
func (l *listeners) add(f func(), gone *atomic.Bool) {
	if n := len(l.list); n >= max(sweepFrom, l.sweepAt) {
		l.list = slices.DeleteFunc(l.list, func(o listener) bool { return o.gone != nil && o.gone.Load() })
		l.sweepAt = 2 * len(l.list)
	}
	l.list = append(l.list, listener{f, gone})
}

// take gives those that there are, for tell, and keeps none.
func (l *listeners) take() []listener {
	all := l.list
	*l = listeners{}
	return all
}

// tell is called without the lock.
func tell(all []listener) {
	for _, l := range all {
		if l.gone == nil || !l.gone.Load() {
			l.f()
		}
	}
}
