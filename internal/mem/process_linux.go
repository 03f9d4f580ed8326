//go:build linux && !purego

package mem

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

func peerProcess(c *net.UnixConn) (*Process, error) {
	var pidfd int
	err := control(c, func(fd int) (err error) {
		pidfd, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		return err
	})
	if errors.Is(err, unix.ENOPROTOOPT) {
		return nil, errUnsupported("SO_PEERPIDFD")
	}
	if err != nil {
		return nil, fmt.Errorf("mem: process of the peer: %w", err)
	}
	return newProcess(pidfd)
}

func openProcess(pid int) (*Process, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ENOSYS) { // before Linux 5.3
		return nil, errUnsupported("pidfd_open")
	}
	if err != nil {
		return nil, fmt.Errorf("mem: process %d: %w", pid, err)
	}
	return newProcess(pidfd)
}

// newProcess takes pidfd over.
func newProcess(pidfd int) (*Process, error) {
	if err := unix.SetNonblock(pidfd, true); err != nil {
		return nil, errors.Join(fmt.Errorf("mem: process: %w", err), unix.Close(pidfd))
	}
	p := &Process{file: os.NewFile(uintptr(pidfd), "process")}
	raw, err := p.file.SyscallConn()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("mem: process: %w", err), p.file.Close())
	}
	p.raw = raw
	return p, nil
}

// hasEnded asks the system, because the poller only tells of what happens after
// it has begun to listen.
func hasEnded(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	err := retry(func() error {
		_, err := unix.Poll(fds, 0)
		return err
	})
	return err == nil && fds[0].Revents != 0
}

func (p *Process) wait() error {
	err := p.raw.Read(func(fd uintptr) bool { return hasEnded(int(fd)) })
	if err != nil && p.closed.Load() {
		err = os.ErrClosed
	}
	if err != nil {
		return fmt.Errorf("mem: wait for a process: %w", err)
	}
	return nil
}

func (p *Process) ended() bool {
	ended := false
	err := p.raw.Control(func(fd uintptr) { ended = hasEnded(int(fd)) })
	return err == nil && ended
}
