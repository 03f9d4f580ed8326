package mem

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Processors returns how many processors this process may run on now, which
// whoever started it, or taskset, may have made fewer than the machine has.
func Processors() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() == 0 {
		return runtime.NumCPU() // more of them than the set has room for
	}
	return set.Count()
}
