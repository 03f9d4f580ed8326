package rpc

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-go/fairlead/rpc/internal/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// outbox is what a connection has to send. It is guarded by the connection's
// lock.
type outbox struct {
	out      []*segment.Message
	spare    []*segment.Message // for the next batch
	queued   int64              // bytes of memory of out and of the batch that is written
	writing  int64              // those of the batch
	surplus  int64              // by which the last message that there was room for exceeds the limit
	enqueued uint64             // messages so far
	taken    uint64             // those that were handed to the transport
	flushing bool
	mute     bool      // nothing can be sent any more
	unsent   error     // why
	awake    bool      // a goroutine is about to flush
	room     sync.Cond // tells that queued fell
	full     atomic.Bool
	waits    atomic.Bool // something is to be sent soon, and nobody sends
	many     atomic.Bool // so much that it should not wait for more
	alone    int         // flushes in a row that nobody joined
}

// manyMessages is how many messages are not kept waiting for more, so that the
// peer is at work on them meanwhile.
const manyMessages = 32

// firstMessages is of how many calls the first leave of one who does not wait, when
// the peer has none before.
const firstMessages = 8

// messageCost is what the memory of a message is at least, however little of it
// the message fills.
const messageCost = 4 << 10

// enqueue makes m leave behind what was enqueued before, and gives its number.
// The caller has the lock.
func (c *Conn) enqueue(m *segment.Message) uint64 {
	n := c.enqueueLazily(m)
	if !c.flushing {
		set(&c.waits, true)
		set(&c.many, len(c.out) >= manyMessages || c.queued >= replyBytes)
	}
	return n
}

// enqueueLazily is enqueue for a message that nobody waits for: it leaves with
// the next, or the keeper sends it.
func (c *Conn) enqueueLazily(m *segment.Message) uint64 {
	c.enqueued++
	if c.err != nil {
		discard(m)
		return c.enqueued
	}
	c.out = append(c.out, m)
	limit := c.limits.QueuedBytes
	roomy := !c.crowded()
	c.queued += max(m.SizeBytes(), messageCost)
	waiting := c.queued - c.writing
	if roomy {
		c.surplus = max(0, waiting-limit)
	}
	if most := 2*limit + c.surplus; waiting > most && most > 0 {
		c.failLocked(fmt.Errorf("%w: %d bytes wait for a peer that does not read, at most %d", ErrDisconnected, waiting, most))
	}
	set(&c.full, c.queued >= c.limits.QueuedBytes)
	return c.enqueued
}

// crowded tells whether there is no room for what can't wait. The batch that is
// written does not count: the peer may have it, and answer it, before whoever
// writes says so. The caller has the lock.
func (c *Conn) crowded() bool { return c.queued-c.writing >= c.limits.QueuedBytes }

// set is Store, which costs more than a look where nothing changes.
func set(b *atomic.Bool, v bool) {
	if b.Load() != v {
		b.Store(v)
	}
}

// discard releases a message that can't be sent any more. The caller has the
// lock, which capabilities take that are released.
func discard(m *segment.Message) {
	if m.CapTable() == nil {
		m.Release()
	} else {
		go m.Release()
	}
}

// dirty sees to it that what was enqueued is sent soon.
func (c *Conn) dirty() {
	c.mu.Lock()
	wake := !c.awake && !c.flushing && !c.mute && len(c.out) > 0 && c.err == nil
	if wake {
		c.awake = true
		set(&c.waits, true)
		c.running.Add(1)
	}
	c.mu.Unlock()
	if wake {
		go func() {
			defer c.running.Done()
			c.flush()
		}()
	}
}

// await prepares for a wait for the peer by who does not read: what is enqueued
// is sent, and somebody reads. c may be nil.
func (c *Conn) await() {
	if c == nil {
		return
	}
	c.flush()
	if c.role.CompareAndSwap(roleFree, roleTaken) {
		go c.read()
	}
}

// lastWords is how long a connection that can't be written to is still read.
const lastWords = 200 * time.Millisecond

