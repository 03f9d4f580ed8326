package rpc

import "time"

// habit is what an object has of calls within the process. While its methods are
// quick, a call is left for the one who waits for it, who is about to do nothing else:
// that spares waking a goroutine, which takes longer than such a call. Whoever else
// needs the call to run says so with begin; a call that nobody came for is started by
// the keeper. It is guarded by the object's lock.
type habit struct {
	spawned bool // a goroutine is about to run the calls
	left    bool // nobody is: the first waits for its caller
	kept    bool // the keeper has the object
	lefts   uint64
	seen    uint64 // the keeper's: lefts at the last tick
}

// local are the habits of the methods that were called within the process, whichever
// object they were called on: many objects live for a few calls only.
var local = func() *habits {
	h := new(habits)
	for i := range h.owes {
		h.owes[i].Store(trusted)
	}
	return h
}()

// trusted is how many quick runs a method owes at first: whoever calls it may want
// others to run beside it.
const trusted = 8

// spawn has a goroutine run the calls. The caller has the lock.
func (o *object) spawn() {
	o.left, o.spawned = false, true
	go o.run()
}

// leave leaves x, which is about to be the first in the queue, for the one who waits,
// and tells whether it does, and whether the keeper has to be given the object then. It
// does not if anybody else has x already. The caller has the lock.
func (o *object) leave(x *exchange) (left, add bool) {
	if !x.fresh || !local.quick(x.method) {
		return false, false
	}
	o.left = true
	o.lefts++
	x.object = o
	add = !o.kept
	o.kept = true
	return true, add
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
	o.mu.Unlock()
	method := x.method
	var began time.Time
	if x.gen.Load()%sampling == 0 {
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
	local.end(method, began)
	o.mu.Lock()
	o.overAndUnlock(call)
	return settled
}

// add gives the keeper an object that leaves calls. No object's lock is held.
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
			local.slow(o.queue.head.method)
			o.spawn()
		}
		o.kept = o.lefts != o.seen
		o.seen = o.lefts
		if o.kept {
			rest = append(rest, o)
		}
		o.mu.Unlock()
	}
	clear(k.objects[len(rest):])
	k.objects = rest
}
