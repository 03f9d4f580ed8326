//go:build linux && !purego

package mem

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A bell is a pipe that its ringer has made and whose writing end nobody else
// has; a ring is a byte. An eventfd is one file for both sides: a hostile peer
// switches it to blocking and fills its counter, and then a ring of ours holds a
// thread for good. The reading end of a pipe may be shared like that too, so it
// is never read: splice can be told with each call not to block.

// bellBytes is the memory of a pipe, which holds as many rings.
const bellBytes = 4096

func newDoorbell() (*Doorbell, int, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, -1, fmt.Errorf("mem: doorbell: %w", err)
	}
	// Less memory than a pipe has by itself, of which a user has only so much. It
	// works with any size.
	_, _ = unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, bellBytes)
	d := &Doorbell{out: os.NewFile(uintptr(fds[1]), "doorbell")}
	raw, err := d.out.SyscallConn()
	if err != nil {
		return nil, -1, errors.Join(fmt.Errorf("mem: doorbell: %w", err), d.out.Close(), unix.Close(fds[0]))
	}
	d.rawOut = raw
	d.ring, d.step = d.write, d.listen
	return d, fds[0], nil
}

func (d *Doorbell) connect(fd int) error {
	if err := checkDoorbell(fd); err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	in := os.NewFile(uintptr(fd), "doorbell")
	raw, err := in.SyscallConn()
	if err != nil {
		return errors.Join(fmt.Errorf("mem: doorbell: %w", err), in.Close())
	}
	d.in, d.rawIn = in, raw
	return nil
}

// checkDoorbell finds out whether a descriptor from a peer is what it should be.
func checkDoorbell(fd int) error {
	if _, err := nowhere(); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := retry(func() error { return unix.Fstatfs(fd, &fs) }); err != nil {
		return refused("no doorbell: %w", err)
	}
	if uint32(fs.Type) != unix.PIPEFS_MAGIC {
		return refused("no doorbell: file system %#x, want a pipe, %#x", uint32(fs.Type), unix.PIPEFS_MAGIC)
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return refused("no doorbell: %w", err)
	}
	if flags&unix.O_ACCMODE != unix.O_RDONLY {
		return refused("no doorbell: the wrong end of a pipe, flags %#x", flags)
	}
	// The poller takes only what says that it does not block.
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("mem: doorbell: %w", err)
	}
	return nil
}

// nowhere is where rings go that nobody needs to hear.
var nowhere = sync.OnceValues(func() (int, error) {
	fd, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("mem: doorbell: /dev/null: %w", err)
	}
	return fd, nil
})

var oneRing = []byte{1}

func (d *Doorbell) write(fd uintptr) {
	_, err := unix.Write(int(fd), oneRing)
	// A full pipe means that the peer has rings that it has not looked at.
	if err == nil || err == unix.EAGAIN {
		return
	}
	if no, ok := err.(unix.Errno); ok {
		d.fault.Store(int32(no))
	}
}

// listen is called by the poller, which after its first call hears every ring:
// once before sleeping, and once when something came in. What came is thrown away
// before the next sleep, off the way from the ring to who waits for it.
func (d *Doorbell) listen(fd uintptr) bool {
	if d.slept {
		return true
	}
	d.slept = true
	switch n, err := discard(int(fd)); {
	case err == nil && n == 0:
		d.err = io.EOF
		return true
	case err != nil && err != unix.EAGAIN && err != unix.EINTR:
		d.err = err
		return true
	}
	return !d.look()
}

func discard(fd int) (int, error) {
	null, err := nowhere()
	if err != nil {
		return 0, err
	}
	n, err := unix.Splice(fd, nil, null, nil, bellBytes, unix.SPLICE_F_NONBLOCK)
	return int(n), err // an int64 on most systems, an int on others
}
