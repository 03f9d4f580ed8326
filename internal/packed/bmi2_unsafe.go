//go:build amd64 && !purego

package packed

import "unsafe"

// haveBMI2 says that the assembly may be used: the processor has what it needs
// and PEXT and PDEP are not microcode.
var haveBMI2 = detectBMI2()

// haveWide says that unpackBMI2 may use AVX-512 with its instructions on bytes.
var haveWide = haveBMI2 && detectWide()

// byteMasks is byteMask of every tag, for the assembly.
//
//lint:ignore U1000 the assembly uses it
var byteMasks = func() (t [256]uint64) {
	for tag := range t {
		t[tag] = byteMask(uint8(tag))
	}
	return t
}()

// packBMI2 packs words from the n bytes at src, n a positive multiple of 8, to
// dst, until it has passed the first soft bytes and stands outside runs, or has
// packed all. It loads nothing outside of the n bytes, and stores at most 10
// bytes at dst for each word of them.
//
//go:noescape
func packBMI2(dst, src *byte, n, soft int) (nd, ns int)

// unpackBMI2 is unpackSafe for the dn bytes at dst and the sn bytes at src. If
// narrow is not 0, it uses AVX-512 from that word on.
//
//go:noescape
func unpackBMI2(dst, src *byte, dn, sn, narrow int) (nd, ns, run int)

//go:noescape
func cpuid(leaf, sub uint32) (a, b, c, d uint32)

//go:noescape
func xgetbv0() uint32

func packAsm(dst, src []byte) int {
	d := 0
	for len(src) > 0 {
		// SAFETY: src is not empty, and each call gets the room for its words:
		// it stores at most 10 bytes for each.
		nd, ns := packBMI2(unsafe.SliceData(dst[d:]), unsafe.SliceData(src), len(src), min(len(src), asmChunk))
		d += nd
		src = src[ns:]
	}
	return d
}

// narrowWords is how many words are unpacked before it is worth while to make
// tables for what follows. A long run, which ends the call, may come soon.
const narrowWords = 16

func unpackAsm(dst, src []byte, wide bool) (nd, ns, run int) {
	narrow := 0
	if wide {
		narrow = narrowWords
	}
	// SAFETY: dst has at least 8 bytes and src at least minSrc, and the lengths
	// passed are not more than theirs.
	return unpackBMI2(unsafe.SliceData(dst), unsafe.SliceData(src), min(len(dst), asmChunk), len(src), narrow)
}

func detectBMI2() bool {
	maxLeaf, b, c, d := cpuid(0, 0)
	if maxLeaf < 7 {
		return false
	}
	const (
		popcnt  = 1 << 23 // leaf 1, ecx
		osxsave = 1 << 27
		avx     = 1 << 28
		bmi1    = 1 << 3 // leaf 7, ebx
		avx2    = 1 << 5
		bmi2    = 1 << 8
		ymm     = 1<<1 | 1<<2 // xcr0: the system saves these registers
	)
	signature, _, ecx1, _ := cpuid(1, 0)
	_, ebx7, _, _ := cpuid(7, 0)
	return ecx1&(popcnt|osxsave|avx) == popcnt|osxsave|avx &&
		ebx7&(bmi1|avx2|bmi2) == bmi1|avx2|bmi2 &&
		xgetbv0()&ymm == ymm &&
		!slowPEXT(vendorName(b, d, c), signature)
}

// detectWide is asked on processors that have BMI2.
func detectWide() bool {
	const (
		avx512f  = 1 << 16 // leaf 7, ebx
		avx512bw = 1 << 30
		vbmi     = 1 << 1 // leaf 7, ecx
		bitalg   = 1 << 12
		zmm      = 1<<5 | 1<<6 | 1<<7 // xcr0: the system saves masks and long registers
	)
	_, b, c, _ := cpuid(7, 0)
	return b&(avx512f|avx512bw) == avx512f|avx512bw && c&(vbmi|bitalg) == vbmi|bitalg && xgetbv0()&zmm == zmm
}

func vendorName(b, d, c uint32) string {
	var name [12]byte
	for i, r := range [3]uint32{b, d, c} {
		for j := range 4 {
			name[4*i+j] = byte(r >> (8 * j))
		}
	}
	return string(name[:])
}

// slowPEXT says that the processor has PEXT and PDEP, but as microcode of
// dozens of cycles: AMD before Zen 3, which is family 19h, and Hygon's
// derivatives of Zen 1.
func slowPEXT(vendor string, signature uint32) bool {
	family := signature >> 8 & 0xf
	if family == 0xf {
		family += signature >> 20 & 0xff
	}
	return vendor == "AuthenticAMD" && family < 0x19 || vendor == "HygonGenuine"
}
