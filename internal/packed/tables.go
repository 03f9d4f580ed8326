package packed

import "math/bits"

const (
	low7  = 0x7f7f7f7f7f7f7f7f
	high1 = 0x8080808080808080

	// gather moves the top bits of the eight bytes of a word into its top
	// byte, when the word is multiplied by it.
	gather = 0x0002040810204081
)

// nonZero has 0x80 in each byte where w is not zero, and 0 elsewhere.
func nonZero(w uint64) uint64 { return ((w&low7 + low7) | w) & high1 }

// packStep moves the non-zero bytes of a word together. A byte's way down is
// the number of zero bytes below it; a, b and c select the bytes that move by
// one, two and four places, in this order.
type packStep struct {
	a, b, c uint64
	size    uint64 // packed size of the word, with the count byte if the tag has one
}

func (e *packStep) compact(w uint64) uint64 {
	m := w & e.a
	w = w ^ m | m>>8
	m = w & e.b
	w = w ^ m | m>>16
	m = w & e.c
	return w ^ m | m>>32
}

// unpackStep is the way back: bytes move up by four, two and one places, and
// keep drops what followed the word's own bytes.
type unpackStep struct {
	a, b, c uint64
	keep    uint64
}

// These are package-level initialisers rather than an init function, so that
// anything else that is initialised from them comes later.
var (
	packSteps   = makePackSteps()
	unpackSteps = makeUnpackSteps()
	packedSizes = makePackedSizes()
)

// expand spreads the low bytes of x over the places that tag names.
func expand(x uint64, tag uint8) uint64 {
	e := &unpackSteps[tag]
	x ^= (x ^ x<<32) & e.c
	x ^= (x ^ x<<16) & e.b
	x ^= (x ^ x<<8) & e.a
	return x & e.keep
}

// byteMask is 0xff in each byte whose bit is set in tag.
func byteMask(tag uint8) uint64 {
	var m uint64
	for i := range 8 {
		if tag>>i&1 != 0 {
			m |= 0xff << (8 * i)
		}
	}
	return m
}

// packedSizes is the packed size of a word by its tag: the tag, its bytes, and
// the count byte if there is one.
func makePackedSizes() (t [256]uint8) {
	for tag := range t {
		t[tag] = uint8(1 + bits.OnesCount8(uint8(tag)))
	}
	t[0]++
	t[0xff]++
	return t
}

func makePackSteps() (t [256]packStep) {
	sizes := makePackedSizes()
	for tag := range t {
		e := &t[tag]
		e.size = uint64(sizes[tag])
		zeros := 0
		for i := range 8 {
			if tag>>i&1 == 0 {
				zeros++
				continue
			}
			// The byte starts at i, and each move changes where the next mask
			// has to find it.
			at := i
			if zeros&1 != 0 {
				e.a |= 0xff << (8 * at)
				at--
			}
			if zeros&2 != 0 {
				e.b |= 0xff << (8 * at)
				at -= 2
			}
			if zeros&4 != 0 {
				e.c |= 0xff << (8 * at)
			}
		}
	}
	return t
}

func makeUnpackSteps() (t [256]unpackStep) {
	for tag := range t {
		e := &t[tag]
		e.keep = byteMask(uint8(tag))
		// Each mask selects by where a byte has to be after the move. Bytes
		// move in the order 4, 2, 1, so that no byte overtakes another.
		at := 0
		for i := range 8 {
			if tag>>i&1 == 0 {
				continue
			}
			up := i - at
			p := at
			if up&4 != 0 {
				p += 4
				e.c |= 0xff << (8 * p)
			}
			if up&2 != 0 {
				p += 2
				e.b |= 0xff << (8 * p)
			}
			if up&1 != 0 {
				p++
				e.a |= 0xff << (8 * p)
			}
			at++
		}
	}
	return t
}
