package zmq

import (
	"fmt"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/zmq/internal/zmtp"
)

// payloadAt is where in the body of an encrypted frame the payload is. A large
// body is read to as many bytes before a multiple of 8.
const (
	payloadAt    = 33
	wrappedStart = (8 - payloadAt%8) % 8
)

// unwrapLarge takes an encrypted large frame, of which b is the memory.
func (c *conn) unwrapLarge(b *buffer.Buffer, f []byte) error {
	more, command, payload, err := c.wrap.Unwrap(f)
	if err == nil && command {
		err = fmt.Errorf("%w: command of %d bytes, at most %d", ErrTooLarge, len(payload), maxCommand)
	}
	if err == nil {
		err = c.admit(len(payload))
	}
	if err != nil {
		b.Release()
		return err
	}
	if len(payload) < bigFrame {
		dst := c.slab.place(len(payload))
		c.copied += copy(dst, payload)
		b.Release()
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
			out = c.cipher.Mem[:0]
		} else if len(out)+n > cap(out) {
			c.walk = before
			break
		}
		wrap := func() (err error) {
			out, err = c.wrap.Wrap(out, h.More, h.Command, body)
			return err
		}
		var err error
		if b.mapped {
			err = mem.Guard(body, wrap)
		} else {
			err = wrap()
		}
		if err != nil {
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
	if c.cipher != nil && len(c.cipher.Mem) >= n {
		return
	}
	if c.cipher != nil {
		c.cipher.Release()
	}
	c.cipher, _ = buffers.Get(n)
}
