package mem

import "fmt"

// A Region is a range of address space that never moves. Its front part is
// committed: it can be read and written and was zero when it was committed. The
// rest costs no memory and must not be touched.
type Region struct {
	base      []byte // the whole range
	committed int    // bytes from the front that may be touched, whole pages
}

// Reserve sets maxBytes of address space aside, rounded up to whole pages. The
// caller gives it back with [Region.Release].
func Reserve(maxBytes int) (*Region, error) {
	if maxBytes <= 0 || maxBytes > maxInt-pageSize {
		return nil, fmt.Errorf("mem: reserve: %d bytes asked, want 1 to %d", maxBytes, maxInt-pageSize)
	}
	base, err := reserve(RoundUp(maxBytes))
	if err != nil {
		return nil, fmt.Errorf("mem: reserve %d bytes of address space: %w", maxBytes, err)
	}
	return &Region{base: base}, nil
}

const maxInt = int(^uint(0) >> 1)

// Max returns the size of the range in bytes.
func (r *Region) Max() int { return len(r.base) }

// Committed returns how many bytes from the front may be touched.
func (r *Region) Committed() int { return r.committed }

// Commit makes at least the first n bytes of the region usable and returns them,
// with the capacity clipped to n. Bytes that were not committed before, or were
// given back by [Region.Decommit], are zero.
func (r *Region) Commit(n int) ([]byte, error) {
	if n < 0 || n > len(r.base) {
		return nil, fmt.Errorf("mem: commit: %d bytes asked, the region has %d", n, len(r.base))
	}
	if n > r.committed {
		if err := r.commit(RoundUp(n)); err != nil {
			return nil, fmt.Errorf("mem: commit %d bytes: %w", n, err)
		}
		r.committed = RoundUp(n)
	}
	return r.base[:n:n], nil
}

// Decommit gives the memory of the pages from offset from on, rounded up, back
// to the system. The caller has cleared what it wrote there: some systems give
// the old pages back, others zero ones. [Region.Commit] must be called before
// those bytes are touched again.
func (r *Region) Decommit(from int) error {
	from = RoundUp(max(from, 0))
	if from >= r.committed {
		return nil
	}
	if err := r.decommit(from); err != nil {
		return fmt.Errorf("mem: decommit from %d: %w", from, err)
	}
	r.committed = from
	return nil
}

// Release gives the address space back. Nothing may touch the memory afterwards.
func (r *Region) Release() error {
	base := r.base
	r.base, r.committed = nil, 0
	if base == nil {
		return nil
	}
	if err := release(base); err != nil {
		return fmt.Errorf("mem: release: %w", err)
	}
	return nil
}
