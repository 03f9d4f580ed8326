package framing

import (
	"io"
	"net"

	"github.com/fairlead-go/fairlead/internal/spin"
)

// manyAnswered is after how many reads in a row, after each of which something was
// written before the next, that is waited for by looking.
const manyAnswered = 8

// soon tells whether the next messages may come within some microseconds: where they
// answer ours, or ours answered the last. Where others go on with what was received,
// who reads next before they have written, they need the processor. It belongs to the
// one who receives.
type soon struct {
	below    *spin.Socket // what the connection reads from; nil if that is not known
	since    int          // messages that were received since the last read
	writes   uint64       // of the pipe when that was over
	answered int          // reads in a row
}

// before is called before each read. A part of a long message is one that gave none.
func (s *soon) before(writes uint64) {
	switch {
	case s.below == nil:
		return
	case s.since > 0 && writes == s.writes:
		s.answered = 0
	case s.since > 0:
		s.answered++
	}
	s.since = 0
	s.below.Soon = s.answered >= manyAnswered
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
	s, _ := below(conn).(*spin.Socket)
	return conn, s
}
