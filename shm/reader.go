package shm

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/segment"
)

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
func (p *Pipe) Reader() *Reader { return &Reader{pipe: p, got: received{reader: true}} }

// Next gives the next message. It is valid until Done, or the next call of Next or
// Close, belongs to the Reader, and is neither released nor retained. Trust and
// errors are as for Pipe.Recv, but a small message counts as shared too.
func (r *Reader) Next(ctx context.Context) (*segment.Message, error) {
	k := &r.got.pack
	if k.left == 0 {
		r.Done()
		if err := r.pipe.receive(ctx, &r.got, nil); err != nil {
			r.got.rest(r.pipe)
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
	if r.got.pack.left == 0 && r.got.pipe != nil {
		r.got.giveBackOnly()
	}
}

// Close gives back what the Reader holds. The pipe stays open, and what the Reader
// has not come to is received by others. Closing again does nothing.
func (r *Reader) Close() {
	if k := &r.got; k.pack.left > 0 {
		for i, s := range k.kept {
			if s != nil {
				k.regions, k.kept[i] = append(k.regions, s), nil
			}
		}
		in := &r.pipe.in
		in.mu.Lock()
		if in.closed {
			k.pack.left = 0
		} else {
			in.begin(k)
		}
		in.mu.Unlock()
	}
	r.Done()
	r.got.rest(r.pipe)
	if r.msg != nil {
		r.msg.Release()
		r.msg = nil
	}
}
