// Package buffer has memory for bytes that arrive and bytes that wait to leave:
// counted, shared by reference and used again. A package that moves messages has
// a [Pool] of its own, so that it can tell how much of it is in use.
package buffer

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/arena"
)

// Debugging tells that released memory is never used again, so that a stale view
// shows poison and not the next message. See [arena.Pool].
var Debugging = arena.Pool().Debugging()

// poison fills released memory: as a pointer, every reader calls it malformed.
const poison = 0xdb

// A Buffer is memory with one or more holders. It starts at a multiple of 8. It
// is never cleared, for nobody sees more of it than was put there.
type Buffer struct {
	Mem   []byte
	pool  *Pool
	refs  atomic.Int32
	class int // of the pool, or -1 for one too large to be kept
}

// A Pool is buffers that are in use, and those that wait to be used again. They
// come in classes, four to each power of two, so that at most a fifth of one is
// left over. All methods may be called from any goroutine.
type Pool struct {
	minShift    int
	maxSize     int
	classes     []sync.Pool
	outstanding atomic.Int64
}

// NewPool returns a pool of buffers of 1<<minShift to 1<<maxShift bytes. Larger
// ones can be had, and are left to the collector when they are released.
func NewPool(minShift, maxShift int) *Pool {
	return &Pool{
		minShift: minShift,
		maxSize:  1 << maxShift,
		classes:  make([]sync.Pool, (maxShift-minShift)*4+1),
	}
}

// Outstanding is how many buffers are in use.
func (p *Pool) Outstanding() int64 { return p.outstanding.Load() }

// Class returns the smallest class of buffers of at least n bytes, and their
// size. Bytes that are more than the largest have none.
func (p *Pool) Class(n int) (class, size int) {
	if n <= 1<<p.minShift {
		return 0, 1 << p.minShift
	}
	// The quarter of the power of two below n that n-1 lies in.
	shift := bits.Len(uint(n-1)) - 1
	step := 1 << (shift - 2)
	quarter := (n - 1 - 1<<shift) / step
	return (shift-p.minShift)*4 + quarter + 1, 1<<shift + (quarter+1)*step
}

// Get returns a buffer of at least n bytes with one holder, and whether its
// memory is new.
func (p *Pool) Get(n int) (b *Buffer, fresh bool) {
	class, size := -1, (n+7)&^7
	if n <= p.maxSize {
		class, size = p.Class(n)
		b, _ = p.classes[class].Get().(*Buffer)
	}
	if b == nil {
		b = &Buffer{Mem: make([]byte, size), pool: p, class: class}
		fresh = true
	}
	b.refs.Store(1)
	p.outstanding.Add(1)
	return b, fresh
}

// Retain adds a hold.
func (b *Buffer) Retain() { b.refs.Add(1) }

// Release gives up one hold. A message calls it as its owner.
func (b *Buffer) Release() {
	// A sole holder has nobody to race with.
	if b.refs.Load() != 1 && b.refs.Add(-1) != 0 {
		return
	}
	b.pool.outstanding.Add(-1)
	if Debugging {
		for i := range b.Mem {
			b.Mem[i] = poison
		}
		return
	}
	if b.class >= 0 {
		b.pool.classes[b.class].Put(b)
	}
}

// Sole tells that the caller's is the only hold, so that the memory may be
// written over.
func (b *Buffer) Sole() bool { return b.refs.Load() == 1 }

// Forsake leaves the buffer of a sole holder to the collector, because somebody
// keeps its memory.
func (b *Buffer) Forsake() { b.pool.outstanding.Add(-1) }
