package zmq

import "sync/atomic"

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

type counters struct {
	sent, sentBytes, received, receivedBytes atomic.Uint64
	writes, reads, copiedBytes, allocated    atomic.Uint64
	dropped, errors, eventsLost              atomic.Uint64
}

// Stats returns the counts. It may be called at any time, also after Close. The
// counts are each exact but not of one instant.
func (s *Socket) Stats() Stats {
	c := &s.stats
	st := Stats{
		Sent:          c.sent.Load(),
		SentBytes:     c.sentBytes.Load(),
		Received:      c.received.Load(),
		ReceivedBytes: c.receivedBytes.Load(),
		Writes:        c.writes.Load(),
		Reads:         c.reads.Load(),
		CopiedBytes:   c.copiedBytes.Load(),
		Allocated:     c.allocated.Load(),
		Unread:        s.in.queued.Load(),
		Dropped:       c.dropped.Load(),
		Errors:        c.errors.Load(),
		EventsLost:    c.eventsLost.Load(),
	}
	s.mu.Lock()
	defer s.unlock()
	st.Peers = len(s.peers)
	for _, p := range s.peers {
		st.Waiting += int64(p.queued)
		st.WaitingBytes += p.waiting
	}
	return st
}
