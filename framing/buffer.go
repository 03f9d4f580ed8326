package framing

import "github.com/fairlead-go/fairlead/internal/buffer"

// buffers are for bytes that arrived and the messages in them, and for bytes
// that wait to be written: from 4 KiB to 64 MiB.
var buffers = buffer.NewPool(12, 26)

// Outstanding is how many buffers of this package are in use in the whole
// process: those that received messages lie in until their Release, and those
// of decoders and pipes. A test for leaks compares it before and after.
func Outstanding() int64 { return buffers.Outstanding() }
