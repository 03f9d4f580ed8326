//go:build unix && !purego

package mem

import "golang.org/x/sys/unix"

// reserve maps without access rather than with MAP_NORESERVE, so that a system
// that does not overcommit refuses the commit, where there is an error to
// return, and not the first touch, where there is none.
func reserve(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func (r *Region) commit(n int) error {
	return unix.Mprotect(r.base[r.committed:n], unix.PROT_READ|unix.PROT_WRITE)
}

func (r *Region) decommit(from int) error {
	// The pages stay accessible, which costs nothing; a later commit of them is
	// a system call that changes nothing.
	return unix.Madvise(r.base[from:r.committed], unix.MADV_DONTNEED)
}

func release(base []byte) error { return unix.Munmap(base) }
