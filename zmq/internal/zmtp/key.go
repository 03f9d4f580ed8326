package zmtp

import (
	"crypto/rand"
	"fmt"
	"io"
	"sync"

	"golang.org/x/crypto/curve25519"
	"golang.org/x/crypto/nacl/box"
)

const keySize = 32 // of every key of CURVE, in bytes

// PublicKey is the public half of a CURVE key.
type PublicKey [keySize]byte

// ParsePublicKey parses a key of 40 characters of Z85.
func ParsePublicKey(text string) (k PublicKey, err error) {
	err = decodeZ85(k[:], text)
	return k, err
}

// String returns the key's text, 40 characters of Z85.
func (k PublicKey) String() string { return encodeZ85(k[:]) }

// SecretKey is the secret half of a CURVE key. It prints as a placeholder, so
// that it doesn't get into a log.
type SecretKey struct{ key [keySize]byte }

// NewSecretKey returns the secret key of these bytes.
func NewSecretKey(b [32]byte) SecretKey { return SecretKey{b} }

// ParseSecretKey parses a key of 40 characters of Z85.
func ParseSecretKey(text string) (k SecretKey, err error) {
	err = decodeZ85(k.key[:], text)
	return k, err
}

// Z85 returns the secret as text, 40 characters.
func (k SecretKey) Z85() string { return encodeZ85(k.key[:]) }

// Format implements [fmt.Formatter] and tells nothing.
func (k SecretKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(secret key)") }

// Public returns the public half of the key.
func (k SecretKey) Public() (public PublicKey) {
	curve25519.ScalarBaseMult((*[keySize]byte)(&public), &k.key)
	return public
}

// KeyPair is both halves of a CURVE key. The zero value is not a key.
type KeyPair struct {
	public PublicKey
	secret SecretKey
}

// GenerateKeyPair makes a new key.
func GenerateKeyPair() KeyPair {
	var secret SecretKey
	_, _ = rand.Read(secret.key[:]) // never fails: it ends the program instead
	return NewKeyPair(secret)
}

// NewKeyPair returns the key of which secret is the secret half.
func NewKeyPair(secret SecretKey) KeyPair { return KeyPair{secret.Public(), secret} }

// Public returns the public half.
func (k KeyPair) Public() PublicKey { return k.public }

// Secret returns the secret half.
func (k KeyPair) Secret() SecretKey { return k.secret }

// Format implements [fmt.Formatter] and tells the public half.
func (k KeyPair) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.public.String()) }

// sharedKey computes what the owner of either key of (public, secret) and its
// partner can compute, and nobody else: the key of a NaCl box. It fails for a
// public key that gives the same for every secret, with which anybody could
// make boxes, and for one that has the bit set that the curve ignores, which
// would be a second name of the same key.
func sharedKey(public *PublicKey, secret *SecretKey) (key [keySize]byte, err error) {
	if public[keySize-1]&0x80 != 0 {
		return [keySize]byte{}, fault(ErrAuth, "CURVE public key %s has its last bit set", public)
	}
	box.Precompute(&key, (*[keySize]byte)(public), &secret.key)
	if key == lowOrder() {
		return [keySize]byte{}, fault(ErrAuth, "CURVE public key %s is of low order", public)
	}
	return key, nil
}

// lowOrder returns the key that a public key of low order shares with every secret.
var lowOrder = sync.OnceValue(func() (key [keySize]byte) {
	box.Precompute(&key, new([keySize]byte), new([keySize]byte))
	return key
})
