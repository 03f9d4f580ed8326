package syntax

import "strings"

// tokenKind tells what a token is.
type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokIdent
	tokInt
	tokFloat
	tokString   // "…" with its quotes
	tokBacktick // from the ` up to the end of the line, which is not part of it
	tokData     // 0x"…"
	tokOp       // the longest run of operator characters
	tokLParen
	tokRParen
	tokLBracket
	tokRBracket
	tokComma
	tokSemi
	tokLBrace
	tokRBrace
	// tokBad is what no token begins with, or a token that is malformed.
	tokBad
)

// token is a part of the source. Its value is made where it is needed, from the
// bytes between start and end.
type token struct {
	kind       tokenKind
	start, end uint32
}

func (t token) span() Span { return Span{t.start, t.end} }

// lexer cuts a source into tokens, one at a time. Space, comments and byte
// order marks between them are skipped.
type lexer struct {
	src string
	pos int
	// badSpan and badMsg describe the latest tokBad.
	badSpan Span
	badMsg  string
	// binary is set when the source turned out not to be UTF-8; there is nothing
	// but tokEOF after that.
	binary bool
}

// Classes of bytes, as bits.
const (
	classSpace = 1 << iota
	classNameStart
	classDigit
	classOct
	classHex
	classOp
)

var classes = func() (t [256]uint8) {
	for _, c := range []byte(" \f\n\r\t\v") {
		t[c] |= classSpace
	}
	for _, c := range []byte("!$%&*+-./:<=>?@^|~") {
		t[c] |= classOp
	}
	for c := '0'; c <= '9'; c++ {
		t[c] |= classDigit | classHex
		if c <= '7' {
			t[c] |= classOct
		}
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] |= classNameStart
		t[c-'a'+'A'] |= classNameStart
		if c <= 'f' {
			t[c] |= classHex
			t[c-'a'+'A'] |= classHex
		}
	}
	t['_'] |= classNameStart
	return t
}()

// at gives the byte at i, 0 after the end.
func (l *lexer) at(i int) byte {
	if i < len(l.src) {
		return l.src[i]
	}
	return 0
}

// run gives the first position from i whose byte is in none of the classes.
func (l *lexer) run(i int, class uint8) int {
	for i < len(l.src) && classes[l.src[i]]&class != 0 {
		i++
	}
	return i
}

const bom = "\xef\xbb\xbf"

// skipBlank moves to the next byte that is not space, a comment or a byte order
// mark.
func (l *lexer) skipBlank() {
	i := l.pos
	for {
		i = l.run(i, classSpace)
		switch {
		case l.at(i) == '#':
			i = lineEnd(l.src, i)
		case l.at(i) == bom[0] && strings.HasPrefix(l.src[i:], bom):
			i += len(bom)
		default:
			l.pos = i
			return
		}
	}
}

