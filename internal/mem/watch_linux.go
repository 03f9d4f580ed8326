//go:build linux && !purego

package mem

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func lock(f *os.File) error {
	err := retry(func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) })
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return fmt.Errorf("%w: %s", ErrLocked, f.Name())
	default:
		return fmt.Errorf("mem: lock %s: %w", f.Name(), err)
	}
}

func newWatch(f *os.File) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("mem: watch: %w", err)
	}
	w := &Watch{file: os.NewFile(uintptr(fd), "watch")}
	w.step = w.listen
	// The name leads to the very file that is open, wherever it was moved to.
	name := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	_, err = unix.InotifyAddWatch(fd, name, unix.IN_MODIFY)
	if err == nil {
		w.raw, err = w.file.SyscallConn()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mem: watch %s: %w", f.Name(), err), w.file.Close())
	}
	return w, nil
}

// listen is called by the poller, which after its first call hears every event.
func (w *Watch) listen(fd uintptr) bool {
	if w.slept {
		return true
	}
	w.slept = true
	// Until there is nothing left: an event that equals the last one in the queue
	// makes no sound. If it does not end, there is something to look at.
	for range 4 {
		_, err := unix.Read(int(fd), w.drain[:])
		switch {
		case err == nil || err == unix.EINTR:
		case err == unix.EAGAIN:
			return !w.look()
		default:
			w.err = err
			return true
		}
	}
	return true
}
