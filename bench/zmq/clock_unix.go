//go:build unix

package zmqbench

import "golang.org/x/sys/unix"

// clock reads a clock that all processes of the machine share, in nanoseconds.
func clock() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic(err) // every such system has this clock
	}
	return t.Nano()
}
