//go:build (!amd64 && !arm64) || purego

package mem

// Prefetch has nothing to tell to this processor.
func Prefetch([]byte) {}

// PrefetchWrite has nothing to tell to this processor.
func PrefetchWrite([]byte) {}

// PrefetchLine and PrefetchLineWrite have nothing to tell to this processor.
func PrefetchLine(*Line) {}

func PrefetchLineWrite(*Line) {}