// lineEnd gives the position of the newline at or after i, or the end.
func lineEnd(src string, i int) int {
	if n := strings.IndexByte(src[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(src)
}

// next gives the next token. After a tokBad it goes on behind the bytes that it
// covers.
func (l *lexer) next() token {
	l.skipBlank()
	start := l.pos
	if start >= len(l.src) || l.binary {
		return token{tokEOF, uint32(start), uint32(start)}
	}
	kind, end := l.scan(start)
	l.pos = end
	return token{kind, uint32(start), uint32(end)}
}

var single = [128]tokenKind{
	'(': tokLParen, ')': tokRParen, '[': tokLBracket, ']': tokRBracket,
	',': tokComma, ';': tokSemi, '{': tokLBrace, '}': tokRBrace,
}

// scan tells which token starts at i, and where it ends.
func (l *lexer) scan(i int) (kind tokenKind, end int) {
	c := l.src[i]
	class := classes[c]
	switch {
	case class&classNameStart != 0:
		return tokIdent, l.run(i+1, classNameStart|classDigit)
	case class&classOp != 0:
		return tokOp, l.run(i+1, classOp)
	case class&classDigit != 0:
		return l.scanNumber(i)
	case c < 128 && single[c] != 0:
		return single[c], i + 1
	case c == '"':
		return l.scanString(i)
	case c == '`':
		end = i + 1
		for end < len(l.src) && l.src[end] != '\n' && l.src[end] != '\r' {
			end++
		}
		return tokBacktick, end
	}
	return l.scanStray(i)
}

// bad makes a tokBad that ends at end, where a byte does not fit.
func (l *lexer) bad(end int, msg string) (tokenKind, int) {
	return l.stray(end, end, msg)
}

// stray makes a tokBad of bytes that do not start a token.
func (l *lexer) stray(start, end int, msg string) (tokenKind, int) {
	l.badSpan, l.badMsg = Span{uint32(start), uint32(end)}, msg
	return tokBad, end
}

// scanStray deals with a byte that no token starts with.
func (l *lexer) scanStray(i int) (tokenKind, int) {
	c := l.src[i]
	switch {
	case c == 0, strings.HasPrefix(l.src[i:], "\xff\xfe"), strings.HasPrefix(l.src[i:], "\xfe\xff"):
		l.binary = true
		end := i + 1
		if c != 0 {
			end++
		}
		return l.stray(i, end, "Non-UTF-8 input detected. Cap'n Proto schema files must be UTF-8 text.")
	case c == '\'':
		return l.stray(i, i+1, "Parse error: strings are written in double quotes.")
	case c >= 128:
		// A whole run, so that a word in another script is one error.
		end := i
		for end < len(l.src) && l.src[end] >= 128 {
			end++
		}
		return l.stray(i, end, "Parse error: only strings and comments may have characters beyond ASCII.")
	}
	return l.stray(i, i+1, "Parse error: a character that has no meaning here.")
}

// scanNumber reads an integer, a float or a data literal.
func (l *lexer) scanNumber(i int) (tokenKind, int) {
	if l.src[i] == '0' && l.at(i+1) == 'x' {
		if l.at(i+2) == '"' {
			return l.scanData(i)
		}
		end := l.run(i+2, classHex)
		switch {
		case end == i+2:
			return l.bad(end, "Parse error: 0x must be followed by hexadecimal digits.")
		case classes[l.at(end)]&classNameStart != 0, l.at(end) == '.':
			return l.bad(end, "Parse error: a number must not be followed by a letter or a dot.")
		}
		return tokInt, end
	}
	end := l.run(i+1, classDigit)
	kind := tokInt
	if l.at(end) == '.' {
		kind = tokFloat
		end = l.run(end+1, classDigit)
	}
	if c := l.at(end); c == 'e' || c == 'E' {
		kind = tokFloat
		end++
		if c := l.at(end); c == '+' || c == '-' {
			end++
		}
		digits := end
		if end = l.run(end, classDigit); end == digits {
			return l.bad(end, "Parse error: an exponent needs digits.")
		}
	}
	if c := l.at(end); classes[c]&classNameStart != 0 || c == '.' {
		return l.bad(end, "Parse error: a number must not be followed by a letter or a dot.")
	}
	if kind == tokInt && l.src[i] == '0' {
		if oct := l.run(i, classOct); oct != end {
			return l.bad(oct, "Parse error: a number that starts with 0 is octal and has only the digits 0 to 7.")
		}
	}
	return kind, end
}

// scanString reads a string literal. A bad escape does not end it.
func (l *lexer) scanString(start int) (tokenKind, int) {
	fault, msg := 0, ""
	note := func(i int, what string) {
		if msg == "" {
			fault, msg = i, what
		}
	}
	for i := start + 1; ; i++ {
		switch l.at(i) {
		case '"':
			if msg != "" {
				l.bad(fault, msg)
				return tokBad, i + 1
			}
			return tokString, i + 1
		case '\n':
			note(i, "Parse error: the string is not closed at the end of the line.")
			l.bad(fault, msg)
			return tokBad, i
		case '\\':
			switch c := l.at(i + 1); {
			case c == 'x':
				for n := 2; n < 4; n++ {
					if classes[l.at(i+n)]&classHex == 0 {
						note(i+n, `Parse error: \x needs two hexadecimal digits.`)
						break
					}
				}
			case classes[c]&classOct == 0 && (c == 0 || strings.IndexByte(escapes, c) < 0):
				note(i+1, "Parse error: no such escape in a string.")
			}
			// What follows may be read as plain text, but for a quote and a backslash.
			if c := l.at(i + 1); c == '"' || c == '\\' {
				i++
			}
		case 0:
			if i >= len(l.src) {
				note(i, "Parse error: the string is not closed.")
				l.bad(fault, msg)
				return tokBad, i
			}
		}
	}
}

const (
	escapes  = "abfnrtv'\"\\?"
	escapeds = "\a\b\f\n\r\t\v'\"\\?"
)

// scanData reads a data literal.
func (l *lexer) scanData(start int) (tokenKind, int) {
	i := start + len(`0x"`)
	for count := 0; ; count++ {
		i = l.run(i, classSpace)
		if l.at(i) == '"' {
			if count == 0 {
				l.bad(i, "Parse error: a data literal has at least one byte.")
				return tokBad, i + 1
			}
			return tokData, i + 1
		}
		for range 2 {
			if classes[l.at(i)]&classHex == 0 {
				l.bad(i, "Parse error: a data literal has two hexadecimal digits for each byte, and ends in a quote.")
				// The rest of the literal is part of the error if it ends on this line.
				line := l.src[i:lineEnd(l.src, i)]
				if n := strings.IndexByte(line, '"'); n >= 0 {
					i += n + 1
				}
				return tokBad, i
			}
			i++
		}
	}
}

// docComment gives the lines of the comment that follows a ; { or } which ends
// at i: it starts on the same line or the next. One space after the # is not
// part of it, and each line ends in a newline. It is "" if there is none.
func docComment(src string, i int) string {
	// Most often there is a newline and no comment: look before building anything.
	i = skipLineSpace(src, i)
	if i < len(src) && src[i] == '\r' {
		if i++; i < len(src) && src[i] == '\n' {
			i++
		}
	} else if i < len(src) && src[i] == '\n' {
		i++
	}
	i = skipLineSpace(src, i)
	if i >= len(src) || src[i] != '#' {
		return ""
	}
	var b strings.Builder
	for i < len(src) && src[i] == '#' {
		if i++; i < len(src) && src[i] == ' ' {
			i++
		}
		end := lineEnd(src, i)
		b.WriteString(src[i:end])
		b.WriteByte('\n')
		i = skipLineSpace(src, min(end+1, len(src)))
	}
	return b.String()
}

// skipLineSpace skips space other than the ends of lines.
func skipLineSpace(src string, i int) int {
	for i < len(src) && classes[src[i]]&classSpace != 0 && src[i] != '\n' && src[i] != '\r' {
		i++
	}
	return i
}
