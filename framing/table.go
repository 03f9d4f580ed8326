package framing

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/fairlead-go/fairlead/segment"
)

const (
	wordBytes = 8

	// maxSegmentWords is what a far pointer can reach into.
	maxSegmentWords = 1<<29 - 1

	// maxFrame is the longest message that fits into memory with its table.
	maxFrame = math.MaxInt &^ 0xffff
)

// tableBytes is the size of the table of so many segments.
func tableBytes(segments int) int { return (segments/2 + 1) * wordBytes }

// putTable writes the table of segs into dst, which is as long as the table.
func putTable(dst []byte, segs [][]byte) {
	binary.LittleEndian.PutUint32(dst, uint32(len(segs)-1))
	for i, s := range segs {
		binary.LittleEndian.PutUint32(dst[4+4*i:], uint32(len(s)/wordBytes))
	}
	if len(segs)%2 == 0 {
		binary.LittleEndian.PutUint32(dst[len(dst)-4:], 0)
	}
}

// firstWord is the first word of a table, or the table of more segments than
// there can be where b is too short for one.
func firstWord(b []byte) uint64 {
	if len(b) < wordBytes {
		return math.MaxUint64
	}
	return binary.LittleEndian.Uint64(b)
}

// segmentCount reads the first number of a table.
func segmentCount(table []byte, limit int) (int, error) {
	// In 64 bits, where ff ff ff ff plus 1 is not 0.
	n := uint64(binary.LittleEndian.Uint32(table)) + 1
	if n > uint64(limit) || n > maxFrame/wordBytes {
		return 0, overSegments(n, limit)
	}
	return int(n), nil
}

//go:noinline
func overSegments(n uint64, limit int) error {
	return &segment.LimitError{Limit: "Segments", Max: uint64(limit), Got: n}
}

// segmentBytes reads the size of segment i.
func segmentBytes(table []byte, i int) uint64 {
	return uint64(binary.LittleEndian.Uint32(table[4+4*i:])) * wordBytes
}

// contentBytes adds up the segments of a whole table and holds each of them,
// and all together, against the limits.
func contentBytes(table []byte, segments int, limit int64) (int, error) {
	var total uint64 // below 2^32 segments of below 2^35 bytes: no overflow before it is looked at
	for i := range segments {
		n := segmentBytes(table, i)
		if n > maxSegmentWords*wordBytes {
			return 0, &segment.LimitError{Limit: "words of a segment", Max: maxSegmentWords, Got: n / wordBytes}
		}
		if total += n; total > uint64(limit) {
			return 0, overMessage(total, limit)
		}
	}
	if total > maxFrame-uint64(len(table)) {
		return 0, overMessage(total, maxFrame)
	}
	return int(total), nil
}

//go:noinline
func overMessage(n uint64, limit int64) error {
	return &segment.LimitError{Limit: "MessageBytes", Max: uint64(limit), Got: n}
}

// split appends the segments of a whole frame to segs.
func split(segs [][]byte, frame []byte, segments int) [][]byte {
	at := tableBytes(segments)
	for i := range segments {
		end := at + int(segmentBytes(frame, i))
		segs = append(segs, frame[at:end:end])
		at = end
	}
	return segs
}

// frameAt finds how long the first message of b is, and of how many segments.
// Bytes that are in memory already are not held against MessageBytes.
func frameAt(b []byte, most int) (size, segments int, err error) {
	if len(b) < wordBytes {
		return 0, 0, io.ErrUnexpectedEOF
	}
	segments, err = segmentCount(b, most)
	if err != nil {
		return 0, 0, err
	}
	t := tableBytes(segments)
	if t > len(b) {
		return 0, 0, io.ErrUnexpectedEOF
	}
	content, err := contentBytes(b[:t], segments, math.MaxInt64)
	if err != nil {
		return 0, 0, err
	}
	if content > len(b)-t {
		return 0, 0, io.ErrUnexpectedEOF
	}
	return t + content, segments, nil
}
