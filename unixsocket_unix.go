//go:build unix

package fairlead

import (
	"errors"
	"syscall"
)

func addressInUse(err error) bool      { return errors.Is(err, syscall.EADDRINUSE) }
func connectionRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// probeNetwork is what abandoned asks with.
const probeNetwork = "unixgram"
