package spin

import (
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

const (
	// socketBudget is how long a read looks: more than the round trip of two that
	// sleep, over TCP within a machine, for else each of them may find the other
	// asleep for ever.
	socketBudget = 50 * time.Microsecond
	// lookPause is what lies between two looks, each of which is a system call.
	lookPause = 4
	// maxRead is what package net reads at once at most, since some systems take no more.
	maxRead = 1 << 30
)

// spinning is how many reads of this process look now, and mostSpinning how many may:
// half of the processors are left to what there is to do.
var (
	spinning     atomic.Int32
	mostSpinning = int32(max(1, mem.Processors()/2))
)

// A Socket is a connection whose reads may look for a while before they sleep. One
// Read at a time may be under way.
type Socket struct {
	net.Conn
	// Soon tells that what the next reads wait for may come within some microseconds,
	// and that nobody was woken meanwhile who needs this processor. It belongs to who
	// reads.
	Soon bool
	// Ended tells that a read met the end. It belongs to who reads.
	Ended bool

	raw      syscall.RawConn // nil if this connection or machine is not for it
	patience Patience
	look     func(fd uintptr) bool
	b        []byte // of the read under way, as what follows
	n        int
	err      error
	tried    bool
}

// NewSocket makes a Socket of c, which it belongs to. It reads as c does where c is no
// socket.
func NewSocket(c net.Conn) *Socket {
	s := &Socket{Conn: c}
	s.look = s.tryRead
	if sc, ok := c.(syscall.Conn); ok && canLook && Allowed() {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	return s
}

// Read is that of the connection.
func (s *Socket) Read(b []byte) (int, error) {
	n, err := s.read(b)
	if err == io.EOF {
		s.Ended = true
	}
	return n, err
}

func (s *Socket) read(b []byte) (int, error) {
	if !s.Soon || s.raw == nil || len(b) == 0 {
		return s.Conn.Read(b)
	}
	if s.patience.Spent() {
		began := time.Now()
		n, err := s.Conn.Read(b)
		s.patience.Slept(time.Since(began), socketBudget)
		return n, err
	}
	s.b, s.n, s.err, s.tried = b[:min(len(b), maxRead)], 0, nil, false
	err := s.raw.Read(s.look)
	s.b = nil
	switch {
	case err == nil && s.err != nil:
		err = &net.OpError{
			Op: "read", Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(),
			Err: os.NewSyscallError("read", s.err),
		}
	case err == nil && s.n == 0:
		err = io.EOF
	}
	return s.n, err
}

// tryRead reads what is there, and looks for it for a while the first time. It tells
// whether the read is over.
func (s *Socket) tryRead(fd uintptr) bool {
	if s.once(fd) {
		return true
	}
	if s.tried {
		return false
	}
	s.tried = true
	if spinning.Add(1) > mostSpinning {
		spinning.Add(-1)
		return false
	}
	defer spinning.Add(-1)
	began := time.Now()
	for ; ; mem.Pause(lookPause) {
		if s.once(fd) {
			s.patience.Hit()
			return true
		}
		if time.Since(began) > socketBudget {
			s.patience.Missed()
			return false
		}
	}
}

// CloseWrite ends writing, or the connection if that has no end of its own.
func (s *Socket) CloseWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return s.Conn.Close()
}
