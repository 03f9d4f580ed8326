//go:build windows && !purego

package mem

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

func reserve(n int) ([]byte, error) {
	addr, err := windows.VirtualAlloc(0, uintptr(n), windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, err
	}
	// SAFETY: VirtualAlloc reserved n bytes at addr, outside the Go heap, that
	// stay there until VirtualFree. The uintptr is read as a pointer through its
	// address because vet takes the plain conversion for a collected address.
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&addr))), n), nil
}

func address(b []byte) uintptr {
	// SAFETY: the result is only handed to VirtualAlloc and VirtualFree, on
	// memory that the collector neither moves nor frees.
	return uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

func (r *Region) commit(n int) error {
	_, err := windows.VirtualAlloc(address(r.base[r.committed:]), uintptr(n-r.committed),
		windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

func (r *Region) decommit(from int) error {
	return windows.VirtualFree(address(r.base[from:]), uintptr(r.committed-from), windows.MEM_DECOMMIT)
}

func release(base []byte) error { return windows.VirtualFree(address(base), 0, windows.MEM_RELEASE) }
