package fairlead

import (
	"net"
	"syscall"
)

// processOf asks the kernel who connected a socket, or listened at it.
func processOf(c *net.UnixConn) *Process {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	var p *Process
	_ = raw.Control(func(fd uintptr) {
		if u, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			p = &Process{UID: int(u.Uid), GID: int(u.Gid), PID: int(u.Pid)}
		}
	})
	return p
}
