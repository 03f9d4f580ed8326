package zmq

import (
	"context"
	"errors"
	"os"
	"time"
)

// A role says who reads a connection. It is the connection's own goroutine, the
// keeper, when nobody else sees to it. But a goroutine that waits in Recv, and
// has nothing else to receive from, reads itself: then a message wakes one
// goroutine on its way and not two. When it has what it came for, nobody reads;
// if no receiver comes back within a tick, the keeper takes over, so that PINGs
// are answered and messages read ahead while the program is busy. The keeper
// lends the role again when it finds that a receiver waits for it.
//
// All of it is guarded by the inbound's mutex.
type role struct {
	holder holder
	call   chan struct{} // of capacity 1: tells the keeper that it may have the role
	failed error         // why a receiver gave it to the keeper
	kicked bool          // the receiver's read was ended by a deadline

	lent    uint32 // how often a receiver had it
	seen    uint32 // lent at the last tick
	ticking bool
	tick    *time.Timer

	reading <-chan struct{} // done of the receiver's context
	watched <-chan struct{} // done of the context that is watched
	unwatch func() bool
}

type holder uint8

const (
	keeper holder = iota
	receiver
	nobody
)

// tickEvery is how long a connection is left alone between a receiver's visits.
const tickEvery = 10 * time.Millisecond

// longAgo is a deadline that ends a read at once.
var longAgo = time.Unix(1, 0)

// keep waits until the keeper has the role, and gives the reason why a receiver
// gave it up, if that was an error.
func (c *conn) keep() error {
	q := &c.s.in
	r := &c.role
	dead := c.dead
	for {
		q.mu.Lock()
		if dead == nil && r.holder == nobody {
			r.holder = keeper
		}
		mine, err := r.holder == keeper, r.failed
		q.mu.Unlock()
		if mine {
			return err
		}
		select {
		case <-r.call: // perhaps from before
		case <-dead:
			dead = nil // a receiver is about to find out
		}
	}
}

// run is the keeper's, until the connection fails.
func (c *conn) run() error {
	for {
		if err := c.keep(); err != nil {
			return err
		}
		err := c.parse()
		full := c.full
		any, awaited := c.publish(true)
		if err != nil {
			return err
		}
		if any || full {
			c.awaitRoom()
		}
		if awaited && c.s.in.lend(c) || full {
			continue
		}
		if err := c.fetch(); err != nil {
			return err
		}
	}
}

// visit is a receiver's: it reads until a message has come.
func (c *conn) visit() error {
	for {
		err := c.parse()
		full := c.full
		if any, _ := c.publish(true); any || full || err != nil {
			return err
		}
		if err := c.fetch(); err != nil {
			return err
		}
	}
}

// enter begins to take a connection into account. The keeper has the role.
func (q *inbound) enter(c *conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.peer.in.conn = c
	if !c.peer.in.private {
		q.conns = append(q.conns, c)
		q.choose()
	}
}

// local counts peers inproc.
func (q *inbound) local(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.locals += n
	q.choose()
}

// choose sees to it that keepers read where there is more than one to receive
// from. The caller has the lock.
func (q *inbound) choose() {
	if len(q.conns)+q.locals > 1 {
		for _, c := range q.conns {
			c.kick()
			if c.role.holder == nobody {
				q.entrust(c)
			}
		}
	}
}

// attend has somebody read a connection, and tells whether nobody did.
func (q *inbound) attend(c *conn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.role.holder != nobody {
		return false
	}
	q.entrust(c)
	return true
}

// exit forgets a connection. The keeper has the role.
func (q *inbound) exit(c *conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.strike(c)
	if c.peer.in.conn == c {
		c.peer.in.conn = nil
	}
	r := &c.role
	if r.tick != nil {
		r.tick.Stop()
	}
	if r.unwatch != nil {
		r.unwatch()
		r.unwatch, r.watched = nil, nil
	}
}

