package rpc

import "sync/atomic"

// chainStep is after how many links of a chain another goroutine goes on.
const chainStep = 128

// A chainLink is the place of an exchange in a chain of exchanges that each wait for
// the next, because they are made on its results or have them as their own. Those
// that end by the end of one before do so in the same goroutine, one inside the
// other; at each hundredth or so another goroutine goes on, so that no stack grows
// with the length of the chain.
type chainLink struct{ place atomic.Uint32 }

// after puts the exchange behind x.
func (l *chainLink) after(x *chainLink) { l.place.Store(x.place.Load() + 1) }

// reset takes it out of the chain.
func (l *chainLink) reset() {
	if l.place.Load() != 0 {
		l.place.Store(0)
	}
}

// far tells whether another goroutine is to go on.
func (l *chainLink) far() bool { return l.place.Load()%chainStep == chainStep-1 }

// dropFrom is drop for who ends at the given place of a chain.
func (x *exchange) dropFrom(l *chainLink) {
	if l.far() {
		go x.drop()
		return
	}
	x.drop()
}

// abandonFrom is abandon for who ends at the given place of a chain.
func (f Future) abandonFrom(l *chainLink) {
	if f.x != nil && l.far() {
		go f.abandon()
		return
	}
	f.abandon()
}

// settleInTurn is settle, which others of a chain may follow.
func (x *exchange) settleInTurn() {
	if !x.link.far() {
		x.settle()
		return
	}
	x.holds.Add(1)
	go func() {
		x.settle()
		x.unhold()
	}()
}

// followInTurn is follow, which others of a chain may follow.
func (x *exchange) followInTurn(y *exchange) {
	if !x.link.far() {
		x.follow(y)
		x.unhold()
		return
	}
	y.holds.Add(1)
	go func() {
		x.follow(y)
		x.unhold()
		y.unhold()
	}()
}
