//go:build linux && !purego

package mem

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const sharedSupported = true

// seals is what makes memory safe to read for somebody who does not trust its
// maker. FUTURE_WRITE rather than WRITE, because the maker's own mapping, which
// exists before, goes on being writable.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL

func newShared(name string, size int, o SharedOptions) (*Shared, error) {
	var fd int
	var err error
	unit := alignOf(size)
	if o.Folder == "" {
		fd, err = memfd(name)
	} else if fd, unit, err = makeFile(o.Folder); err == nil && size%unit != 0 {
		err = errors.Join(fmt.Errorf("%d bytes asked, want a multiple of %d in %s", size, unit, o.Folder), closeDescriptor(fd))
	}
	if err != nil {
		return nil, err
	}
	s := &Shared{fd: fd}
	if err := s.make(size, unit, o); err != nil {
		if s.guard != nil {
			err = errors.Join(err, unmapShared(s.guard))
		}
		return nil, errors.Join(err, closeDescriptor(s.fd))
	}
	return s, nil
}

// alignOf is where ordinary memory of that size is mapped best.
func alignOf(size int) int {
	if size%hugePage == 0 {
		return hugePage
	}
	return pageSize
}

func (s *Shared) make(size, unit int, o SharedOptions) error {
	// ftruncate would succeed where there is no room, and a store would fault
	// later. Without this call the file has no length either.
	if err := retry(func() error { return unix.Fallocate(s.fd, 0, 0, int64(size)) }); err != nil {
		return fmt.Errorf("allocate: %w", err)
	}
	if err := s.mapShared(s.fd, size, unit, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		return err
	}
	if o.Huge {
		// The answer makes no difference: without huge pages all still works.
		_ = unix.Madvise(s.data, unix.MADV_HUGEPAGE)
	}
	if o.Populate {
		if err := populate(s.data, unix.MADV_POPULATE_WRITE); err != nil {
			return err
		}
	}
	if o.Folder != "" {
		return s.readOnly()
	}
	if _, err := unix.FcntlInt(uintptr(s.fd), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

func openShared(fd int, o OpenOptions) (*Shared, error) {
	defer closeDescriptor(fd)
	// The seals come first: what is found afterwards cannot change any more.
	got, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, refused("it is no memfd: %w", err)
	}
	missing := seals &^ got
	if missing != 0 && !o.Unsealed {
		return nil, refused("seals %#x, without %#x", got, missing)
	}
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &fs) }); err != nil {
		return nil, refused("its file system: %w", err)
	}
	if uint32(fs.Type) != unix.TMPFS_MAGIC && missing == 0 {
		return nil, refused("file system %#x, want memory in ordinary pages, %#x", uint32(fs.Type), unix.TMPFS_MAGIC)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, refused("its size: %w", err)
	}
	unit := 0
	if missing != 0 {
		if unit, err = checkUnsealed(fd, &stat); err != nil {
			return nil, err
		}
	}
	size, limit := stat.Size, int64(maxInt-2*pageSize)
	if o.MaxSize > 0 {
		limit = min(limit, int64(o.MaxSize))
	}
	switch {
	case o.Size > 0 && size != int64(o.Size):
		return nil, refused("%d bytes long, %d announced", size, o.Size)
	case size <= 0 || size%int64(pageSize) != 0:
		return nil, refused("%d bytes long, want a multiple of %d", size, pageSize)
	case size > limit:
		return nil, refused("%d bytes long, at most %d accepted", size, limit)
	case stat.Blocks < size/512:
		// Reading a hole would take memory, on our account, that the peer has
		// not taken.
		return nil, refused("%d bytes long with storage for %d", size, stat.Blocks*512)
	}
	if missing == 0 {
		unit = alignOf(int(size))
	}
	s := &Shared{fd: -1}
	if err := s.mapShared(fd, int(size), unit, unix.PROT_READ); err != nil {
		return nil, fmt.Errorf("mem: open shared memory of %d bytes: %w", size, err)
	}
	if o.Populate {
		if err := populate(s.data, unix.MADV_POPULATE_READ); err != nil {
			return nil, errors.Join(fmt.Errorf("mem: open shared memory: %w", err), unmapShared(s.guard))
		}
	}
	// fd is closed on return; the mapping keeps the memory.
	return s, nil
}

// memfd makes an empty file in memory that can be sealed and never be executed.
func memfd(name string) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(name, flags)
	}
	if err != nil {
		return -1, fmt.Errorf("memfd: %w", err)
	}
	return fd, nil
}

// mapShared maps the file fd between two pages or more without access, at a multiple
// of align.
func (s *Shared) mapShared(fd, size, align, prot int) error {
	guard, err := unix.Mmap(-1, 0, size+2*align, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	// SAFETY: the address is only looked at.
	at := align - int(uintptr(unsafe.Pointer(unsafe.SliceData(guard)))%uintptr(align))
	inner := guard[at : at+size : at+size]
	// SAFETY: inner is whole pages inside a mapping that was made a line ago and
	// that nobody else knows, so that MAP_FIXED takes nothing of anybody's.
	_, err = unix.MmapPtr(fd, 0, unsafe.Pointer(unsafe.SliceData(inner)), uintptr(size),
		prot, unix.MAP_SHARED|unix.MAP_FIXED)
	if err != nil {
		return errors.Join(fmt.Errorf("map: %w", err), unmapShared(guard))
	}
	s.guard, s.data = guard, inner
	return nil
}

func unmapShared(guard []byte) error { return unix.Munmap(guard) }

// populate maps all pages of b. Without it they are mapped when they are touched
// first, which is all that a system before Linux 5.14 does.
func populate(b []byte, advice int) error {
	err := retry(func() error { return unix.Madvise(b, advice) })
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("populate: %w", err)
	}
	return nil
}

func closeDescriptor(fd int) error { return unix.Close(fd) }

// retry calls f until it is not interrupted.
func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