// flush sends what is enqueued, unless another goroutine does.
func (c *Conn) flush() {
	if !c.waits.Load() {
		return
	}
	c.mu.Lock()
	c.awake = false
	many := c.many.Load()
	set(&c.waits, false)
	set(&c.many, false)
	if c.flushing || len(c.out) == 0 || c.mute {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	if c.questions.n+c.answers.n > 1 && !many {
		c.letOthersJoin()
	}
	for len(c.out) > 0 && c.err == nil && !c.mute {
		batch := c.out
		c.out, c.spare = c.spare, nil
		size, files := c.queued, c.files.out
		c.writing = size
		c.files.out = nil
		c.taken += uint64(len(batch))
		c.stats.sent += uint64(len(batch))
		c.stats.flushes++
		c.mu.Unlock()
		err := c.send(batch, files)
		clear(batch)
		c.mu.Lock()
		c.spare = batch[:0]
		c.queued -= size
		c.writing = 0
		set(&c.full, c.queued >= c.limits.QueuedBytes)
		c.room.Broadcast()
		if err != nil {
			// What the peer sent before may still arrive.
			c.mute, c.unsent = true, fmt.Errorf("%w: %w", ErrDisconnected, err)
			time.AfterFunc(lastWords, func() { c.fail(c.unsent) })
		}
	}
	c.flushing = false
	c.room.Broadcast()
	c.mu.Unlock()
}

const (
	// lonely is after how many flushes that nobody joined none is let, but for one of
	// each skipped.
	lonely  = 4
	skipped = 64
)

// letOthersJoin lets goroutines run that may be about to send, unless nobody has
// been of late. The caller has the lock, and flushes.
func (c *Conn) letOthersJoin() {
	if c.alone++; c.alone > lonely && c.alone < lonely+skipped {
		return
	}
	n := len(c.out)
	c.mu.Unlock()
	runtime.Gosched()
	c.mu.Lock()
	switch {
	case len(c.out) > n:
		c.alone = 0
	case c.alone > lonely:
		c.alone = lonely
	}
}

// send sends messages, with the files that ride with some of them.
func (c *Conn) send(batch []*segment.Message, files map[*segment.Message][]*os.File) error {
	if c.batcher != nil && files == nil {
		return c.batcher.SendAll(context.Background(), batch)
	}
	for i, m := range batch {
		var err error
		if f := files[m]; f != nil {
			err = c.files.carrier.SendFiles(context.Background(), m, f)
		} else {
			err = c.t.Send(context.Background(), m)
		}
		if err != nil {
			for _, m := range batch[i+1:] {
				m.Release()
			}
			return err
		}
	}
	return c.t.Flush()
}

// awaitRoom waits while too much waits to be written, until ctx ends.
func (c *Conn) awaitRoom(ctx context.Context) {
	if !c.full.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.wakeAtEnd(ctx)()
	for c.queued >= c.limits.QueuedBytes && c.err == nil && ctx.Err() == nil && !c.mute {
		if !c.flushing {
			set(&c.waits, true)
			c.mu.Unlock()
			c.flush()
			c.mu.Lock()
			continue
		}
		c.room.Wait()
	}
}

// wakeAtEnd has those who wait for room look again when ctx ends, until stop is called.
func (c *Conn) wakeAtEnd(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		c.mu.Lock()
		c.room.Broadcast()
		c.mu.Unlock()
	})
}

// awaitFlush waits until nobody sends and nothing is left to be sent, or ctx
// ends.
func (c *Conn) awaitFlush(ctx context.Context) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.wakeAtEnd(ctx)()
	for {
		switch {
		case ctx.Err() != nil || c.mute:
			return false
		case c.flushing:
			c.room.Wait()
		case len(c.out) == 0 || c.err != nil:
			return true
		default:
			set(&c.waits, true)
			c.mu.Unlock()
			c.flush()
			c.mu.Lock()
		}
	}
}

// overQueued is the error of a call that can't wait for room.
func (c *Conn) overQueued() *Exception {
	return exceptionf(Overloaded, "%d bytes wait to be written to the peer, at most %d", c.queued, c.limits.QueuedBytes)
}

func (c *Conn) newFinish(id uint32, releaseCaps bool) *segment.Message {
	m := c.t.NewMessage(0)
	f := wire.NewRootMessage(m).NewFinish()
	f.SetQuestionID(id)
	f.SetReleaseResultCaps(releaseCaps)
	f.SetRequireEarlyCancellationWorkaround(false)
	return m
}

func (c *Conn) newRelease(id, n uint32) *segment.Message {
	m := c.t.NewMessage(0)
	r := wire.NewRootMessage(m).NewRelease()
	r.SetID(id)
	r.SetReferenceCount(n)
	return m
}

// sendUnimplemented gives a message back to the peer, which we do not know.
func (c *Conn) sendUnimplemented(m *segment.Message) error {
	if err := m.Err(); err != nil {
		return err
	}
	echo := c.t.NewMessage(int(m.SizeBytes()) + 64)
	wire.NewRootMessage(echo).SetUnimplemented(wire.RootMessage(m))
	if err := echo.Err(); err != nil {
		echo.Release()
		return err
	}
	c.mu.Lock()
	c.enqueue(echo)
	c.mu.Unlock()
	return nil
}

// toWire writes an exception.
func toWire(b wire.ExceptionBuilder, e *Exception) {
	b.SetType(wire.ExceptionType(e.Type))
	b.SetReason(clip(e.Reason))
}

// fromWire reads an exception.
func fromWire(e wire.Exception) *Exception {
	t := ExceptionType(e.Type())
	if int(t) >= len(typeNames) {
		t = Failed
	}
	return &Exception{Type: t, Reason: clip(e.Reason())}
}
