//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package sturdy

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lockFile keeps other processes out until unlock. The lock ends with the
// process; the file stays.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sturdy: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another process has it")
		}
		return nil, fmt.Errorf("sturdy: %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}
