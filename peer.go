package fairlead

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
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

// Owners are the names as which the peer has proved itself, which a sturdy
// reference can be sealed for: see package rpc/sturdy. They are "uid:NUMBER" of a
// process, "name:NAME" for the names in a certificate that an authority of
// Options.TLS has signed, "cert:HASH" for the SHA-256 hash of a certificate's public
// key in hex, and "user:NAME" for the User. The first is the one that lasts longest.
func (p Peer) Owners() (all []string) {
	if p.User != "" {
		all = append(all, "user:"+p.User)
	}
	if p.TLS != nil && len(p.TLS.PeerCertificates) > 0 {
		leaf := p.TLS.PeerCertificates[0]
		if len(p.TLS.VerifiedChains) > 0 {
			for _, n := range certificateNames(leaf) {
				all = append(all, "name:"+n)
			}
		}
		all = append(all, fmt.Sprintf("cert:%x", sha256.Sum256(leaf.RawSubjectPublicKeyInfo)))
	}
	if p.Process != nil {
		all = append(all, fmt.Sprintf("uid:%d", p.Process.UID))
	}
	return all
}

// certificateNames gives the names that a certificate is for: those in its
// extension for that, or without any its common name.
func certificateNames(c *x509.Certificate) []string {
	all := append(slices.Clone(c.DNSNames), c.EmailAddresses...)
	for _, u := range c.URIs {
		all = append(all, u.String())
	}
	if len(all) == 0 && c.Subject.CommonName != "" {
		all = append(all, c.Subject.CommonName)
	}
	return all
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
