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
//   - RecvAll(ctx, []*segment.Message) (int, error) is Recv of several messages: it
//     waits for one, gives with it those behind it that are there, and tells how
//     many.
//   - Buffered() bool tells whether Recv has a message at hand, so that answers
//     made until then leave together.
//   - Held() (held, most int) tells how many messages that Recv gave have not been
//     released, and how many there may be before no more can come: a connection
//     copies what it keeps when half of them are held.
//   - Peer() any tells who the peer is; see [Conn.Peer].
//   - MaxFiles() int tells how many files a message can carry, 0 if none;
//     SendFiles(ctx, msg, []*os.File) error is Send of a message that files ride
//     along with, which stay the caller's, and some of which may not go; RecvFiles(ctx,
//     most int) (msg, []*os.File, error) is Recv with up to so many files, in their
//     order, which are the caller's. See [Client.AttachedFile].
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
