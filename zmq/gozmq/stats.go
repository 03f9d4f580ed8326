package gozmq

import "sync/atomic"

// Stats are counts of what this package has done in the process, over all
// sockets.
type Stats struct {
	Sent      uint64 // messages that zmq4 accepted
	SentBytes uint64 // their frames' bytes, envelopes included
	// Copied is how many of their frames were copied, because zmq4 keeps them
	// after Send, or may: see the package comment. The others left from where
	// they were built.
	Copied      uint64
	CopiedBytes uint64

	Received      uint64 // messages given out
	ReceivedBytes uint64 // the bytes of their segments
	// RecvCopied is how many segments were copied because they did not start at
	// a multiple of 8. The others are read where they arrived.
	RecvCopied      uint64
	RecvCopiedBytes uint64

	// Abandoned is how many messages never went back to their arena, because
	// zmq4 may still have been reading them when it gave an error. See [Send].
	Abandoned uint64
	Commands  uint64 // received commands, such as PING, that were skipped
	Errors    uint64 // calls of Send, Recv and RecvWith that failed
}

// A counter is on no cache line of its own: zmq4 costs a hundred times what
// sharing one does.
var stats struct {
	sent, sentBytes, copied, copiedBytes                 atomic.Uint64
	received, receivedBytes, recvCopied, recvCopiedBytes atomic.Uint64
	abandoned, commands, errors                          atomic.Uint64
}

// ReadStats returns the counts. They are each exact but not of one instant.
func ReadStats() Stats {
	return Stats{
		Sent:            stats.sent.Load(),
		SentBytes:       stats.sentBytes.Load(),
		Copied:          stats.copied.Load(),
		CopiedBytes:     stats.copiedBytes.Load(),
		Received:        stats.received.Load(),
		ReceivedBytes:   stats.receivedBytes.Load(),
		RecvCopied:      stats.recvCopied.Load(),
		RecvCopiedBytes: stats.recvCopiedBytes.Load(),
		Abandoned:       stats.abandoned.Load(),
		Commands:        stats.commands.Load(),
		Errors:          stats.errors.Load(),
	}
}
