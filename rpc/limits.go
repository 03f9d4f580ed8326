package rpc

import "fmt"

// Limits bound what a peer may cost. A zero field means its default.
type Limits struct {
	// Calls is how many calls of the peer's may be executing: a call counts until
	// its handler returns, even when it was cancelled. One more fails as
	// overloaded. Default 1024.
	Calls int
	// PipelineDepth is how many calls of the peer's may wait one for the results of
	// the next. One more fails as overloaded. Default 64.
	PipelineDepth int
	// HeldBytes is how much memory the results with capabilities may have that are
	// kept for calls on them until the peer is done with its question. Results that
	// would exceed it are replaced by an error, as overloaded. Default 64 MiB.
	HeldBytes int64
	// Exports and Imports are how many capabilities either side may hold of the
	// other. A call that would export more fails as overloaded; a peer that sends
	// more is disconnected. Default 65536.
	Exports, Imports int
	// QueuedBytes is how much may wait to be written. Callers and handlers wait
	// while it is more; what can't wait fails as overloaded when as much waits beside
	// the batch that is being written, and a peer that does not read what it asked
	// for is disconnected at twice that. Default 16 MiB.
	QueuedBytes int64
	// StreamBytes is how much of what [Request.Stream] sends may be under way, where
	// it is found that so much is of use. It is no more than half of QueuedBytes.
	// Default 4 MiB.
	StreamBytes int64
	// MessageBytes is how large the parameters or results of a call may be, in
	// bytes on the wire. What is larger fails that call. Default 64 MiB.
	MessageBytes int64
	// Files is how many files a message of the peer's may bring, of the
	// capabilities in it that have one: see [Client.AttachedFile]. More are closed.
	// Default 0: the connection takes none.
	Files int
	// HeldFiles is how many files of the peer's the connection holds at once, each
	// until its capability is released. More are closed as they come. Default 256.
	HeldFiles int
}

// Unlimited, as the value of a limit, switches it off.
const Unlimited = 1<<31 - 1

func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&l.Calls, 1<<10)
	set(&l.PipelineDepth, 64)
	set(&l.Exports, 1<<16)
	set(&l.Imports, 1<<16)
	set(&l.HeldFiles, 1<<8)
	if l.QueuedBytes == 0 {
		l.QueuedBytes = 16 << 20
	}
	if l.HeldBytes == 0 {
		l.HeldBytes = 64 << 20
	}
	if l.StreamBytes == 0 {
		l.StreamBytes = 4 << 20
	}
	if l.MessageBytes == 0 {
		l.MessageBytes = 64 << 20
	}
	return l
}

// A protocolError is what a peer did against the protocol or a limit, for which
// it is disconnected.
type protocolError struct{ reason string }

func (e *protocolError) Error() string { return "rpc: the peer sent " + e.reason }

func violation(format string, args ...any) error {
	return &protocolError{fmt.Sprintf(format, args...)}
}

// Stats are counts of what a connection has done, and what it has now.
type Stats struct {
	Calls, Answered    uint64 // calls sent, and calls of the peer's answered
	Questions, Answers int    // calls and results that are not finished
	Executing          int    // handlers that run or wait to
	Exports, Imports   int    // capabilities of each side that the other holds
	HeldFiles          int    // of the peer's
	Embargoes          int
	QueuedBytes        int64  // waiting to be written
	Sent, Received     uint64 // messages
	Flushes            uint64 // of the transport
}

type connStats struct {
	calls, answered, sent, received, flushes uint64
}

// Stats gives the counts.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Calls: c.stats.calls, Answered: c.stats.answered,
		Questions: c.questions.n, Answers: c.answers.n, Executing: c.executing,
		Exports: c.exports.n, Imports: c.imports.n, Embargoes: c.embargoes.n,
		HeldFiles:   c.files.held,
		QueuedBytes: c.queued,
		Sent:        c.stats.sent, Received: c.stats.received, Flushes: c.stats.flushes,
	}
}
