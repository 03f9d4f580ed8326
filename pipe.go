package fairlead

import (
	"context"

	"github.com/fairlead-go/fairlead/segment"
)

// Pipe sends and receives messages to and from one peer, in order. All methods
// may be called from any goroutine.
type Pipe interface {
	// NewMessage starts a message of about sizeHint bytes, 0 if that is not known,
	// in memory that this pipe sends from without a copy. It belongs to the caller
	// until it is sent.
	NewMessage(sizeHint int) *segment.Message

	// Send accepts a message, which belongs to the pipe from now on in every case.
	// Never release it as well, not even by a defer made before: by then it may be
	// in use again, and that Release would end somebody else's.
	//
	// It blocks while too much is waiting for the peer, until the context ends. A
	// nil error means that the message was accepted; whether the peer got it, only
	// the peer can say. A message from other memory is sent as well, and copied
	// where it has to be.
	Send(ctx context.Context, msg *segment.Message) error

	// Flush waits until what was sent before is with the kernel or the peer.
	// Messages leave without it too.
	Flush() error

	// Recv waits for the next message and returns it, to be read where it arrived.
	// The caller releases it, before or after Close. The error is io.EOF if the
	// peer has closed, or its process has ended, and everything was received. The
	// end of the context breaks nothing.
	Recv(ctx context.Context) (*segment.Message, error)

	// Close sends what is waiting, for as long as Linger lets it, ends the
	// connection and wakes every call. Messages that were received stay valid.
	// Closing again does nothing.
	Close() error

	// Stats returns counts of what the pipe has done since it was made. It may be
	// called at any time, also after Close.
	Stats() Stats

	// Peer tells who is at the other end, as far as the transport knows.
	Peer() Peer
}

// Stats are counts that all pipes have. Those of a transport's own package have
// more. Each is exact, but they are not of one instant.
type Stats struct {
	Sent, SentBytes         uint64 // messages that were sent, and the bytes that they had there
	Received, ReceivedBytes uint64
	// Copied is how many of the messages sent were copied within this process.
	Copied uint64
	// WaitingBytes were accepted by Send and are not with the kernel or the peer
	// yet. By shm they are at once.
	WaitingBytes int64
	// Errors is how many calls failed; the peer's end is not an error.
	Errors uint64
}

// Dial connects a pipe to a URL that [Listen] knows. Where nobody listens it
// fails, but for ZeroMQ's URLs, where it waits until somebody does or the context
// ends. The caller closes the pipe; the context is not needed any more then.
func Dial(ctx context.Context, url string, o Options) (Pipe, error) {
	t, err := parse(url, false)
	if err != nil {
		return nil, err
	}
	if o, err = o.withDefaults("dial", url); err != nil {
		return nil, err
	}
	var p Pipe
	switch t.scheme {
	case schemeZMQTCP, schemeZMQIPC, schemeInproc:
		p, err = dialZMQ(ctx, &t, &o)
	case schemeShm:
		p, err = dialShm(ctx, &t, &o)
	default:
		p, err = dialStream(ctx, &t, &o)
	}
	if err != nil {
		return nil, about("dial", url, err)
	}
	return p, nil
}
