package shm

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/segment"
)

// read is Next.
func (s *feed) read(ctx context.Context) (*segment.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("shm: receive: %w", err)
	}
	s.done()
	if !s.enter() {
		return nil, ErrClosed
	}
	err := s.await(ctx, &s.lent)
	if err != nil {
		s.leave()
		return nil, err
	}
	s.busy = true
	if s.msg == nil {
		s.msg, err = segment.Open(s.lent.segs, segment.Options{Limits: s.o.Limits, Trust: segment.Shared})
	} else {
		err = s.msg.Reopen(s.lent.segs)
	}
	if err != nil {
		s.done()
		return nil, fmt.Errorf("shm: receive: %w", err)
	}
	return s.msg, nil
}

// done is Done.
func (s *feed) done() {
	if !s.busy {
		return
	}
	s.busy = false
	if s.every > 1 {
		// What was not told needs no hold, and is not needed any more.
		s.lent.dropRegions()
		s.passed(&s.lent)
	} else {
		s.lent.drop()
	}
	s.leave()
}
