package zmq

import (
	"fmt"

	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// payloadAt is where in the body of an encrypted frame the payload is. A large
// body is read to as many bytes before a multiple of 8.
const (
	payloadAt    = 33
	wrappedStart = (8 - payloadAt%8) % 8
)

// runWrapped is run for a connection that is encrypted.
func (c *conn) runWrapped() error {
	limit := uint64(c.s.opt.MaxMessageBytes)
	if limit < 1<<62 {
		limit += payloadAt
	}
	for {
		h, err := c.next(limit)
		if err != nil {
			return err
		}
		if h.Size < bigFrame {
			err = c.wrappedSmall(int(h.Size))
		} else {
			err = c.wrappedLarge(int(h.Size))
		}
		if err != nil {
			return err
		}
	}
}

func (c *conn) wrappedSmall(n int) error {
	b, err := c.body(n)
	if err != nil {
		return err
	}
	more, command, payload, err := c.wrap.Unwrap(b)
	if err != nil {
		return err
	}
	if command {
		return c.command(payload)
	}
	if err := c.admit(uint64(len(payload))); err != nil {
		return err
	}
	dst := c.slab.place(len(payload))
	c.copied += copy(dst, payload)
	return c.add(dst, more)
}

func (c *conn) wrappedLarge(n int) error {
	b, err := c.large(n, wrappedStart)
	if err != nil {
		return err
	}
	more, command, payload, err := c.wrap.Unwrap(b.mem[wrappedStart : wrappedStart+n])
	if err != nil || command {
		b.free()
		if err == nil {
			err = fmt.Errorf("%w: command of %d bytes, at most %d", ErrTooLarge, n, maxCommand)
		}
		return err
	}
	if err := c.admit(uint64(len(payload))); err != nil {
		b.free()
		return err
	}
	if len(payload) < bigFrame {
		dst := c.slab.place(len(payload))
		c.copied += copy(dst, payload)
		b.free()
		return c.add(dst, more)
	}
	c.slab.big = append(c.slab.big, b)
	return c.add(payload[:len(payload):len(payload)], more)
}

// cipherBytes is how much is encrypted at once, or one frame.
const cipherBytes = 128 << 10

// encrypt encrypts the next frames of the batch, and tells whether there were
// any.
func (c *conn) encrypt(b *batch) (bool, error) {
	if c.walk.vec == nil {
		c.walk = frameWalk{vec: b.vec}
	}
	var out []byte
	for {
		before := c.walk
		h, body, ok := c.walk.next()
		if !ok {
			break
		}
		n := zmtp.WrapOverhead(len(body)) + len(body)
		if out == nil {
			c.room(max(n, min(cipherBytes, int(b.bytes)+4096)))
			out = c.cipher.mem[:0]
		} else if len(out)+n > cap(out) {
			c.walk = before
			break
		}
		var err error
		if out, err = c.wrap.Wrap(out, h.More, h.Command, body); err != nil {
			return false, err
		}
	}
	if out == nil {
		c.walk = frameWalk{}
		return false, nil
	}
	c.vec = append(c.vec[:0], out)
	c.left = c.vec
	return true, nil
}

// room makes room for n encrypted bytes.
func (c *conn) room(n int) {
	if c.cipher != nil && len(c.cipher.mem) >= n {
		return
	}
	if c.cipher != nil {
		c.cipher.free()
	}
	c.cipher, _ = newBuffer(n)
}
