//go:build amd64 && !purego

package zmtp

import (
	"encoding/binary"
	"unsafe"

	//lint:ignore SA1019 A NaCl box consists of it.
	"golang.org/x/crypto/salsa20/salsa"
	"golang.org/x/sys/cpu"
)

// haveAVX2 says that the assembly may be used.
var haveAVX2 = cpu.X86.HasAVX2

// salsaStride is how many bytes the assembly encrypts at once: six blocks.
const salsaStride = 6 * salsaBlock

// salsaAVX2 encrypts the n bytes at src, a positive multiple of salsaStride, to
// dst, which is src or does not overlap it. diagonals is the first state, of
// whose counter only the lower half counts.
//
//go:noescape
func salsaAVX2(dst, src *byte, n int, diagonals *[16]uint32)

// xorStream is salsa.XORKeyStream. The counter is that of the first block, and
// is left undefined.
func xorStream(dst, src []byte, counter *[16]byte, key *[keySize]byte) {
	if n := len(src) / salsaStride * salsaStride; haveAVX2 && n > 0 {
		first := binary.LittleEndian.Uint64(counter[shortNonce:])
		if first <= 1<<32-uint64(n/salsaBlock) {
			d := diagonalsOf(counter, key)
			_ = dst[n-1]
			// SAFETY: both have n bytes, which is a positive multiple of
			// salsaStride.
			salsaAVX2(unsafe.SliceData(dst), unsafe.SliceData(src), n, &d)
			binary.LittleEndian.PutUint64(counter[shortNonce:], first+uint64(n/salsaBlock))
			dst, src = dst[n:], src[n:]
		}
	}
	salsa.XORKeyStream(dst, src, counter, key)
}

// diagonalsOf gives the state of a block:
//
//	σ0 k0 k1 k2     the constant, the key, the nonce and the counter; the
//	k3 σ1 n0 n1     diagonal from the top left is the first, the one that
//	c0 c1 σ2 k4     begins a row below it the next
//	k5 k6 k7 σ3
func diagonalsOf(counter *[16]byte, key *[keySize]byte) [16]uint32 {
	k := func(i int) uint32 { return binary.LittleEndian.Uint32(key[4*i:]) }
	n := func(i int) uint32 { return binary.LittleEndian.Uint32(counter[4*i:]) }
	s := func(i int) uint32 { return binary.LittleEndian.Uint32(salsa.Sigma[4*i:]) }
	return [16]uint32{
		s(0), s(1), s(2), s(3),
		k(3), n(3), k(7), k(2),
		n(2), k(6), k(1), n(1),
		k(5), k(0), n(0), k(4),
	}
}
