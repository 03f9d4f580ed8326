package zmq

import (
	"sync/atomic"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// Stats are counts of what a socket has done since it was made.
type Stats struct {
	Sent, SentBytes         uint64 // messages handed to the kernel or to an inproc peer, whole
	Received, ReceivedBytes uint64 // messages that a call returned; bytes that arrived

	// Writes and Reads count the calls of connections. For a socket of the
	// system each is one system call, as long as the kernel takes and has what
	// was asked for.
	Writes, Reads uint64
	// CopiedBytes is how many bytes of frames were copied in this process: small
	// ones to leave together, or to lie where they can be read in place.
	CopiedBytes uint64
	// Allocated is how many large frames were received into new memory, because
	// none was there to be used again.
	Allocated uint64
	// Waiting and WaitingBytes were sent and are not written yet. Unread have
	// arrived and were not received yet.
	Waiting, WaitingBytes, Unread int64
	// Dropped is how many messages were never written: a PUB's for a subscriber
	// that is too slow, a ROUTER's for a peer that it does not have, those for a
	// peer that went away.
	Dropped uint64
	// Peers is how many there are, connected or not.
	Peers int
	// Errors is how many calls of Send and Recv failed.
	Errors uint64
	// EventsLost is how many events no monitor took in time.
	EventsLost uint64
}

// PipeStats are counts of what a pipe has done since it was made.
type PipeStats struct {
	Sent, SentBytes         uint64 // messages that Send accepted, and the bytes of their segments
	Received, ReceivedBytes uint64 // messages that Recv returned
	// Copied is how many of the messages sent were copied: those whose segments
	// are all small, to leave together with others, and all that are encrypted.
	Copied uint64
	// Waiting and WaitingBytes were sent and are not written yet; inproc, not
	// received yet.
	Waiting, WaitingBytes int64
	// Errors is how many calls of Send and Recv failed; the peer's end is not an
	// error.
	Errors uint64
}

type pipeCounters struct {
	sent, sentBytes, received, receivedBytes, copied, errors atomic.Uint64
}

// Stats returns the counts. It may be called at any time, also after Close. The
// counts are each exact but not of one instant.
func (p *Pipe) Stats() PipeStats {
	c := &p.stats
	st := PipeStats{
		Sent:          c.sent.Load(),
		SentBytes:     c.sentBytes.Load(),
		Received:      c.received.Load(),
		ReceivedBytes: c.receivedBytes.Load(),
		Copied:        c.copied.Load(),
		Errors:        c.errors.Load(),
	}
	p.s.mu.Lock()
	defer p.s.unlock()
	if r := p.peer.remote.Load(); r != nil {
		st.Waiting, st.WaitingBytes = r.in.msgs.Load(), r.in.bytes.Load()
	} else {
		st.Waiting, st.WaitingBytes = int64(p.peer.queued), p.peer.waiting
	}
	return st
}

// sending counts a message that Send accepted.
func (p *Pipe) sending(bytes int, small bool) {
	p.stats.sent.Add(1)
	p.stats.sentBytes.Add(uint64(bytes))
	if p.peer.remote.Load() == nil && (small || p.s.opt.Security.name() == zmtp.CURVE) {
		p.stats.copied.Add(1)
	}
}

type counters struct {
	sent, sentBytes, receivedBytes        atomic.Uint64
	writes, reads, copiedBytes, allocated atomic.Uint64
	dropped, errors, eventsLost           atomic.Uint64
	ignored                               atomic.Uint64 // taken, and not what is received
}

// Stats returns the counts. It may be called at any time, also after Close. The
// counts are each exact but not of one instant.
func (s *Socket) Stats() Stats {
	c := &s.stats
	st := Stats{
		Sent:          c.sent.Load(),
		SentBytes:     c.sentBytes.Load(),
		ReceivedBytes: c.receivedBytes.Load(),
		Writes:        c.writes.Load(),
		Reads:         c.reads.Load(),
		CopiedBytes:   c.copiedBytes.Load(),
		Allocated:     c.allocated.Load(),
		Dropped:       c.dropped.Load(),
		Errors:        c.errors.Load(),
		EventsLost:    c.eventsLost.Load(),
	}
	ignored := c.ignored.Load() // before what it is a part of
	received, unread := s.in.counts()
	st.Received, st.Unread = received-ignored, unread
	s.mu.Lock()
	defer s.unlock()
	st.Peers = len(s.peers)
	for _, p := range s.peers {
		st.Waiting += int64(p.queued)
		st.WaitingBytes += p.waiting
	}
	return st
}
