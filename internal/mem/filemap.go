package mem

import (
	"fmt"
	"os"
	"sync/atomic"
)

// A FileMap is a file under construction: its bytes are memory that never moves,
// and that becomes longer in place together with the file. The calls come in this
// order: Extend any number of times, Flush, Detach before the file is cut to its
// final size, Close.
type FileMap struct {
	file *os.File
	base []byte // as long as the maximum; nothing beyond extent may be touched
	// extent is how many bytes from the front the file has storage for, whole pages.
	// One goroutine may extend the file while another flushes.
	extent atomic.Int64
}

// NewFileMap maps the empty file f, open for reading and writing, so that it can
// become maxBytes long. f stays the caller's and must stay open until the last
// Flush.
func NewFileMap(f *os.File, maxBytes int) (*FileMap, error) {
	if maxBytes <= 0 || maxBytes > maxInt-pageSize {
		return nil, fmt.Errorf("mem: map file: %d bytes asked, want 1 to %d", maxBytes, maxInt-pageSize)
	}
	m := &FileMap{file: f}
	if err := m.open(RoundUp(maxBytes)); err != nil {
		return nil, fmt.Errorf("mem: map %d bytes of %s: %w", maxBytes, f.Name(), err)
	}
	return m, nil
}

// OpenFileMap maps a file that has contents already, so that it can become
// maxBytes long. Nothing may be touched before Extend. It needs a system that maps
// files for writing; elsewhere the error matches [errors.ErrUnsupported].
func OpenFileMap(f *os.File, maxBytes int) (*FileMap, error) {
	if !fileMapShows {
		return nil, errUnsupported("mapping a file for writing")
	}
	return NewFileMap(f, maxBytes)
}

// Extend makes the file at least n bytes long, with storage on the disk for all
// of them, and returns its first n bytes, with the capacity clipped. New bytes
// are zero. [IsNoSpace] tells a full disk from other errors.
func (m *FileMap) Extend(n int) ([]byte, error) {
	if n < 0 || n > len(m.base) {
		return nil, fmt.Errorf("mem: extend %s: %d bytes asked, at most %d mapped", m.file.Name(), n, len(m.base))
	}
	if extent := int(m.extent.Load()); n > extent {
		to := min(RoundUp(n), len(m.base))
		if err := preallocate(m.file, int64(extent), int64(to)); err != nil {
			return nil, fmt.Errorf("mem: extend %s from %d to %d bytes: %w", m.file.Name(), extent, to, err)
		}
		if err := m.extended(to); err != nil {
			return nil, fmt.Errorf("mem: extend %s to %d bytes: %w", m.file.Name(), to, err)
		}
		m.extent.Store(int64(to))
	}
	return m.base[:n:n], nil
}

// Flush hands the first n bytes to the file. They are on the disk once the
// caller has synced the file too.
func (m *FileMap) Flush(n int) error {
	if err := m.flush(min(n, int(m.extent.Load()))); err != nil {
		return fmt.Errorf("mem: flush %d bytes of %s: %w", n, m.file.Name(), err)
	}
	return nil
}

// Detach cuts the memory off from the file, whose first n bytes stay readable in
// it. What is written to the memory from now on stays in this process, so that
// nobody can spoil the file, and the file can be cut short without a fault in the
// memory behind its end.
func (m *FileMap) Detach(n int) error {
	if err := m.detach(n); err != nil {
		return fmt.Errorf("mem: detach from %s: %w", m.file.Name(), err)
	}
	return nil
}

// Close gives the memory back. Nothing may touch it afterwards. It does not close
// the file. Closing it again does nothing.
func (m *FileMap) Close() error {
	if m.base == nil {
		return nil
	}
	err := m.unmap()
	m.base = nil
	m.extent.Store(0)
	if err != nil {
		return fmt.Errorf("mem: unmap %s: %w", m.file.Name(), err)
	}
	return nil
}
