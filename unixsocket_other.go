//go:build !unix

package fairlead

import (
	"errors"
	"syscall"
)

// Windows' numbers.
const (
	wsaeAddrInUse   = syscall.Errno(10048)
	wsaeConnRefused = syscall.Errno(10061)
)

func addressInUse(err error) bool      { return errors.Is(err, wsaeAddrInUse) }
func connectionRefused(err error) bool { return errors.Is(err, wsaeConnRefused) }

// probeNetwork is what abandoned asks with: there are sockets of one type only,
// and so the owner gets a connection of it that ends at once.
const probeNetwork = "unix"
