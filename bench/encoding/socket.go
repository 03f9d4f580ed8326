package encoding

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// socket is a net.Conn that discards what it is given, at what a socket costs
// at the least: as a kernel does, it copies each byte once into a buffer of
// its own, here a window that stays in the cache. It makes no system call.
type socket struct {
	written uint64
	window  [64 << 10]byte
}

var (
	_ net.Conn     = (*socket)(nil)
	_ syscall.Conn = (*socket)(nil)
)

// Write takes b.
func (s *socket) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		rest = rest[copy(s.window[:], rest):]
	}
	s.written += uint64(len(b))
	return len(b), nil
}

// SyscallConn is there because libraries tell by it a connection of the kernel,
// to which they write with vectors (net.Buffers), from any other writer.
func (s *socket) SyscallConn() (syscall.RawConn, error) {
	return nil, errors.New("encoding: the discarding socket has no descriptor")
}

// Read always finds nothing.
func (s *socket) Read([]byte) (int, error) { return 0, net.ErrClosed }

// Close does nothing.
func (s *socket) Close() error { return nil }

// LocalAddr returns an address of no meaning.
func (s *socket) LocalAddr() net.Addr { return &net.UnixAddr{Name: "discard", Net: "unix"} }

// RemoteAddr returns an address of no meaning.
func (s *socket) RemoteAddr() net.Addr { return s.LocalAddr() }

// SetDeadline does nothing, as nothing here blocks.
func (s *socket) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (s *socket) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (s *socket) SetWriteDeadline(time.Time) error { return nil }

// capture is a socket that keeps what it is given, for checks.
type capture struct {
	socket
	bytes []byte
}

func (c *capture) Write(b []byte) (int, error) {
	c.bytes = append(c.bytes, b...)
	return c.socket.Write(b)
}
