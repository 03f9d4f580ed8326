package rpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// ReconnectOptions says how [Reconnect] tries. The zero value is useful.
type ReconnectOptions struct {
	// MinDelay is how long it waits after the first attempt that failed; each
	// further one doubles that, up to MaxDelay, and half of it is left to chance.
	// Defaults 100 ms and 30 s. They hold too for a connection that is lost sooner
	// than MaxDelay.
	MinDelay, MaxDelay time.Duration
	// Waiting is how many calls may wait for a connection. One more fails as
	// overloaded. Default 1024.
	Waiting int
	// Ask gives the capability that is wanted of a connection, such as what a
	// sturdy reference restores. The client takes it over. Default:
	// [Conn.Bootstrap].
	Ask func(*Conn) Client
}

// Reconnect gives the bootstrap capability at the other end of a connection that
// dial makes, or what [ReconnectOptions.Ask] asks it for. Another connection is
// made when that is lost. It dials when there is a call to make. Calls wait for
// the connection as long as they are not cancelled, in their order.
//
// A call that was handed to a connection is never repeated: when the connection
// is lost it fails as disconnected, and may have run. [Exception.NotSent] tells
// of one that did not leave. Capabilities that came over a connection are lost
// with it.
//
// The caller owns the client, whose release closes the connection.
func Reconnect(dial func(ctx context.Context) (*Conn, error), o ReconnectOptions) Client {
	if o.MinDelay <= 0 {
		o.MinDelay = 100 * time.Millisecond
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 30 * time.Second
	}
	if o.Waiting <= 0 {
		o.Waiting = 1 << 10
	}
	if o.Ask == nil {
		o.Ask = (*Conn).Bootstrap
	}
	r := &reconnecting{dial: dial, o: o}
	r.refs.Store(1)
	r.ctx, r.stop = context.WithCancel(context.Background())
	return track(Client{r}, kindWrapper, nil)
}

type reconnecting struct {
	fixed
	fl   flowRef
	refs atomic.Int32
	dial func(ctx context.Context) (*Conn, error)
	o    ReconnectOptions
	ctx  context.Context // ends when the client is released
	stop context.CancelFunc

	mu      sync.Mutex
	over    *Conn  // the connection, if there is one
	boot    Client // over it
	began   time.Time
	delay   time.Duration // before the next attempt
	dialing bool          // a goroutine is
	calls   queue         // that wait for it
	waiting int
}

func (r *reconnecting) flow() *flow { return r.fl.get() }
func (r *reconnecting) retain()     { r.refs.Add(1) }

func (r *reconnecting) conn() *Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.alive() {
		return r.over
	}
	return nil
}

// alive tells whether calls can go over the connection. The caller has the lock.
func (r *reconnecting) alive() bool { return r.over != nil && !r.dialing && r.over.Err() == nil }

func (r *reconnecting) release() {
	if r.refs.Add(-1) > 0 {
		return
	}
	r.stop()
	r.mu.Lock()
	over, boot := r.over, r.boot
	r.over, r.boot = nil, Client{}
	r.mu.Unlock()
	boot.Release()
	if over != nil {
		go over.Close() // which waits for its goroutines
	}
}

func (r *reconnecting) start(x *exchange) {
	r.mu.Lock()
	switch {
	case r.alive():
		boot := r.boot.Retain()
		r.mu.Unlock()
		boot.deliver(x)
		boot.Release()
		return
	case r.waiting >= r.o.Waiting:
		r.mu.Unlock()
		x.refuse(exceptionf(Overloaded, "%d calls wait for a connection, at most %d", r.o.Waiting+1, r.o.Waiting))
		return
	}
	r.calls.push(x)
	r.waiting++
	first := !r.dialing
	r.dialing = true
	r.mu.Unlock()
	if first {
		go r.connect()
	}
}

// connect makes a connection, and gives it the calls that wait.
func (r *reconnecting) connect() {
	r.mu.Lock()
	old, boot := r.over, r.boot
	r.over, r.boot = nil, Client{}
	r.mu.Unlock()
	boot.Release()
	if old != nil {
		_ = old.Close()
	}
	conn, err := r.attempts()
	if err != nil {
		r.giveUp(exception(err))
		return
	}
	if conn == nil { // nobody waits any more
		return
	}
	boot = r.o.Ask(conn)
	r.mu.Lock()
	for x := r.calls.pop(); x != nil; x = r.calls.pop() {
		r.waiting--
		r.mu.Unlock()
		boot.deliver(x)
		r.mu.Lock()
	}
	r.dialing = false
	kept := r.ctx.Err() == nil
	if kept {
		r.over, r.boot, r.began = conn, boot, time.Now()
	}
	r.mu.Unlock()
	if !kept {
		boot.Release()
		_ = conn.Close()
	}
}

// attempts dials until there is a connection. It gives none if nobody waits for
// it any more, and an error if the client is released.
func (r *reconnecting) attempts() (*Conn, error) {
	for {
		if !r.wanted() {
			return nil, nil
		}
		if err := r.rest(); err != nil {
			return nil, err
		}
		conn, err := r.dial(r.ctx)
		if err == nil {
			return conn, nil
		}
		if r.ctx.Err() != nil {
			return nil, fmt.Errorf("%w: the client was released while it connected: %w", ErrDisconnected, err)
		}
	}
}

// rest waits between attempts, unless the last connection lasted.
func (r *reconnecting) rest() error {
	r.mu.Lock()
	if r.delay > 0 && !r.began.IsZero() && time.Since(r.began) > r.o.MaxDelay {
		r.delay = 0
	}
	r.began = time.Time{}
	delay := r.delay
	r.delay = min(max(2*delay, r.o.MinDelay), r.o.MaxDelay)
	r.mu.Unlock()
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay/2 + rand.N(delay/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.ctx.Done():
		return fmt.Errorf("%w: the client was released", ErrDisconnected)
	}
}

// wanted drops the calls that were cancelled while they waited, and tells
// whether others are left. If not, nobody connects any more.
func (r *reconnecting) wanted() bool {
	var gone queue
	r.mu.Lock()
	var left queue
	for x := r.calls.pop(); x != nil; x = r.calls.pop() {
		x.mu.Lock()
		ended := x.ended
		x.mu.Unlock()
		if ended {
			r.waiting--
			gone.push(x)
		} else {
			left.push(x)
		}
	}
	r.calls = left
	some := left.head != nil
	if !some {
		r.dialing = false
	}
	r.mu.Unlock()
	for x := gone.pop(); x != nil; x = gone.pop() {
		x.unhold()
	}
	return some
}

// giveUp fails the calls that wait.
func (r *reconnecting) giveUp(e *Exception) {
	r.mu.Lock()
	all := r.calls
	r.calls, r.waiting, r.dialing = queue{}, 0, false
	r.mu.Unlock()
	for x := all.pop(); x != nil; x = all.pop() {
		x.refuse(e)
	}
}
