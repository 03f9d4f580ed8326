package framing

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/internal/packed"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	encoders = sync.Pool{New: func() any { return NewEncoder(nil, EncoderOptions{}) }}
	decoders = sync.Pool{New: func() any {
		d := newDecoder(DecoderOptions{})
		d.exact = true
		return d
	}}
)

// Write writes one message in the standard format. The message stays the
// caller's. If it has a fault, that is the error and nothing is written. Many
// messages are written faster by an [Encoder].
func Write(w io.Writer, msg *segment.Message) error {
	e := encoders.Get().(*Encoder)
	e.w = w
	err := e.Encode(msg)
	if err == nil {
		err = e.Flush()
	}
	e.reset()
	encoders.Put(e)
	return err
}

// Read reads one message in the standard format, with the default limits. It
// never takes more from r than that message has; many messages are read faster
// by a [Decoder]. The caller releases the message. The error is io.EOF if r is
// at its end, and otherwise an [*Error].
func Read(r io.Reader) (*segment.Message, error) {
	d := decoders.Get().(*Decoder)
	d.r = r
	msg, err := d.Decode()
	d.drop()
	*d = Decoder{lim: d.lim, exact: true, window: minWindow, segs: d.segs}
	clear(d.segs[:cap(d.segs)])
	decoders.Put(d)
	return msg, err
}

// Marshal returns a message in the standard format. See [Append].
func Marshal(msg *segment.Message) ([]byte, error) { return Append(nil, msg, Binary) }

// Append appends a message to dst and returns the extended slice, without
// allocating where dst has room. The message stays the caller's. If it has a
// fault, or if the format is flat and it has several segments, dst is returned
// as it was. It panics on a format that does not exist.
func Append(dst []byte, msg *segment.Message, f Format) ([]byte, error) {
	if f == Binary && msg.Segments() == 1 && msg.OwnsMemory() {
		// As most messages are: built, and not larger than expected.
		if err := msg.Err(); err != nil {
			return dst, err
		}
		return appendOne(dst, msg.Segment(0)), nil
	}
	return appendAny(dst, msg, f)
}

// appendOne appends a message of one segment.
func appendOne(dst, s []byte) []byte {
	was := len(dst)
	dst = slices.Grow(dst, wordBytes+len(s))[:was+wordBytes+len(s)]
	binary.LittleEndian.PutUint64(dst[was:], uint64(len(s)/wordBytes)<<32)
	copy(dst[was+wordBytes:], s)
	return dst
}

func appendAny(dst []byte, msg *segment.Message, f Format) ([]byte, error) {
	f.check()
	var few [8][]byte
	segs, err := msg.AppendSegments(few[:0])
	if err != nil {
		return dst, err
	}
	if f.flat() && len(segs) != 1 {
		return dst, fmt.Errorf("%w: got %d segments", ErrFlat, len(segs))
	}
	was := len(dst)
	if !f.flat() {
		t := tableBytes(len(segs))
		if f == Binary {
			dst = slices.Grow(dst, t+contentOf(segs))
			putTable(dst[was:was+t], segs)
			dst = dst[:was+t]
		} else {
			dst = appendPackedTable(dst, segs)
		}
	}
	if msg.OwnsMemory() {
		return appendSegments(dst, segs, f), nil
	}
	for _, s := range segs {
		if err := guardSegment(s, func() error {
			dst = appendSegments(dst, [][]byte{s}, f)
			return nil
		}); err != nil {
			return dst[:was], err
		}
	}
	return dst, nil
}

func appendSegments(dst []byte, segs [][]byte, f Format) []byte {
	for _, s := range segs {
		if f.packed() {
			dst = packed.Append(dst, s)
		} else {
			dst = append(dst, s...)
		}
	}
	return dst
}

func contentOf(segs [][]byte) int {
	n := 0
	for _, s := range segs {
		n += len(s)
	}
	return n
}

func appendPackedTable(dst []byte, segs [][]byte) []byte {
	var few [8 * wordBytes]byte
	var table []byte
	if t := tableBytes(len(segs)); t <= len(few) {
		table = few[:t]
	} else {
		table = make([]byte, t)
	}
	putTable(table, segs)
	return packed.Append(dst, table)
}

// guardSegment runs f, which reads a segment of a message that is sent. Any may
// lie in a mapped file, which someone can shorten: external data, and each
// segment of a message that was read from such a file.
func guardSegment(s []byte, f func() error) error {
	return guardedErr(mem.Guard(s, f))
}

// Unmarshal reads the first message of b, in the standard format and with the
// default limits, where it lies: b must stay unchanged until the message is
// released, and should start at a multiple of 8, or each segment is copied. It
// returns what follows the message. The caller releases the message. The error
// is io.EOF if b is empty, and otherwise an [*Error]. Other formats and limits
// are for [NewSliceDecoder].
func Unmarshal(b []byte) (msg *segment.Message, rest []byte, err error) {
	if s, ok := soleSegment(b); ok {
		if msg, err = segment.FromSegments([][]byte{s}); err != nil {
			return nil, b, &Error{0, err}
		}
		return msg, b[wordBytes+len(s):], nil
	}
	var few [8][]byte
	segs, size, err := segmentsOf(few[:0], b, segment.DefaultSegments)
	if err == nil {
		msg, err = segment.FromSegments(segs)
	}
	if err != nil {
		return nil, b, errorAt(0, err)
	}
	return msg, b[size:], nil
}

// Reopen is [Unmarshal] into a message that was read before, which keeps its
// limits: see [segment.Message.Reopen]. It takes the least time where messages
// that lie in memory are read one after the other. On an error msg is empty; it
// stays the caller's.
func Reopen(msg *segment.Message, b []byte) (rest []byte, err error) {
	if s, ok := soleSegment(b); ok {
		if err := msg.Reopen([][]byte{s}); err != nil {
			return b, &Error{0, err}
		}
		return b[wordBytes+len(s):], nil
	}
	var few [8][]byte
	segs, size, err := segmentsOf(few[:0], b, msg.Limits().Segments)
	if opened := msg.Reopen(segs); err == nil {
		err = opened
	}
	if err != nil {
		return b, errorAt(0, err)
	}
	return b[size:], nil
}

// soleSegment gives the segment of the first message of b if it has only one, as
// most have.
func soleSegment(b []byte) ([]byte, bool) {
	table := firstWord(b)
	if uint32(table) != 0 || table>>32 > uint64(len(b)-wordBytes)/wordBytes {
		return nil, false
	}
	size := wordBytes + int(table>>32)*wordBytes
	return b[wordBytes:size:size], true
}

// segmentsOf appends the segments of the first message of b to segs, where they
// lie, and tells how long the message is.
func segmentsOf(segs [][]byte, b []byte, most int) (_ [][]byte, size int, err error) {
	if len(b) == 0 {
		return nil, 0, io.EOF
	}
	size, n, err := frameAt(b, most)
	if err != nil {
		return nil, 0, err
	}
	return split(segs, b, n), size, nil
}
