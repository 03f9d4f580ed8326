package convert

import (
	"errors"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/schema/compile/syntax"
	"github.com/fairlead-go/fairlead/segment"
)

// splitter cuts a stream of text into the values in it.
type splitter interface {
	// Next gives the next value, valid until the following call, or io.EOF.
	Next() ([]byte, error)
	// Offset is where in the stream the latest value starts.
	Offset() int64
}

// textSource reads messages from text.
type textSource struct {
	values splitter
	codec  Codec
}

func newTextSource(r io.Reader, c Codec) *textSource {
	return &textSource{syntax.NewValueReader(r), c}
}

func newJSONSource(r io.Reader, c Codec) *textSource { return &textSource{&jsonValues{r: r}, c} }

func (s *textSource) next() (*segment.Message, int64, error) {
	text, err := s.values.Next()
	at := s.values.Offset()
	if err != nil {
		return nil, at, err
	}
	msg, err := s.codec.Parse(text)
	return msg, at, err
}

// maxJSON is the size of the JSON of one message, in bytes.
const maxJSON = 256 << 20

// jsonValues splits a stream of JSON values, which may have white space between
// them. It tells values apart and leaves their errors to whoever reads them.
type jsonValues struct {
	r     io.Reader
	err   error // what r said last
	buf   []byte
	start int   // of the latest value, in buf
	end   int   // behind it
	base  int64 // where in the stream buf begins
}

// Offset gives where the latest value starts.
func (v *jsonValues) Offset() int64 { return v.base + int64(v.start) }

// Next gives the next value.
func (v *jsonValues) Next() ([]byte, error) {
	v.start = v.end
	depth, quoted, escaped := 0, false, false
	for pos := v.start; ; pos++ {
		if pos == len(v.buf) {
			if pos -= v.fill(); pos == len(v.buf) {
				switch {
				case !errors.Is(v.err, io.EOF):
					return nil, v.err
				case pos == v.start:
					return nil, io.EOF
				case depth > 0 || quoted:
					return nil, fmt.Errorf("the JSON value is not closed: %w", io.ErrUnexpectedEOF)
				}
				return v.value(pos)
			}
		}
		if pos-v.start >= maxJSON {
			return nil, fmt.Errorf("the JSON value is longer than the limit of %d bytes", maxJSON)
		}
		c := v.buf[pos]
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped = c == '\\'
			quoted = c != '"'
			if c == '"' && depth == 0 {
				return v.value(pos + 1)
			}
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth == 0 && pos > v.start {
				return v.value(pos) // of something that needs no bracket
			}
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return v.value(pos + 1)
			}
		case depth == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			if pos > v.start {
				return v.value(pos)
			}
			v.start++
		}
	}
}

func (v *jsonValues) value(end int) ([]byte, error) {
	v.end = end
	return v.buf[v.start:end], nil
}

// fill reads more into buf. What lies before the value at hand makes room for
// it; fill gives how far everything moved down.
func (v *jsonValues) fill() int {
	if v.err != nil {
		return 0
	}
	const chunk = 32 << 10
	moved := 0
	if cap(v.buf)-len(v.buf) < chunk {
		moved = v.start
		kept := v.buf[v.start:]
		if cap(v.buf)-len(kept) < max(chunk, cap(v.buf)/2) {
			v.buf = make([]byte, 0, 2*cap(v.buf)+2*chunk)
		}
		v.buf = append(v.buf[:0], kept...)
		v.base += int64(moved)
		v.start, v.end = 0, 0
	}
	for range 100 {
		var n int
		n, v.err = v.r.Read(v.buf[len(v.buf):cap(v.buf)])
		v.buf = v.buf[:len(v.buf)+n]
		if n > 0 || v.err != nil {
			return moved
		}
	}
	v.err = io.ErrNoProgress
	return moved
}
