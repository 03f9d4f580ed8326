package fairlead

import (
	"crypto/tls"
	"fmt"
	"strings"
)

// Peer is who is at the other end of a connection. What a transport does not
// prove is left out.
type Peer struct {
	// Addr is where the peer is connected from, as its transport writes it.
	// Sockets of the file system mostly have none.
	Addr string
	// Process is set by unix and shm where the system tells it: the kernel
	// vouches for it.
	Process *Process
	// TLS is set by tls. Its PeerCertificates are proved, and trusted as far as
	// Options.TLS says.
	TLS *tls.ConnectionState
	// User is who the authenticator of ZeroMQ's security said that the peer is.
	User string
}

// Process is a process of this machine, as it was when it connected.
type Process struct {
	UID, GID int
	PID      int // it may have ended, and its number may be another's since
}

// String describes the peer for people.
func (p Peer) String() string {
	var s []string
	if p.Addr != "" {
		s = append(s, p.Addr)
	}
	if p.Process != nil {
		s = append(s, fmt.Sprintf("uid %d, pid %d", p.Process.UID, p.Process.PID))
	}
	if p.TLS != nil && len(p.TLS.PeerCertificates) > 0 {
		s = append(s, fmt.Sprintf("certificate of %q", p.TLS.PeerCertificates[0].Subject))
	}
	if p.User != "" {
		s = append(s, fmt.Sprintf("user %q", p.User))
	}
	if len(s) == 0 {
		return "unknown"
	}
	return strings.Join(s, ", ")
}
