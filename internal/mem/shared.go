package mem

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
)

// ErrShared is matched by the errors of [OpenShared] that refuse what a peer
// sent: the descriptor is not memory that can be trusted to stay.
var ErrShared = errors.New("mem: descriptor refused")

// Shared is memory that two processes have mapped: one has made it and may write
// to it ([NewShared]), the others read it ([OpenShared]). It has a fixed size
// and all of it has storage from the start. Once it exists, nobody, its maker
// included, can shorten it, punch holes into it or map it for writing again, so
// that no access to it can fault.
//
// A page without access lies before and behind it, so that an access that leaves
// it faults instead of meeting something else.
//
// Retain and Release count its users, from any goroutine. It starts with one;
// the last Release gives the mapping back. Nothing is given back by a finalizer.
// The memory itself lives for as long as any process has it mapped or holds a
// descriptor of it.
type Shared struct {
	data  []byte
	guard []byte // data with a page before and behind it
	fd    int    // the maker's, -1 otherwise and after CloseDescriptor
	users atomic.Int64
}

// SharedOptions says how shared memory is made. The zero value is right for most.
type SharedOptions struct {
	// Populate maps every page at once, which costs 2 µs a page now instead of
	// at its first use.
	Populate bool
	// Huge asks for huge pages. It is a wish: the system grants it where
	// /sys/kernel/mm/transparent_hugepage/shmem_enabled says advise, within_size
	// or always, and goes on with ordinary pages elsewhere.
	Huge bool
	// Folder, if not empty, is one of a tmpfs or hugetlbfs, whose pages are used then.
	// Such memory is a file without a name and without seals. Its maker can shorten it
	// and write to it by other ways than the mapping; who opens it has to trust the
	// maker, see OpenOptions.Unsealed.
	Folder string
}

// FolderUnit tells of what size memory of a folder has to be a multiple, in bytes. The
// error says why the folder cannot be used.
func FolderUnit(folder string) (int, error) {
	n, err := folderUnit(folder)
	if err != nil {
		return 0, fmt.Errorf("mem: folder %s: %w", folder, err)
	}
	return n, nil
}

// NewShared makes size bytes of zeroed shared memory, a multiple of [PageSize], or of
// [FolderUnit].
// Its storage is taken here: [IsNoSpace] tells when there is none. name is what
// the system's listings show for it. The caller owns it until Release.
func NewShared(name string, size int, o SharedOptions) (*Shared, error) {
	if size <= 0 || size%pageSize != 0 || size > maxInt-2*pageSize {
		return nil, fmt.Errorf("mem: shared memory: %d bytes asked, want a multiple of %d", size, pageSize)
	}
	s, err := newShared(name, size, o)
	if err != nil {
		return nil, fmt.Errorf("mem: shared memory of %d bytes: %w", size, err)
	}
	s.users.Store(1)
	return s, nil
}

// OpenOptions says what a received descriptor is held to.
type OpenOptions struct {
	// Size is how long the peer said the memory is. 0 takes any length.
	Size int
	// MaxSize is the longest that is accepted. 0 means no bound but the address
	// space.
	MaxSize int
	// Populate maps every page at once, which costs 0.2 µs a page now instead of
	// at its first use.
	Populate bool
	// Unsealed accepts a file of a tmpfs or hugetlbfs too, if it has no name and the
	// descriptor is for reading only. Nothing keeps its maker from shortening it, and
	// then reading it faults: it is for makers that are trusted as this process is.
	Unsealed bool
}

// OpenShared maps what a peer has sent for reading, and closes fd in any case.
// An error that matches [ErrShared] says what is wrong with it: it must be a
// memfd, sealed against shrinking, growing, writing and further seals, have
// the announced size and storage for all of it, and not be hugetlb memory.
func OpenShared(fd int, o OpenOptions) (*Shared, error) {
	s, err := openShared(fd, o)
	if err != nil {
		return nil, err
	}
	s.users.Store(1)
	return s, nil
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrShared, fmt.Errorf(format, args...))
}

// Bytes returns the memory, with its capacity clipped, nil after the last
// Release. If the memory was opened and not made, a store to it faults.
func (s *Shared) Bytes() []byte { return s.data }

// Descriptor returns the descriptor to pass to a peer, -1 if there is none. It
// stays the Shared's.
func (s *Shared) Descriptor() int { return s.fd }

// CloseDescriptor closes the descriptor once nobody else will be sent it. The
// memory stays. It must not run together with a use of Descriptor.
func (s *Shared) CloseDescriptor() error {
	fd := s.fd
	if fd < 0 {
		return nil
	}
	s.fd = -1
	if err := closeDescriptor(fd); err != nil {
		return fmt.Errorf("mem: close shared memory: %w", err)
	}
	return nil
}

// Retain adds a user. It panics if there is none left.
func (s *Shared) Retain() {
	if s.users.Add(1) <= 1 {
		s.users.Add(-1)
		panic("mem: Retain of shared memory that was released")
	}
}

// Release takes a user away. The last one gives the mapping and the descriptor
// back; nothing may touch the memory afterwards. It panics if there is none left.
func (s *Shared) Release() error {
	switch n := s.users.Add(-1); {
	case n > 0:
		return nil
	case n < 0:
		s.users.Add(1)
		panic("mem: Release of shared memory that was released")
	}
	err := s.CloseDescriptor()
	guard := s.guard
	s.data, s.guard = nil, nil
	if e := unmapShared(guard); e != nil {
		err = errors.Join(err, fmt.Errorf("mem: unmap shared memory: %w", e))
	}
	return err
}

// SharedSupported tells whether this system has shared memory as this package
// needs it. If not, [NewShared], [OpenShared] and what belongs to them give
// errors that match [errors.ErrUnsupported].
func SharedSupported() bool { return sharedSupported }

func errUnsupported(what string) error {
	return fmt.Errorf("mem: %s on %s: %w", what, runtime.GOOS, errors.ErrUnsupported)
}
