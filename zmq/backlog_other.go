//go:build !unix

package zmq

import "net"

// setBacklog does nothing: here a backlog cannot be changed.
func setBacklog(net.Listener, int) error { return nil }
