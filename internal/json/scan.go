package json

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// maxDepth limits how deep arrays and objects nest in what is read, as the tool
// does.
const maxDepth = 64

// ErrSyntax is matched by the error of text that is not JSON.
var ErrSyntax = errors.New("not JSON")

// Error says where in its input reading failed.
type Error struct {
	Offset    int    // in bytes
	Line, Col int    // counted from 1, Col in bytes
	Path      string // of the value, such as people[2].name; empty at the top
	Err       error
}

func (e *Error) Error() string {
	at := "json: " + strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Col) + ": "
	if e.Path != "" {
		at += e.Path + ": "
	}
	return at + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func errorAt(data []byte, off int, path string, err error) error {
	before := data[:min(off, len(data))]
	return &Error{
		Offset: off,
		Line:   1 + bytes.Count(before, []byte{'\n'}),
		Col:    off - bytes.LastIndexByte(before, '\n'),
		Path:   path,
		Err:    err,
	}
}

// scanner checks the syntax of JSON and counts the items of its arrays and
// objects, in the order in which they begin, so that lists can be built at their
// size.
type scanner struct {
	data   []byte
	pos    int
	depth  int
	counts []uint32
	err    error // the first, which was met at pos
}

func (s *scanner) fail(format string, args ...any) bool {
	if s.err == nil {
		s.err = fmt.Errorf("%w: "+format, append([]any{ErrSyntax}, args...)...)
	}
	return false
}

// unexpected fails because of what stands at pos.
func (s *scanner) unexpected(want string) bool {
	if s.pos >= len(s.data) {
		return s.fail("it ends where %s is expected", want)
	}
	return s.fail("%q where %s is expected", s.data[s.pos], want)
}

func (s *scanner) space() { s.pos = skipSpace(s.data, s.pos) }

func skipSpace(data []byte, pos int) int {
	for pos < len(data) {
		switch data[pos] {
		case ' ', '\n', '\r', '\t':
			pos++
		default:
			return pos
		}
	}
	return pos
}

func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// document scans one value and what is around it.
func (s *scanner) document() bool {
	s.space()
	if !s.value() {
		return false
	}
	s.space()
	if s.pos < len(s.data) {
		return s.unexpected("the end")
	}
	return true
}

func (s *scanner) value() bool {
	switch c := s.peek(); {
	case c == '{':
		return s.object()
	case c == '[':
		return s.array()
	case c == '"':
		return s.string()
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.unexpected("a value")
}

func (s *scanner) word(w string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(w)) {
		return s.unexpected("a value")
	}
	s.pos += len(w)
	return true
}

func (s *scanner) enter() bool {
	if s.depth++; s.depth > maxDepth {
		if s.err == nil {
			s.err = fmt.Errorf("%w: more than %d levels", ErrTooDeep, maxDepth)
		}
		return false
	}
	s.pos++
	s.space()
	return true
}

// count makes the count of an array or object that begins.
func (s *scanner) count() int {
	s.counts = append(s.counts, 0)
	return len(s.counts) - 1
}

func (s *scanner) array() bool {
	if !s.enter() {
		return false
	}
	index := s.count()
	if s.peek() != ']' {
		for n := uint32(1); ; n++ {
			if !s.value() {
				return false
			}
			s.space()
			if s.peek() != ',' {
				s.counts[index] = n
				break
			}
			s.pos++
			s.space()
		}
	}
	return s.leave(']')
}

func (s *scanner) object() bool {
	if !s.enter() {
		return false
	}
	index := s.count()
	if s.peek() != '}' {
		for n := uint32(1); ; n++ {
			if s.peek() != '"' {
				return s.unexpected("a member's name")
			}
			if !s.string() {
				return false
			}
			s.space()
			if s.peek() != ':' {
				return s.unexpected("a colon")
			}
			s.pos++
			s.space()
			if !s.value() {
				return false
			}
			s.space()
			if s.peek() != ',' {
				s.counts[index] = n
				break
			}
			s.pos++
			s.space()
		}
	}
	return s.leave('}')
}

func (s *scanner) leave(end byte) bool {
	if s.peek() != end {
		return s.unexpected("a comma or " + strconv.QuoteRune(rune(end)))
	}
	s.pos++
	s.depth--
	return true
}

// string scans a string. Control characters stand for themselves, as for the
// tool; a NUL ends its input.
func (s *scanner) string() bool {
	s.pos++
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case '"':
			s.pos++
			return true
		case 0:
			return s.unexpected("a string's character")
		case '\\':
			if !s.escape() {
				return false
			}
		default:
			s.pos++
		}
	}
	return s.unexpected("the end of a string")
}

func (s *scanner) escape() bool {
	s.pos++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
		s.pos++
		for range 4 {
			switch c := s.peek(); {
			case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
				s.pos++
			default:
				return s.unexpected("a hexadecimal digit")
			}
		}
		return true
	}
	return s.unexpected("an escape")
}

// number scans a number. As for the tool, the digits after a point may be missing.
func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.pos++
		if c := s.peek(); '0' <= c && c <= '9' {
			s.digits()
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	start := s.pos
	for c := s.peek(); '0' <= c && c <= '9'; c = s.peek() {
		s.pos++
	}
	return s.pos > start || s.unexpected("a digit")
}
