//go:build darwin || dragonfly || freebsd || linux || netbsd

package mem

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func duplicateFile(f *os.File) (*os.File, error) {
	fd, err := descriptorOf(f)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// descriptorOf gives a descriptor of the file, closed on exec. The caller closes
// it.
func descriptorOf(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	dup, derr := -1, error(nil)
	err = raw.Control(func(fd uintptr) { dup, derr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil && derr != nil {
		err = fmt.Errorf("mem: duplicate the descriptor of %s: %w", f.Name(), derr)
	}
	return dup, err
}
