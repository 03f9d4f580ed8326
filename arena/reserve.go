package arena

import (
	"fmt"
	"sync"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// Reserve is an arena that sets address space aside for one segment, which grows
// in place to a maximum. The message built in it has one segment however large it
// becomes, so that no far pointer is needed and it can be sent as one piece.
// Address space costs nothing; memory is taken as the segment grows.
//
// It serves one message at a time, any number after each other. Memory that was
// used stays for the next message, and what only a much larger one needed goes
// back to the system after a few smaller ones.
type Reserve struct {
	mu       sync.Mutex
	region   *mem.Region
	max      int
	out      []byte // nil between messages
	resident int    // bytes from the front that may cost memory; all zero between messages
	mark     int    // bytes used lately, decaying
	closed   bool
}

const (
	reserveFirst = 64 << 10 // the least that a segment starts with
	reserveSlack = 1 << 20  // giving back less than this is not worth a system call
)

// NewReserve sets maxBytes of address space aside, a multiple of 8 of at most
// 4 GiB − 8 B, 2^29 − 1 words. The caller gives it back with [Reserve.Close]. It
// is an error if the system refuses, such as under a limit on address space.
func NewReserve(maxBytes int) (*Reserve, error) {
	if maxBytes <= 0 || maxBytes > maxSegment || maxBytes%8 != 0 {
		return nil, fmt.Errorf("arena: reserve: maximum of %d bytes, want a multiple of 8 from 8 to %d", maxBytes, maxSegment)
	}
	region, err := mem.Reserve(maxBytes)
	if err != nil {
		return nil, fmt.Errorf("arena: reserve: %w", err)
	}
	return &Reserve{region: region, max: maxBytes}, nil
}

// Allocate returns the front of the reserved space as a segment of at least
// minBytes. It is an error if the segment is out already: the one segment is all
// there is.
func (r *Reserve) Allocate(minBytes int) ([]byte, error) {
	if err := checkAsk("reserve", minBytes); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return nil, fmt.Errorf("%w: reserve of %d bytes", ErrClosed, r.max)
	case r.out != nil:
		return nil, fmt.Errorf("%w: reserve: %d bytes asked beside a segment of %d, which is the only one and has at most %d",
			ErrFull, minBytes, len(r.out), r.max)
	}
	// What is resident anyway need not be grown into again.
	return r.extend(minBytes, max(r.resident, reserveFirst))
}

// Grow lengthens the segment in place to at least minBytes, and to double what it
// has if the maximum lets it. It is an error to ask for more than the maximum;
// the segment then stays as it is.
func (r *Reserve) Grow(segment []byte, minBytes int) ([]byte, error) {
	if err := checkAsk("reserve", minBytes); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !same(segment, r.out) {
		return nil, fmt.Errorf("arena: reserve: Grow of a segment of %d bytes that is not out", len(segment))
	}
	if minBytes <= len(r.out) {
		return r.out, nil
	}
	return r.extend(minBytes, len(r.out)+min(len(r.out), maxSegment-len(r.out)))
}

// extend makes the segment at least minBytes long and want if it can be.
func (r *Reserve) extend(minBytes, want int) ([]byte, error) {
	if minBytes > r.max {
		return nil, fmt.Errorf("%w: reserve: %d bytes asked for one segment, the maximum is %d", ErrFull, minBytes, r.max)
	}
	want = min(roundUp(max(want, minBytes), 8), r.max)
	out, err := r.region.Commit(want)
	if err != nil && want > minBytes {
		// The system may have that much and no more.
		out, err = r.region.Commit(min(mem.RoundUp(minBytes), r.max))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: reserve: %w", ErrFull, err)
	}
	r.out = out
	return out, nil
}

// Free takes the segment back, of which only the first used bytes were written.
// It panics if segment is not out.
func (r *Reserve) Free(segment []byte, used int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	checkFree("reserve", segment, r.out, used)
	clear(r.out[:used])
	r.out = nil
	if r.closed {
		_ = r.region.Release() // nobody is left to tell, and nothing to be done
		return
	}
	r.resident = max(r.resident, used)
	r.mark = max(used, r.mark-r.mark/8)
	if r.resident-r.mark > max(r.mark, reserveSlack) {
		keep := mem.RoundUp(r.mark)
		if r.region.Decommit(keep) == nil { // otherwise it only stays longer
			r.resident = keep
		}
	}
}

// Close gives the address space back: at once, or if a segment is out, as soon as
// it is freed. Allocate fails from now on. Closing again does nothing.
func (r *Reserve) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.out != nil {
		return nil
	}
	if err := r.region.Release(); err != nil {
		return fmt.Errorf("arena: reserve: %w", err)
	}
	return nil
}

// Outstanding returns 1 and the length of the segment while it is out.
func (r *Reserve) Outstanding() (blocks, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return outstanding(r.out)
}

// Zeroed reports that memory comes zeroed, so that nobody need check.
func (r *Reserve) Zeroed() bool { return true }
