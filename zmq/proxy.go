package zmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// ProxyStats are counts of what a proxy has passed on.
type ProxyStats struct {
	FrontMessages, FrontBytes uint64 // from the front to the back
	BackMessages, BackBytes   uint64 // from the back to the front
	// Dropped messages could not be passed on, for what their frames are: without
	// a routing id where one is needed, too many, or for a peer that is gone.
	Dropped uint64
	Paused  bool
}

// Proxy passes on what one socket receives to another, both ways where both can:
// XSUB and XPUB, ROUTER and DEALER, PULL and PUSH. Large frames are passed on in
// the memory that they arrived in.
type Proxy struct {
	front, back, capture *Socket

	mu     sync.Mutex
	change waitList
	paused bool
	counts [4]atomic.Uint64
	drops  atomic.Uint64
}

// NewProxy makes a proxy of two sockets, which stay the caller's. If capture is
// not nil, every message is sent to it too.
func NewProxy(front, back, capture *Socket) *Proxy {
	return &Proxy{front: front, back: back, capture: capture}
}

// Run passes messages on until the context ends or a socket is closed; it gives
// the reason. A message that a socket refuses, as peers may send such, is
// dropped and counted.
func (p *Proxy) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	for i, pair := range [...][2]*Socket{{p.front, p.back}, {p.back, p.front}} {
		if pair[0].traits.recv && pair[1].traits.send {
			running.Go(func() { cancel(p.pass(ctx, pair[0], pair[1], i*2)) })
		}
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("zmq: proxy: %w", err)
	}
	return stateError("a proxy of %v and %v has nothing to do", p.front.typ, p.back.typ)
}

// pass passes on what from receives.
func (p *Proxy) pass(ctx context.Context, from, to *Socket, count int) error {
	for {
		a, err := from.receive(ctx)
		if err != nil {
			return err
		}
		if err := p.whilePaused(ctx); err != nil {
			a.release()
			return err
		}
		var few [8][]byte
		frames := append(append(few[:0], from.lead(a)...), a.frames()...)
		own := owner{slab: a.slab}
		if a.slab.plain {
			own = owner{}
		}
		p.counts[count].Add(1)
		p.counts[count+1].Add(uint64(size(frames)))
		if p.capture != nil {
			err = p.capture.send(ctx, frames, own)
		}
		if err == nil {
			err = to.send(ctx, frames, own)
		}
		a.release()
		switch {
		case errors.Is(err, ErrState), errors.Is(err, ErrTooLarge), errors.Is(err, ErrUnroutable):
			p.drops.Add(1)
		case err != nil:
			return err
		}
	}
}

// whilePaused waits until the proxy is not paused.
func (p *Proxy) whilePaused(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.paused {
		if err := p.change.wait(&p.mu, ctx); err != nil {
			return err
		}
	}
	return nil
}

// Pause stops passing on; what arrives waits.
func (p *Proxy) Pause() { p.set(true) }

// Resume goes on after Pause.
func (p *Proxy) Resume() { p.set(false) }

func (p *Proxy) set(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
	p.change.tellAll()
}

// Stats returns the counts. It may be called at any time.
func (p *Proxy) Stats() ProxyStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return ProxyStats{
		FrontMessages: p.counts[0].Load(),
		FrontBytes:    p.counts[1].Load(),
		BackMessages:  p.counts[2].Load(),
		BackBytes:     p.counts[3].Load(),
		Dropped:       p.drops.Load(),
		Paused:        p.paused,
	}
}
