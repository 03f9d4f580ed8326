//go:build !purego

package mem

import (
	"fmt"
	"unsafe"
)

// Words views b, which starts at a multiple of 8 and is a multiple of 8 long, as
// words. They are the same memory and valid for as long as b is.
func Words(b []byte) ([]Word, error) {
	// SAFETY: the address is only looked at.
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if addr%8 != 0 || len(b)%8 != 0 {
		return nil, fmt.Errorf("mem: words: %d bytes from an address that is %d over a multiple of 8", len(b), addr%8)
	}
	// SAFETY: a Word is 8 bytes without pointers, b has room for len(b)/8 of
	// them, and its start is aligned for the atomic operations of any processor.
	return unsafe.Slice((*Word)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8), nil
}

// Within tells where in outer inner begins, if all of it lies there. Neither is looked
// into: they may be memory that is unmapped by now.
func Within(outer, inner []byte) (at int, ok bool) {
	// SAFETY: the addresses are only compared.
	o, i := uintptr(unsafe.Pointer(unsafe.SliceData(outer))), uintptr(unsafe.Pointer(unsafe.SliceData(inner)))
	if i < o || i-o > uintptr(len(outer)) || uintptr(len(inner)) > uintptr(len(outer))-(i-o) {
		return 0, false
	}
	return int(i - o), true
}
