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
