package shmbench

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// A message is one segment of so many bytes: a root pointer, and one Data that
// takes up all the rest. Contestants that know no Cap'n Proto carry the same
// bytes. The C++ program has the same numbers.

// message sizes with their names in the cases, all whole words.
var sizes = []struct {
	name  string
	bytes int
}{{"56", 56}, {"4K", 4 << 10}, {"1M", 1 << 20}, {"64M", 64 << 20}}

// shape is what all messages of a case look like.
type shape struct {
	size int // bytes
}

func parseShape(s string) (shape, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return shape{}, fmt.Errorf("shmbench: size %q is not a number", s)
	}
	if n < 24 || n > 1<<30 || n%8 != 0 {
		return shape{}, fmt.Errorf("shmbench: no message has %d bytes", n)
	}
	return shape{n}, nil
}

// root is the first word: a pointer to a list of bytes that begins behind it.
func (s shape) root() uint64 { return 1 | 2<<32 | uint64(s.size-8)<<35 }

// content is word j of message i, the first excepted.
func content(i, j int) uint64 {
	x := uint64(i+1)*0x9e3779b97f4a7c15 + uint64(j)*0xbf58476d1ce4e5b9
	return x ^ x>>29
}

// fill writes the data of message i, which begins at its second word.
func fill(data []byte, i int) {
	for j := 1; len(data) >= 8; j++ {
		binary.LittleEndian.PutUint64(data, content(i, j))
		data = data[8:]
	}
}

// message makes all bytes of message i.
func (s shape) message(i int) []byte {
	b := make([]byte, s.size)
	binary.LittleEndian.PutUint64(b, s.root())
	fill(b[8:], i)
	return b
}

// stamp writes the number of a message of a run into the first and the last
// word of its data.
func stamp(data []byte, k uint64) {
	binary.LittleEndian.PutUint64(data, k)
	binary.LittleEndian.PutUint64(data[len(data)-8:], k)
}

// look compares what stamp has written, and the length.
func (s shape) look(data []byte, k uint64) error {
	if len(data) != s.size-8 {
		return fmt.Errorf("shmbench: received %d bytes of data, want %d", len(data), s.size-8)
	}
	first, last := binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[len(data)-8:])
	if first != k || last != k {
		return fmt.Errorf("shmbench: received the message stamped %d and %d, want %d", first, last, k)
	}
	return nil
}

// checkMessages is how many messages are compared before anything is timed.
func (s shape) checkMessages() int { return min(max(1<<20/s.size, 1), 50) }

// window is how many messages may be on their way where a contestant can be
// told: at most 256, and 256 MiB.
func (s shape) window() int { return min(max(256<<20/s.size, 1), 256) }

// digest is a hash over messages, by words.
type digest uint64

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (d *digest) message(b []byte) {
	h := (uint64(*d) ^ uint64(len(b))) * fnvPrime
	for ; len(b) >= 8; b = b[8:] {
		h = (h ^ binary.LittleEndian.Uint64(b)) * fnvPrime
		h ^= h >> 32
	}
	*d = digest(h)
}

// model is the hash that every receiver must come to.
func (s shape) model() uint64 {
	d := digest(fnvOffset)
	for i := range s.checkMessages() {
		d.message(s.message(i))
	}
	return uint64(d)
}
