package zmtp

import (
	"errors"
	"fmt"
)

// The faults of a connection. Match them with [errors.Is].
var (
	// ErrMalformed: the bytes are not valid ZMTP, or not valid at this point.
	ErrMalformed = errors.New("zmtp: malformed")
	// ErrLimit: a limit was met; [errors.As] with a [*LimitError] tells which.
	ErrLimit = errors.New("zmtp: limit exceeded")
	// ErrVersion: the peer speaks ZMTP 2.0 or older, or another protocol.
	ErrVersion = errors.New("zmtp: unsupported protocol version")
	// ErrMechanism: the peers want different security mechanisms, or both want
	// to be its server.
	ErrMechanism = errors.New("zmtp: security mechanism mismatch")
	// ErrAuth: credentials were denied, or bytes that CURVE protects are not
	// what the peer's key would have made of them: altered, replayed, or made
	// with another key.
	ErrAuth = errors.New("zmtp: authentication failed")
	// ErrRefused: the peer ended the handshake with an ERROR command, which is
	// a [*PeerError]. Connecting again with the same settings is of no use.
	ErrRefused = errors.New("zmtp: refused by the peer")
)

// LimitError tells which limit was met.
type LimitError struct {
	Limit string // what is limited
	Max   uint64 // its limit
	Got   uint64 // what was asked
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("zmtp: limit exceeded: %s is %d, at most %d", e.Limit, e.Got, e.Max)
}

// Is makes every LimitError match [ErrLimit].
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// PeerError is an ERROR command received in a handshake. It matches
// [ErrRefused], and [ErrAuth] where it stands for denied credentials.
type PeerError struct {
	Mechanism string
	Reason    string // as the peer sent it: up to 255 bytes of anything
}

func (e *PeerError) Error() string {
	return fmt.Sprintf("zmtp: refused by the peer: %s handshake ended with reason %q", e.Mechanism, e.Reason)
}

// Is makes a PeerError match [ErrRefused]. In PLAIN and CURVE an ERROR says
// that authentication failed; in NULL only if it has ZAP's status code for it.
func (e *PeerError) Is(target error) bool {
	return target == ErrRefused || target == ErrAuth && (e.Mechanism != NULL || e.Reason == reasonDenied)
}

// fault makes an error of the kind of a sentinel.
//
//go:noinline
func fault(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
}

//go:noinline
func overLimit(limit string, maximum, got uint64) error {
	return &LimitError{Limit: limit, Max: maximum, Got: got}
}
