//go:build purego

package mem

// Words is not to be had without unsafe; nor is the memory that it is for.
func Words([]byte) ([]Word, error) { return nil, errUnsupported("words of memory without unsafe") }
