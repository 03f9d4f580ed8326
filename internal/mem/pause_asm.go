//go:build (amd64 || arm64) && !purego

package mem

// Pause tells the processor n times that this is a waiting loop, which costs some
// 40 ns each and gives the time to the other thread of a core. It does not give
// way to other goroutines.
//
//go:noescape
func Pause(n uint32)
