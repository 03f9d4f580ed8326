//go:build purego

package mem

// Words is not to be had without unsafe; nor is the memory that it is for.
func Words([]byte) ([]Word, error) { return nil, errUnsupported("words of memory without unsafe") }

// Within can't tell here, where no memory is shared.
func Within(outer, inner []byte) (at int, ok bool) { return 0, false }
