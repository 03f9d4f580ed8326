// Package arena gives messages the memory they are built in.
//
// A message takes its segments from an arena and gives them back when it is
// released. Which arena it is decides where the bytes lie and what sending them
// costs:
//
//	Pool        the heap, used again and again: the right one unless you need another
//	NewReserve  address space set aside: one segment that grows in place to a maximum
//	NewFixed    a buffer of yours, for a message whose size you know
//	CreateFile  a mapped file: what you build is the file, nothing is written out
//
// A message is made over one of them by segment.New:
//
//	msg := segment.New(arena.Pool())
//	defer msg.Release()
//
// The rest of this comment is for those who write an arena or use one directly.
//
// # The contract
//
// Allocate returns zeroed memory that starts at a multiple of 8, is a multiple of
// 8 long and at least as long as asked. It does not move and belongs to the
// caller until Free. Grow, where there is one, lengthens it in place. Free takes
// back what Allocate or Grow returned last, and is told how much of it was
// written: everything from there on must still be zero, so that only dirty memory
// is cleared, and once. Memory must not be touched after Free.
//
// Every arena here may be used from any goroutine. A Pool serves any number of
// messages at once; the others have one segment, so they serve one message at a
// time, and a message that outgrows that segment gets an error.
//
// # Finding leaks and stale views
//
// Outstanding says what is out; a test compares it before and after. With the
// environment variable FAIRLEAD_DEBUG=1, or [PoolOptions].Debug, a pool also
// reports blocks that were dropped without Free, blocks freed twice, and writes
// through a view kept after Free, each with the stacks that belong to it; and a
// view read after Free shows a pattern that no reader takes for a message, never
// another message's data.
package arena

import (
	"errors"
	"fmt"
)

var (
	// ErrFull is matched by an error that says that the arena, or the disk under
	// it, has no room for what was asked.
	ErrFull = errors.New("arena: full")
	// ErrClosed is matched by the error of a call after Close or Commit.
	ErrClosed = errors.New("arena: closed")
)

// maxSegment is the size in bytes of the longest segment that a far pointer can
// reach into all of: 2^29 − 1 words. On 32-bit systems it is what an int holds,
// less room to round up to pages.
const maxSegment = int(min(int64(1<<29-1)*8, int64(^uint(0)>>1)-1<<20+1) &^ 7)

// checkAsk refuses sizes that no segment can have.
func checkAsk(kind string, minBytes int) error {
	if minBytes <= 0 || minBytes > maxSegment {
		return fmt.Errorf("%w: %s: %d bytes asked for a segment, want 1 to %d", ErrFull, kind, minBytes, maxSegment)
	}
	return nil
}

// same reports whether both are the same block of memory.
func same(a, b []byte) bool { return len(a) > 0 && len(b) > 0 && &a[0] == &b[0] }

// checkFree panics if mem is not what a one-segment arena has out: the type
// system cannot stop that mistake, and going on would corrupt another message.
func checkFree(kind string, mem, out []byte, used int) {
	if !same(mem, out) {
		panic(fmt.Sprintf("arena: %s: Free of %d bytes that are not out: freed twice, or another arena's", kind, len(mem)))
	}
	if used < 0 || used > len(out) {
		panic(fmt.Sprintf("arena: %s: Free says that %d bytes of %d were used", kind, used, len(out)))
	}
}

func roundUp(n, multiple int) int { return (n + multiple - 1) &^ (multiple - 1) }

func outstanding(out []byte) (blocks, bytes int64) {
	if out == nil {
		return 0, 0
	}
	return 1, int64(len(out))
}
