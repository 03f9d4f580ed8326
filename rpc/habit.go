package rpc

import "time"

// habit is what an object has learned of calls within the process. While its
// methods are quick, a call is left for the one who waits for it, who is about to
// do nothing else: that spares waking a goroutine, which takes longer than such
// a call. Whoever else needs the call to run says so with begin; a call that
// nobody came for is started by the keeper. It is guarded by the object's lock.
type habit struct {
	spawned bool // a goroutine is about to run the calls
	left    bool // nobody is: the first waits for its caller
	score   int  // quick runs in a row, up to trusted; less than 0 after another
	runs    uint32
	kept    bool // the keeper has the object
	lefts   uint64
	seen    uint64 // the keeper's: lefts at the last tick
	idle    int    // the keeper's
}

// trusted is the score from which on calls are left.
const trusted = 8

// spawn has a goroutine run the calls. The caller has the lock.
func (o *object) spawn() {
	o.left, o.spawned = false, true
	go o.run()
}

// ran notes how long a method took. The caller has the lock.
func (o *object) ran(d time.Duration) {
	switch {
	case d > longRun:
		o.score = -penance
	case d < shortRun && o.score < trusted:
		o.score++
	}
}

// leave leaves x, the first in the queue, for the one who waits, and tells
// whether it does. Nobody else has it yet. The caller has the lock.
func (o *object) leave(x *exchange) bool {
	if o.score < trusted {
		return false
	}
	o.left = true
	o.lefts++
	x.object = o
	if !o.kept {
		o.kept = true
		go keep.add(o) // which has a lock of its own
	}
	return true
}

// begin sees to it that x runs though nobody waits for it. The caller holds it.
func (x *exchange) begin() {
	if o := x.object; o != nil {
		o.kick()
	}
}

func (o *object) kick() {
	o.mu.Lock()
	if o.left {
		o.spawn()
	}
	o.mu.Unlock()
}

// help runs x on the goroutine of its caller, who waits for it and may have
// claimed it, if it was left for that. It tells whether x is settled; it may be
// even if not.
func (o *object) help(x *exchange, claimed bool) (settled bool) {
	o.mu.Lock()
	if o.queue.head != x && o.left {
		o.spawn()
	}
	if !o.left {
		o.mu.Unlock()
		return false
	}
	o.left = false
	o.queue.pop()
	o.running++
	call := o.newCall(x)
	o.runs++
	measured := o.runs%sampling == 0
	o.mu.Unlock()
	var began time.Time
	if measured {
		began = time.Now()
	}
	if claimed || x.claimToServe() {
		settled = o.serveClaimed(call)
	}
	if settled {
		x.handed = true
	} else {
		x.unhold()
	}
	var d time.Duration
	if measured {
		d = time.Since(began)
	}
	o.mu.Lock()
	if measured {
		o.ran(d)
	}
	o.overAndUnlock(call)
	return settled
}

// add gives the keeper an object that leaves calls.
func (k *keeper) add(o *object) {
	k.mu.Lock()
	k.objects = append(k.objects, o)
	k.wake()
	k.mu.Unlock()
}

// lookAfterObjects starts the calls that nobody came for. The caller has the
// keeper's lock.
func (k *keeper) lookAfterObjects() {
	rest := k.objects[:0]
	for _, o := range k.objects {
		o.mu.Lock()
		if o.left && o.lefts == o.seen {
			o.score = -penance
			o.spawn()
		}
		if o.lefts == o.seen {
			o.idle++
		} else {
			o.idle = 0
		}
		o.seen = o.lefts
		o.kept = o.left || o.idle < idleTicks
		if o.kept {
			rest = append(rest, o)
		}
		o.mu.Unlock()
	}
	clear(k.objects[len(rest):])
	k.objects = rest
}
