package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fairlead-go/fairlead/segment"
)

// Writer sends copies of messages, for a program that builds many small ones: each
// stays with its builder, who builds the next in the same memory.
//
//	w := pipe.Writer()
//	defer w.Close()
//	msg := segment.New(arena.Pool())
//	defer msg.Release()
//	for … {
//		msg.Reset()
//		build(msg)
//		err := w.Add(ctx, msg)
//	}
//	err := w.Flush(ctx)
//
// Messages of one segment of up to 2 KiB are packed, some hundreds to a block, and
// cross to the peer as one. Nothing is allocated or given back for each, and no
// lock is taken. Larger ones are copied into blocks of their own. The order is kept,
// among the messages of one Writer.
//
// One goroutine at a time may use a Writer. The pipe may have any number.
type Writer struct {
	pipe  *Pipe
	block *block
	at    int
	count uint64
}

// Writer returns a Writer, which the caller closes.
func (p *Pipe) Writer() *Writer { return &Writer{pipe: p} }

// Add copies a message, to be sent with others, at Flush at the latest. msg stays
// the caller's. The error is the message's own, or as for Pipe.Send.
func (w *Writer) Add(ctx context.Context, msg *segment.Message) error {
	if msg.Segments() == 1 && msg.Err() == nil {
		if b := msg.Segment(0); len(b) <= packMost {
			at := w.at
			if w.block == nil || at+8+len(b) > packBytes {
				if err := w.turn(ctx); err != nil {
					return err
				}
				at = 0
			}
			to := w.block.mem[at : at+8+len(b)]
			binary.NativeEndian.PutUint64(to, uint64(len(b)/8))
			copy(to[8:], b)
			w.at = at + len(to)
			w.count++
			return nil
		}
	}
	return w.Send(ctx, msg)
}

// Send sends a copy of a message at once, after all that was added. msg stays the
// caller's. A message of at most 56 bytes travels in the slot.
func (w *Writer) Send(ctx context.Context, msg *segment.Message) error {
	if w.count > 0 {
		if err := w.publish(ctx, !w.pipe.manual); err != nil {
			return err
		}
	}
	return w.pipe.sendCopy(ctx, msg)
}

// Flush sends what was added, and wakes the peer as Pipe.Flush does.
func (w *Writer) Flush(ctx context.Context) error {
	if w.count == 0 {
		return w.pipe.Flush()
	}
	return w.publish(ctx, true)
}

// Close flushes, without waiting for room, and gives the Writer's memory back. The
// error says that something that was added was not sent. Closing again does
// nothing.
func (w *Writer) Close() error {
	if w.block == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var err error
	if w.count > 0 {
		err = w.publish(ctx, true)
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("shm: close of a writer: %d messages are not sent: the peer has not taken those before", w.count)
	}
	if w.block != nil {
		w.pipe.memory.release(w.block)
	}
	w.block, w.at, w.count = nil, 0, 0
	return err
}

// turn sends the block if it has anything, and begins another.
func (w *Writer) turn(ctx context.Context) error {
	if w.count > 0 {
		if err := w.publish(ctx, !w.pipe.manual); err != nil {
			return err
		}
	}
	if w.block != nil {
		return nil
	}
	return w.pipe.count(w.pipe.publish(ctx, false, func() (shortage, error) {
		var err error
		if w.block, err = w.pipe.out.spare(packBytes); w.block != nil || err != nil {
			return nothing, err
		}
		return memoryOrLease, nil
	}))
}

// publish sends the block. Only if that fails it is still there.
func (w *Writer) publish(ctx context.Context, wake bool) error {
	p := w.pipe
	err := p.publish(ctx, wake, func() (shortage, error) {
		return p.out.submitPack(w.block, w.at, w.count)
	})
	if err == nil {
		w.block, w.at, w.count = nil, 0, 0
	}
	return p.count(err)
}

// Reader receives messages for a program that is done with each before it takes the
// next: the same Message reads one after the other, and nothing is allocated or
// given back for each.
//
//	r := pipe.Reader()
//	defer r.Close()
//	for {
//		msg, err := r.Next(ctx)
//		if err != nil { … }
//		use(msg)
//	}
//
// One goroutine at a time may use a Reader. The pipe may have any number, and Recv
// may be called too; each message goes to one of them.
type Reader struct {
	pipe *Pipe
	msg  *segment.Message
	got  received
}

// Reader returns a Reader, which the caller closes.
func (p *Pipe) Reader() *Reader { return &Reader{pipe: p} }

// Next gives the next message. It is valid until Done, or the next call of Next or
// Close, belongs to the Reader, and is neither released nor retained. Trust and
// errors are as for Pipe.Recv, but a small message counts as shared too.
func (r *Reader) Next(ctx context.Context) (*segment.Message, error) {
	k := &r.got.pack
	if k.left == 0 {
		r.Done()
		if err := r.pipe.receive(ctx, &r.got, true); err != nil {
			return nil, r.pipe.count(err)
		}
	}
	if k.left > 0 {
		b, err := k.next()
		if err != nil {
			k.left = 0
			return nil, r.pipe.count(r.pipe.broken(err))
		}
		r.got.segs = append(r.got.few[:0], b)
	}
	var err error
	if r.msg == nil {
		r.msg, err = segment.Open(r.got.segs, segment.Options{Limits: r.pipe.limits, Trust: segment.Shared})
	} else {
		err = r.msg.Reopen(r.got.segs)
	}
	if err != nil {
		return nil, r.pipe.count(fmt.Errorf("shm: receive: %w", err))
	}
	return r.msg, nil
}

// Done gives the memory of the last message back, for a program that is done with it
// before it calls Next. Of messages that were packed it does so with the last.
func (r *Reader) Done() {
	if r.got.pack.left == 0 {
		r.got.giveBack()
	}
}

// Close gives back what the Reader holds. The pipe stays open, and what the Reader
// has not come to is received by others. Closing again does nothing.
func (r *Reader) Close() {
	if r.got.pack.left > 0 {
		r.pipe.in.begin(&r.got)
	}
	r.Done()
	if r.msg != nil {
		r.msg.Release()
		r.msg = nil
	}
}
