package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fairlead-go/fairlead/segment"
)

// Writer sends many messages of a program that is done with each before it builds the
// next.
//
// Its own message lies in memory that the peer sees, and crosses by reference as with
// Pipe.Send. With less to take and to give back for each it is faster:
//
//	w := pipe.Writer()
//	defer w.Close()
//	for … {
//		msg := w.NewMessage(size)
//		build(msg)
//		err := w.Send(ctx, msg)
//	}
//
// Of any other message it sends a copy. Each stays with its builder, who builds the
// next in the same memory; many small ones are sent together:
//
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
// One goroutine at a time may use a Writer. The pipe may have any number. Until Close each
// keeps a block for its next message, which no other sender gets: where Options.MaxBytes
// is little, a Writer that is idle should be closed.
type Writer struct {
	pipe  *Pipe
	block *block
	at    int
	count uint64

	own   *segment.Message // nil before the first
	begun bool             // it was begun in advance
	hint  int              // what it was begun with
	nest  nest
}

// Writer returns a Writer, which the caller closes.
func (p *Pipe) Writer() *Writer { return &Writer{pipe: p, nest: nest{out: &p.out}} }

// NewMessage gives the Writer's own message, empty, for about sizeHint bytes, 0 if
// that is not known. It belongs to the Writer, and is neither released nor retained.
// It is valid until it was sent, or until the next call of NewMessage or Close.
//
// As Pipe.NewMessage it never blocks, and while there is no room the message is built
// in the heap.
func (w *Writer) NewMessage(sizeHint int) *segment.Message {
	least, hint := max(sizeHint, 0)+dirtyMark, max(sizeHint, 0)
	if 0 < hint && hint <= 1<<(minShift+smallClasses-1) {
		least, hint = hint, probe
	}
	if w.begun && w.nest.has[0].suits(least) {
		w.begun = false
		return w.own
	}
	w.nest.least, w.hint = least, hint
	w.begin()
	return w.own
}

// begin ends the Writer's own message, and has an empty one.
func (w *Writer) begin() {
	if w.own == nil {
		w.own = segment.NewSized(&w.nest, w.hint)
	} else {
		w.own.Renew(w.hint)
	}
	w.begun, w.nest.sent = false, notShared
}

// beginNext begins the message after one that was sent, if there is a block for it: the
// peer is busy with that one now, and would have to wait for it later.
func (w *Writer) beginNext() {
	w.begin()
	if w.nest.next != nil {
		w.own.RootBuilder()
		w.begun = len(w.nest.has) == 1
	}
}

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

// Send sends the Writer's own message by reference, or a copy of another, which stays
// the caller's. It does so at once, after all that was added. A message of at most 56
// bytes travels in the slot. After an error the Writer's message can be sent again.
func (w *Writer) Send(ctx context.Context, msg *segment.Message) error {
	if w.count > 0 {
		if err := w.publish(ctx, !w.pipe.manual); err != nil {
			return err
		}
	}
	err := w.pipe.sound(ctx, msg)
	if err == nil {
		err = w.pipe.publish(ctx, !w.pipe.manual, &sending{msg: msg, ours: msg == w.own, by: w})
	}
	if err == nil && msg == w.own {
		w.beginNext()
	}
	return w.pipe.count(err)
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
	if w.own != nil {
		w.own.Release()
		w.own, w.begun = nil, false
	}
	w.nest.leave()
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
		w.pipe.out.release(w.block)
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
	return w.pipe.count(w.pipe.publish(ctx, false, &sending{by: w}))
}

// publish sends the block. Only if that fails it is still there.
func (w *Writer) publish(ctx context.Context, wake bool) error {
	p := w.pipe
	err := p.publish(ctx, wake, &sending{by: w})
	if err == nil {
		w.block, w.at, w.count = nil, 0, 0
	}
	return p.count(err)
}
