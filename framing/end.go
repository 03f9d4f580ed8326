package framing

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// errCut is for what others than the peer may have ended.
var errCut = errors.New("the stream ended without close_notify")

// atEnd says what the end of the connection means: io.EOF if the peer closed, or else
// why messages may be missing.
func (p *Pipe) atEnd() error {
	switch {
	case !p.socket && p.soon.below != nil && p.soon.below.Ended:
		// Package tls takes the end between two records for that of the peer, though
		// anybody can make it who is on the way (RFC 8446, section 6.1).
		return errCut
	case lostPeer(p.conn) && p.wasReset():
		return syscall.ECONNRESET
	}
	return io.EOF
}

// wasReset tells whether a connection without a peer was reset. The system says that
// once, and may have said it to a write; then a read finds the end as if the peer had
// closed.
func (p *Pipe) wasReset() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.writing && p.err == nil { // a write without a peer fails soon
		if !p.wait(p.recvCtx.Done()) {
			break
		}
	}
	return errors.Is(p.err, syscall.ECONNRESET)
}

// below gives the connection that carries TLS, and else conn.
func below(conn net.Conn) net.Conn {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return c.NetConn()
	}
	return conn
}
