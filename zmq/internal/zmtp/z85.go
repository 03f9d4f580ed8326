package zmtp

import "encoding/binary"

// Z85, RFC 32: four bytes, as a big-endian number, are five digits of base 85.

const (
	z85Digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
	z85None   = 0xff
)

var z85Values = func() (v [256]byte) {
	for i := range v {
		v[i] = z85None
	}
	for i := range len(z85Digits) {
		v[z85Digits[i]] = byte(i)
	}
	return v
}()

// encodeZ85 returns the text of b, whose length must be a multiple of 4.
func encodeZ85(b []byte) string {
	text := make([]byte, 0, len(b)/4*5)
	for ; len(b) >= 4; b = b[4:] {
		var group [5]byte
		for v, i := binary.BigEndian.Uint32(b), 4; i >= 0; v, i = v/85, i-1 {
			group[i] = z85Digits[v%85]
		}
		text = append(text, group[:]...)
	}
	return string(text)
}

// decodeZ85 fills dst from its text. The error doesn't tell the text, which may
// be a secret.
func decodeZ85(dst []byte, text string) error {
	if want := len(dst) / 4 * 5; len(text) != want {
		return fault(ErrMalformed, "Z85 text of %d characters, not %d", len(text), want)
	}
	for at := 0; at < len(text); at += 5 {
		var v uint64
		for i := at; i < at+5; i++ {
			digit := z85Values[text[i]]
			if digit == z85None {
				return fault(ErrMalformed, "Z85 text has another character at position %d", i)
			}
			v = v*85 + uint64(digit)
		}
		if v > 1<<32-1 {
			return fault(ErrMalformed, "Z85 text has a group above 32 bits at position %d", at)
		}
		binary.BigEndian.PutUint32(dst[at/5*4:], uint32(v))
	}
	return nil
}
