package sturdy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
)

// refSize is how many random bytes a reference has.
const refSize = 32

// maxRef bounds the bytes of a reference of another implementation.
const maxRef = 4 << 10

// Ref is a sturdy reference: what [Save] gives and [Restore] takes. Whoever has its
// bytes can restore it, so it does not print itself; Text gives it to be stored.
type Ref []byte

// String tells that it is a reference, and not which.
func (r Ref) String() string { return fmt.Sprintf("sturdy reference of %d bytes", len(r)) }

// Format writes String, whatever the verb.
func (r Ref) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }

// LogValue is String.
func (r Ref) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Text gives the reference as letters, digits, "-" and "_".
func (r Ref) Text() string { return base64.RawURLEncoding.EncodeToString(r) }

// ParseRef reads what [Ref.Text] has written.
func ParseRef(text string) (Ref, error) {
	r, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(r) == 0 || len(r) > maxRef {
		return nil, fmt.Errorf("sturdy: a text of %d bytes that is no reference", len(text))
	}
	return r, nil
}

// newRef makes a reference that nobody can guess.
func newRef() Ref {
	r := make(Ref, refSize)
	rand.Read(r) // it does not fail
	return r
}

// A Key is what a [Store] has of a reference, from which that can't be found: the
// first half of its SHA-256 hash. The other half is in the entry.
type Key [16]byte

// hash gives the key of a reference, and the half that is compared.
func (r Ref) hash() (k Key, proof [16]byte) {
	h := sha256.Sum256(r)
	copy(k[:], h[:16])
	copy(proof[:], h[16:])
	return k, proof
}
