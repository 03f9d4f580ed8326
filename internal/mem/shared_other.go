//go:build !linux || purego

package mem

const sharedSupported = false

func newShared(string, int, SharedOptions) (*Shared, error) { return nil, errUnsupported("memfd") }

func openShared(int, OpenOptions) (*Shared, error) { return nil, errUnsupported("memfd") }

func unmapShared([]byte) error { return nil }

func closeDescriptor(int) error { return nil }
