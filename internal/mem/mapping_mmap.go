//go:build (unix || windows) && !purego

package mem

import (
	"os"
	"runtime"

	mmap "github.com/edsrzf/mmap-go"
)

func mapFile(f *os.File, size int) ([]byte, error) {
	length := size
	if runtime.GOOS != "windows" {
		length = (size + 7) &^ 7 // still within the last page, and zero there
	}
	m, err := mmap.MapRegion(f, length, mmap.RDONLY, 0, 0)
	if err != nil {
		return nil, err
	}
	return m[:size:length], nil
}

func unmapFile(data []byte) error {
	m := mmap.MMap(data[:cap(data)])
	return m.Unmap()
}
