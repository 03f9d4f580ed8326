//go:build !linux && !darwin && !windows

package mem

import "os"

// preallocate makes f to bytes long and gives everything from offset from on
// storage, so that a later write cannot meet a full disk.
func preallocate(f *os.File, from, to int64) error { return writeZeros(f, from, to) }
