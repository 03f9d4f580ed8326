package zmtp

import "golang.org/x/crypto/nacl/secretbox"

// Clone returns a copy of m that goes on from the same state.
func Clone(m Mechanism) Mechanism {
	switch m := m.(type) {
	case *null:
		c := *m
		return &c
	case *plainClient:
		c := *m
		return &c
	case *plainServer:
		c := *m
		return &c
	case *curveClient:
		c := *m
		if m.wrapper != nil {
			w := *m.wrapper
			c.wrapper = &w
		}
		return &c
	case *curveServer:
		c := *m
		return &c
	}
	panic("another mechanism")
}

// SetNonce sets the number of the next frame to send.
func (w *Wrapper) SetNonce(n uint64) { w.next = n }

// Clone returns a copy of w.
func (w *Wrapper) Clone() *Wrapper { c := *w; return &c }

// Seal makes the body of a MESSAGE with package secretbox, whatever the plaintext
// has for flags.
func (w *Wrapper) Seal(plain []byte) []byte {
	nonce := numbered(w.sendPrefix, w.next)
	w.next++
	out := append([]byte("\x07MESSAGE"), nonce[16:]...)
	return secretbox.Seal(out, plain, &nonce, &w.key)
}

var (
	EncodeZ85 = encodeZ85
	DecodeZ85 = decodeZ85
)
