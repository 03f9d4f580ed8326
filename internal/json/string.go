package json

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escapes has what the escape of a byte ends in, 0 for none, 'u' for a number.
var escapes = func() (t [256]byte) {
	for c := range 0x20 {
		t[c] = 'u'
	}
	for c, e := range map[byte]byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '"': '"', '\\': '\\'} {
		t[c] = e
	}
	return t
}()

// appendString appends a JSON string. Bytes that are no UTF-8 stay as they are.
func appendString[S string | []byte](b []byte, s S) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		e := escapes[s[i]]
		if e == 0 {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		if e == 'u' {
			b = append(b, '\\', 'u', '0', '0', digits[s[i]>>4], digits[s[i]&15])
		} else {
			b = append(b, '\\', e)
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

func (w *encoder) string(s []byte) {
	w.Long(len(s) + 2)
	if w.Reserve(len(s) + 2) {
		w.Buf = appendString(w.Buf, s)
	}
}

// unescape appends what a JSON string without its quotes stands for. Its escapes
// were checked. Halves of surrogate pairs become U+FFFD.
func unescape(b, s []byte) []byte {
	from := 0
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			i++
			continue
		}
		b = append(b, s[from:i]...)
		switch c := s[i+1]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r := hex4(s[i+2:])
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(s) >= i+12 && s[i+6] == '\\' && s[i+7] == 'u' {
					pair = utf16.DecodeRune(r, hex4(s[i+8:]))
				}
				if r = pair; r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
			i += 4
		default: // a quote, a slash or a backslash
			b = append(b, c)
		}
		i += 2
		from = i
	}
	return append(b, s[from:]...)
}

// hex4 reads four hexadecimal digits, which were checked.
func hex4(s []byte) (r rune) {
	for _, c := range s[:4] {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}
