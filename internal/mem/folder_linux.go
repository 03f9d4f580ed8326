//go:build linux && !purego

package mem

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// hugePage is what the system makes of the ordinary pages of a tmpfs that is mounted
// with huge=. A mapping gets such pages only where it begins at a multiple of it.
const hugePage = 2 << 20

func folderUnit(folder string) (int, error) {
	fd, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unitOf(fd)
}

// unitOf tells of what size the memory of a file or folder is a multiple.
func unitOf(fd int) (int, error) {
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &fs) }); err != nil {
		return 0, err
	}
	switch uint32(fs.Type) {
	case unix.TMPFS_MAGIC:
		return hugePage, nil
	case unix.HUGETLBFS_MAGIC:
		return int(fs.Bsize), nil
	}
	return 0, fmt.Errorf("file system %#x, want a tmpfs, %#x, or a hugetlbfs, %#x", uint32(fs.Type), uint32(unix.TMPFS_MAGIC), uint32(unix.HUGETLBFS_MAGIC))
}

// makeFile makes a file in a folder that has no name and cannot get one, so that
// nothing is left when this process dies.
func makeFile(folder string) (fd, unit int, err error) {
	fd, err = unix.Open(folder, unix.O_TMPFILE|unix.O_EXCL|unix.O_RDWR|unix.O_CLOEXEC, 0o400)
	if err != nil {
		return -1, 0, &os.PathError{Op: "make a file in", Path: folder, Err: err}
	}
	if unit, err = unitOf(fd); err != nil {
		return -1, 0, errors.Join(&os.PathError{Op: "make a file in", Path: folder, Err: err}, unix.Close(fd))
	}
	return fd, unit, nil
}

// readOnly makes s pass on a descriptor that cannot be written by. The mapping, which
// exists before, goes on being writable.
func (s *Shared) readOnly() error {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", s.fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open for reading: %w", err)
	}
	err = unix.Close(s.fd)
	s.fd = fd
	return err
}

// checkUnsealed looks at a file of a folder, which has no seals.
func checkUnsealed(fd int, stat *unix.Stat_t) (unit int, err error) {
	if unit, err = unitOf(fd); err != nil {
		return 0, refused("%w", err)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	switch {
	case err != nil:
		return 0, refused("its flags: %w", err)
	case stat.Mode&unix.S_IFMT != unix.S_IFREG:
		return 0, refused("mode %#o, want a file", stat.Mode)
	case stat.Nlink != 0:
		return 0, refused("the file has %d names, by which others can open it", stat.Nlink)
	case flags&unix.O_ACCMODE != unix.O_RDONLY:
		return 0, refused("flags %#x, want a descriptor for reading", flags)
	}
	return unit, nil
}
