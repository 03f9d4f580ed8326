package packed

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Unpacker unpacks a stream that arrives and is wanted in parts of any size.
// The zero value is ready and stands at a boundary; assigning the zero value
// starts again. It holds no memory. An Unpacker must not be used by two
// goroutines at once.
//
// Any bytes are the beginning of some packed stream, so unpacking has no error
// of its own. What may be wrong is where a stream ends and where its pieces
// meet: the caller asks [Unpacker.AtBoundary] there.
type Unpacker struct {
	word  uint64 // the bytes of an unfinished word that have arrived
	run   uint8  // words left of the run
	tag   uint8  // tag of an unfinished word
	pos   uint8  // next byte of an unfinished word
	stage stage
}

// stage says what the next packed byte is, or which run is under way.
type stage uint8

const (
	atTag       stage = iota
	inWord            // some bytes of a word outside a run are still to come
	atZeroCount       // the count byte behind a tag 00
	atRawCount        // the count byte behind the word of a tag ff
	inZeros           // run words of zeros are owed
	inRaw             // run raw words are to come
	inRawWord         // as inRaw, and the first of them has begun
)

// Unpack unpacks from src into dst until one of them is used up, and returns
// how many bytes it wrote and how many it read. It reads all of src unless dst
// is full: an unfinished word is kept for the next call. nd is always a
// multiple of 8.
//
// When dst is full, Unpack still takes the count byte of the last word if src
// has it, with an empty dst too. A piece is therefore complete when all of it
// has been written and [Unpacker.AwaitsCount] is false.
//
// dst and src must not overlap. Bytes of dst from nd on may be overwritten. If
// src changes during the call, what is written means nothing, but no memory
// outside of the slices is touched.
// Unpack panics if len(dst) is not a multiple of 8.
func (u *Unpacker) Unpack(dst, src []byte) (nd, ns int) {
	if len(dst)%wordSize != 0 {
		panic(fmt.Sprintf("packed: Unpack into %d bytes, which is not a multiple of 8", len(dst)))
	}
	for {
		switch u.stage {
		case atTag:
			if nd == len(dst) {
				return nd, ns
			}
			if len(src)-ns >= minSrc {
				d, s, run := unpackWords(dst[nd:], src[ns:])
				nd += d
				ns += s
				if run != 0 {
					u.startRun(run)
					continue
				}
				if nd == len(dst) {
					return nd, ns
				}
			}
			if ns == len(src) {
				return nd, ns
			}
			tag := src[ns]
			ns++
			n := bits.OnesCount8(tag)
			if len(src)-ns < n {
				u.stage, u.tag, u.pos, u.word = inWord, tag, 0, 0
				continue
			}
			binary.LittleEndian.PutUint64(dst[nd:], expand(loadTail(src[ns:]), tag))
			nd += wordSize
			ns += n
			u.endWord(tag)

		case inWord:
			if nd == len(dst) {
				return nd, ns
			}
			for ; u.pos < 8; u.pos++ {
				if u.tag>>u.pos&1 == 0 {
					continue
				}
				if ns == len(src) {
					return nd, ns
				}
				u.word |= uint64(src[ns]) << (8 * u.pos)
				ns++
			}
			binary.LittleEndian.PutUint64(dst[nd:], u.word)
			nd += wordSize
			u.endWord(u.tag)

		case atZeroCount, atRawCount:
			if ns == len(src) {
				return nd, ns
			}
			run := int(src[ns])
			ns++
			if u.stage == atRawCount {
				run = -run
			}
			u.startRun(run)

		case inZeros:
			n := min(int(u.run)*wordSize, len(dst)-nd)
			clear(dst[nd : nd+n])
			nd += n
			if !u.shortenRun(n) {
				return nd, ns
			}

		case inRaw:
			n := min(int(u.run)*wordSize, len(dst)-nd, (len(src)-ns)&^(wordSize-1))
			copy(dst[nd:nd+n], src[ns:ns+n])
			nd += n
			ns += n
			if u.shortenRun(n) {
				continue
			}
			if nd == len(dst) || ns == len(src) {
				return nd, ns
			}
			u.stage, u.pos, u.word = inRawWord, 0, 0

		case inRawWord:
			if nd == len(dst) {
				return nd, ns
			}
			for ; u.pos < 8; u.pos++ {
				if ns == len(src) {
					return nd, ns
				}
				u.word |= uint64(src[ns]) << (8 * u.pos)
				ns++
			}
			binary.LittleEndian.PutUint64(dst[nd:], u.word)
			nd += wordSize
			u.stage = inRaw
			u.shortenRun(wordSize)
		}
	}
}

// AtBoundary reports that no word, count byte or run is unfinished. A stream
// that ends anywhere else is cut short; a piece whose runs may not reach into
// the next one has to end here.
func (u *Unpacker) AtBoundary() bool { return u.stage == atTag }

// AwaitsCount reports that the last word written was one of tag 00 or ff whose
// count byte has not arrived yet. A piece is not complete before it has.
func (u *Unpacker) AwaitsCount() bool { return u.stage == atZeroCount || u.stage == atRawCount }

// RunLeft is the number of words that the run under way still owes; 0 outside
// runs.
func (u *Unpacker) RunLeft() int { return int(u.run) }

// endWord moves on from a word that was written whole.
func (u *Unpacker) endWord(tag uint8) {
	switch tag {
	case 0:
		u.stage = atZeroCount
	case 0xff:
		u.stage = atRawCount
	default:
		u.stage = atTag
	}
}

// startRun begins a run of zero words, or of -run raw words if run is
// negative.
func (u *Unpacker) startRun(run int) {
	switch {
	case run > 0:
		u.stage, u.run = inZeros, uint8(run)
	case run < 0:
		u.stage, u.run = inRaw, uint8(-run)
	default:
		u.stage = atTag
	}
}

// shortenRun takes n bytes from the run and reports whether that ended it.
func (u *Unpacker) shortenRun(n int) bool {
	u.run -= uint8(n / wordSize)
	if u.run == 0 {
		u.stage = atTag
	}
	return u.run == 0
}

// loadTail is the first 8 bytes of b as a little-endian number, with zeros for
// those that b does not have.
func loadTail(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	var x uint64
	if len(b)&4 != 0 {
		x = uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if len(b)&2 != 0 {
			x |= uint64(binary.LittleEndian.Uint16(b)) << 32
			b = b[2:]
			if len(b) != 0 {
				x |= uint64(b[0]) << 48
			}
			return x
		}
		if len(b) != 0 {
			x |= uint64(b[0]) << 32
		}
		return x
	}
	if len(b)&2 != 0 {
		x = uint64(binary.LittleEndian.Uint16(b))
		b = b[2:]
		if len(b) != 0 {
			x |= uint64(b[0]) << 16
		}
		return x
	}
	if len(b) != 0 {
		x = uint64(b[0])
	}
	return x
}
