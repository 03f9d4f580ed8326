//go:build linux

package mem

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// preallocate makes f to bytes long and gives everything from offset from on
// storage, so that a store to its mapping cannot meet a full disk.
func preallocate(f *os.File, from, to int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, from, to-from)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return writeZeros(f, from, to) // a network or FUSE file system
		default:
			return err
		}
	}
}
