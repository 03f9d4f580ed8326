package framing

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/arena"
)

// A buffer is memory that is counted and used again: bytes that arrived and the
// messages in them, or bytes that wait to be written. It starts at a multiple
// of 8. It is never cleared, for nobody sees more of it than was put there.
type buffer struct {
	mem   []byte
	refs  atomic.Int32
	class int // of buffers, or -1 for one too large to be kept
}

// Buffers come in classes, four to each power of two, so that at most a fifth
// of one is left over.
const (
	minShift   = 12 // 4 KiB
	maxShift   = 26 // 64 MiB
	numClasses = (maxShift-minShift)*4 + 1
)

var (
	buffers     [numClasses]sync.Pool
	outstanding atomic.Int64 // buffers in use
)

// Outstanding is how many buffers of this package are in use in the whole
// process: those that received messages lie in until their Release, and those
// of decoders and pipes. A test for leaks compares it before and after.
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

// newBuffer returns a buffer of at least n bytes with one holder, and whether
// its memory is new.
func newBuffer(n int) (b *buffer, fresh bool) {
	class, size := -1, (n+wordBytes-1)&^(wordBytes-1)
	if n <= 1<<maxShift {
		class, size = classOf(n)
		b, _ = buffers[class].Get().(*buffer)
	}
	if b == nil {
		b = &buffer{mem: make([]byte, size), class: class}
		fresh = true
	}
	b.refs.Store(1)
	outstanding.Add(1)
	return b, fresh
}

func (b *buffer) retain() { b.refs.Add(1) }

// Release gives up one hold. A message calls it as its Owner.
func (b *buffer) Release() {
	// A sole holder has nobody to race with.
	if b.refs.Load() != 1 && b.refs.Add(-1) != 0 {
		return
	}
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

// sole tells that the caller's is the only hold, so that the memory may be
// written over.
func (b *buffer) sole() bool { return b.refs.Load() == 1 }
