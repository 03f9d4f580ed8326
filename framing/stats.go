package framing

import "sync/atomic"

// Stats are counts of what a pipe has done since it was made.
type Stats struct {
	Sent                    uint64 // messages written to the connection, whole
	SentBytes               uint64 // their bytes on the stream
	Received, ReceivedBytes uint64
	// SentFiles and ReceivedFiles rode along with messages.
	SentFiles, ReceivedFiles uint64

	// Writes and Reads count the calls of the connection. For a socket each is
	// one system call, as long as the kernel takes and has what was asked for.
	Writes, Reads uint64

	// Copied is how many of the messages sent were copied, to leave together
	// with others: all small ones. The others left from where they were built.
	Copied uint64
	// Allocated is how many buffers for received messages were new memory,
	// because none was there to be used again.
	Allocated uint64
	// WaitingBytes were accepted by Send and are not written yet.
	WaitingBytes int64
	// Dropped is how many messages Send accepted that were never written whole,
	// because the connection failed or the pipe was closed.
	Dropped uint64
	// Errors is how many calls of Send, Flush and Recv failed; the end of the
	// stream is not an error.
	Errors uint64
}

type counters struct {
	sent, sentBytes, received, receivedBytes atomic.Uint64
	writes, reads, copied, allocated         atomic.Uint64
	dropped, errors                          atomic.Uint64
	sentFiles, receivedFiles                 atomic.Uint64
}

// Stats returns the counts. It may be called at any time, also after Close. The
// counts are each exact but not of one instant.
func (p *Pipe) Stats() Stats {
	p.mu.Lock()
	waiting := p.waiting
	p.mu.Unlock()
	c := &p.stats
	return Stats{
		Sent:          c.sent.Load(),
		SentBytes:     c.sentBytes.Load(),
		Received:      c.received.Load(),
		ReceivedBytes: c.receivedBytes.Load(),
		SentFiles:     c.sentFiles.Load(),
		ReceivedFiles: c.receivedFiles.Load(),
		Writes:        c.writes.Load(),
		Reads:         c.reads.Load(),
		Copied:        c.copied.Load(),
		Allocated:     c.allocated.Load(),
		WaitingBytes:  waiting,
		Dropped:       c.dropped.Load(),
		Errors:        c.errors.Load(),
	}
}
