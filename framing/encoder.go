package framing

import (
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/segment"
)

// EncoderOptions says how messages are written. The zero value is right for a
// stream of the standard format.
type EncoderOptions struct {
	// Format is the format of the stream. Default Binary.
	Format Format
}

// Encoder writes messages to a stream. Small messages are collected and leave
// together, at the latest at Flush; a large one leaves at once, behind those
// before it, from the memory that it was built in, and to a socket with one
// system call (writev).
//
// An Encoder is for one goroutine at a time.
type Encoder struct {
	w      io.Writer
	format Format
	ended  bool // a flat stream has its message
	err    error
	out    batch
	segs   [][]byte
}

// NewEncoder returns an encoder that writes to w. What it gathers is written by
// [Encoder.Flush], without which the last messages never leave. It panics on a
// format that does not exist.
func NewEncoder(w io.Writer, o EncoderOptions) *Encoder {
	o.Format.check()
	return &Encoder{w: w, format: o.Format}
}

// Encode writes one message, or keeps a copy for the next Flush. The message
// stays the caller's and may be changed or released when Encode returns.
//
// A message with a fault gives that fault and leaves the stream as it is, and so
// does one that a flat stream cannot hold ([ErrFlat]). After an error of the
// writer the stream is broken, and every further call gives that error.
func (e *Encoder) Encode(msg *segment.Message) error {
	if e.err != nil {
		return e.err
	}
	segs, err := msg.AppendSegments(e.segs[:0])
	if err != nil {
		return err
	}
	e.segs = segs
	if e.format.flat() {
		if len(segs) != 1 {
			return fmt.Errorf("%w: got %d segments", ErrFlat, len(segs))
		}
		if e.ended {
			return fmt.Errorf("%w: got another message", ErrFlat)
		}
	}
	size := int64(tableBytes(len(segs)) + contentOf(segs))
	if !e.out.empty() && size < joined && e.out.bytes+size > chunkBytes {
		if err := e.Flush(); err != nil {
			return err
		}
	}
	refers, err := e.out.add(segs, e.format)
	if err != nil {
		return err
	}
	e.ended = true
	if refers || e.out.bytes >= chunkBytes {
		return e.Flush()
	}
	return nil
}

// Flush writes what is kept. It does not flush or sync the writer.
func (e *Encoder) Flush() error {
	if e.err != nil || e.out.empty() {
		return e.err
	}
	if err := e.out.writeTo(e.w); err != nil {
		e.err = fmt.Errorf("framing: write: %w", err)
	}
	e.out.reset()
	return e.err
}

// reset makes the encoder ready for another stream.
func (e *Encoder) reset() {
	e.out.reset()
	e.w, e.err, e.ended = nil, nil, false
	clear(e.segs)
}
