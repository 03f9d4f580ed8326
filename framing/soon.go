package framing

import (
	"io"
	"net"

	"github.com/fairlead-go/fairlead/internal/spin"
)

// manyLone is after how many messages in a row, each of which came alone and was
// answered, the next is looked for.
const manyLone = 32

// soon tells whether the next message may come within some microseconds: where each
// answers one of ours, or is answered before the next is received. Where others go on
// with what was received they need the processor, and come with more. It belongs to
// the one who receives.
type soon struct {
	below  *spin.Socket // what the connection reads from; nil if that is not known
	since  int          // messages that were received since the last read
	writes uint64       // of the pipe when that was over
	lone   int          // messages in a row
}

// before is called before each read. A part of a long message is one that gave none.
func (s *soon) before(writes uint64) {
	switch {
	case s.below == nil:
		return
	case s.since > 1, s.since == 1 && writes == s.writes:
		s.lone = 0
	case s.since == 1:
		s.lone++
	}
	s.since = 0
	s.below.Soon = s.lone >= manyLone
}

// after is called after it.
func (s *soon) after(writes uint64) { s.writes = writes }

// socketOf gives what reads a connection, and the socket below it, if it is one or
// TLS over what [spin.NewSocket] made.
func socketOf(conn net.Conn) (io.Reader, *spin.Socket) {
	if isSocket(conn) {
		s := spin.NewSocket(conn)
		return s, s
	}
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		s, _ := c.NetConn().(*spin.Socket)
		return conn, s
	}
	return conn, nil
}