// strike takes a connection out of those that everybody receives from.
func (q *inbound) strike(c *conn) {
	for i, o := range q.conns {
		if o == c {
			q.conns = append(q.conns[:i], q.conns[i+1:]...)
			return
		}
	}
}

// vacant gives the connection that a receiver may read: that of the pipe's peer
// p, or if p is nil the only one. The caller has the lock.
func (q *inbound) vacant(p *peer) *conn {
	c := q.sole()
	if p != nil {
		c = p.in.conn
	}
	if c == nil || c.role.holder != nobody {
		return nil
	}
	return c
}

// sole gives the connection that everybody receives from, if it is the only one.
func (q *inbound) sole() *conn {
	if len(q.conns) == 1 && q.locals == 0 {
		return q.conns[0]
	}
	return nil
}

// pump has the caller, who waits for a message, read a vacant connection until
// there is one, or the context ends, or there is something else to receive from.
// The caller has the lock, which is free meanwhile.
func (q *inbound) pump(ctx context.Context, c *conn) {
	r := &c.role
	r.holder = receiver
	r.lent++
	q.watch(ctx, c)
	if ctx.Err() != nil {
		q.vacate(c)
		return
	}
	q.mu.Unlock()
	err := c.visit()
	q.mu.Lock()
	r.reading = nil
	if r.kicked {
		r.kicked = false
		_ = c.nc.SetReadDeadline(time.Time{})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
	}
	if err != nil || c.bulk || c.isShut() || !c.peer.in.private && q.sole() != c {
		r.failed = err
		q.entrust(c)
	} else {
		q.vacate(c)
	}
}

// watch ends the receiver's read when its context ends. It stays armed for a
// context that is used again. The caller has the lock.
func (q *inbound) watch(ctx context.Context, c *conn) {
	r := &c.role
	done := ctx.Done()
	r.reading = done
	if done == nil || done == r.watched {
		return
	}
	if r.unwatch != nil {
		r.unwatch()
	}
	r.watched = done
	r.unwatch = context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if r.reading == done {
			c.kick()
		}
	})
}

// kick ends the read of a receiver. The caller has the lock.
func (c *conn) kick() {
	if r := &c.role; r.holder == receiver && !r.kicked {
		r.kicked = true
		_ = c.nc.SetReadDeadline(longAgo)
	}
}

// kick ends the read of the receiver that waits for what p sends.
func (q *inbound) kick(p *peer) {
	if p.in.private {
		if c := p.in.conn; c != nil {
			c.kick()
		}
		return
	}
	for _, c := range q.conns {
		c.kick()
	}
}

// lend gives the role up to receivers that were waiting, if they can read
// themselves.
func (q *inbound) lend(c *conn) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.bulk || c.isShut() || q.closed || !c.peer.in.private && q.sole() != c {
		return false
	}
	q.vacate(c)
	return true
}

// vacate gives the role up, to the receiver that has waited longest if there is
// one. The caller has the lock.
func (q *inbound) vacate(c *conn) {
	r := &c.role
	r.holder = nobody
	if !r.ticking {
		r.ticking = true
		r.seen = r.lent
		if r.tick == nil {
			r.tick = time.AfterFunc(tickEvery, func() { q.ticked(c) })
		} else {
			r.tick.Reset(tickEvery)
		}
	}
	if c.peer.in.private {
		c.peer.in.waiting.tell(1)
	} else {
		q.waiting.tell(1)
	}
}

// entrust gives the role to the keeper. The caller has the lock.
func (q *inbound) entrust(c *conn) {
	c.role.holder = keeper
	select {
	case c.role.call <- struct{}{}:
	default: // the keeper has not taken note of the last time
	}
}

// ticked looks at whether receivers come back.
func (q *inbound) ticked(c *conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r := &c.role
	switch {
	case r.holder == nobody && r.lent == r.seen:
		r.ticking = false
		q.entrust(c)
	case r.holder == nobody:
		r.seen = r.lent
		r.tick.Reset(tickEvery)
	default:
		r.ticking = false // until it is vacated again
	}
}
