package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// replaceTimeout is how long a publisher that is to be replaced may take to say so.
// One that does not, because it is stopped, learns of it when it goes on.
const replaceTimeout = time.Second

// Replaced is closed when another publisher has taken this one's place, with
// PublisherOptions.Replace. From then on Publish gives [ErrReplaced]. What was
// published is still received; Close ends this publisher at any time.
func (p *Publisher) Replaced() <-chan struct{} { return p.replaced }

// over gives the reason why nothing can be published any more. The caller has the
// lock.
func (p *Publisher) over() error {
	switch {
	case p.closed:
		return ErrClosed
	case p.old:
		return ErrReplaced
	}
	return nil
}

// succeed asks the publisher that is at the other end of conn to give up its place,
// and goes on with its numbers. Without conn there is none.
func (p *Publisher) succeed(conn *net.UnixConn) error {
	p.generation = uint64(time.Now().UnixNano())
	if conn == nil {
		return nil
	}
	if err := askToStop(conn, pubMagic, pubVersion, replaceTimeout); err != nil {
		return err
	}
	point("replace.asked")
	b := make([]byte, greetBytes)
	if _, err := io.ReadFull(conn, b); err != nil {
		return nil // it is dead or stopped: nobody knows its numbers
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(b[8*i:]) }
	if word(greetMagic) == pubMagic && word(greetVersion) == pubVersion && word(greetStatus) == statusReplace {
		p.before, p.base = word(pubGreetGeneration), word(pubGreetNumber)
		p.number, p.collected = p.base, p.base
		p.generation = max(p.generation, p.before+1)
	}
	return nil
}

// giveUp is asked by conn to let another publisher take the place.
func (p *Publisher) giveUp(conn *net.UnixConn) error {
	cred, err := mem.PeerCredentials(conn)
	if err != nil || cred.UID != os.Geteuid() {
		return errors.Join(fmt.Errorf("%w: user %d wants to replace the publisher", ErrAuth, cred.UID), err)
	}
	number := p.handOver()
	point("replace.given")
	g := greeting{
		greetMagic: pubMagic, greetVersion: pubVersion, greetStatus: statusReplace,
		pubGreetGeneration: p.generation, pubGreetNumber: number,
	}
	if _, err := conn.Write(g.bytes()); err != nil {
		return fmt.Errorf("%w: %w", ErrReplaced, err)
	}
	return ErrReplaced
}

// handOver ends publishing because another publisher takes the place. It returns the
// number of the last message.
func (p *Publisher) handOver() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && !p.old {
		p.old = true
		close(p.replaced)
		for _, s := range p.subs {
			s.replace()
		}
		// Who has connected before is still served, and sent on.
		_ = p.listener.ln.SetDeadline(time.Now().Add(lastCall))
	}
	return p.number
}

// replace tells a subscriber that nothing follows what is in its queue.
func (s *subscription) replace() {
	if !s.ending {
		s.queue.state.Swap(stateReplaced)
		_ = s.bell.Ring()
	}
}
