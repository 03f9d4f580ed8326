//go:build unix && !purego

package mem

import (
	"unsafe"

	mmap "github.com/edsrzf/mmap-go"
	"golang.org/x/sys/unix"
)

// fileMapShows tells whether the memory shows what is in the file.
const fileMapShows = true

// open maps more than the file has. The pages behind its end fault until the
// file is lengthened, which needs no second mapping.
func (m *FileMap) open(n int) error {
	b, err := mmap.MapRegion(m.file, n, mmap.RDWR, 0, 0)
	m.base = b
	return err
}

func (m *FileMap) extended(int) error { return nil }

func (m *FileMap) flush(n int) error {
	if n == 0 {
		return nil
	}
	return unix.Msync(m.base[:RoundUp(n)], unix.MS_SYNC)
}

func (m *FileMap) detach(n int) error {
	n = RoundUp(n)
	if n > 0 {
		if err := replace(m.base[:n], int(m.file.Fd()), unix.MAP_PRIVATE|unix.MAP_FIXED); err != nil {
			return err
		}
	}
	if n < len(m.base) {
		return replace(m.base[n:], -1, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_ANON)
	}
	return nil
}

// replace puts another mapping where b lies.
func replace(b []byte, fd, flags int) error {
	// SAFETY: b is whole pages inside a mapping that this FileMap made and still
	// owns, so that MAP_FIXED takes nothing of anybody else's. The address stays
	// valid, and so do the slices that lead into it.
	_, err := unix.MmapPtr(fd, 0, unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)),
		unix.PROT_READ|unix.PROT_WRITE, flags)
	return err
}

func (m *FileMap) unmap() error {
	b := mmap.MMap(m.base)
	return b.Unmap()
}
