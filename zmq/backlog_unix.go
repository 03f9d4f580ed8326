//go:build unix

package zmq

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// setBacklog makes a listener let so many connections wait.
func setBacklog(ln net.Listener, n int) error {
	c, ok := ln.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	// To listen once more changes nothing else.
	cerr := raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), n) })
	if cerr != nil {
		return cerr
	}
	return err
}
