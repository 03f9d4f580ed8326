//go:build (!amd64 && !arm64) || purego

package mem

// Pause has nothing to tell to this processor.
func Pause(uint32) {}
