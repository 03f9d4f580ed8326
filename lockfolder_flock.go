//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package fairlead

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	lockTries = 50
	lockPause = 20 * time.Millisecond
)

// lockFolder keeps others who lock the folder out until unlock. The lock ends
// with the process and leaves nothing behind. A folder that cannot be locked is
// no error: then the last of two who came at once wins.
func lockFolder(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return func() {}, nil
	}
	for try := 1; ; try++ {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = f.Close() }, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return func() { _ = f.Close() }, nil
		case try == lockTries:
			_ = f.Close()
			return nil, fmt.Errorf("fairlead: %s is locked by somebody else", path)
		}
		time.Sleep(lockPause)
	}
}
