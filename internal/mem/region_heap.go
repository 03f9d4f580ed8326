//go:build purego || (!unix && !windows)

package mem

// On the heap the whole range is taken at once, because a region never moves.
// The Go allocator hands large blocks out in zeroed whole pages.
func reserve(n int) ([]byte, error) { return make([]byte, n), nil }

func (r *Region) commit(int) error { return nil }

func (r *Region) decommit(int) error { return nil }

func release([]byte) error { return nil }
