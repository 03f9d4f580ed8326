package framing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/fairlead-go/fairlead/segment"
)

// Messages iterates over the messages that arrive. The caller releases each. The
// iteration ends when the peer has closed, or after the first error, which it
// gives.
func (p *Pipe) Messages(ctx context.Context) iter.Seq2[*segment.Message, error] {
	return messages(func() (*segment.Message, error) { return p.Recv(ctx) })
}

// Recv waits for the next message and returns it. The caller releases it. The
// error is io.EOF if the peer closed after its last message, [ErrClosed] after
// Close, the end of the context, or an [*Error] that says where in the stream
// the bad message began.
func (p *Pipe) Recv(ctx context.Context) (*segment.Message, error) {
	msg, _, err := p.recv(ctx, 0)
	if err != nil && err != io.EOF {
		p.stats.errors.Add(1)
	}
	return msg, err
}

func (p *Pipe) recv(ctx context.Context, most int) (_ *segment.Message, files []*os.File, _ error) {
	if err := p.takeTurn(ctx); err != nil {
		return nil, nil, err
	}
	defer func() { <-p.turn }()
	p.recvCtx = ctx
	p.filesIn.most = most
	begin := p.dec.offset
	msg, err := p.dec.Decode()
	p.recvCtx = nil
	if p.filesIn.any() {
		files = p.filesOf(begin, err)
	}
	if err != nil {
		return nil, nil, p.recvError(ctx, err)
	}
	p.received(1)
	return msg, files, nil
}

// received counts n messages. The caller has the turn.
func (p *Pipe) received(n int) {
	p.soon.since += n
	p.stats.received.Add(uint64(n))
	p.stats.receivedBytes.Store(uint64(p.dec.Offset()))
	p.stats.allocated.Store(p.dec.allocated)
}

// takeTurn makes the caller the one who receives.
func (p *Pipe) takeTurn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("framing: receive: %w", err)
	}
	select {
	case p.turn <- struct{}{}:
	default:
		select {
		case p.turn <- struct{}{}:
		case <-p.done:
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("framing: receive: %w", ctx.Err())
		}
	}
	select {
	case <-p.done:
		<-p.turn
		return ErrClosed
	default:
		return nil
	}
}

// recvError is what a failed Decode means to the one who receives.
func (p *Pipe) recvError(ctx context.Context, err error) error {
	select {
	case <-p.done:
		return ErrClosed
	default:
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
		return fmt.Errorf("framing: receive: %w", ctx.Err())
	}
	return err
}
