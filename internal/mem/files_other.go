//go:build !linux

package mem

import (
	"net"
	"os"
)

const filesRide = false

func writeFiles(*net.UnixConn, []byte, []*os.File) (int, int, error) {
	return 0, 0, errUnsupported("SCM_RIGHTS")
}

func (r *FileReader) read([]byte, int) (int, []*os.File, error) {
	return 0, nil, errUnsupported("SCM_RIGHTS")
}
