//go:build !unix

package zmq

import (
	"errors"
	"syscall"
)

// wsaeConnRefused is Windows' number for a connection that nobody takes.
const wsaeConnRefused = syscall.Errno(10061)

// refused tells whether nobody listens.
func refused(err error) bool { return errors.Is(err, wsaeConnRefused) }
