//go:build !purego && (386 || amd64 || arm64 || ppc64le)

package segment

import "unsafe"

// An addr is the place of an object in a segment's memory. Here it is a
// pointer, so that a getter is one compare and one load; the twin in
// mem_purego.go is an offset that every access checks.
//
// SAFETY: an addr is made from a segment's base by at and step only, after its
// bounds were checked, and its handle's segment keeps the memory alive.
type addr = unsafe.Pointer

// nativeViews tells that a list of numbers can be handed out as a Go slice.
const nativeViews = true

// bind sets the segment's memory. mem must be 8-byte aligned.
func (s *seg) bind(mem []byte) {
	s.mem = mem
	// SAFETY: SliceData of mem stays valid as long as s.base is held.
	s.base = unsafe.Pointer(unsafe.SliceData(mem))
}

// aligned reports whether mem can be read a word at a time.
func aligned(mem []byte) bool {
	// SAFETY: only the address is looked at.
	return uintptr(unsafe.Pointer(unsafe.SliceData(mem)))&7 == 0
}

// at gives the place of a word. The caller has checked that it lies in the segment.
func (s *seg) at(word int64) addr {
	// SAFETY: 0 <= word < words of mem.
	return unsafe.Add(s.base, word<<3)
}

// index is the inverse of at, rounded down to a word.
func (s *seg) index(a addr) int64 {
	// SAFETY: both point into mem; only their distance is used.
	return int64(uintptr(a)-uintptr(s.base)) >> 3
}

// reach is where the object lies that the near pointer w at place at refers to,
// in bytes from the segment's second word on. There it saves an addition; the
// little that may lie in the first word is left to others.
func (s *seg) reach(at addr, w word) int64 {
	// SAFETY: only the distance is used.
	return int64(uintptr(at)-uintptr(s.base)) + int64(int32(uint32(w))&^3)<<1
}

// reached gives the place that reach found. The caller has checked that it lies
// in the segment.
func (s *seg) reached(i int64) addr {
	// SAFETY: 0 <= i+8 < words*8 bytes of mem.
	return unsafe.Add(s.base, i+wordBytes)
}

// link is w, a pointer at place at that has no offset yet, with that of an
// object at place to, behind it in the same segment as a new one is: the words
// between the pointer's end and the object, from bit 2 on.
func link(w word, at, to addr) word {
	// SAFETY: only the distance is used; it is a multiple of 8.
	return w - wordBytes/2 + word(uintptr(to)-uintptr(at))>>1
}

// step moves a by n bytes within an object that was checked as a whole.
func step(a addr, n uint) addr {
	// SAFETY: the callers' handles were bounds-checked when they were made.
	return unsafe.Add(a, n)
}

// The loads and stores below take an object's place and an offset within it
// that the caller compared with the object's size.

func (s *seg) ld8(a addr, off uint32) uint8 {
	// SAFETY: see above.
	return *(*uint8)(unsafe.Add(a, uint(off)))
}

func (s *seg) ld16(a addr, off uint32) uint16 {
	// SAFETY: see above.
	return *(*uint16)(unsafe.Add(a, uint(off)))
}

func (s *seg) ld32(a addr, off uint32) uint32 {
	// SAFETY: see above.
	return *(*uint32)(unsafe.Add(a, uint(off)))
}

func (s *seg) ld64(a addr, off uint32) uint64 {
	// SAFETY: see above.
	return *(*uint64)(unsafe.Add(a, uint(off)))
}

func (s *seg) st8(a addr, off uint32, v uint8) {
	// SAFETY: see above.
	*(*uint8)(unsafe.Add(a, uint(off))) = v
}

func (s *seg) st16(a addr, off uint32, v uint16) {
	// SAFETY: see above.
	*(*uint16)(unsafe.Add(a, uint(off))) = v
}

func (s *seg) st32(a addr, off uint32, v uint32) {
	// SAFETY: see above.
	*(*uint32)(unsafe.Add(a, uint(off))) = v
}

func (s *seg) st64(a addr, off uint32, v uint64) {
	// SAFETY: see above.
	*(*uint64)(unsafe.Add(a, uint(off))) = v
}

// list is bytes for a list, which has at most maxListLen of them: the array type
// stands for any such length, and its bounds check costs less than that of
// unsafe.Slice.
func (s *seg) list(a addr, n int64) []byte {
	// SAFETY: a and a+n lie in mem.
	return (*[maxListLen]byte)(a)[:n:n]
}

// bytes is the memory from a on, n bytes long, with clipped capacity. The
// caller has checked that it lies in the segment; n may be 0.
func (s *seg) bytes(a addr, n int) []byte {
	// SAFETY: a and a+n lie in mem.
	return unsafe.Slice((*byte)(a), n)
}

const shortText = 64

// move, move16, move8, move4 and move1 copy all or some bytes of v to a place. The caller
// knows that they are there, and that there is room.

func (s *seg) move(a addr, v string) { copy(s.bytes(a, len(v)), v) }

func (s *seg) move16(a addr, v string, off uint) {
	// SAFETY: off+16 <= len(v), and as many bytes lie at a. Neither is read but
	// as bytes.
	*(*[16]byte)(unsafe.Add(a, off)) = *(*[16]byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(v)), off))
}

func (s *seg) move8(a addr, v string, off uint) {
	// SAFETY: off+8 <= len(v), and as many bytes lie at a.
	*(*uint64)(unsafe.Add(a, off)) = *(*uint64)(unsafe.Add(unsafe.Pointer(unsafe.StringData(v)), off))
}

func (s *seg) move4(a addr, v string, off uint) {
	// SAFETY: off+4 <= len(v), and as many bytes lie at a.
	*(*uint32)(unsafe.Add(a, off)) = *(*uint32)(unsafe.Add(unsafe.Pointer(unsafe.StringData(v)), off))
}

func (s *seg) move1(a addr, v string, off uint) {
	// SAFETY: off < len(v), and as many bytes lie at a.
	*(*uint8)(unsafe.Add(a, off)) = *(*uint8)(unsafe.Add(unsafe.Pointer(unsafe.StringData(v)), off))
}

// ldNum loads a T from within a checked object.
func ldNum[T Number](_ *seg, a addr) T {
	// SAFETY: the list handle's element size is at least that of T.
	return *(*T)(a)
}

// stNum stores a T into a checked object.
func stNum[T Number](_ *seg, a addr, v T) {
	// SAFETY: as ldNum.
	*(*T)(a) = v
}

// sizeOf is the size of a T in bytes.
func sizeOf[T Number]() uint32 {
	var v T
	// SAFETY: Sizeof is a constant.
	return uint32(unsafe.Sizeof(v))
}

// view gives n numbers from a on as a slice of the same memory.
func view[T Number](_ *seg, a addr, n int) []T {
	if n == 0 {
		return nil
	}
	// SAFETY: a is a multiple of 8 bytes into aligned memory and the n
	// elements were checked to lie in it.
	return unsafe.Slice((*T)(a), n)
}
