package shm

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/internal/spin"
	"github.com/fairlead-go/fairlead/segment"
)

// Poller receives from many pipes in one goroutine, as a server with many clients
// does. While messages come it takes them in turn, and nothing else runs; it sleeps
// when all pipes are quiet.
//
//	q := shm.NewPoller(shm.Adaptive)
//	defer q.Close()
//	go func() {
//		for {
//			pipe, err := ln.Accept(ctx)
//			if err != nil { … }
//			q.Add(ctx, pipe)
//		}
//	}()
//	for {
//		pipe, msg, err := q.Recv(ctx)
//		…
//	}
//
// One goroutine at a time may call Recv; the other methods may be called from any.
type Poller struct {
	mode    Wait
	spins   bool
	members atomic.Pointer[[]*member] // not changed once it is here
	wake    chan struct{}             // has one if something may have happened

	mu     sync.Mutex // of those that change members
	closed atomic.Bool

	// The rest belongs to Recv.
	at       int // the pipe that comes next
	burst    int // how many messages in a row it has given
	patience spin.Patience
}

// A member is a pipe of a Poller. A goroutine sleeps at its doorbell.
type member struct {
	pipe   *Pipe
	poller *Poller
	ctx    context.Context // ends when the pipe is removed
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
	parted bool          // the Poller takes nothing more; the lock of incoming guards it
}

// burst is how many messages one pipe may give before it is another's turn.
const burst = 16

// NewPoller returns a Poller without pipes. The caller closes it.
func NewPoller(how Wait) *Poller {
	q := &Poller{mode: how, spins: how != Sleep && spin.Allowed(), wake: make(chan struct{}, 1)}
	q.members.Store(new([]*member))
	return q
}

