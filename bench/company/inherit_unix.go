//go:build unix

package company

import (
	"fmt"
	"os"
	"syscall"
)

// Inherit opens a pipe that this process was started with. Who reads from it
// waits in the runtime's poller and not in a system call: in Go 1.26 a goroutine
// that has just begun a long system call can make whoever stops the world, as
// counting allocations does, wait until the next timer of the process, or a
// minute.
func Inherit(fd uintptr) (*os.File, error) {
	if err := syscall.SetNonblock(int(fd), true); err != nil {
		return nil, fmt.Errorf("company: pipe %d was not inherited: %w", fd, err)
	}
	return os.NewFile(fd, "pipe"), nil
}
