package syntax

import (
	"math"
	"strconv"
	"strings"
)

// parseInt gives the value of a tokInt; ok is false if it takes more than 64
// bits.
func parseInt(text string) (v uint64, ok bool) {
	base := 10
	switch {
	case strings.HasPrefix(text, "0x"):
		base, text = 16, text[2:]
	case text[0] == '0':
		base = 8
	}
	v, err := strconv.ParseUint(text, base, 64)
	return v, err == nil
}

// parseFloat gives the value of a tokFloat; one that is too large is infinite.
func parseFloat(text string) float64 {
	// The only error that scanNumber lets pass is the range, with ±Inf as result.
	v, _ := strconv.ParseFloat(text, 64)
	return v
}

// unquote gives what a tokString says. Without escapes it shares the text's
// memory.
func unquote(text string) string {
	text = text[1 : len(text)-1]
	i := strings.IndexByte(text, '\\')
	if i < 0 {
		return text
	}
	b := make([]byte, 0, len(text))
	for ; i >= 0; i = strings.IndexByte(text, '\\') {
		b = append(b, text[:i]...)
		c, n := unescape(text[i+1:])
		b = append(b, c)
		text = text[i+1+n:]
	}
	return string(append(b, text...))
}

// unescape gives the byte that the escape after a backslash stands for, and how
// many bytes the escape has.
func unescape(text string) (c byte, n int) {
	switch c = text[0]; {
	case c == 'x':
		return hexDigit(text[1])<<4 | hexDigit(text[2]), 3
	case classes[c]&classOct != 0:
		c = 0
		for n = 0; n < 3 && n < len(text) && classes[text[n]]&classOct != 0; n++ {
			c = c<<3 | (text[n] - '0')
		}
		return c, n
	}
	return escapeds[strings.IndexByte(escapes, c)], 1
}

// unhex gives the bytes of a tokData.
func unhex(text string) string {
	text = text[len(`0x"`) : len(text)-1]
	b := make([]byte, 0, len(text)/2)
	for i := 0; i < len(text); {
		if classes[text[i]]&classSpace != 0 {
			i++
			continue
		}
		b = append(b, hexDigit(text[i])<<4|hexDigit(text[i+1]))
		i += 2
	}
	return string(b)
}

func hexDigit(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

func (e *Expr) float() float64 {
	switch e.Kind {
	case Float:
		return math.Float64frombits(e.Bits)
	case Int:
		if e.Neg {
			return -float64(e.Bits)
		}
		return float64(e.Bits)
	}
	return 0
}
