package framing

import (
	"context"
	"math"

	"github.com/fairlead-go/fairlead/segment"
)

// SendAll accepts several messages, which belong to the pipe from now on in
// every case, and waits until they and those accepted before are written. It
// spares small messages the turns that Send takes for each. HighWater does not
// hold it up: the caller bounds what it sends at once. The slice is cleared.
//
// It fails as Flush does, or with the fault of a message: those before that one
// are sent, it and those behind it are not. A context that ends while they are
// written is as for Send.
func (p *Pipe) SendAll(ctx context.Context, msgs []*segment.Message) error {
	err := p.sendAll(ctx, msgs)
	if err != nil {
		p.stats.errors.Add(1)
	}
	return err
}

func (p *Pipe) sendAll(ctx context.Context, msgs []*segment.Message) error {
	p.mu.Lock()
	fault := p.acceptAll(msgs)
	target := p.gen
	if p.pending.empty() {
		target--
	}
	p.flush = max(p.flush, target)
	lead := !p.writing && p.due()
	if lead && ctx.Done() != nil && !p.socket {
		p.background() // as in accept
		lead = false
	}
	if lead {
		p.writing = true
		p.crowded = false // whoever collected the messages has let others join
	}
	p.mu.Unlock()
	for i, m := range msgs {
		if m != nil {
			m.Release()
			msgs[i] = nil
		}
	}
	if lead {
		_ = p.write(ctx, writerRounds) // p.err is looked at below
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.written < target && p.err == nil {
		if !p.wait(ctx.Done()) {
			return fault // a goroutine of the pipe goes on
		}
	}
	if p.written < target {
		return p.sendable()
	}
	return fault
}

// acceptAll puts messages into the pending batch, and takes those out of msgs
// that the batch refers to. The caller has the lock.
func (p *Pipe) acceptAll(msgs []*segment.Message) error {
	for i, msg := range msgs {
		if err := p.sendable(); err != nil {
			return err
		}
		var few [8][]byte
		segs, err := msg.AppendSegments(few[:0])
		if err != nil {
			return err
		}
		before := p.pending.bytes
		refers, err := p.pending.add(segs, Binary)
		if err != nil {
			return err
		}
		p.waiting += p.pending.bytes - before
		if refers {
			p.pending.held = append(p.pending.held, msg)
			msgs[i] = nil
		}
	}
	return nil
}

// Buffered tells whether the next message has arrived whole, so that Recv gives
// it without waiting. Only the goroutine that receives may call it.
func (p *Pipe) Buffered() bool {
	select {
	case p.turn <- struct{}{}:
	default: // Close has it, for good
		return false
	}
	defer func() { <-p.turn }()
	return p.dec.whole()
}

// whole tells whether the next message is in the buffer.
func (d *Decoder) whole() bool {
	if d.buf == nil {
		return false
	}
	_, _, err := frameAt(d.buf.Mem[d.start:d.end], math.MaxInt32)
	return err == nil
}

// RecvAll waits for the next message as Recv does, and puts it into msgs, which is
// not empty, with those behind it that have arrived whole, as far as there is
// room. It gives how many there are; the caller releases each.
func (p *Pipe) RecvAll(ctx context.Context, msgs []*segment.Message) (int, error) {
	msg, err := p.Recv(ctx)
	if err != nil {
		return 0, err
	}
	msgs[0] = msg
	n := 1
	select {
	case p.turn <- struct{}{}:
	default:
		return n, nil
	}
	defer func() { <-p.turn }()
	for n < len(msgs) && !p.dec.verify && !p.filesIn.any() && p.dec.whole() {
		if msgs[n], err = p.dec.Decode(); err != nil {
			break // the next Recv gives it
		}
		n++
	}
	p.received(n - 1)
	return n, nil
}
