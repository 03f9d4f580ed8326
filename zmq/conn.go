package zmq

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// A conn is one connection of a peer. Whoever has the role of its reader reads;
// the peer's writer writes.
type conn struct {
	s      *Socket
	nc     net.Conn
	vector bool                                  // a net.Buffers is one system call
	try    func(vec [][]byte) (n int, err error) // writes what the kernel takes at once; nil if that cannot be had
	minor  byte
	mech   zmtp.Mechanism
	peer   *peer

	// The writer's:
	vec    [][]byte       // the pieces of the batch
	left   net.Buffers    // the rest of them
	cipher *buffer.Buffer // CURVE: the batch encrypted
	walk   frameWalk      // CURVE: how far it is encrypted
	begun  bool           // vec is of the batch
	wrap   *zmtp.Wrapper  // nil if nothing is encrypted

	reader
	role role

	heard atomic.Int64 // when something was read last, in monotonic nanoseconds
	beat  *time.Timer
	ttl   atomic.Int64 // how long the peer lets us wait for it
	wait  atomic.Bool  // the reader waits for room

	once  sync.Once
	dead  chan struct{} // closed when it is shut
	cause error         // why
}

func newConn(s *Socket, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, dead: make(chan struct{})}
	c.slab = newSlab()
	c.role.call = make(chan struct{}, 1)
	if sc, ok := nc.(syscall.Conn); ok {
		c.vector = true
		c.try = tryWriter(sc)
	}
	return c
}

// shut closes the connection, for a reason that is kept if it is the first.
func (c *conn) shut(cause error) {
	c.once.Do(func() {
		c.cause = cause
		close(c.dead)
		_ = c.nc.Close()
	})
}

func (c *conn) isShut() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// free gives back what the reader has. The connection is shut.
func (c *conn) free() {
	if c.stream != nil {
		c.stream.Release()
		c.stream = nil
	}
	if c.body != nil {
		c.body.Release()
		c.body = nil
	}
	if c.slab != nil {
		c.slab.recycle()
		c.slab = nil
	}
	if c.cipher != nil {
		c.cipher.Release()
		c.cipher = nil
	}
}

var start = time.Now()

// now is monotonic time in nanoseconds.
func now() int64 { return int64(time.Since(start)) }

// writeBatch writes the peer's batch, or the rest of it, and tells whether it is
// whole. Without waiting it may be none of it.
func (c *conn) writeBatch(p *peer, inline bool) (whole bool, err error) {
	for {
		if len(c.left) == 0 {
			if c.begun && c.wrap == nil {
				break
			}
			if more, err := c.take(p.out); err != nil {
				return false, err
			} else if !more {
				break
			}
		}
		if inline {
			if len(c.left) > tryPieces {
				return false, nil
			}
			err = c.tryLeft(p)
		} else {
			err = c.writeLeft(p)
		}
		if err != nil || len(c.left) > 0 {
			return false, err
		}
	}
	clear(c.vec)
	c.begun = false
	return true, nil
}

// take takes what is to be written of a batch, and tells whether there is any.
func (c *conn) take(b *batch) (more bool, err error) {
	if c.wrap != nil {
		return c.encrypt(b)
	}
	c.begun = true
	c.vec = append(c.vec[:0], b.vec...)
	c.left = c.vec
	return true, nil
}

// What is written without waiting: so few pieces need no memory for the system
// call, and so many bytes the kernel mostly takes at once.
const (
	tryPieces = 8
	tryBytes  = 128 << 10
)

// tryLeft writes what the kernel takes at once.
func (c *conn) tryLeft(p *peer) error {
	n, err := c.try(c.left)
	c.s.stats.writes.Add(1)
	p.written += int64(n)
	for n > 0 {
		if first := len(c.left[0]); n >= first {
			c.left = c.left[1:]
			n -= first
		} else {
			c.left[0] = c.left[0][n:]
			n = 0
		}
	}
	return err
}

// writeLeft writes all that is left.
func (c *conn) writeLeft(p *peer) (err error) {
	for len(c.left) > 0 && err == nil {
		var n int64
		if c.vector && len(c.left) > 1 {
			c.s.stats.writes.Add(uint64(len(c.left)+maxVector-1) / maxVector)
			n, err = c.left.WriteTo(c.nc) // shortens left by what it wrote
		} else {
			c.s.stats.writes.Add(1)
			var m int
			if m, err = c.nc.Write(c.left[0]); err == nil {
				c.left = c.left[1:]
			}
			n = int64(m)
		}
		p.written += n
	}
	return err
}

// maxVector is how many pieces one system call takes.
const maxVector = 1024

// unwritten puts the peer's batch into order after the connection failed, for a
// cause. The caller has the lock.
func (c *conn) unwritten(p *peer, cause error) {
	b := p.out
	msgs, bytes := b.msgs, b.bytes
	gone := errors.Is(cause, syscall.EFAULT) || errors.Is(cause, mem.ErrFault)
	switch {
	case c.wrap == nil:
		b.keepFrom(p.written)
		if gone {
			p.s.stats.dropped.Add(uint64(b.dropGone()))
		}
	case p.written > 0 || gone:
		if gone {
			p.s.stats.dropped.Add(uint64(b.msgs))
		}
		b.reset(p.s.drop()) // which messages left whole cannot be told
	}
	if b.empty() {
		b.reset(p.s.drop())
	}
	c.left, c.begun = nil, false
	p.written = 0
	lost := msgs - b.msgs
	p.queued -= lost
	p.waiting -= bytes - b.bytes
	p.done += uint64(lost)
}
