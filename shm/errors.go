package shm

import (
	"errors"
	"fmt"
)

var (
	// ErrUnsupported is matched by every error of a system that has no shared
	// memory as this package needs it.
	ErrUnsupported = fmt.Errorf("shm: %w on this system", errors.ErrUnsupported)
	// ErrClosed is matched by the error of a call after Close, or ended by it.
	ErrClosed = errors.New("shm: closed")
	// ErrDisconnected is matched by the error of a pipe whose peer is gone: it
	// died, or it closed its end and was sent something.
	ErrDisconnected = errors.New("shm: disconnected")
	// ErrCorrupt is matched by the error of a pipe that was ended because the
	// peer broke the protocol. Such an error matches ErrDisconnected too.
	ErrCorrupt = errors.New("shm: the peer broke the protocol")
	// ErrAuth is matched by the error of a peer, a folder or a socket that may not
	// be trusted.
	ErrAuth = errors.New("shm: not allowed")
	// ErrOverloaded is matched by the error of a Dial to a listener that has as
	// many peers as it may have.
	ErrOverloaded = errors.New("shm: too many peers")
	// ErrFull is matched by the error of a message that is larger than what
	// Options.MaxBytes leaves for it, beside messages that are being built and those
	// of senders that wait for memory themselves.
	ErrFull = errors.New("shm: no room")
	// ErrInUse is matched by the error of a Listen on a path where somebody
	// listens already.
	ErrInUse = errors.New("shm: in use")
)

// corrupt is the error of a peer that broke the protocol.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", ErrDisconnected, ErrCorrupt, fmt.Sprintf(format, args...))
}