// Add gives the Poller a pipe, and waits until nobody waits in its Recv any more.
// The pipe stays the caller's, who must not call its Recv until it is removed.
func (q *Poller) Add(ctx context.Context, p *Pipe) error {
	m := &member{pipe: p, poller: q, done: make(chan struct{})}
	if err := p.in.join(ctx, m); err != nil {
		return err
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	q.mu.Lock()
	closed := q.closed.Load()
	if !closed {
		more := append(slices.Clone(*q.members.Load()), m)
		q.members.Store(&more)
	}
	q.mu.Unlock()
	if closed {
		m.cancel()
		p.in.part()
		return ErrClosed
	}
	go m.watch()
	q.nudge()
	return nil
}

// Remove takes a pipe from the Poller, whose messages can then be received in other
// ways. A pipe that is not there is no error.
func (q *Poller) Remove(p *Pipe) {
	q.mu.Lock()
	old := *q.members.Load()
	i := slices.IndexFunc(old, func(m *member) bool { return m.pipe == p })
	if i < 0 {
		q.mu.Unlock()
		return
	}
	m := old[i]
	less := slices.Delete(slices.Clone(old), i, i+1)
	q.members.Store(&less)
	q.mu.Unlock()
	m.remove()
}

// remove waits until the Poller takes nothing more, though its Recv may still go through
// the members that there were.
func (m *member) remove() {
	in := &m.pipe.in
	in.mu.Lock()
	m.parted = true
	in.mu.Unlock()
	m.cancel()
	<-m.done
}

// Pipes is how many pipes the Poller has.
func (q *Poller) Pipes() int { return len(*q.members.Load()) }

// Close removes all pipes, which stay open, and ends Recv with [ErrClosed].
func (q *Poller) Close() {
	q.mu.Lock()
	q.closed.Store(true)
	members := *q.members.Swap(new([]*member))
	q.mu.Unlock()
	for _, m := range members {
		m.remove()
	}
	q.nudge()
}

// Recv waits for the next message of any pipe and returns it, and where it came
// from. The caller releases it. A pipe that has come to its end is given with the
// error that its Recv has, and is removed; the caller closes it. An error without
// pipe is the Poller's own: [ErrClosed] or the end of ctx. An error with a pipe that
// is still open is about one message.
func (q *Poller) Recv(ctx context.Context) (*Pipe, *segment.Message, error) {
	var began time.Duration
	spinning := false
	for rounds := 0; ; rounds++ {
		members := *q.members.Load()
		if p, msg, err := q.poll(members); p != nil {
			if spinning {
				q.patience.Hit()
			}
			return p, msg, err
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("shm: poll: %w", err)
		}
		if q.closed.Load() {
			return nil, nil, ErrClosed
		}
		if rounds == 0 {
			began = clock()
			for _, m := range members {
				m.pipe.in.idle()
			}
		}
		if q.spins && len(members) > 0 && (q.mode == Spin || !q.patience.Spent() && clock()-began < spinBudget) {
			spinning = true
			mem.Pause(1)
			continue
		}
		if spinning {
			q.patience.Missed()
		}
		slept := clock()
		if err := q.sleep(ctx, members); err != nil {
			return nil, nil, fmt.Errorf("shm: poll: %w", err)
		}
		if !spinning {
			q.patience.Slept(clock()-slept, spinBudget)
		}
		began, spinning = clock(), false
	}
}

// poll looks at each pipe once, from the one whose turn it is.
func (q *Poller) poll(members []*member) (*Pipe, *segment.Message, error) {
	n := len(members)
	for range n {
		if q.at >= n || q.burst >= burst {
			q.at, q.burst = (q.at+1)%n, 0
		}
		m := members[q.at]
		p := m.pipe
		msg, err := p.message(context.Background(), m)
		if err != errNothing {
			q.burst++
			if err != nil && p.over.Load() != overNot {
				q.Remove(p)
			}
			return p, msg, p.count(err)
		}
		q.at, q.burst = (q.at+1)%n, 0
	}
	return nil, nil, nil
}

// sleep waits until something may have happened.
func (q *Poller) sleep(ctx context.Context, members []*member) error {
	quiet := true
	for _, m := range members {
		quiet = m.arm() && quiet
	}
	var err error
	if quiet {
		select {
		case <-q.wake:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	for _, m := range members {
		m.disarm()
	}
	return err
}

func (q *Poller) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// join makes the pipe one of a Poller, which from now on is the call that waits for
// the peer.
func (in *incoming) join(ctx context.Context, m *member) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	for in.wait.busy {
		changed := in.wait.changes()
		in.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = fmt.Errorf("shm: add: %w", ctx.Err())
		}
		in.mu.Lock()
		if err != nil {
			return err
		}
	}
	if in.closed {
		return ErrClosed
	}
	in.wait.busy, in.member = true, m
	return nil
}

// part undoes join.
func (in *incoming) part() {
	in.mu.Lock()
	in.wait.busy, in.member = false, nil
	in.wait.signal()
	in.mu.Unlock()
}

// idle does what a receiver does before it waits.
func (in *incoming) idle() {
	in.mu.Lock()
	ring := false
	if !in.closed {
		ring = in.confirm()
		in.settleBacks()
	}
	in.mu.Unlock()
	if ring {
		in.pipe.ringSender()
	}
	in.pipe.flushLarge()
}

// watch sleeps at the doorbell for as long as the pipe is there.
func (m *member) watch() {
	defer close(m.done)
	w := &m.pipe.in.wait
	// A ring that came between two sleeps is taken out of the doorbell when the next
	// begins, and so the Poller has to look again.
	look := func() bool { m.poller.nudge(); return true }
	for m.pipe.over.Load() == overNot && w.watch.Begin(m.ctx, 0) {
		err := w.bell.Wait(look)
		w.watch.End()
		w.sleeps.Add(1)
		w.fault(err)
	}
	m.pipe.in.part()
	m.poller.nudge()
}

// arm tells the peer that the Poller sleeps, and whether there is nothing to be
// done.
func (m *member) arm() bool {
	p := m.pipe
	p.rest()
	in := &p.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.member != m {
		return false // it has been removed, or its end is to be told
	}
	w := &in.wait
	w.epoch = (w.epoch + 1) | 1
	w.word.Swap(uint64(sleepOf(w.epoch, 0, 0)))
	return p.over.Load() == overNot && len(in.packs) == 0 && !in.arrived()
}

func (m *member) disarm() {
	in := &m.pipe.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.member == m {
		in.wait.word.SetPlain(uint64(sleepOf(in.wait.epoch+1, 0, 0)))
	}
}
