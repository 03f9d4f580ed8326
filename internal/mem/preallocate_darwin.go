//go:build darwin

package mem

import (
	"os"

	"golang.org/x/sys/unix"
)

// preallocate makes f to bytes long and gives everything from offset from on
// storage, so that a store to its mapping cannot meet a full disk.
func preallocate(f *os.File, from, to int64) error {
	store := unix.Fstore_t{Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: to - from}
	if err := unix.FcntlFstore(f.Fd(), unix.F_PREALLOCATE, &store); err != nil {
		if IsNoSpace(err) {
			return err
		}
		return writeZeros(f, from, to) // a file system that cannot set blocks aside
	}
	return f.Truncate(to)
}
