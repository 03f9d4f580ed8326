package arena

import (
	"fmt"
	"reflect"
	"sync"
)

// Fixed is an arena over one buffer of the caller's, which becomes the one
// segment. A message that does not fit gets an error. It serves one message at a
// time, any number after each other.
type Fixed struct {
	mu  sync.Mutex
	buf []byte
	out bool
}

// NewFixed returns an arena over buf, which must start at a multiple of 8, as all
// memory from make does, and have at least 8 bytes; up to 7 bytes at its end are
// left out. The buffer is cleared here, once. It belongs to the arena until the
// caller drops the arena, and a message built in it is valid until it is released.
func NewFixed(buf []byte) (*Fixed, error) {
	n := min(len(buf), maxSegment) &^ 7
	if n == 0 {
		return nil, fmt.Errorf("arena: fixed: buffer of %d bytes, want at least 8", len(buf))
	}
	if at := reflect.ValueOf(buf).Pointer() % 8; at != 0 {
		return nil, fmt.Errorf("arena: fixed: buffer starts %d bytes behind a multiple of 8", at)
	}
	buf = buf[:n:n]
	clear(buf)
	return &Fixed{buf: buf}, nil
}

// Allocate returns the whole buffer. It is an error if that is less than minBytes
// or is out already.
func (f *Fixed) Allocate(minBytes int) ([]byte, error) {
	if err := checkAsk("fixed", minBytes); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out {
		return nil, fmt.Errorf("%w: fixed: %d bytes asked, the buffer of %d bytes is in use", ErrFull, minBytes, len(f.buf))
	}
	if minBytes > len(f.buf) {
		return nil, fmt.Errorf("%w: fixed: %d bytes asked, the buffer has %d", ErrFull, minBytes, len(f.buf))
	}
	f.out = true
	return f.buf, nil
}

// Free takes the buffer back, of which only the first used bytes were written.
// It panics if segment is not out.
func (f *Fixed) Free(segment []byte, used int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []byte
	if f.out {
		out = f.buf
	}
	checkFree("fixed", segment, out, used)
	clear(f.buf[:used])
	f.out = false
}

// Outstanding returns 1 and the length of the buffer while it is out.
func (f *Fixed) Outstanding() (blocks, bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.out {
		return 0, 0
	}
	return outstanding(f.buf)
}

// Zeroed reports that memory comes zeroed, so that nobody need check.
func (f *Fixed) Zeroed() bool { return true }
