//go:build unix

package framing

import (
	"net"
	"syscall"
)

// lostPeer tells whether a TCP connection, or the one that carries TLS, has no peer any more: it was reset, now or
// after the peer had closed it, or both ends have closed it.
func lostPeer(conn net.Conn) bool {
	c, ok := below(conn).(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	lost := false
	err = raw.Control(func(fd uintptr) {
		_, err := syscall.Getpeername(int(fd))
		lost = err != nil
	})
	return err == nil && lost
}
