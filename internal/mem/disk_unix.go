//go:build unix

package mem

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// IsNoSpace reports whether err says that the disk, or the user's share of it, is
// full.
func IsNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// SyncFolder makes the names in the folder as lasting as the files: without it a
// power failure may undo a rename. A file system that cannot sync a folder is no
// error, because nothing can be done about it.
func SyncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("mem: sync folder: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOTSUP) {
		return fmt.Errorf("mem: sync folder %s: %w", path, err)
	}
	return nil
}
