package shm

import (
	"context"
	"fmt"

	"github.com/fairlead-go/fairlead/segment"
)

// read is Next.
func (s *feed) read(ctx context.Context) (*segment.Message, error) {
	if err := s.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer s.turn.Unlock()
	err := s.await(ctx, &s.lent)
	if err != nil {
		return nil, err
	}
	s.busy = true
	s.passing.Add(1)
	if s.msg == nil {
		s.msg, err = segment.Open(s.lent.segs, segment.Options{Limits: s.o.Limits, Trust: segment.Shared})
	} else {
		err = s.msg.Reopen(s.lent.segs)
	}
	if err != nil {
		s.giveBack()
		return nil, fmt.Errorf("shm: receive: %w", err)
	}
	return s.msg, nil
}

// done is Done.
func (s *feed) done() {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.giveBack()
}

// giveBack is done for who has the turn.
func (s *feed) giveBack() {
	if !s.busy {
		return
	}
	s.busy = false
	if s.every > 1 && !s.shut {
		// What was not told needs no hold, and is not needed any more.
		s.lent.dropRegions()
		s.passed(&s.lent)
		return
	}
	s.lent.drop()
	if s.shut && s.lent.lends {
		_ = s.leave()
	}
}
