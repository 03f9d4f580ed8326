//go:build purego || !(386 || amd64 || arm64 || ppc64le)

package segment

import (
	"encoding/binary"
	"math"
)

// An addr is the place of an object in a segment's memory, in bytes from its
// start. A segment has less than 2^29 words, so 32 bits hold it.
type addr = uint32

// nativeViews tells that a list of numbers can be handed out as a Go slice.
const nativeViews = false

// bind sets the segment's memory. The loads and stores below look at one bound
// only, the memory's capacity, to which the third index of a slice holds them:
// it is the length, but where an arena keeps more behind its segments.
func (s *seg) bind(mem []byte) { s.mem = mem }

func aligned([]byte) bool { return true }

func (s *seg) at(word int64) addr { return addr(word << 3) }

func (s *seg) index(a addr) int64 { return int64(a >> 3) }

func (s *seg) reach(at addr, w word) int64 { return int64(at) + int64(int32(uint32(w))&^3)<<1 }

func (s *seg) reached(i int64) addr { return addr(i) + wordBytes }

func link(w word, at, to addr) word { return w - wordBytes/2 + word(to-at)>>1 }

func step(a addr, n uint) addr { return a + addr(n) }

func (s *seg) ld8(a addr, off uint32) uint8 { return s.mem[uint(a)+uint(off)] }

func (s *seg) ld16(a addr, off uint32) uint16 {
	i := uint(a) + uint(off)
	return binary.LittleEndian.Uint16(s.mem[i : i+2 : i+2])
}

func (s *seg) ld32(a addr, off uint32) uint32 {
	i := uint(a) + uint(off)
	return binary.LittleEndian.Uint32(s.mem[i : i+4 : i+4])
}

func (s *seg) ld64(a addr, off uint32) uint64 {
	i := uint(a) + uint(off)
	return binary.LittleEndian.Uint64(s.mem[i : i+8 : i+8])
}

func (s *seg) st8(a addr, off uint32, v uint8) { s.mem[uint(a)+uint(off)] = v }

func (s *seg) st16(a addr, off uint32, v uint16) {
	i := uint(a) + uint(off)
	binary.LittleEndian.PutUint16(s.mem[i:i+2:i+2], v)
}

func (s *seg) st32(a addr, off uint32, v uint32) {
	i := uint(a) + uint(off)
	binary.LittleEndian.PutUint32(s.mem[i:i+4:i+4], v)
}

func (s *seg) st64(a addr, off uint32, v uint64) {
	i := uint(a) + uint(off)
	binary.LittleEndian.PutUint64(s.mem[i:i+8:i+8], v)
}

func (s *seg) bytes(a addr, n int) []byte {
	return s.mem[uint(a) : uint(a)+uint(n) : uint(a)+uint(n)]
}

func (s *seg) list(a addr, n int64) []byte { return s.bytes(a, int(n)) }

func (s *seg) move(a addr, v string) { copy(s.bytes(a, len(v)), v) }

// shortText is the longest text that is copied without a call of its own.
const shortText = maxText

func (s *seg) move16(a addr, v string, off uint) {
	i := uint(a) + off
	copy(s.mem[i:i+16:i+16], v[off:off+16])
}

func (s *seg) move8(a addr, v string, off uint) {
	i := uint(a) + off
	copy(s.mem[i:i+8:i+8], v[off:off+8])
}

func (s *seg) move4(a addr, v string, off uint) {
	i := uint(a) + off
	copy(s.mem[i:i+4:i+4], v[off:off+4])
}

func (s *seg) move1(a addr, v string, off uint) { s.mem[uint(a)+off] = v[off] }

// sizeOf is the size of a T in bytes, found without unsafe: an integer type
// wraps where its width ends, and a float's precision tells its width.
func sizeOf[T Number]() uint32 {
	if isFloat[T]() {
		third := float64(T(1) / T(3))
		if third == 1.0/3.0 {
			return 8
		}
		return 4
	}
	size := uint32(1)
	for size < 8 && T(uint64(1)<<(8*size)) != 0 {
		size *= 2
	}
	return size
}

func isFloat[T Number]() bool { return T(1)/T(2) != 0 }

func ldNum[T Number](s *seg, a addr) T {
	switch sizeOf[T]() {
	case 1:
		return T(s.ld8(a, 0))
	case 2:
		return T(s.ld16(a, 0))
	case 4:
		if isFloat[T]() {
			return T(math.Float32frombits(s.ld32(a, 0)))
		}
		return T(s.ld32(a, 0))
	default:
		if isFloat[T]() {
			return T(math.Float64frombits(s.ld64(a, 0)))
		}
		return T(s.ld64(a, 0))
	}
}

func stNum[T Number](s *seg, a addr, v T) {
	switch sizeOf[T]() {
	case 1:
		s.st8(a, 0, uint8(v))
	case 2:
		s.st16(a, 0, uint16(v))
	case 4:
		if isFloat[T]() {
			s.st32(a, 0, math.Float32bits(float32(v)))
			return
		}
		s.st32(a, 0, uint32(v))
	default:
		if isFloat[T]() {
			s.st64(a, 0, math.Float64bits(float64(v)))
			return
		}
		s.st64(a, 0, uint64(v))
	}
}

func view[T Number](*seg, addr, int) []T { return nil }
