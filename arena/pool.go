package arena

import (
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
)

// PoolOptions says how a pool works. The zero value is right for most.
type PoolOptions struct {
	// MaxClass is the size in bytes of the largest block that is kept for use
	// again, rounded up to a power of two. 0 means 4 MiB, which is also the most;
	// larger segments are fresh memory, left to the collector when freed.
	MaxClass int

	// Debug finds leaks, double frees and stale views, and reports them. No
	// memory is used again then, and every Allocate notes its stack, so it is
	// for tests and for hunting a fault.
	Debug bool

	// Quarantine is how many bytes of freed memory a debug pool keeps watching
	// for writes. 0 means 16 MiB.
	Quarantine int

	// Report receives what a debug pool finds, on the goroutine that found it,
	// which may be the runtime's own for leaks. It may use the pool. nil means a
	// slog.Error on slog.Default.
	Report func(Report)
}

// Pooled is an arena of heap memory in size classes, each a power of two from
// 512 bytes to 4 MiB. Any number of messages and goroutines may use it at once.
// Memory that nobody uses is given back to the collector after a while.
//
// Free in the default mode believes its caller: a block freed twice may be handed
// out twice. A debug pool reports that, and never does it.
type Pooled struct {
	limit int // largest pooled block in bytes, 0 in debug mode
	debug *debugger

	free   [numClasses]sync.Pool // of *[512]byte and so on, all zero
	shards [numShards]shard

	largeBlocks, largeBytes atomic.Int64
}

const (
	minShift   = 9
	maxShift   = 22
	numClasses = maxShift - minShift + 1

	shardBits = 6
	numShards = 1 << shardBits

	// largeStep is what the sizes above the largest class are rounded up to: the
	// runtime would waste the rest of its page.
	largeStep = 8 << 10
)

// A shard counts the blocks out whose addresses hash to it, a counter a class. A
// block meets the same shard at Allocate and at Free, and a sync.Pool gives a
// processor its own blocks again, so that counting seldom moves a cache line.
type shard struct {
	out [numClasses]atomic.Int64
	_   [128 - numClasses*8%128]byte
}

var shared = NewPool(PoolOptions{Debug: debugFromEnv(os.Getenv("FAIRLEAD_DEBUG"))})

func debugFromEnv(v string) bool {
	on, err := strconv.ParseBool(v)
	return err == nil && on
}

// Pool returns the pool that the whole process shares. It is a debug pool if the
// environment variable FAIRLEAD_DEBUG is 1 when the process starts.
func Pool() *Pooled { return shared }

// NewPool returns a pool of its own. It needs no closing.
func NewPool(opts PoolOptions) *Pooled {
	limit := 1 << maxShift
	if opts.MaxClass > 0 && opts.MaxClass < limit {
		limit = 1 << (minShift + classOf(opts.MaxClass))
	}
	if opts.Debug {
		return &Pooled{debug: newDebugger(opts, limit)}
	}
	return &Pooled{limit: limit}
}

// classOf returns the smallest class whose blocks have at least n bytes, n > 0.
func classOf(n int) int { return bits.Len(uint(n-1) >> minShift) }

// Allocate returns a block of at least minBytes zeroed bytes, as long as its
// class. The caller gives it back with [Pooled.Free].
func (p *Pooled) Allocate(minBytes int) ([]byte, error) {
	if uint(minBytes)-1 >= uint(p.limit) {
		return p.allocateSlow(minBytes)
	}
	c := classOf(minBytes)
	mem := memory(c, p.free[c].Get())
	p.shards[shardOf(mem)].out[c].Add(1)
	return mem, nil
}

// Free takes back a block that Allocate returned, whole, of which only the first
// used bytes were written. It panics if mem cannot be such a block.
func (p *Pooled) Free(mem []byte, used int) {
	n := len(mem)
	if n > p.limit || n < 1<<minShift || n&(n-1) != 0 || uint(used) > uint(n) {
		p.freeSlow(mem, used)
		return
	}
	clear(mem[:used])
	c := classOf(n)
	p.shards[shardOf(mem)].out[c].Add(-1)
	p.free[c].Put(block(c, mem))
}

// keptClass is the class of the blocks that stay with a message.
const keptClass = 12 - minShift

// Keep is Free of a block that stays with the message that had it, for a later one,
// which calls Take. It returns false and does nothing unless the block has the 4 KiB
// that a message takes unasked.
func (p *Pooled) Keep(mem []byte, used int) bool {
	if len(mem) != 1<<(minShift+keptClass) || len(mem) > p.limit || uint(used) > uint(len(mem)) {
		return false
	}
	clear(mem[:used])
	p.shards[shardOf(mem)].out[keptClass].Add(-1)
	return true
}

// Take is told that a block is in use again that Keep left with a message.
func (p *Pooled) Take(mem []byte) { p.shards[shardOf(mem)].out[keptClass].Add(1) }

//go:noinline
func (p *Pooled) allocateSlow(minBytes int) ([]byte, error) {
	if err := checkAsk("pool", minBytes); err != nil {
		return nil, err
	}
	if p.debug != nil {
		return p.debug.allocate(minBytes), nil
	}
	mem := make([]byte, min(roundUp(minBytes, largeStep), maxSegment))
	p.largeBlocks.Add(1)
	p.largeBytes.Add(int64(len(mem)))
	return mem, nil
}

//go:noinline
func (p *Pooled) freeSlow(mem []byte, used int) {
	if p.debug != nil {
		p.debug.free(mem, used)
		return
	}
	if used < 0 || used > len(mem) {
		panic(fmt.Sprintf("arena: pool: Free says that %d bytes of %d were used", used, len(mem)))
	}
	if len(mem) <= p.limit || len(mem)%largeStep != 0 && len(mem) != maxSegment {
		panic(fmt.Sprintf("arena: pool: Free of %d bytes, which no block of the pool has", len(mem)))
	}
	p.largeBlocks.Add(-1)
	p.largeBytes.Add(-int64(len(mem)))
}

// Outstanding returns how many blocks are out and how many bytes they have. It is
// exact while no Allocate or Free runs.
func (p *Pooled) Outstanding() (blocks, bytes int64) {
	if p.debug != nil {
		return p.debug.outstanding()
	}
	blocks, bytes = p.largeBlocks.Load(), p.largeBytes.Load()
	for i := range p.shards {
		for c := range p.shards[i].out {
			n := p.shards[i].out[c].Load()
			blocks += n
			bytes += n << (minShift + c)
		}
	}
	return blocks, bytes
}

// Zeroed reports that memory comes zeroed, so that nobody need check.
func (p *Pooled) Zeroed() bool { return true }

// Debugging reports whether this is a debug pool. Whoever keeps a message's
// bookkeeping for use again must not do so then, or stale use would go unnoticed.
func (p *Pooled) Debugging() bool { return p.debug != nil }

// Check looks through the memory that a debug pool watches, reports every write
// since it was freed, and returns how many blocks it found. In the default mode
// it returns 0.
func (p *Pooled) Check() int {
	if p.debug == nil {
		return 0
	}
	return p.debug.check()
}
