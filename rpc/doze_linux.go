package rpc

import (
	"syscall"
	"time"
)

// doze sleeps without a timer of the runtime's, which while it is pending makes
// every wait for the network dearer.
func doze(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil)
}
