package syntax

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Limits on the text form of values, which may be data of some size.
const (
	// MaxValue is the size of the text of one value in bytes.
	MaxValue = 64 << 20

	maxValueExprs = 1 << 21
)

// ParseValue reads the text form of a value, such as (name = "x", ids = [1, 2]).
// It is in the File's Value, nil if there are errors. The name stands for the
// source in errors.
func ParseValue(name string, src []byte) (*File, Errors) {
	if len(src) > MaxValue {
		f := &File{Name: name}
		return f, Errors{f.Error(Span{}, fmt.Sprintf("Value has %d bytes, more than the limit of %d.", len(src), MaxValue))}
	}
	p := newParser(name, src, maxValueExprs)
	e, ok := p.expr("a value")
	if ok && p.tok.kind != tokEOF {
		ok = p.fail("the end of the value")
	}
	if !ok {
		p.report(p.failSpan, p.failMsg)
	}
	if len(p.errs) == 0 {
		p.file.Value = e
	}
	p.errs.Sort()
	return p.file, p.errs
}

// ValueReader cuts a stream of values in parentheses or brackets into single
// ones, without parsing them. It holds one value in memory at a time. It is not
// safe for concurrent use.
type ValueReader struct {
	r     io.Reader
	err   error // what r said last
	limit int   // MaxValue, but in tests

	buf    []byte
	pos    int   // the start of what has not been given out
	base   int64 // the offset in the stream of buf[0]
	offset int64
}

// NewValueReader makes a reader of the values in r.
func NewValueReader(r io.Reader) *ValueReader { return &ValueReader{r: r, limit: MaxValue} }

// Offset is where in the stream the latest value starts, in bytes.
func (v *ValueReader) Offset() int64 { return v.offset }

// Next gives the text of the next value, without the space and comments before
// it. The text is valid until the following call. At the end of the stream the
// error is io.EOF; it wraps io.ErrUnexpectedEOF if the stream ends within a value.
//
// Where the stream has something else between its values, that is part of the
// text, and ParseValue reports it.
func (v *ValueReader) Next() ([]byte, error) {
	var s valueScanner
	for {
		n, done := s.scan(v.buf[v.pos:])
		if s.started {
			v.offset = v.base + int64(v.pos+s.start)
		}
		if done {
			text := v.buf[v.pos+s.start : v.pos+n]
			v.pos += n
			return text, nil
		}
		if !s.started {
			// Nothing but space so far, which need not be kept.
			v.pos += s.pos
			s.pos = 0
		}
		if len(v.buf)-v.pos-s.start > v.limit {
			return nil, fmt.Errorf("syntax: value at byte %d is longer than the limit of %d bytes", v.offset, v.limit)
		}
		if v.err == nil {
			v.fill()
			continue
		}
		switch {
		case !errors.Is(v.err, io.EOF):
			return nil, v.err
		case !s.started:
			return nil, io.EOF
		case s.depth > 0:
			return nil, fmt.Errorf("syntax: value at byte %d is not closed: %w", v.offset, io.ErrUnexpectedEOF)
		}
		// Something that is no value; whoever parses it will say so.
		text := v.buf[v.pos+s.start:]
		v.pos = len(v.buf)
		return text, nil
	}
}

// fill reads more into the buffer. What has been given out makes room for it.
func (v *ValueReader) fill() {
	const chunk = 32 << 10
	kept := v.buf[v.pos:]
	switch {
	case cap(v.buf)-len(v.buf) >= chunk:
	case cap(v.buf)-len(kept) >= max(chunk, cap(v.buf)/2):
		v.buf = append(v.buf[:0], kept...)
		v.base += int64(v.pos)
		v.pos = 0
	default:
		grown := make([]byte, len(kept), 2*cap(v.buf)+2*chunk)
		copy(grown, kept)
		v.buf = grown
		v.base += int64(v.pos)
		v.pos = 0
	}
	for range 100 {
		var n int
		n, v.err = v.r.Read(v.buf[len(v.buf):cap(v.buf)])
		v.buf = v.buf[:len(v.buf)+n]
		if n > 0 || v.err != nil {
			return
		}
	}
	v.err = io.ErrNoProgress
}

// valueScanner finds the end of a value in text that grows at its end: it goes
// on where it stopped.
type valueScanner struct {
	pos     int
	start   int
	started bool
	depth   int
	in      byte // what a byte is within: 0, a comment '#', a string '"' or a line '`'
	escaped bool
}

// scan looks at the bytes that it has not seen yet. It tells whether the value
// is complete, and if so where it ends.
func (s *valueScanner) scan(buf []byte) (end int, done bool) {
	for s.pos < len(buf) {
		c := buf[s.pos]
		if s.in == '#' || s.in == '`' {
			n := bytes.IndexByte(buf[s.pos:], '\n')
			if n < 0 {
				s.pos = len(buf)
				return 0, false
			}
			s.pos += n + 1
			s.in = 0
			continue
		}
		s.pos++
		switch {
		case s.escaped:
			s.escaped = false
		case s.in == '"':
			switch c {
			case '\\':
				s.escaped = true
			case '"', '\n': // no string goes beyond its line
				s.in = 0
			}
		case classes[c]&classSpace != 0:
		case c == '#':
			s.in = '#'
		default:
			if !s.started {
				s.started, s.start = true, s.pos-1
			}
			switch c {
			case '"', '`':
				s.in = c
			case '(', '[':
				s.depth++
			case ')', ']':
				if s.depth--; s.depth <= 0 {
					return s.pos, true
				}
			}
		}
	}
	return 0, false
}
