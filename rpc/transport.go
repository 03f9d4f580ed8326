package rpc

import (
	"context"

	"github.com/fairlead-go/fairlead/segment"
)

// Transport carries the messages of a connection to one peer and back, whole
// and in order. The pipes of packages framing, zmq and shm are transports by
// their methods.
//
// A connection calls Send and Flush from one goroutine at a time, Recv from one
// at a time, and NewMessage from any. These optional methods make it faster, or
// tell it more:
//
//   - SendAll(ctx, []*segment.Message) error sends several messages and flushes:
//     it takes each over, and may keep the slice no longer than the call.
//   - Buffered() bool tells whether Recv has a message at hand, so that answers
//     made until then leave together.
//   - Peer() any tells who the peer is; see [Conn.Peer].
type Transport interface {
	// NewMessage starts a message of about sizeHint bytes in the memory that the
	// transport likes best to send from. The caller sends or releases it.
	NewMessage(sizeHint int) *segment.Message
	// Send takes a message over in every case. It may keep it until Flush.
	Send(ctx context.Context, msg *segment.Message) error
	// Flush sends what Send kept.
	Flush() error
	// Recv waits for the next message, which the caller releases. Its end is
	// io.EOF.
	Recv(ctx context.Context) (*segment.Message, error)
	// Close ends Send, Flush and Recv, in whatever goroutine they are, once what
	// was sent before has left or can't.
	Close() error
}
