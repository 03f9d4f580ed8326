package mem

import (
	"fmt"
	"os"
)

// A Mapping is a whole file mapped for reading, as long as the file was when it
// was mapped.
type Mapping struct {
	data []byte
}

// MapFile maps the regular file f. The mapping does not need f to stay open. The
// caller gives it back with [Mapping.Close].
//
// If someone shortens the file while it is mapped, reading what is gone faults;
// read through [Guard] to get an error. If someone writes to it, the bytes
// change under the reader: it is shared memory.
func MapFile(f *os.File) (*Mapping, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("mem: map: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("mem: map %s: not a regular file but %s", f.Name(), info.Mode().Type())
	}
	size := info.Size()
	if size > int64(maxInt-pageSize) {
		return nil, fmt.Errorf("mem: map %s: %d bytes, at most %d fit into memory", f.Name(), size, maxInt-pageSize)
	}
	if size == 0 {
		return &Mapping{}, nil // no system maps nothing
	}
	data, err := mapFile(f, int(size))
	if err != nil {
		return nil, fmt.Errorf("mem: map %s (%d bytes): %w", f.Name(), size, err)
	}
	return &Mapping{data: data}, nil
}

// Bytes returns the bytes of the file, nil if it is empty. They are valid until
// [Mapping.Close] and must not be written to. On unix their capacity goes on to
// the next multiple of 8, with the zeros that lie behind a file's end, so that
// they can be a segment.
func (m *Mapping) Bytes() []byte { return m.data }

// Close gives the mapping back. Nothing may touch its bytes afterwards. Closing
// it again does nothing.
func (m *Mapping) Close() error {
	data := m.data
	m.data = nil
	if data == nil {
		return nil
	}
	if err := unmapFile(data); err != nil {
		return fmt.Errorf("mem: unmap: %w", err)
	}
	return nil
}
