package mem

import (
	"net"
)

// MaxDescriptors is how many descriptors one message over a unix socket carries.
const MaxDescriptors = 253

// Credentials is who a peer was when it connected, as the kernel knows it.
type Credentials struct {
	PID, UID, GID int
}

// SendDescriptors writes b, which is not empty, to a unix stream socket together
// with descriptors, of which the receiver gets copies. They stay the caller's.
func SendDescriptors(c *net.UnixConn, b []byte, fds ...int) error {
	return sendDescriptors(c, b, fds)
}

// ReceiveDescriptors fills b from a unix stream socket and returns the
// descriptors that came with it, each closed on exec. They are the caller's. If
// there are more than maximum, or in case of any error, all are closed. Closed
// before the first byte is [io.EOF], after it [io.ErrUnexpectedEOF].
func ReceiveDescriptors(c *net.UnixConn, b []byte, maximum int) ([]int, error) {
	return receiveDescriptors(c, b, maximum)
}

// PeerCredentials tells who is at the other end of a unix socket. Of a pair it is
// who made the pair.
func PeerCredentials(c *net.UnixConn) (Credentials, error) { return peerCredentials(c) }

// Duplicate gives another descriptor of the same file, closed on exec. The caller
// closes it.
func Duplicate(fd int) (int, error) { return duplicate(fd) }
