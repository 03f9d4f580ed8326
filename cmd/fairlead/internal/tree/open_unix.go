//go:build unix

package tree

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// openNoWait opens a file for reading. A fifo without a writer would make open
// wait, and a link could lead out of the tree; the flags prevent both where the
// walk saw a regular file that something else has replaced since.
func openNoWait(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW|syscall.O_NOCTTY, 0)
}

// isLink reports the error that O_NOFOLLOW gives for a link.
func isLink(err error) bool { return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) }

// gone reports that no name leads to the open file any more.
func gone(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink == 0
}
