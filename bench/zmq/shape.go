package zmqbench

import (
	"fmt"
	"strconv"
)

// shape is what all messages of a case look like.
type shape struct {
	size   int // bytes of a message, in equal parts in its frames
	frames int
}

// maxFrames is the most frames that a shape has, here and in the C program.
const maxFrames = 4

// sizes are the sizes of messages, with their names in the cases.
var sizes = []struct {
	name  string
	bytes int
}{{"64", 64}, {"1K", 1 << 10}, {"64K", 64 << 10}, {"1M", 1 << 20}}

func (s shape) check() error {
	if s.frames < 1 || s.frames > maxFrames || s.size < 1 || s.size > 1<<30 || s.size%s.frames != 0 {
		return fmt.Errorf("zmqbench: no message has %d bytes in %d frames", s.size, s.frames)
	}
	return nil
}

// frameSize is the length of each frame.
func (s shape) frameSize() int { return s.size / s.frames }

// content is what byte j of frame f has in message i. The C program has the
// same.
func content(i, f, j int) byte { return byte(i*31 + f*17 + j*7 + j>>8) }

// message makes the frames of message i, in memory of their own.
func (s shape) message(i int) [][]byte {
	n := s.frameSize()
	all := make([]byte, s.size)
	frames := make([][]byte, s.frames)
	for f := range frames {
		frames[f] = all[f*n : (f+1)*n : (f+1)*n]
		for j := range frames[f] {
			frames[f][j] = content(i, f, j)
		}
	}
	return frames
}

// checkMessages is how many messages are compared before anything is timed.
func (s shape) checkMessages() int { return min(max(1<<20/s.size, 3), 50) }

// highWater is the mark that the sockets of push/pull and request/reply have,
// in messages: at most 64 MiB wait.
func (s shape) highWater() int { return min(max(64<<20/s.size, 16), 1000) }

// window is how far a publisher runs ahead of its slowest subscriber, in
// messages: at most 16 MiB, and a multiple of 4.
func (s shape) window() int { return min(max(16<<20/s.size, 8), 4096) &^ 3 }

// args are the shape in a worker's arguments.
func (s shape) args() []string { return []string{strconv.Itoa(s.size), strconv.Itoa(s.frames)} }

func parseShape(size, frames string) (shape, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return shape{}, fmt.Errorf("zmqbench: size %q is not a number", size)
	}
	f, err := strconv.Atoi(frames)
	if err != nil {
		return shape{}, fmt.Errorf("zmqbench: number of frames %q is not a number", frames)
	}
	s := shape{n, f}
	return s, s.check()
}

// digest is an FNV-1a hash over messages: of each the number of its frames, of
// each frame the length and the bytes.
type digest uint64

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (d *digest) number(x int) {
	h := uint64(*d)
	for range 8 {
		h = (h ^ uint64(byte(x))) * fnvPrime
		x >>= 8
	}
	*d = digest(h)
}

func (d *digest) message(frames [][]byte) {
	d.number(len(frames))
	for _, f := range frames {
		d.number(len(f))
		h := uint64(*d)
		for _, b := range f {
			h = (h ^ uint64(b)) * fnvPrime
		}
		*d = digest(h)
	}
}

// model is the hash that every receiver must come to.
func (s shape) model() uint64 {
	d := digest(fnvOffset)
	for i := range s.checkMessages() {
		d.message(s.message(i))
	}
	return uint64(d)
}
