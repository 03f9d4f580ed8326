//go:build !linux

package mem

import "runtime"

// Processors returns how many processors this process may run on.
func Processors() int { return runtime.NumCPU() }
