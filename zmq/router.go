package zmq

import (
	"context"
	"fmt"
	"slices"
)

func tooManyFrames(n int) error {
	return fmt.Errorf("%w: %d frames, at most %d", ErrTooLarge, n, maxFrames)
}

// route sends a ROUTER's message to the peer that its first frame names.
func (s *Socket) route(ctx context.Context, frames [][]byte, own owner) error {
	id, rest := frames[0], frames[1:]
	if own.mapped() {
		if err := own.guarded(id, func() { id = slices.Clone(id) }); err != nil {
			return err
		}
	}
	if len(rest) == 0 {
		return stateError("a ROUTER's message needs a frame behind the routing id %q", id)
	}
	s.mu.Lock()
	for {
		if s.closing {
			s.unlock()
			return ErrClosed
		}
		p := s.byID[string(id)]
		switch {
		case p != nil && p.takesReply():
			return p.post(rest, own)
		case !s.opt.Mandatory:
			s.stats.dropped.Add(1)
			s.unlock()
			return nil
		case p == nil:
			s.unlock()
			return fmt.Errorf("%w: routing id %q", ErrUnroutable, id)
		}
		if err := s.room.wait(&s.mu, ctx); err != nil {
			s.unlock()
			return fmt.Errorf("zmq: send: peer %q has no room: %w", id, err)
		}
	}
}
