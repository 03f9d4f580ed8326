package zmq

import (
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

const (
	// streamBytes is how much is read at once. An idle connection has less.
	streamBytes     = 64 << 10
	idleStreamBytes = 4 << 10
	// A body is given memory as large as it claims to be up to trustedBytes; a
	// larger one has to deliver so much first.
	trustedBytes = 1 << 20
	// littleAhead is how much is read at most of what stands before a large body.
	littleAhead = 256
)

// A reader is the reading part of a connection: what was read and is not taken
// apart yet, and what was and is not handed on. It is left in such a state that
// anybody can go on, so that it can change hands. See role.
type reader struct {
	stream *buffer.Buffer // what was read ahead: Mem[r:w]
	r, w   int
	need   int  // bytes of the stream without which there is nothing to do
	small  bool // read ahead little, because large frames come
	since  int  // bytes of the stream behind the last large body
	ahead  int  // how many there were before that, since the one before
	bulk   bool // the last read found so much that there is more to come

	body *buffer.Buffer // a large body that is not complete, Mem[begin:have]
	size int            // of the body
	have int
	to   int // how far Mem may be filled
	more bool

	slab   *slab
	full   bool // the slab is to be handed on
	copied int  // bytes, not counted yet
	// How many messages and bytes the slab may have until the queue is full.
	roomMsgs, roomBytes int64

	frames int   // of the message that is not complete
	bytes  int64 // of it
	bigs   int   // of the slab's large frames those that belong to whole messages
}

// unread is what was read and not taken apart.
func (c *reader) unread() []byte {
	if c.stream == nil {
		return nil
	}
	return c.stream.Mem[c.r:c.w]
}

// parse takes apart what was read, until there is no whole frame left or the
// slab is full.
func (c *conn) parse() error {
	limit := uint64(c.s.opt.MaxMessageBytes)
	if c.wrap != nil && limit < 1<<62 {
		limit += payloadAt
	}
	for !c.full {
		if c.body != nil {
			if c.have < c.begin()+c.size {
				return nil
			}
			if err := c.complete(); err != nil {
				return err
			}
			continue
		}
		b := c.unread()
		h, n, err := zmtp.ParseHeader(b, limit)
		if err != nil {
			return err
		}
		if n == 0 {
			c.need = zmtp.MaxHeader
			return nil
		}
		if h.Command && c.wrap == nil && h.Size > maxCommand {
			return fmt.Errorf("%w: command of %d bytes, at most %d", ErrTooLarge, h.Size, maxCommand)
		}
		if h.Size >= bigFrame {
			c.r += n
			c.since += n
			if err := c.expect(h); err != nil {
				return err
			}
			continue
		}
		whole := n + int(h.Size)
		if len(b) < whole {
			c.need = whole
			return nil
		}
		c.r += whole
		c.since += whole
		if err := c.frame(h, b[n:whole:whole]); err != nil {
			return err
		}
	}
	return nil
}

// frame takes a small frame.
func (c *conn) frame(h zmtp.FrameHeader, body []byte) error {
	if c.wrap != nil {
		var err error
		if h.More, h.Command, body, err = c.wrap.Unwrap(body); err != nil {
			return err
		}
	}
	if h.Command {
		return c.command(body)
	}
	if err := c.admit(len(body)); err != nil {
		return err
	}
	dst := c.slab.place(len(body))
	c.copied += copy(dst, body)
	return c.add(dst, h.More)
}

// admit checks a frame of n bytes against the limits of a message.
func (c *conn) admit(n int) error {
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

// begin is where in its memory a large body begins: so that what is in it, if it
// is encrypted, begins at a multiple of 8.
func (c *conn) begin() int {
	if c.wrap != nil {
		return wrappedStart
	}
	return 0
}

// expect begins a large body, which is read straight into memory of its own.
func (c *conn) expect(h zmtp.FrameHeader) error {
	if c.wrap == nil {
		if err := c.admit(int(h.Size)); err != nil {
			return err
		}
	}
	at := c.begin()
	c.size, c.more = int(h.Size), h.More
	c.to = at + min(c.size, trustedBytes)
	b, fresh := buffers.Get(c.to)
	if fresh {
		c.s.stats.allocated.Add(1)
	}
	n := copy(b.Mem[at:c.to], c.unread())
	c.r += n
	c.copied += n
	c.body, c.have = b, at+n
	if c.ahead = c.since; c.ahead > littleAhead {
		c.ahead = 0 // which tells nothing
	}
	c.since = 0
	c.small = true
	return nil
}

// complete takes a large body that is complete.
func (c *conn) complete() error {
	b := c.body
	c.body = nil
	f := b.Mem[c.begin() : c.begin()+c.size : c.begin()+c.size]
	if c.wrap != nil {
		return c.unwrapLarge(b, f)
	}
	c.slab.big = append(c.slab.big, b)
	return c.add(f, c.more)
}

// fetch reads once: a part of the large body, or what comes next.
func (c *conn) fetch() (err error) {
	if c.body != nil {
		err = c.fetchBody()
	} else {
		err = c.fetchStream(c.need)
	}
	if err == io.EOF && (c.body != nil || c.frames > 0 || c.w > c.r) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (c *conn) fetchBody() error {
	end := c.begin() + c.size
	if c.have == c.to { // so much that the rest is trusted to come
		all, fresh := buffers.Get(end)
		if fresh {
			c.s.stats.allocated.Add(1)
		}
		c.copied += copy(all.Mem, c.body.Mem[:c.have])
		c.body.Release()
		c.body, c.to = all, end
	}
	c.bulk = false
	n, err := c.read(c.body.Mem[c.have:c.to])
	c.have += n
	if n > 0 {
		return nil
	}
	return err
}

// fetchStream reads more into the stream, of which at least need bytes are wanted
// in all.
func (c *conn) fetchStream(need int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	switch {
	case c.stream == nil:
		c.stream, _ = buffers.Get(max(need, idleStreamBytes))
	case c.r+need > len(c.stream.Mem) || c.w == len(c.stream.Mem):
		// There is more to come than fits: make room, and more of it.
		b, _ := buffers.Get(max(need, streamBytes))
		c.w = copy(b.Mem, c.stream.Mem[c.r:c.w])
		c.r = 0
		c.stream.Release()
		c.stream = b
	}
	end := len(c.stream.Mem)
	if c.small && need <= zmtp.MaxHeader {
		// Up to the next large body, if messages go on as they did.
		end = min(end, c.r+max(c.ahead-c.since, need))
	}
	n, err := c.read(c.stream.Mem[c.w:end])
	c.w += n
	c.bulk = n >= streamBytes/2
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
	if c.s.traits.filter || !c.s.traits.recv {
		if keep, err := c.s.arrived(c.peer, sl.frames[first:]); !keep || err != nil {
			sl.frames = sl.frames[:first]
			sl.rewind()
			c.full = c.s.typ == XPub && c.peer.recvFull(1)
			return err
		}
	}
	sl.ends = append(sl.ends, int32(len(sl.frames)))
	sl.bytes += total
	c.small = len(sl.big) > c.bigs
	c.bigs = len(sl.big)
	if len(sl.ends) == 1 {
		in := &c.peer.in
		c.roomMsgs = int64(c.s.opt.RecvHighWater) - in.msgs.Load()
		c.roomBytes = c.s.opt.RecvHighWaterBytes - in.bytes.Load()
	}
	c.full = int64(len(sl.ends)) >= c.roomMsgs || sl.bytes >= c.roomBytes || sl.bytes >= slabFull || len(sl.frames) >= maxSlabFrames
	return nil
}

// publish hands on the messages that are complete. It tells whether there were
// any, and whether somebody was waiting for them. read is as in [inbound.put].
func (c *conn) publish(read bool) (any, awaited bool) {
	c.full = false
	old := c.slab
	if len(old.ends) == 0 {
		return false, false
	}
	c.s.stats.receivedBytes.Add(uint64(old.bytes))
	c.s.stats.copiedBytes.Add(uint64(c.copied))
	c.copied = 0
	old.lead[0], old.link = c.peer.id, c.peer.links
	c.slab = newSlab()
	if n := c.frames; n > 0 && len(old.frames) > int(old.ends[len(old.ends)-1]) {
		c.carry(old)
	}
	c.bigs = 0
	over, awaited := c.s.in.put(c.peer, old, c.s.opt.Conflate, read)
	releaseAll(over)
	return true, awaited
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

// awaitRoom waits until the queue has room.
func (c *conn) awaitRoom() {
	if c.s.opt.Conflate || !c.s.in.stall(c.peer) {
		return
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
}
