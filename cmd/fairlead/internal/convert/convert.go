// Package convert turns streams of messages from one format into another.
//
// It holds one message in memory at a time, and before it waits for input, all
// that the input so far says is written: in a pipeline each message leaves when
// it has arrived.
package convert

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// Codec turns structs of one type into text and back.
type Codec struct {
	// Append appends the text of s, without a newline behind it.
	Append func(dst []byte, s segment.Struct) ([]byte, error)
	// Parse makes a message, which the caller releases, of what one value in text
	// says.
	Parse func(text []byte) (*segment.Message, error)
}

// Options say what to convert.
type Options struct {
	From, To Format
	// FromCodec and ToCodec are those of the formats that need a type.
	FromCodec, ToCodec Codec
	// SegmentWords is the size of the segments that are written; 0 for as few as
	// sensible.
	SegmentWords int
	// Quiet skips the look at the first bytes for input in another format.
	Quiet bool
	// Warn, if not nil, is told that the input looks as if it were in another
	// format. Where it can't be in the one that it should be, that is an error.
	Warn func(string)
}

// Error says where in the input the message begins that could not be
// converted. What was before it is written, and nothing of it.
type Error struct {
	Offset  int64
	Message int // counted from 1
	Err     error
}

func (e *Error) Error() string {
	return fmt.Sprintf("convert: message %d, at byte %d of the input: %v", e.Message, e.Offset, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// The limits of what one message may cost.
const (
	// maxMessageBytes bounds a message. Its memory is taken as its bytes come in.
	maxMessageBytes = 1 << 30
	// A message may be read readTimes over, and spareWords beyond, so that one
	// whose pointers lead to the same object again and again has an end.
	readTimes  = 4
	spareWords = 8 << 20
	// maxDepth is deeper than schemas go, for a tool that shows what there is.
	maxDepth = 1 << 10
)

// source reads messages: each is the caller's. It ends with io.EOF, and tells
// where in the input each message begins.
type source interface {
	next() (msg *segment.Message, at int64, err error)
}

// An appender appends a message to dst in some format, and leaves it to the
// caller. Faults that stay with the message are for the caller to find.
type appender func(dst []byte, msg *segment.Message) ([]byte, error)

// Run converts all messages of r and writes them to w. It ends with the input,
// or with the first message that can't be converted, whose error is an *Error.
func Run(w io.Writer, r io.Reader, o Options) (err error) {
	out := bufio.NewWriterSize(w, 64<<10)
	in := bufio.NewReaderSize(&prompt{r, out}, 64<<10)
	defer func() {
		// It tells of earlier writes that failed too, which is then the cause of
		// whatever else did.
		if flushErr := out.Flush(); flushErr != nil {
			err = flushErr
		}
	}()
	if !o.Quiet {
		if err := o.look(in); err != nil {
			return err
		}
	}
	from, to := newSource(in, o), newAppender(o)
	var buf []byte
	for n := 1; ; n++ {
		msg, at, err := from.next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			buf, err = to(buf[:0], msg)
			if err == nil {
				err = msg.Err()
			}
			msg.Release()
		}
		if err != nil {
			return located(at, n, err)
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
}

// RunBytes is Run on bytes in memory.
func RunBytes(w io.Writer, b []byte, o Options) error { return Run(w, bytes.NewReader(b), o) }

// look checks what the input begins with.
func (o *Options) look(in *bufio.Reader) error {
	if _, err := in.Peek(1); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return err
	}
	prefix, err := in.Peek(in.Buffered()) // more may be long in coming
	if err != nil {
		return err
	}
	warning, err := plausible(o.From, prefix)
	if warning != "" && o.Warn != nil {
		o.Warn(warning)
	}
	return err
}

// prompt reads from r. What is in out is written first, for r may be long in
// coming.
type prompt struct {
	r   io.Reader
	out *bufio.Writer
}

func (p *prompt) Read(b []byte) (int, error) {
	if err := p.out.Flush(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

func newSource(in *bufio.Reader, o Options) source {
	switch o.From {
	case Text:
		return newTextSource(in, o.FromCodec)
	case JSON:
		return newJSONSource(in, o.FromCodec)
	}
	return &binarySource{
		d: framing.NewDecoder(in, framing.DecoderOptions{
			Format: o.From.framing(), Limits: segment.Limits{MessageBytes: maxMessageBytes},
		}),
		canonical: o.From == Canonical,
	}
}

type binarySource struct {
	d         *framing.Decoder
	canonical bool
}

var errNotCanonical = errors.New("the message is not canonical")

func (s *binarySource) next() (*segment.Message, int64, error) {
	at := s.d.Offset()
	msg, err := s.d.Decode()
	if err != nil {
		return nil, at, err
	}
	msg.ResetLimits(ReaderLimits(msg.SizeBytes()))
	if s.canonical {
		ok, err := msg.IsCanonical()
		if err == nil && !ok {
			err = errNotCanonical
		}
		if err != nil {
			msg.Release()
			return nil, at, err
		}
	}
	return msg, at, nil
}

func newAppender(o Options) appender {
	switch o.To {
	case Text, JSON:
		return func(dst []byte, msg *segment.Message) ([]byte, error) {
			dst, err := o.ToCodec.Append(dst, msg.Root().Struct())
			return append(dst, '\n'), err
		}
	case Canonical:
		return func(dst []byte, msg *segment.Message) ([]byte, error) {
			if s := msg.Root().Struct(); s.Message() == nil {
				return append(dst, emptyRoot...), msg.Err() // null, or no struct
			}
			b, err := msg.Canonical()
			return append(dst, b...), err
		}
	}
	c := copier{words: o.SegmentWords, flat: o.To == Flat || o.To == FlatPacked}
	return func(dst []byte, msg *segment.Message) ([]byte, error) {
		segs, err := c.copy(msg.Root().Struct())
		if err == nil {
			err = msg.Err()
		}
		if err != nil {
			return dst, err
		}
		// More segments than one reads by default are what was asked for.
		dup, err := segment.Open(segs, segment.Options{Limits: segment.Limits{Segments: len(segs)}})
		if err != nil {
			return dst, err
		}
		defer dup.Release()
		return framing.Append(dst, dup, o.To.framing())
	}
}
