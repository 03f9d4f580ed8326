package zmq

import "github.com/fairlead-go/fairlead/internal/buffer"

// buffers are for bytes that arrived, and for small frames that wait to be
// written: from 512 bytes to 64 MiB.
var buffers = buffer.NewPool(9, 26)

// Outstanding is how many buffers of this package are in use in the whole
// process: those of connections, of messages that wait, and of received
// messages until their Release. A test for leaks compares it before and after.
// What [Socket.Recv] returned is no longer counted.
func Outstanding() int64 { return buffers.Outstanding() }
