//go:build unix

package zmq

import "syscall"

// A tryWrite writes to a connection what the kernel takes at once.
type tryWrite struct {
	raw   syscall.RawConn
	write func(fd uintptr) bool
	b     []byte
	n     int
	err   error
}

// tryWriter gives a function that writes as much of b as the kernel takes at
// once, which may be nothing. It serves one goroutine at a time.
func tryWriter(c syscall.Conn) func(b []byte) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	t := &tryWrite{raw: raw}
	t.write = t.once
	return t.try
}

func (t *tryWrite) try(b []byte) (int, error) {
	t.b, t.n, t.err = b, 0, nil
	err := t.raw.Write(t.write)
	t.b = nil
	if err == nil {
		err = t.err
	}
	return t.n, err
}

func (t *tryWrite) once(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), t.b)
		switch err {
		case syscall.EINTR:
			continue
		case nil:
			t.n = n
		case syscall.EAGAIN:
		default:
			t.err = err
		}
		return true
	}
}
