//go:build darwin || linux || openbsd

package zmq

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// A tryWrite writes to a connection what the kernel takes at once.
type tryWrite struct {
	raw   syscall.RawConn
	write func(fd uintptr) bool
	vec   [][]byte
	n     int
	err   error
}

// tryWriter gives a function that writes as much of some pieces as the kernel
// takes at once, which may be nothing. It serves one goroutine at a time.
func tryWriter(c syscall.Conn) func(vec [][]byte) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	t := &tryWrite{raw: raw}
	t.write = t.once
	return t.try
}

func (t *tryWrite) try(vec [][]byte) (int, error) {
	t.vec, t.n, t.err = vec, 0, nil
	err := t.raw.Write(t.write)
	t.vec = nil
	if err == nil {
		err = t.err
	}
	return t.n, err
}

func (t *tryWrite) once(fd uintptr) bool {
	for {
		var n int
		var err error
		if len(t.vec) == 1 {
			n, err = unix.Write(int(fd), t.vec[0])
		} else {
			n, err = unix.Writev(int(fd), t.vec)
		}
		switch err {
		case unix.EINTR:
			continue
		case nil:
			t.n = n
		case unix.EAGAIN:
		default:
			t.err = err
		}
		return true
	}
}
