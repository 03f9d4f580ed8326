//go:build !amd64 || purego

package zmtp

//lint:ignore SA1019 A NaCl box consists of it.
import "golang.org/x/crypto/salsa20/salsa"

// xorStream is salsa.XORKeyStream. The counter is that of the first block, and
// is left undefined.
func xorStream(dst, src []byte, counter *[16]byte, key *[keySize]byte) {
	salsa.XORKeyStream(dst, src, counter, key)
}
