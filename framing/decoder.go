package framing

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/fairlead-go/fairlead/internal/buffer"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/internal/packed"
	"github.com/fairlead-go/fairlead/segment"
)

// DecoderOptions says how messages are read. The zero value is right for a
// stream of the standard format.
type DecoderOptions struct {
	// Format is the format of the stream. Default Binary.
	Format Format
	// Limits bound what a message may cost; zero fields mean the defaults. What
	// lies in memory already and is read in place is not held against
	// MessageBytes.
	Limits segment.Limits
	// Verify walks each message once before it is handed out, so that reading it
	// meets no fault and charges no budget. See [segment.Message.Verify].
	Verify bool
}

// Decoder reads messages from a stream. It reads ahead, so that many small
// messages take one read. Each message lies where it arrived; it belongs to the
// caller, who releases it, in any order and at any time. A message that is kept
// for long keeps the memory of its neighbours too, up to 64 KiB of them.
//
// A Decoder is for one goroutine at a time. The messages are not tied to it.
type Decoder struct {
	lim    segment.Limits
	format Format
	verify bool
	exact  bool // never ask the reader for more than the message under way has
	ended  bool // a flat stream was read

	r       io.Reader // nil where all there is lies in src
	readErr error     // what the reader said together with its last bytes
	window  int       // how much to ask the reader for

	// Bytes that arrived, unpacked. buf.Mem[start:end] is not yet handed out;
	// what lies before belongs to messages.
	buf        *buffer.Buffer
	start, end int
	received   int64 // how many there have been in all

	src    []byte          // bytes to be unpacked, or to be read in place
	in     *buffer.Buffer  // where src lies, if it came from r
	unpack packed.Unpacker // where between two words or runs src stands
	taken  int64           // packed bytes that were unpacked
	pieces int             // bytes of the message under way up to the end of its last whole piece

	offset int64
	err    error // after this nothing is read

	segs [][]byte // scratch

	file    *File            // what src is mapped from
	guarded func() error     // next, for file.Guard
	opened  *segment.Message // what guarded gave

	reads, allocated uint64
}

const (
	minWindow = 4 << 10
	maxWindow = 64 << 10

	// A frame larger than this has a buffer of its own, exactly as long.
	sharedFrame = maxWindow / 2

	// unproven is how much may be taken for a claim that no byte stands for.
	unproven = 64 << 10

	// A beginning of this size is copied to a new buffer without regret.
	cheapCopy = 1 << 10
)

// NewDecoder returns a decoder of what r delivers. It panics on a format that
// does not exist.
func NewDecoder(r io.Reader, o DecoderOptions) *Decoder {
	d := newDecoder(o)
	d.r = r
	return d
}

// NewSliceDecoder returns a decoder of b. Messages that are not packed are read
// in place, without a copy: b must stay unchanged until the last of them is
// released, and should start at a multiple of 8, or each segment is copied. It
// panics on a format that does not exist.
func NewSliceDecoder(b []byte, o DecoderOptions) *Decoder {
	d := newDecoder(o)
	d.src = b
	return d
}

func newDecoder(o DecoderOptions) *Decoder {
	o.Format.check()
	return &Decoder{lim: o.Limits.WithDefaults(), format: o.Format, verify: o.Verify, window: minWindow}
}

// Decode returns the next message. The caller releases it. The error is io.EOF
// if the stream ended after the last message, and otherwise an [*Error]. After
// an error the decoder stays failed and gives the same again, with two
// exceptions, after which Decode may be called again: a message that is found
// faulty by Verify is left out, and a read that ran into a deadline
// ([os.ErrDeadlineExceeded]) goes on where it stood.
func (d *Decoder) Decode() (*segment.Message, error) {
	if d.err != nil {
		return nil, d.err
	}
	at := d.offset
	var msg *segment.Message
	var err error
	if d.file == nil {
		msg, err = d.next()
	} else {
		msg, err = d.file.next(d)
	}
	if err != nil {
		return nil, d.failed(err)
	}
	if d.verify {
		if err := d.verified(msg); err != nil {
			msg.Release()
			return nil, &Error{at, err}
		}
	}
	return msg, nil
}

// Messages iterates over the messages from here on. The caller releases each.
// The iteration ends with the stream, or after the first error, which it gives.
func (d *Decoder) Messages() iter.Seq2[*segment.Message, error] { return messages(d.Decode) }

// messages iterates over what next gives, until io.EOF.
func messages(next func() (*segment.Message, error)) iter.Seq2[*segment.Message, error] {
	return func(yield func(*segment.Message, error) bool) {
		for {
			msg, err := next()
			if err == io.EOF {
				return
			}
			if !yield(msg, err) || err != nil {
				return
			}
		}
	}
}

// Offset is how many bytes of the stream the messages returned so far took, up
// to the first byte of the next one. Bytes that were read ahead are not in it.
func (d *Decoder) Offset() int64 { return d.offset }

func (d *Decoder) next() (*segment.Message, error) {
	switch {
	case d.format.flat():
		return d.nextFlat()
	case d.format == Binary && d.r == nil:
		return d.nextInPlace()
	}
	return d.nextFramed()
}

// failed keeps an error that ends the stream, and gives back what is held.
func (d *Decoder) failed(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &Error{d.offset, err}
	}
	err = errorAt(d.offset, err)
	d.err = err
	d.drop()
	return err
}

