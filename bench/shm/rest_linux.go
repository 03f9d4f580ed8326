package shmbench

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const restMissing = ""

// processorTime is how long a process has run, all its threads together, in
// nanoseconds: its clock for that, by the number that the system gives it.
func processorTime(pid int) (time.Duration, error) {
	const sched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &t); err != nil {
		return 0, fmt.Errorf("shmbench: the processor time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}
