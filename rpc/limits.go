package rpc

import "fmt"

// Limits bound what a peer may cost. A zero field means its default.
type Limits struct {
	// Calls is how many calls of the peer's may be executing: a call counts until
	// its handler returns, even when it was cancelled. One more fails as
	// overloaded. Default 1024.
	Calls int
	// Exports and Imports are how many capabilities either side may hold of the
	// other. A call that would export more fails as overloaded; a peer that sends
	// more is disconnected. Default 65536.
	Exports, Imports int
	// QueuedBytes is how much may wait to be written. Callers and handlers wait
	// while it is more; what can't wait fails as overloaded, and a peer that does
	// not read what it asked for is disconnected at twice that. Default 16 MiB.
	QueuedBytes int64
	// MessageBytes is how large the parameters or results of a call may be, in
	// bytes on the wire. What is larger fails that call. Default 64 MiB.
	MessageBytes int64
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
	set(&l.Exports, 1<<16)
	set(&l.Imports, 1<<16)
	if l.QueuedBytes == 0 {
		l.QueuedBytes = 16 << 20
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
	Embargoes          int
	QueuedBytes        int64  // waiting to be written
	Sent, Received     uint64 // messages
	Flushes            uint64 // of the transport
}

type connStats struct {
	calls, answered, sent, flushes uint64
}

// Stats gives the counts.
func (c *Conn) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Calls: c.stats.calls, Answered: c.stats.answered,
		Questions: c.questions.n, Answers: c.answers.n, Executing: c.executing,
		Exports: c.exports.n, Imports: c.imports.n, Embargoes: c.embargoes.n,
		QueuedBytes: c.queued,
		Sent:        c.stats.sent, Received: c.received.Load(), Flushes: c.stats.flushes,
	}
}
