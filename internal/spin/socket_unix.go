//go:build unix

package spin

import "syscall"

const canLook = true

// once reads what is there, and tells whether the read is over.
func (s *Socket) once(fd uintptr) bool {
	for {
		n, err := syscall.Read(int(fd), s.b)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		}
		s.n, s.err = max(n, 0), err
		return true
	}
}
