// Package inspect prints what a message consists of without knowing its schema:
// segments, pointers, objects, their places and sizes, and every fault on the
// way.
//
// The readers of package segment stop at the first fault and hide where things
// lie, as they should. This package follows the pointers itself, goes on after a
// fault, and names the byte of each; the verdict at the end of a message is that
// of package segment.
package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/fairlead-go/fairlead/segment"
)

// Format is how messages lie in a file.
type Format uint8

// The formats.
const (
	Auto       Format = iota // found out from the bytes
	Framed                   // segment table and segments, any number of messages
	Packed                   // the same, packed
	Flat                     // one segment without a table
	FlatPacked               // the same, packed
)

var formatNames = [...]string{"auto", "framed", "packed", "flat", "flat packed"}

func (f Format) String() string { return formatNames[f] }

func (f Format) packed() bool { return f == Packed || f == FlatPacked }
func (f Format) flat() bool   { return f == Flat || f == FlatPacked }

// Options says what to print. Zero fields mean their defaults.
type Options struct {
	Format Format
	// Depth is how deep the tree is printed. Default 64.
	Depth int
	// Pointers is how many pointers are printed of one message. Default 1,000.
	Pointers int
	// Elements is how many elements are printed of each list. Default 8.
	Elements int
	// Messages is how many messages are printed. Default 100.
	Messages int
	// MessageBytes is the largest message that is unpacked. Default 256 MiB.
	MessageBytes int64
	// InputBytes is the longest input that is read. Default 256 MiB.
	InputBytes int64
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Depth, 64)
	def(&o.Pointers, 1000)
	def(&o.Elements, 8)
	def(&o.Messages, 100)
	if o.MessageBytes <= 0 {
		o.MessageBytes = 256 << 20
	}
	if o.InputBytes <= 0 {
		o.InputBytes = 256 << 20
	}
	o.MessageBytes = min(o.MessageBytes, math.MaxInt/2)
	o.InputBytes = min(o.InputBytes, math.MaxInt/2)
	return o
}

// ErrFaults is matched by the error of an input that was printed and in which
// something was wrong.
var ErrFaults = errors.New("inspect: faults found")

// Run prints the messages that in holds to out. It prints what it can of
// malformed input, each fault with its place, and then returns an error that
// matches [ErrFaults].
func Run(in io.Reader, out io.Writer, o Options) error {
	o = o.withDefaults()
	data, err := readAll(in, o.InputBytes)
	if err != nil {
		return err
	}
	p := &printer{out: out, opts: o}
	format := o.Format
	if format == Auto {
		format = detect(data, o)
	}
	p.linef(0, "%d bytes, %s", len(data), format)
	s := &stream{data: data, format: format, maxBytes: o.MessageBytes}
	n := 0
	for ; n < o.Messages; n++ {
		m, err := s.next()
		if err == io.EOF {
			break
		}
		if m != nil {
			p.message(n, m)
		}
		if err != nil {
			p.fault(0, "%v", err)
			break
		}
	}
	if n == o.Messages && s.pos < len(data) {
		p.linef(0, "… stopped after %d messages, at byte %d", n, s.pos)
	}
	if n == 0 && p.faults == 0 {
		p.linef(0, "no message")
	}
	switch {
	case p.err != nil:
		return fmt.Errorf("inspect: %w", p.err)
	case p.faults > 0:
		return fmt.Errorf("%w: %d", ErrFaults, p.faults)
	}
	return nil
}

// readAll reads at most limit bytes. A regular file tells its size beforehand: it
// is refused without being read, or read without growing a buffer.
func readAll(in io.Reader, limit int64) ([]byte, error) {
	var buf bytes.Buffer
	if f, ok := in.(interface{ Stat() (fs.FileInfo, error) }); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			if info.Size() > limit {
				return nil, fmt.Errorf("inspect: %d bytes of input, more than the limit of %d", info.Size(), limit)
			}
			buf.Grow(int(info.Size()) + bytes.MinRead)
		}
	}
	if _, err := buf.ReadFrom(io.LimitReader(in, limit+1)); err != nil {
		return nil, fmt.Errorf("inspect: %w", err)
	}
	if int64(buf.Len()) > limit {
		return nil, fmt.Errorf("inspect: input of more than the limit of %d bytes", limit)
	}
	return buf.Bytes(), nil
}

// detect finds the format that explains the bytes best. Any bytes explain
// themselves as something, so the order is that of how much a match proves:
// tables that add up to the last byte, then a whole message that is sound, then
// a first message that makes sense as far as it goes. A flat struct without
// pointers looks exactly like a framed message, and a frame is what it is taken
// for.
func detect(data []byte, o Options) Format {
	scan := func(f Format, ok func(m *message, err error) bool) bool {
		s := &stream{data: data, format: f, maxBytes: o.MessageBytes}
		for range o.Messages {
			m, err := s.next()
			if err == io.EOF {
				return true
			}
			if !ok(m, err) {
				return false
			}
		}
		return true
	}
	whole := func(_ *message, err error) bool { return err == nil }
	likely := func(m *message, err error) bool { return err == nil && m.plausible() }
	sound := func(m *message, err error) bool { return likely(m, err) && m.load(0, 0) != 0 && verdict(m) == nil }
	full := func(m *message, err error) bool { return sound(m, err) && m.rootFills() }
	begins := func(f Format) bool {
		s := &stream{data: data, format: f, maxBytes: o.MessageBytes}
		m, _ := s.next()
		return m != nil && m.plausible()
	}
	switch {
	case scan(Framed, whole):
		return Framed
	case scan(Packed, likely):
		return Packed
	case scan(Flat, full):
		return Flat
	case begins(Framed):
		return Framed
	case scan(Flat, sound):
		return Flat
	case begins(Packed):
		return Packed
	case scan(FlatPacked, sound):
		return FlatPacked
	}
	return Framed
}

// verdict is what package segment says of a message, whose budget for reading is
// at least the message's own size.
func verdict(m *message) error {
	lim := segment.Limits{TraversalWords: max(segment.DefaultTraversalWords, int64(m.words()))}
	msg, err := segment.Open(m.segs, segment.Options{Limits: lim})
	if err != nil {
		return err
	}
	defer msg.Release()
	return msg.Verify()
}
