package zmq

import (
	"context"
	"sync"
)

// A waitList is those who wait for a condition that a mutex guards. Its methods
// are called with that mutex locked.
type waitList struct{ list []*waiter }

type waiter struct {
	ch     chan struct{} // of capacity 1: receives once when told
	listed bool
}

var waiters = sync.Pool{New: func() any { return &waiter{ch: make(chan struct{}, 1)} }}

// wait frees mu until it is told or ctx ends; then it gives the context's error.
// Whoever is told looks at the condition again.
func (l *waitList) wait(mu *sync.Mutex, ctx context.Context) error {
	w := waiters.Get().(*waiter)
	w.listed = true
	l.list = append(l.list, w)
	mu.Unlock()
	var err error
	if done := ctx.Done(); done == nil {
		<-w.ch
	} else {
		select {
		case <-w.ch:
		case <-done:
			err = ctx.Err()
		}
	}
	mu.Lock()
	if err != nil {
		if w.listed {
			for i := range l.list {
				if l.list[i] == w {
					l.remove(i)
					break
				}
			}
		} else {
			<-w.ch
			l.tell(1) // somebody else can use what this one was told
		}
	}
	waiters.Put(w)
	return err
}

func (l *waitList) remove(i int) {
	l.list[i].listed = false
	last := len(l.list) - 1
	copy(l.list[i:], l.list[i+1:])
	l.list[last] = nil
	l.list = l.list[:last]
}

// tell wakes the n that have waited longest.
func (l *waitList) tell(n int) {
	for ; n > 0 && len(l.list) > 0; n-- {
		w := l.list[0]
		l.remove(0)
		w.ch <- struct{}{}
	}
}

func (l *waitList) tellAll() { l.tell(len(l.list)) }
