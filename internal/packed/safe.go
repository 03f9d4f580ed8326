package packed

import "encoding/binary"

// minSrc is how many packed bytes unpackWords needs in front of it to go on: a
// tag, its eight bytes, the count byte and the tag behind that.
const minSrc = 11

// inlineRun is the longest run, in words, that the kernels unpack themselves,
// with unconditional stores; longer ones are left to the caller's clear and
// copy.
const inlineRun = 4

// packSafe packs all of src, at least one word, into dst, which has MaxLen
// bytes. It returns the packed size.
func packSafe(dst, src []byte) int {
	steps := &packSteps
	d := 0
	w := binary.LittleEndian.Uint64(src)
	t := nonZero(w)
	src = src[wordSize:]
	for {
		tag := uint8(t * gather >> 56)
		e := &steps[tag]
		out := dst[d : d+10 : d+10]
		out[0] = tag
		binary.LittleEndian.PutUint64(out[1:], e.compact(w))
		out[9] = 0 // the count byte of a lone word without zero bytes
		d += int(e.size)
		if len(src) < wordSize {
			return d
		}
		prev, prevT := w, t
		w = binary.LittleEndian.Uint64(src)
		t = nonZero(w)
		z := t ^ high1
		if prev|w == 0 {
			n, limit := 0, min(len(src), maxRun*wordSize)
			for n+32 <= limit {
				s := src[n : n+32 : n+32]
				if binary.LittleEndian.Uint64(s)|binary.LittleEndian.Uint64(s[8:])|
					binary.LittleEndian.Uint64(s[16:])|binary.LittleEndian.Uint64(s[24:]) != 0 {
					break
				}
				n += 32
			}
			for n+8 <= limit && binary.LittleEndian.Uint64(src[n:]) == 0 {
				n += wordSize
			}
			dst[d-1] = uint8(n / wordSize)
			src = src[n:]
		} else if prevT^high1|z&(z-1) == 0 {
			n, limit := 0, min(len(src), maxRun*wordSize)
			for n+32 <= limit {
				s := src[n : n+32 : n+32]
				o := dst[d+n : d+n+32 : d+n+32]
				w0, w1 := binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])
				w2, w3 := binary.LittleEndian.Uint64(s[16:]), binary.LittleEndian.Uint64(s[24:])
				z0, z1 := nonZero(w0)^high1, nonZero(w1)^high1
				z2, z3 := nonZero(w2)^high1, nonZero(w3)^high1
				if z0&(z0-1)|z1&(z1-1)|z2&(z2-1)|z3&(z3-1) != 0 {
					break
				}
				binary.LittleEndian.PutUint64(o, w0)
				binary.LittleEndian.PutUint64(o[8:], w1)
				binary.LittleEndian.PutUint64(o[16:], w2)
				binary.LittleEndian.PutUint64(o[24:], w3)
				n += 32
			}
			for n+8 <= limit {
				w := binary.LittleEndian.Uint64(src[n:])
				z := nonZero(w) ^ high1
				if z&(z-1) != 0 {
					break
				}
				binary.LittleEndian.PutUint64(dst[d+n:], w)
				n += wordSize
			}
			dst[d-1] = uint8(n / wordSize)
			d += n
			src = src[n:]
		} else {
			src = src[wordSize:]
			continue
		}
		if len(src) < wordSize {
			return d
		}
		w = binary.LittleEndian.Uint64(src)
		t = nonZero(w)
		src = src[wordSize:]
	}
}

// unpackSafe unpacks whole words from src, of at least minSrc bytes, into dst,
// of at least 8, until dst is full or fewer than minSrc bytes are left. It
// stops early behind a count byte that begins a run which it leaves to the
// caller: run is the number of zero words, or minus the number of raw words.
func unpackSafe(dst, src []byte) (nd, ns, run int) {
	steps := &unpackSteps
	for len(src)-ns >= minSrc && len(dst)-nd >= wordSize {
		in := src[ns : ns+10 : ns+10]
		tag := in[0]
		x := binary.LittleEndian.Uint64(in[1:])
		e := &steps[tag]
		y := x
		y ^= (y ^ y<<32) & e.c
		y ^= (y ^ y<<16) & e.b
		y ^= (y ^ y<<8) & e.a
		binary.LittleEndian.PutUint64(dst[nd:], y&e.keep)
		nd += wordSize
		ns += int(packedSizes[tag])
		if (uint(tag)<<8|uint(x)&0xff)-1 < maxRun {
			n := int(x & 0xff)
			if n > inlineRun || len(dst)-nd < inlineRun*wordSize {
				return nd, ns, n
			}
			o := dst[nd : nd+32 : nd+32]
			binary.LittleEndian.PutUint64(o, 0)
			binary.LittleEndian.PutUint64(o[8:], 0)
			binary.LittleEndian.PutUint64(o[16:], 0)
			binary.LittleEndian.PutUint64(o[24:], 0)
			nd += n * wordSize
		} else if uint(tag)<<8|uint(in[9]) > 0xff00 {
			n := int(in[9])
			if n > inlineRun || len(dst)-nd < inlineRun*wordSize || len(src)-ns < inlineRun*wordSize {
				return nd, ns, -n
			}
			o := dst[nd : nd+32 : nd+32]
			s := src[ns : ns+32 : ns+32]
			binary.LittleEndian.PutUint64(o, binary.LittleEndian.Uint64(s))
			binary.LittleEndian.PutUint64(o[8:], binary.LittleEndian.Uint64(s[8:]))
			binary.LittleEndian.PutUint64(o[16:], binary.LittleEndian.Uint64(s[16:]))
			binary.LittleEndian.PutUint64(o[24:], binary.LittleEndian.Uint64(s[24:]))
			nd += n * wordSize
			ns += n * wordSize
		}
	}
	return nd, ns, 0
}
