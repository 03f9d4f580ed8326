package rpc

import (
	"sync"
	"sync/atomic"
	"time"
)

// tick is how often the keeper looks after connections that are in use.
const tick = time.Millisecond

// idleTicks is after how many ticks without use a connection is left alone.
const idleTicks = 20

// keeper looks after the connections of the process that are in use, on one
// goroutine, because a timer for each would cost more than a call. When a
// connection's reader sits in a handler or in a write, it starts another; when
// something waits that nobody is about to send, it sends it. It rests while no
// connection is used.
type keeper struct {
	mu      sync.Mutex
	conns   []*Conn
	objects []*object
	running bool
	stopped sync.Cond
}

var keep = func() *keeper {
	k := new(keeper)
	k.stopped.L = &k.mu
	return k
}()

// kept is what a connection has for its keeper.
type kept struct {
	touched atomic.Bool // used since the last tick
	watched atomic.Bool // the keeper has it

	// The keeper's own.
	idle    int
	sitting uint64 // what progress was at the last tick
	waiting uint64 // the number of the first message that waited then
	looking looking
}

// touch tells the keeper that the connection is in use.
func (c *Conn) touch() {
	if c.touched.Load() {
		return
	}
	c.touched.Store(true)
	if c.watched.Load() || !c.watched.CompareAndSwap(false, true) {
		return
	}
	keep.mu.Lock()
	keep.conns = append(keep.conns, c)
	keep.wake()
	keep.mu.Unlock()
}

// wake is called with the lock.
func (k *keeper) wake() {
	if !k.running {
		k.running = true
		go k.run()
	}
}

func (k *keeper) run() {
	for {
		doze(tick)
		k.mu.Lock()
		all := k.conns
		rest := all[:0]
		for _, c := range all {
			if c.tick() {
				rest = append(rest, c)
			}
		}
		clear(all[len(rest):])
		k.conns = rest
		k.lookAfterObjects()
		if len(rest)+len(k.objects) == 0 {
			k.running = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
	}
}

// tick looks after one connection, and tells whether to go on with that.
func (c *Conn) tick() bool {
	if c.touched.Swap(false) {
		c.idle = 0
		c.looking.used()
	} else {
		c.idle++
	}
	p := c.progress.Load()
	sits := p%2 == 1
	if sits && p == c.sitting {
		c.takeRole(p)
	}
	c.sitting = p

	c.mu.Lock()
	waits := len(c.out) > 0 && !c.flushing && !c.mute
	first := c.taken
	c.mu.Unlock()
	if waits && first == c.waiting {
		c.dirty()
	}
	c.waiting = first
	if !waits {
		c.waiting--
	}
	c.watchContexts()
	if c.role.Load() == roleFree && c.idle > 0 && c.role.CompareAndSwap(roleFree, roleTaken) {
		go c.read()
	}
	if sits || waits || c.idle < idleTicks || !c.looking.over {
		return true
	}
	c.watched.Store(false)
	// Whoever touched it before that did not add it.
	return c.touched.Load() && c.watched.CompareAndSwap(false, true)
}
