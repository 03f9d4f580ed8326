//go:build !unix

package company

import (
	"fmt"
	"os"
)

// Inherit opens a pipe that this process was started with.
func Inherit(fd uintptr) (*os.File, error) {
	f := os.NewFile(fd, "pipe")
	if f == nil {
		return nil, fmt.Errorf("company: pipe %d was not inherited", fd)
	}
	return f, nil
}
