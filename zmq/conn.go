package zmq

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

const (
	// streamBytes is how much is read at once. An idle connection has less.
	streamBytes     = 64 << 10
	idleStreamBytes = 4 << 10
	// A body is given memory as large as it claims to be up to trustedBytes; a
	// larger one has to deliver so much first.
	trustedBytes = 1 << 20
)

// A conn is one connection of a peer. One goroutine reads it, which is its
// owner; the peer's writer writes.
type conn struct {
	s      *Socket
	nc     net.Conn
	vector bool                              // a net.Buffers is one system call
	try    func(b []byte) (n int, err error) // writes what the kernel takes at once; nil if that cannot be had
	minor  byte
	mech   zmtp.Mechanism
	peer   *peer

	// The writer's:
	vec    [][]byte      // the pieces of the batch
	left   net.Buffers   // the rest of them
	cipher *buffer       // CURVE: the batch encrypted
	walk   frameWalk     // CURVE: how far it is encrypted
	begun  bool          // vec is of the batch
	wrap   *zmtp.Wrapper // nil if nothing is encrypted

	// The reader's:
	stream *buffer // what was read ahead: mem[r:w]
	r, w   int
	small  bool // read ahead little, because large frames come
	slab   *slab
	copied int // bytes, not counted yet
	// How many messages and bytes the slab may have until the queue is full.
	roomMsgs, roomBytes int64

	frames int   // of the message that is not complete
	bytes  int64 // of it
	bigs   int   // of the slab's large frames those that belong to whole messages

	heard atomic.Int64 // when something was read last, in monotonic nanoseconds
	beat  *time.Timer
	ttl   atomic.Int64 // how long the peer lets us wait for it
	wait  atomic.Bool  // the reader waits for room

	once  sync.Once
	dead  chan struct{} // closed when it is shut
	cause error         // why
}

