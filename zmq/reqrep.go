package zmq

import (
	"context"
	"encoding/binary"
)

// delimiter is the empty frame between an envelope and a request or reply.
var delimiter = []byte{}

// sendRequest sends a REQ's request, and notes who was asked.
func (s *Socket) sendRequest(ctx context.Context, frames [][]byte, own owner) error {
	s.turnMu.Lock()
	if s.await && !s.opt.Relaxed {
		s.turnMu.Unlock()
		return stateError("the reply to the last request has not been received")
	}
	s.request++
	number := s.request
	s.turnMu.Unlock()

	var few [10][]byte
	all := few[:0]
	if s.opt.Correlate {
		all = append(all, binary.BigEndian.AppendUint32(nil, number))
	}
	all = append(append(all, delimiter), frames...)
	if len(all) > maxFrames {
		return tooManyFrames(len(all))
	}
	return s.balance(ctx, all, own)
}

// asks notes whom a REQ asks, and the number of what it asks, before the request
// leaves.
func (s *Socket) asks(p *peer, request [][]byte) {
	s.turnMu.Lock()
	s.asked, s.await = p, true
	if s.opt.Correlate {
		s.awaited = binary.BigEndian.Uint32(request[0])
	}
	s.turnMu.Unlock()
}

// receiveReply receives the reply to a REQ's request. What anybody else sends,
// and what is no reply, is dropped.
func (s *Socket) receiveReply(ctx context.Context) (arrival, error) {
	s.turnMu.Lock()
	awaits := s.await
	s.turnMu.Unlock()
	if !awaits {
		return arrival{}, stateError("no request was sent that a reply could be received to")
	}
	for {
		a, err := s.in.next(ctx)
		if err != nil {
			return a, err
		}
		s.turnMu.Lock()
		if s.await && a.peer == s.asked && s.stripReply(&a) {
			s.await = false
			s.turnMu.Unlock()
			return a, nil
		}
		s.turnMu.Unlock()
		s.ignore(a)
	}
}

// stripReply takes the delimiter, and the number before it, off a reply.
func (s *Socket) stripReply(a *arrival) bool {
	f := a.frames()
	n := 1
	if s.opt.Correlate {
		if len(f[0]) != 4 || binary.BigEndian.Uint32(f[0]) != s.awaited {
			return false
		}
		f = f[1:]
		n++
	}
	if len(f) < 2 || len(f[0]) != 0 {
		return false
	}
	a.first += int32(n)
	return true
}

// receiveRequest receives a REP's request, and keeps its envelope.
func (s *Socket) receiveRequest(ctx context.Context) (arrival, error) {
	s.turnMu.Lock()
	owes := s.await
	s.turnMu.Unlock()
	if owes {
		return arrival{}, stateError("the reply to the last request has not been sent")
	}
	for {
		a, err := s.in.next(ctx)
		if err != nil {
			return a, err
		}
		n, frames := 0, a.frames()
		for n < len(frames) && len(frames[n]) > 0 {
			n++
		}
		if n+1 >= len(frames) {
			s.ignore(a) // no delimiter, or nothing behind it
			continue
		}
		s.turnMu.Lock()
		s.address = s.address[:0]
		for _, f := range frames[:n] {
			s.address = append(s.address, append([]byte(nil), f...))
		}
		s.asked, s.await, s.link = a.peer, true, a.slab.link
		s.turnMu.Unlock()
		a.first += int32(n + 1)
		return a, nil
	}
}

// sendReply sends a REP's reply to whoever asked. One who is gone, or takes no
// more, gets none.
func (s *Socket) sendReply(frames [][]byte, own owner) error {
	s.turnMu.Lock()
	defer s.turnMu.Unlock()
	if !s.await {
		return stateError("no request was received that a reply could be sent to")
	}
	var few [10][]byte
	all := append(few[:0], s.address...)
	all = append(append(all, delimiter), frames...)
	if len(all) > maxFrames {
		return tooManyFrames(len(all))
	}
	s.mu.Lock()
	if s.closing {
		s.unlock()
		return ErrClosed
	}
	p := s.asked
	s.await, s.asked = false, nil
	if p.gone || p.links != s.link || !p.takesReply() {
		s.stats.dropped.Add(1)
		s.unlock()
		return nil
	}
	return p.post(all, own)
}
