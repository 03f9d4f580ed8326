//go:build !purego && (386 || amd64 || arm64 || loong64 || ppc64le)

package packed

import "unsafe"

// haveUnsafe says that packUnsafe and unpackUnsafe exist: the machine is
// little-endian and loads and stores words at any address.
const haveUnsafe = true

// The kernels below keep offsets, not pointers, and form a pointer only for an
// access, so that none ever points past the end of its slice.

func load64(p unsafe.Pointer, off int) uint64 {
	// SAFETY: callers have checked that the 8 bytes at off are in the slice.
	return *(*uint64)(unsafe.Add(p, off))
}

func store64(p unsafe.Pointer, off int, v uint64) {
	// SAFETY: as for load64.
	*(*uint64)(unsafe.Add(p, off)) = v
}

func load8(p unsafe.Pointer, off int) uint8 {
	// SAFETY: callers have checked that the byte at off is in the slice.
	return *(*uint8)(unsafe.Add(p, off))
}

func store8(p unsafe.Pointer, off int, v uint8) {
	// SAFETY: as for load8.
	*(*uint8)(unsafe.Add(p, off)) = v
}

// packUnsafe is packSafe without bounds checks.
func packUnsafe(dst, src []byte) int {
	steps := &packSteps
	// SAFETY: loads are at offsets i with i+8 <= len(src), as len(src) is a
	// multiple of 8 and at least 8. A word outside a run stores 10 bytes at d
	// and a word inside one 8; d moves on by no more than is stored, so all
	// stores are within MaxLen(len(src)), even if src changes meanwhile.
	sp, dp := unsafe.Pointer(unsafe.SliceData(src)), unsafe.Pointer(unsafe.SliceData(dst))
	size := len(src)
	i, d := wordSize, 0
	w := load64(sp, 0)
	t := nonZero(w)
	for {
		tag := uint8(t * gather >> 56)
		e := &steps[tag]
		store8(dp, d, tag)
		store64(dp, d+1, e.compact(w))
		store8(dp, d+9, 0) // the count byte of a lone word without zero bytes
		d += int(e.size)
		if i >= size {
			return d
		}
		prev, prevT := w, t
		w = load64(sp, i)
		t = nonZero(w)
		z := t ^ high1
		if prev|w == 0 {
			start, limit := i, min(size, i+maxRun*wordSize)
			i += wordSize
			for i+32 <= limit && load64(sp, i)|load64(sp, i+8)|load64(sp, i+16)|load64(sp, i+24) == 0 {
				i += 32
			}
			for i < limit && load64(sp, i) == 0 {
				i += wordSize
			}
			store8(dp, d-1, uint8((i-start)/wordSize))
		} else if prevT^high1|z&(z-1) == 0 {
			start, limit := i, min(size, i+maxRun*wordSize)
			for i+32 <= limit {
				w0, w1, w2, w3 := load64(sp, i), load64(sp, i+8), load64(sp, i+16), load64(sp, i+24)
				z0, z1 := nonZero(w0)^high1, nonZero(w1)^high1
				z2, z3 := nonZero(w2)^high1, nonZero(w3)^high1
				if z0&(z0-1)|z1&(z1-1)|z2&(z2-1)|z3&(z3-1) != 0 {
					break
				}
				o := d + i - start
				store64(dp, o, w0)
				store64(dp, o+8, w1)
				store64(dp, o+16, w2)
				store64(dp, o+24, w3)
				i += 32
			}
			for i < limit {
				w := load64(sp, i)
				z := nonZero(w) ^ high1
				if z&(z-1) != 0 {
					break
				}
				store64(dp, d+i-start, w)
				i += wordSize
			}
			store8(dp, d-1, uint8((i-start)/wordSize))
			d += i - start
		} else {
			i += wordSize
			continue
		}
		if i >= size {
			return d
		}
		w = load64(sp, i)
		t = nonZero(w)
		i += wordSize
	}
}

// unpackUnsafe is unpackSafe without bounds checks.
func unpackUnsafe(dst, src []byte) (nd, ns, run int) {
	steps, sizes := &unpackSteps, &packedSizes
	// SAFETY: a turn begins only with minSrc bytes left at ns and 8 at nd, and
	// reads at most 10 and writes 8 of them; the run code checks for the four
	// words that it reads or writes.
	sp, dp := unsafe.Pointer(unsafe.SliceData(src)), unsafe.Pointer(unsafe.SliceData(dst))
	lastS, lastD := len(src)-minSrc, len(dst)-wordSize
	for ns <= lastS && nd <= lastD {
		tag := load8(sp, ns)
		x := load64(sp, ns+1)
		e := &steps[tag]
		y := x
		y ^= (y ^ y<<32) & e.c
		y ^= (y ^ y<<16) & e.b
		y ^= (y ^ y<<8) & e.a
		store64(dp, nd, y&e.keep)
		nd += wordSize
		if (uint(tag)<<8|uint(uint8(x)))-1 < maxRun {
			ns += 2
			n := int(uint8(x))
			if n > inlineRun || len(dst)-nd < inlineRun*wordSize {
				return nd, ns, n
			}
			store64(dp, nd, 0)
			store64(dp, nd+8, 0)
			store64(dp, nd+16, 0)
			store64(dp, nd+24, 0)
			nd += n * wordSize
			continue
		}
		n := int(load8(sp, ns+9))
		ns += int(sizes[tag])
		if int(tag)<<8|n > 0xff00 {
			if n > inlineRun || len(dst)-nd < inlineRun*wordSize || len(src)-ns < inlineRun*wordSize {
				return nd, ns, -n
			}
			store64(dp, nd, load64(sp, ns))
			store64(dp, nd+8, load64(sp, ns+8))
			store64(dp, nd+16, load64(sp, ns+16))
			store64(dp, nd+24, load64(sp, ns+24))
			nd += n * wordSize
			ns += n * wordSize
		}
	}
	return nd, ns, 0
}