func newConn(s *Socket, nc net.Conn) *conn {
	c := &conn{s: s, nc: nc, slab: newSlab(), dead: make(chan struct{})}
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

// free gives back what the reader has. The connection is shut.
func (c *conn) free() {
	if c.stream != nil {
		c.stream.free()
		c.stream = nil
	}
	if c.slab != nil {
		c.slab.recycle()
		c.slab = nil
	}
	if c.cipher != nil {
		c.cipher.free()
		c.cipher = nil
	}
}

var start = time.Now()

// now is monotonic time in nanoseconds.
func now() int64 { return int64(time.Since(start)) }

// fill reads more into the stream, of which at least need bytes are wanted in
// all. What is complete is handed on first, because reading may block.
func (c *conn) fill(need int) error {
	if err := c.publish(); err != nil {
		return err
	}
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	switch {
	case c.stream == nil:
		c.stream, _ = newBuffer(max(need, idleStreamBytes))
	case c.r+need > len(c.stream.mem) || c.w == len(c.stream.mem):
		// There is more to come than fits: make room, and more of it.
		b, _ := newBuffer(max(need, streamBytes))
		c.w = copy(b.mem, c.stream.mem[c.r:c.w])
		c.r = 0
		c.stream.free()
		c.stream = b
	}
	end := len(c.stream.mem)
	if c.small && need <= zmtp.MaxHeader {
		end = min(end, c.w+zmtp.MaxHeader-(c.w-c.r))
		c.small = false
	}
	n, err := c.read(c.stream.mem[c.w:end])
	c.w += n
	if n > 0 {
		return nil
	}
	return err
}

func (c *conn) read(b []byte) (int, error) {
	n, err := c.nc.Read(b)
	c.s.stats.reads.Add(1)
	c.heard.Store(now())
	return n, err
}

// next reads the header of the next frame. Bodies are limited to max bytes.
func (c *conn) next(limit uint64) (zmtp.FrameHeader, error) {
	for {
		var b []byte
		if c.stream != nil {
			b = c.stream.mem[c.r:c.w]
		}
		h, n, err := zmtp.ParseHeader(b, limit)
		if err != nil {
			return h, err
		}
		if n > 0 {
			c.r += n
			return h, nil
		}
		if err := c.fill(zmtp.MaxHeader); err != nil {
			if err == io.EOF && (len(b) > 0 || c.frames > 0) {
				err = io.ErrUnexpectedEOF
			}
			return h, err
		}
	}
}

// body reads a body of the stream, where it stays until the next read.
func (c *conn) body(n int) ([]byte, error) {
	for c.w-c.r < n {
		if err := c.fill(n); err != nil {
			return nil, unexpected(err)
		}
	}
	b := c.stream.mem[c.r : c.r+n : c.r+n]
	c.r += n
	return b, nil
}

// unexpected is what an error of reading is inside of a frame.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// run reads frames until the connection fails.
func (c *conn) run() error {
	if c.wrap != nil {
		return c.runWrapped()
	}
	for {
		h, err := c.next(uint64(c.s.opt.MaxMessageBytes))
		if err != nil {
			return err
		}
		if h.Command {
			if h.Size > maxCommand {
				return fmt.Errorf("%w: command of %d bytes, at most %d", ErrTooLarge, h.Size, maxCommand)
			}
			b, err := c.body(int(h.Size))
			if err == nil {
				err = c.command(b)
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := c.frame(h.Size, h.More); err != nil {
			return err
		}
	}
}

// frame reads one frame of a message into the slab.
func (c *conn) frame(n uint64, more bool) error {
	if err := c.admit(n); err != nil {
		return err
	}
	if n < bigFrame {
		b, err := c.body(int(n))
		if err != nil {
			return err
		}
		dst := c.slab.place(len(b))
		c.copied += copy(dst, b)
		return c.add(dst, more)
	}
	b, err := c.large(int(n), 0)
	if err != nil {
		return err
	}
	c.slab.big = append(c.slab.big, b)
	return c.add(b.mem[:n:n], more)
}

// admit checks a frame of n bytes against the limits of a message.
func (c *conn) admit(n uint64) error {
	c.frames++
	if c.frames > maxFrames {
		return fmt.Errorf("%w: more than %d frames", ErrTooLarge, maxFrames)
	}
	c.bytes += int64(n)
	if limit := c.s.opt.MaxMessageBytes; c.bytes > limit || c.bytes < 0 {
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return nil
}

// large reads a large body straight into memory of its own, to offset at.
func (c *conn) large(n, at int) (*buffer, error) {
	if c.w-c.r < n {
		if err := c.publish(); err != nil {
			return nil, err
		}
	}
	n += at
	first := n
	if n > trustedBytes+at {
		first = trustedBytes
	}
	b, fresh := newBuffer(first)
	have := at + copy(b.mem[at:first], c.stream.mem[c.r:c.w])
	c.r += have - at
	c.copied += have - at
	for have < n {
		if have == first {
			all, f := newBuffer(n)
			c.copied += copy(all.mem, b.mem[:first])
			b.free()
			b, first, fresh = all, n, f
		}
		m, err := c.read(b.mem[have:first])
		have += m
		if m == 0 && err != nil {
			b.free()
			return nil, unexpected(err)
		}
	}
	if fresh {
		c.s.stats.allocated.Add(1)
	}
	c.small = true
	return b, nil
}

// add puts a frame behind those of its message, and completes it if it is the
// last.
func (c *conn) add(f []byte, more bool) error {
	sl := c.slab
	sl.frames = append(sl.frames, f)
	if more {
		return nil
	}
	first := len(sl.frames) - c.frames
	total := c.bytes
	c.frames, c.bytes = 0, 0
	whole := sl.frames[first:]
	if keep, err := c.s.arrived(c.peer, whole); !keep || err != nil {
		sl.frames = sl.frames[:first]
		return err
	}
	sl.ends = append(sl.ends, int32(len(sl.frames)))
	sl.bytes += total
	c.bigs = len(sl.big)
	if len(sl.ends) == 1 {
		in := &c.peer.in
		c.roomMsgs = int64(c.s.opt.RecvHighWater) - in.msgs.Load()
		c.roomBytes = c.s.opt.RecvHighWaterBytes - in.bytes.Load()
	}
	if int64(len(sl.ends)) >= c.roomMsgs || sl.bytes >= c.roomBytes || sl.bytes >= slabFull || len(sl.frames) >= maxSlabFrames {
		return c.publish()
	}
	return nil
}

// publish hands on the messages that are complete, and waits for room if there
// is none for more.
func (c *conn) publish() error {
	old := c.slab
	if len(old.ends) == 0 {
		return nil
	}
	c.s.stats.receivedBytes.Add(uint64(old.bytes))
	c.s.stats.copiedBytes.Add(uint64(c.copied))
	c.copied = 0
	c.slab = newSlab()
	if n := c.frames; n > 0 && len(old.frames) > int(old.ends[len(old.ends)-1]) {
		c.carry(old)
	}
	c.bigs = 0
	c.s.in.put(c.peer, old, c.s.opt.Conflate)
	if c.s.opt.Conflate || !c.s.in.stall(c.peer) {
		return nil
	}
	c.wait.Store(true)
	defer c.wait.Store(false)
	select {
	case <-c.peer.in.room:
	case <-c.s.done:
	case <-c.dead:
	}
	c.s.in.unstall(c.peer)
	c.heard.Store(now())
	return nil
}

// carry moves the frames of a message that is not complete to the new slab.
func (c *conn) carry(old *slab) {
	begin := int(old.ends[len(old.ends)-1])
	for _, f := range old.frames[begin:] {
		if len(f) < bigFrame {
			dst := c.slab.place(len(f))
			c.copied += copy(dst, f)
			f = dst
		}
		c.slab.frames = append(c.slab.frames, f)
	}
	c.slab.big = append(c.slab.big, old.big[c.bigs:]...)
	clear(old.big[c.bigs:])
	clear(old.frames[begin:])
	old.big, old.frames = old.big[:c.bigs], old.frames[:begin]
}

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
			if len(c.left) != 1 {
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

// tryLeft writes what the kernel takes at once.
func (c *conn) tryLeft(p *peer) error {
	n, err := c.try(c.left[0])
	c.s.stats.writes.Add(1)
	p.written += int64(n)
	if n == len(c.left[0]) {
		c.left = nil
	} else {
		c.left[0] = c.left[0][n:]
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

// unwritten puts the peer's batch into order after the connection failed. The
// caller has the lock.
func (c *conn) unwritten(p *peer) {
	b := p.out
	msgs, bytes := b.msgs, b.bytes
	if c.wrap == nil {
		b.keepFrom(p.written)
	} else if p.written > 0 {
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
