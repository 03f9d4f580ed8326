package zmq

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/arena"
)

// A buffer is memory that is counted and used again: bytes that arrived, or
// small frames that wait to be written. It starts at a multiple of 8. It is
// never cleared, for nobody sees more of it than was put there.
type buffer struct {
	mem   []byte
	class int // of buffers, or -1 for one too large to be kept
}

// Buffers come in classes, four to each power of two, so that at most a fifth
// of one is left over.
const (
	minShift   = 9  // 512 B
	maxShift   = 26 // 64 MiB
	numClasses = (maxShift-minShift)*4 + 1
)

var (
	buffers     [numClasses]sync.Pool
	outstanding atomic.Int64 // buffers in use
)

// Outstanding is how many buffers of this package are in use in the whole
// process: those of connections, of messages that wait, and of received
// messages until their Release. A test for leaks compares it before and after.
// What [Socket.Recv] returned is no longer counted.
func Outstanding() int64 { return outstanding.Load() }

// In debug mode what was received is never used again, so that a stale view
// shows poison and not the next message. See [arena.Pool].
var debugging = arena.Pool().Debugging()

// poison fills released memory: as a pointer, every reader calls it malformed.
const poison = 0xdb

// classOf returns the smallest class of buffers of at least n bytes, and their
// size.
func classOf(n int) (class, size int) {
	if n <= 1<<minShift {
		return 0, 1 << minShift
	}
	// The quarter of the power of two below n that n-1 lies in.
	shift := bits.Len(uint(n-1)) - 1
	step := 1 << (shift - 2)
	quarter := (n - 1 - 1<<shift) / step
	return (shift-minShift)*4 + quarter + 1, 1<<shift + (quarter+1)*step
}

// newBuffer returns a buffer of at least n bytes, and whether its memory is new.
func newBuffer(n int) (b *buffer, fresh bool) {
	class, size := -1, (n+7)&^7
	if n <= 1<<maxShift {
		class, size = classOf(n)
		b, _ = buffers[class].Get().(*buffer)
	}
	if b == nil {
		b = &buffer{mem: make([]byte, size), class: class}
		fresh = true
	}
	outstanding.Add(1)
	return b, fresh
}

// free gives the buffer back. Nobody may look at its memory any more.
func (b *buffer) free() {
	outstanding.Add(-1)
	if debugging {
		for i := range b.mem {
			b.mem[i] = poison
		}
		return
	}
	if b.class >= 0 {
		buffers[b.class].Put(b)
	}
}

// forsake leaves the buffer to the collector, because somebody keeps its memory.
func (b *buffer) forsake() { outstanding.Add(-1) }
