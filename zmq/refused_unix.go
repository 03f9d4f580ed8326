//go:build unix

package zmq

import (
	"errors"
	"syscall"
)

// refused tells whether nobody listens.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
