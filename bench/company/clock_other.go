//go:build !unix

package company

import "time"

// Clock reads a clock that all processes of the machine share, in nanoseconds.
func Clock() int64 { return time.Now().UnixNano() }
