package framing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/fairlead-go/fairlead/segment"
)

// errInterrupted says that a watch ended a call. To a decoder it is a deadline,
// after which it can go on.
var errInterrupted = fmt.Errorf("framing: interrupted: %w", os.ErrDeadlineExceeded)

// writerRounds is how many writes a sender does before a goroutine goes on in
// its place: its own message, and what came meanwhile.
const writerRounds = 2

// Send accepts a message, which belongs to the pipe from now on in every case.
// Never release it as well, not even by a defer made before: by then it may be
// in use again, and that Release would end somebody else's.
//
// It blocks while it writes, and while HighWater bytes are waiting to be
// written by others. After an error that matches [ErrDisconnected] or
// [ErrClosed] nobody knows whether the message arrived; after any other nothing
// of it was sent: the message's own fault, the end of the context, or
// [ErrCorrupt].
func (p *Pipe) Send(ctx context.Context, msg *segment.Message) error {
	err := p.send(ctx, msg, nil)
	if err != nil {
		p.stats.errors.Add(1)
	}
	return err
}

func (p *Pipe) send(ctx context.Context, msg *segment.Message, files []*os.File) error {
	if err := ctx.Err(); err != nil {
		msg.Release()
		return fmt.Errorf("framing: send: %w", err)
	}
	var few [8][]byte
	segs, err := msg.AppendSegments(few[:0])
	if err != nil {
		msg.Release()
		return err
	}
	refers, lead, err := p.accept(ctx, segs, msg, files)
	if !refers {
		msg.Release()
	}
	if lead {
		err = p.write(ctx, writerRounds)
	}
	return err
}

// accept puts a message into the pending batch. refers tells that the batch
// keeps the message, lead that the caller has to write.
func (p *Pipe) accept(ctx context.Context, segs [][]byte, msg *segment.Message, files []*os.File) (refers, lead bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.waiting >= p.highWater && p.sendable() == nil {
		if !p.wait(ctx.Done()) {
			return false, false, fmt.Errorf("framing: send: %d bytes are waiting: %w", p.waiting, ctx.Err())
		}
	}
	if err := p.sendable(); err != nil {
		return false, false, err
	}
	before := p.pending.bytes
	if len(files) == 0 {
		refers, err = p.pending.add(segs, Binary)
	} else {
		refers, err = p.pending.addWith(segs, files)
	}
	if err != nil {
		return false, false, err
	}
	if refers {
		p.pending.held = append(p.pending.held, msg)
	}
	p.waiting += p.pending.bytes - before
	if p.writing || !p.due() {
		return refers, false, nil
	}
	if ctx.Done() != nil && !p.socket {
		// Here a write that the context ends could not go on.
		p.background()
		return refers, false, nil
	}
	p.writing = true
	return refers, true, nil
}

// sendable gives the reason why nothing more can be sent. The caller has the
// lock.
func (p *Pipe) sendable() error {
	if p.err == nil && p.closing {
		return ErrClosed
	}
	return p.err
}

// due tells whether the pending batch has to be written now. The caller has the
// lock.
func (p *Pipe) due() bool {
	if p.err != nil || p.pending.empty() {
		return false
	}
	return !p.manual || p.flush >= p.gen || p.pending.bytes >= min(chunkBytes, p.highWater)
}

// background makes a goroutine the writer. The caller has the lock.
func (p *Pipe) background() {
	p.writing = true
	p.running.Add(1)
	go p.drain()
}

// Flush waits until every message that was accepted before is written. It fails
// with [ErrDisconnected] or [ErrClosed] if one of them could not be.
func (p *Pipe) Flush() error {
	err := p.flushPending()
	if err != nil {
		p.stats.errors.Add(1)
	}
	return err
}

