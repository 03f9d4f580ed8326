//go:build !linux || purego

package mem

import "net"

func peerProcess(*net.UnixConn) (*Process, error) { return nil, errUnsupported("SO_PEERPIDFD") }

func openProcess(int) (*Process, error) { return nil, errUnsupported("pidfd_open") }

func (p *Process) wait() error { return errUnsupported("pidfd") }

func (p *Process) ended() bool { return false }
