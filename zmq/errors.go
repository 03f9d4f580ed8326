package zmq

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is matched by the error of a call after Close, or ended by it.
	ErrClosed = errors.New("zmq: socket is closed")
	// ErrDisconnected is matched by the error of a pipe whose connection was lost.
	ErrDisconnected = errors.New("zmq: disconnected")
	// ErrState is matched by the error of a call that the socket's type or state
	// does not have: receiving from a PUSH, a REP that sends before it received.
	ErrState = errors.New("zmq: not possible now")
	// ErrUnroutable is matched by the error of sending to a peer that a mandatory
	// ROUTER does not have.
	ErrUnroutable = errors.New("zmq: no such peer")
	// ErrEndpoint is matched by the error of an endpoint that cannot be
	// understood, is not in use, or is used already.
	ErrEndpoint = errors.New("zmq: bad endpoint")
	// ErrTooLarge is matched by the error of sending, or the reason for dropping
	// a peer that sent, more than a message may have.
	ErrTooLarge = errors.New("zmq: message too large")
	// ErrCorrupt is matched by the error of sending a message whose memory cannot
	// be read, because it lies in a mapped file that was cut short. Where that is
	// found out only when the message is written, the message is dropped, and the
	// connection lost.
	ErrCorrupt = errors.New("zmq: corrupt message")
	// ErrHandshake is matched by the reason that the monitor gives for a peer
	// that was refused.
	ErrHandshake = errors.New("zmq: handshake failed")
)

func stateError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
}
