//go:build !purego

package arena

import "unsafe"

// shardOf returns the index of the shard that counts the block mem.
func shardOf(mem []byte) uint32 {
	// SAFETY: the address is only hashed, never turned back into a pointer. The
	// collector does not move heap memory, so it is the same at Free.
	addr := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
	return uint32(addr>>minShift) * 0x9e3779b1 >> (32 - shardBits)
}
