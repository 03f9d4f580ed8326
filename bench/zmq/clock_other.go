//go:build !unix

package zmqbench

import "time"

// clock reads a clock that all processes of the machine share, in nanoseconds.
func clock() int64 { return time.Now().UnixNano() }