// drop gives the decoder's memory back. Messages keep theirs.
func (d *Decoder) drop() {
	if d.buf != nil {
		d.buf.Release()
	}
	if d.in != nil {
		d.in.Release()
	}
	d.buf, d.in, d.src = nil, nil, nil
	d.start, d.end = 0, 0
}

func (d *Decoder) verified(msg *segment.Message) error {
	if d.file != nil {
		return d.file.Guard(msg.Verify)
	}
	return msg.Verify()
}

// nextFramed reads a message behind a table, from a reader or packed.
func (d *Decoder) nextFramed() (*segment.Message, error) {
	if err := d.fill(wordBytes); err != nil {
		return nil, err
	}
	n, err := segmentCount(d.buf.Mem[d.start:], d.lim.Segments)
	if err != nil {
		return nil, err
	}
	t := tableBytes(n)
	if err := d.fill(t); err != nil {
		return nil, err
	}
	content, err := contentBytes(d.buf.Mem[d.start:d.start+t], n, d.lim.MessageBytes)
	if err != nil {
		return nil, err
	}
	if err := d.fill(t + content); err != nil {
		return nil, err
	}
	return d.open(t+content, n)
}

// open makes a message of the first bytes in the buffer.
func (d *Decoder) open(frame, segments int) (*segment.Message, error) {
	d.segs = split(d.segs[:0], d.buf.Mem[d.start:d.start+frame], segments)
	msg, err := segment.Open(d.segs, segment.Options{Limits: d.lim, Owner: d.buf, Debug: buffer.Debugging})
	if err != nil {
		return nil, err
	}
	d.start += frame
	d.pieces = 0
	if d.format == Binary {
		d.offset += int64(frame)
	} else {
		d.offset = d.taken
	}
	if d.start == frame && d.end == frame && (frame > sharedFrame || d.exact) {
		// It has the buffer for itself. What is large seldom comes alone: the
		// next read is for the beginning of the next message.
		d.buf, d.start, d.end = nil, 0, 0
		d.window = minWindow
	} else {
		d.buf.Retain()
	}
	return msg, nil
}

// nextInPlace reads a message where it lies in memory.
func (d *Decoder) nextInPlace() (*segment.Message, error) {
	if len(d.src) == 0 {
		return nil, io.EOF
	}
	size, segments, err := frameAt(d.src, d.lim.Segments)
	if err != nil {
		return nil, err
	}
	d.segs = split(d.segs[:0], d.src, segments)
	msg, err := segment.Open(d.segs, d.optionsInPlace())
	if err != nil {
		return nil, err
	}
	d.src = d.src[size:]
	d.offset += int64(size)
	return msg, nil
}

func (d *Decoder) optionsInPlace() segment.Options {
	o := segment.Options{Limits: d.lim, Debug: buffer.Debugging}
	if d.file != nil {
		o.Owner, o.Trust = (*fileHold)(d.file), segment.Shared
	}
	return o
}

// nextFlat reads the one message of a flat stream.
func (d *Decoder) nextFlat() (*segment.Message, error) {
	if d.ended {
		return nil, io.EOF
	}
	if d.format == Flat && d.r == nil {
		return d.openFlat()
	}
	// One word more than the limit lets a longer message be told.
	limit := min(d.lim.MessageBytes, maxFrame)
	most := int(limit)&^(wordBytes-1) + wordBytes
	for {
		if d.end == most {
			return nil, overMessage(uint64(d.end), limit)
		}
		if d.buf == nil || d.end == len(d.buf.Mem) {
			d.relocate(min(max(d.window, 2*d.end, d.end+d.known()), most))
		}
		err := d.more(min(most, len(d.buf.Mem)))
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case !d.unpack.AtBoundary() || d.end%wordBytes != 0:
		return nil, io.ErrUnexpectedEOF
	case d.end == 0 && d.taken == 0:
		return nil, io.EOF
	}
	d.segs = append(d.segs[:0], d.buf.Mem[:d.end:d.end])
	msg, err := segment.Open(d.segs, segment.Options{Limits: d.lim, Owner: d.buf, Debug: buffer.Debugging})
	if err != nil {
		return nil, err
	}
	d.ended = true
	d.offset = d.taken
	if d.format == Flat {
		d.offset = int64(d.end)
	}
	d.buf, d.start, d.end = nil, 0, 0
	return msg, nil
}

func (d *Decoder) openFlat() (*segment.Message, error) {
	switch n := len(d.src); {
	case n == 0:
		return nil, io.EOF
	case n%wordBytes != 0:
		return nil, io.ErrUnexpectedEOF
	}
	d.segs = append(d.segs[:0], d.src[:len(d.src):len(d.src)])
	msg, err := segment.Open(d.segs, d.optionsInPlace())
	if err != nil {
		return nil, err
	}
	d.ended = true
	d.offset = int64(len(d.src))
	d.src = nil
	return msg, nil
}

// known is how many bytes stand for a claim, because they are in memory. Packed
// ones count as they are: what they unpack to is known when it has come.
func (d *Decoder) known() int {
	n := len(d.src)
	if l, ok := d.r.(interface{ Len() int }); ok {
		n += max(l.Len(), 0)
	}
	return min(n, maxFrame)
}

// guardedErr turns a fault of mapped memory into an error of this package.
func guardedErr(err error) error {
	if errors.Is(err, mem.ErrFault) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
