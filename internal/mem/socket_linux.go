//go:build linux && !purego

package mem

import (
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

func sendDescriptors(c *net.UnixConn, b []byte, fds []int) error {
	if len(b) == 0 || len(fds) > MaxDescriptors {
		return fmt.Errorf("mem: send %d descriptors with %d bytes, want at most %d with at least 1",
			len(fds), len(b), MaxDescriptors)
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	n, _, err := c.WriteMsgUnix(b, rights, nil)
	if err != nil {
		return fmt.Errorf("mem: send %d descriptors: %w", len(fds), err)
	}
	if n < len(b) { // the descriptors went with the first part
		if _, err := c.Write(b[n:]); err != nil {
			return fmt.Errorf("mem: send: %w", err)
		}
	}
	return nil
}

func receiveDescriptors(c *net.UnixConn, b []byte, maximum int) (fds []int, err error) {
	defer func() {
		if err != nil {
			for _, fd := range fds {
				err = errors.Join(err, unix.Close(fd))
			}
			fds = nil
		}
	}()
	if maximum < 0 || maximum > MaxDescriptors {
		return nil, fmt.Errorf("mem: receive at most %d descriptors, want 0 to %d", maximum, MaxDescriptors)
	}
	// Room for one more, so that too many are seen and not only cut off.
	control := make([]byte, unix.CmsgSpace(4*(maximum+1)))
	for got := 0; got < len(b); {
		n, nc, flags, _, err := c.ReadMsgUnix(b[got:], control)
		more, e := descriptors(control[:nc])
		fds = append(fds, more...)
		switch {
		case errors.Is(err, io.EOF) && got > 0:
			return fds, io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			return fds, io.EOF
		case err != nil:
			return fds, fmt.Errorf("mem: receive: %w", err)
		case e != nil:
			return fds, e
		case flags&unix.MSG_CTRUNC != 0 || len(fds) > maximum:
			return fds, refused("more than %d descriptors", maximum)
		}
		got += n
	}
	return fds, nil
}

func peerCredentials(c *net.UnixConn) (Credentials, error) {
	var cred *unix.Ucred
	err := control(c, func(fd int) (err error) {
		cred, err = unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		return err
	})
	if err != nil {
		return Credentials{}, fmt.Errorf("mem: credentials of the peer: %w", err)
	}
	return Credentials{PID: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid)}, nil
}

// control calls f with the descriptor of the socket.
func control(c *net.UnixConn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

func duplicate(fd int) (int, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("mem: duplicate a descriptor: %w", err)
	}
	return n, nil
}
