//go:build !linux

package shmbench

import (
	"errors"
	"fmt"
	"time"
)

const restMissing = "the processor time of another process is read on Linux only"

func processorTime(pid int) (time.Duration, error) {
	return 0, fmt.Errorf("shmbench: the processor time of process %d: %w", pid, errors.ErrUnsupported)
}
