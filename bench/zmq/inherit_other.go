//go:build !unix

package zmqbench

import (
	"fmt"
	"os"
)

// inherit opens a pipe that this process was started with.
func inherit(fd uintptr) (*os.File, error) {
	f := os.NewFile(fd, "pipe")
	if f == nil {
		return nil, fmt.Errorf("zmqbench: worker: pipe %d was not inherited", fd)
	}
	return f, nil
}
