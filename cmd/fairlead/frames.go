package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLine is how long a line of raw frames may be, in bytes.
const maxLine = 1 << 30

// appendFrames appends frames as one line, without its newline.
func appendFrames(dst []byte, frames [][]byte) []byte {
	for i, f := range frames {
		if i > 0 {
			dst = append(dst, '\t')
		}
		dst = appendFrame(dst, f)
	}
	return dst
}

// appendFrame appends a frame so that it stands in one line, cannot control a
// terminal, and can be read back: what is no printable text is escaped.
func appendFrame(dst, frame []byte) []byte {
	const digits = "0123456789abcdef"
	for len(frame) > 0 {
		r, n := utf8.DecodeRune(frame)
		switch {
		case r == '\\':
			dst = append(dst, `\\`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case unicode.IsPrint(r) && (r != utf8.RuneError || n > 1):
			dst = append(dst, frame[:n]...)
		default:
			for _, b := range frame[:n] {
				dst = append(dst, '\\', 'x', digits[b>>4], digits[b&15])
			}
		}
		frame = frame[n:]
	}
	return dst
}

// parseFrames gives the frames of a line, in memory of their own.
func parseFrames(line string) ([][]byte, error) {
	frames := make([][]byte, 0, strings.Count(line, "\t")+1)
	for text := range strings.SplitSeq(line, "\t") {
		f, err := parseFrame(text)
		if err != nil {
			return nil, fmt.Errorf("frame %d: %w", len(frames)+1, err)
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// parseFrame undoes appendFrame.
func parseFrame(text string) ([]byte, error) {
	frame := make([]byte, 0, len(text))
	for {
		plain, rest, ok := strings.Cut(text, `\`)
		frame = append(frame, plain...)
		if !ok {
			return frame, nil
		}
		b, size := escaped(rest)
		if size == 0 {
			return nil, fmt.Errorf(`%.4q: want \\, \t, \n, \r or \x and two digits`, `\`+rest)
		}
		frame = append(frame, b)
		text = rest[size:]
	}
}

// escaped gives the byte that text stands for behind a backslash, and how long
// that is; 0 for none.
func escaped(text string) (b byte, size int) {
	if text == "" {
		return 0, 0
	}
	switch text[0] {
	case '\\':
		return '\\', 1
	case 't':
		return '\t', 1
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 'x':
		if len(text) < 3 {
			return 0, 0
		}
		hi, ok := digit(text[1])
		lo, ok2 := digit(text[2])
		if ok && ok2 {
			return hi<<4 | lo, 3
		}
	}
	return 0, 0
}

func digit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// rawReader reads messages of raw frames, a line each.
type rawReader struct {
	r    *bufio.Reader
	line int
	buf  []byte
}

func newRawReader(r io.Reader) *rawReader { return &rawReader{r: bufio.NewReaderSize(r, 64<<10)} }

// next gives the frames of the next line, or io.EOF.
func (r *rawReader) next() ([][]byte, error) {
	r.buf = r.buf[:0]
	r.line++
	for {
		part, err := r.r.ReadSlice('\n')
		r.buf = append(r.buf, part...)
		switch {
		case len(r.buf) > maxLine:
			return nil, fmt.Errorf("line %d is longer than the limit of %d bytes", r.line, maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil:
			r.buf = r.buf[:len(r.buf)-1]
		case err != io.EOF || len(r.buf) == 0:
			return nil, err
		}
		frames, err := parseFrames(string(r.buf))
		if err != nil {
			return nil, fmt.Errorf("line %d, %w", r.line, err)
		}
		return frames, nil
	}
}
