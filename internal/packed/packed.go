// Package packed is Cap'n Proto's packed codec: a byte-level compression that
// leaves out the zero bytes of 64-bit words.
//
// Every word becomes a tag byte, whose bit i says that byte i of the word is
// not zero, and the bytes that the tag names. Two tags are followed by more:
//
//	tag 00      +----+-------+
//	            | 00 | count |                         count further zero words
//	            +----+-------+
//	tag 01..fe  +-----+-----------------+
//	            | tag | non-zero bytes  |              1 to 7 bytes
//	            +-----+-----------------+
//	tag ff      +----+---------+-------+--------------+
//	            | ff | 8 bytes | count | count × 8 B  |  count further words, as they are
//	            +----+---------+-------+--------------+
//
// A count is one byte. The writer ends a run of zero words after 255 further
// words, and goes on with a run of raw words while a word has at most one zero
// byte; that is what the reference implementation does, and [Append] gives the
// same bytes. (https://capnproto.org/encoding.html#packing)
//
// The package knows nothing of segment tables or messages. A message is packed
// piece by piece, and a reader of messages decides with [Unpacker] which
// borders a run may cross.
//
// Three implementations do the same work: assembly for amd64 processors with a
// fast PEXT and PDEP (which also uses AVX-512 if there is), Go with unsafe loads and stores for little-endian
// machines, and bounds-checked Go, which is all there is with the build tag
// purego.
package packed

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// ErrTruncated is what [UnpackedLen] wraps when packed data ends inside a word
// or a run.
var ErrTruncated = errors.New("packed: data ends inside a word or run")

const (
	wordSize = 8

	// maxRun is the largest count that the byte behind a tag 00 or ff holds.
	maxRun = 255
)

// MaxLen is the capacity, in bytes, that [Append] needs to pack n bytes
// without allocating: n + n/4. What n bytes pack to is never more than
// n + n/16 + 2.
func MaxLen(n int) int {
	// No word stores more than 10 bytes, whatever its neighbours are: a tag,
	// eight bytes and a count. The format's own bound is lower because a word
	// without zero bytes takes in the one behind it; but it holds only for a
	// source that does not change, and another process may be writing to the
	// memory that a message lies in.
	return n + n/4
}

// Append appends the packed form of src to dst and returns the extended slice.
// Runs start and end with src, so a message is packed with one call for its
// segment table and one for each of its segments. The result is what the
// reference implementation writes, byte for byte.
//
// With [MaxLen](len(src)) bytes of spare capacity nothing is allocated; bytes
// of dst's spare capacity beyond the result may be overwritten. dst and src
// must not overlap. If src changes during the call, what is appended means
// nothing, but no memory outside of the slices is touched. Append panics if
// len(src) is not a multiple of 8.
func Append(dst, src []byte) []byte {
	if len(src)%wordSize != 0 {
		panic(fmt.Sprintf("packed: Append of %d bytes, which is not a multiple of 8", len(src)))
	}
	if len(src) == 0 {
		return dst
	}
	n := len(dst)
	room := MaxLen(len(src))
	dst = slices.Grow(dst, room)
	return dst[:n+pack(dst[n:n+room], src)]
}

// UnpackedLen is the number of bytes that src unpacks to: at most 1,024 times
// its own length. It reads all of src but stores nothing, so that a limit can
// be enforced before memory is taken. The error wraps [ErrTruncated] if src
// ends inside a word or a run, or before a count byte.
func UnpackedLen(src []byte) (int64, error) {
	var words int64
	for i := 0; i < len(src); {
		start := i
		tag := src[i]
		i += 1 + bits.OnesCount8(tag)
		words++
		if tag == 0 || tag == 0xff {
			if i < len(src) {
				count := int(src[i])
				words += int64(count)
				if tag == 0xff {
					i += count * wordSize
				}
			}
			i++
		}
		if i > len(src) {
			return 0, fmt.Errorf("%w: tag %#02x at offset %d needs %d bytes, %d are left",
				ErrTruncated, tag, start, i-start, len(src)-start)
		}
	}
	return words * wordSize, nil
}
