package mem

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
)

// Process stands for one process, dead or alive, and never for another one that
// got its number later.
type Process struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
}

// PeerProcess tells which process connected to a unix socket, or listened. On
// Linux before 6.5, and elsewhere, the error matches [errors.ErrUnsupported]; the
// end of the socket must do then. The caller closes it.
func PeerProcess(c *net.UnixConn) (*Process, error) { return peerProcess(c) }

// OpenProcess gives the process of a number, which the caller knows to be alive,
// or a child of its that it has not yet waited for. The caller closes it.
func OpenProcess(pid int) (*Process, error) { return openProcess(pid) }

// Wait returns nil when the process has ended, and an error that matches
// [os.ErrClosed] after Close. It holds no thread of the operating system.
func (p *Process) Wait() error { return p.wait() }

// Ended tells whether the process has ended. One that nobody has waited for yet
// has ended too; a stopped one has not.
func (p *Process) Ended() bool { return p.ended() }

// Close gives the process up and ends a Wait. Closing again does nothing.
func (p *Process) Close() error {
	p.closed.Store(true)
	if err := p.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("mem: close process: %w", err)
	}
	return nil
}