func (p *Pipe) flushPending() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.sendable(); err != nil {
		return err
	}
	target := p.gen
	if p.pending.empty() {
		target--
	}
	p.flush = max(p.flush, target)
	if !p.writing && p.due() {
		p.writing = true
		p.mu.Unlock()
		_ = p.write(context.Background(), writerRounds) // p.err is looked at below
		p.mu.Lock()
	}
	for p.written < target && p.err == nil {
		p.wait(nil)
	}
	if p.written < target {
		return p.sendable()
	}
	return nil
}

// write is run by the writer, which it ceases to be when nothing is due. After
// so many rounds, or at the end of the context, it leaves the rest to a
// goroutine; negative rounds never end. The error is that of the first round.
func (p *Pipe) write(ctx context.Context, rounds int) (first error) {
	for round := 0; ; round++ {
		p.mu.Lock()
		if p.crowded && p.out.empty() {
			// The others are about to send: let them join.
			p.mu.Unlock()
			runtime.Gosched()
			p.mu.Lock()
		}
		if p.out.empty() {
			if !p.due() {
				p.writing = false
				p.signal()
				p.mu.Unlock()
				return first
			}
			if round == rounds {
				p.background()
				p.mu.Unlock()
				return first
			}
			p.out, p.pending = p.pending, p.out
			p.crowded = p.out.msgs > 1
			p.gen++
		}
		p.mu.Unlock()

		err := p.writeOut(ctx)
		if err == errInterrupted {
			p.mu.Lock()
			p.background()
			p.mu.Unlock()
			return first
		}
		if err != nil {
			err = p.fail(err)
			if round == 0 {
				first = err
			}
			continue // to cease
		}
		p.out.release()
		p.mu.Lock()
		p.stats.sent.Add(p.out.msgs)
		p.stats.sentBytes.Add(uint64(p.out.bytes))
		p.stats.copied.Add(p.out.copied)
		p.stats.sentFiles.Add(p.out.sentFiles)
		p.waiting -= p.out.bytes
		p.out.reset()
		p.written = p.gen - 1
		p.signal()
		p.mu.Unlock()
	}
}

// writeOut writes the batch, or the rest of it.
func (p *Pipe) writeOut(ctx context.Context) error {
	watched := ctx.Done() != nil
	if watched && !p.sendWatch.Begin(ctx, 0) {
		return errInterrupted
	}
	err := p.out.writeTo(p.conn)
	p.stats.writes.Add(p.out.writes)
	p.out.writes = 0
	if watched && p.sendWatch.End() && errors.Is(err, os.ErrDeadlineExceeded) {
		return errInterrupted
	}
	return err
}

// fail ends sending after an error of the connection, and gives the reason that
// is kept. The caller is the writer.
func (p *Pipe) fail(cause error) error {
	// The peer must not take the next bytes for the rest of a message.
	under := below(p.conn) // TLS would write that it writes no more
	if c, ok := under.(interface{ CloseWrite() error }); ok && (p.socket || under != p.conn) {
		_ = c.CloseWrite()
	} else {
		_ = p.conn.Close()
	}
	p.mu.Lock()
	p.stop(fmt.Errorf("%w: write: %w", ErrDisconnected, cause))
	p.discard(p.out)
	p.signal()
	err := p.err
	p.mu.Unlock()
	p.releaseUnsent()
	return err
}

// stop refuses everything that is not being written, for a reason that is kept
// if it is the first. The caller has the lock.
func (p *Pipe) stop(reason error) {
	if p.err == nil {
		p.err = reason
	}
	p.discard(p.pending)
	p.signal()
}

// discard drops a batch. The caller has the lock.
func (p *Pipe) discard(b *batch) {
	p.stats.dropped.Add(b.msgs)
	p.waiting -= b.bytes
	p.unsent = append(p.unsent, b.held...)
	clear(b.held)
	b.held = b.held[:0]
	b.reset()
}

// releaseUnsent releases what was discarded. The caller does not have the lock,
// because the hook of external data may look at the pipe.
func (p *Pipe) releaseUnsent() {
	p.mu.Lock()
	unsent := p.unsent
	p.unsent = nil
	p.mu.Unlock()
	for _, m := range unsent {
		m.Release()
	}
}
