package rpc

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ExceptionType says what a caller may do about an exception. The numbers are
// those of Exception.Type in rpc.capnp.
type ExceptionType uint16

// The types of exceptions.
const (
	// Failed: something went wrong, and would again.
	Failed ExceptionType = iota
	// Overloaded: the callee is out of some resource; try later, and less.
	Overloaded
	// Disconnected: the callee can't be reached any more. Whether it ran the call
	// is not known, unless the reason says so.
	Disconnected
	// Unimplemented: the callee has no such method.
	Unimplemented
)

var typeNames = [...]string{"failed", "overloaded", "disconnected", "unimplemented"}

// String names the type as rpc.capnp does.
func (t ExceptionType) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("exception type %d", uint16(t))
}

// Sentinels for errors.Is, one for each type of exception. A handler that
// returns an error that wraps one of them gives its caller an exception of the
// type.
var (
	ErrFailed        = errors.New("rpc: failed")
	ErrOverloaded    = errors.New("rpc: overloaded")
	ErrDisconnected  = errors.New("rpc: disconnected")
	ErrUnimplemented = errors.New("rpc: unimplemented")
)

var sentinels = [...]error{ErrFailed, ErrOverloaded, ErrDisconnected, ErrUnimplemented}

// maxReason bounds the bytes of a reason, so that no error text fills a wire.
const maxReason = 1 << 10

// Exception is the error of a call. What crosses between caller and callee is
// its type and its reason, within a process as between two, so that a program
// meets the same errors wherever its server runs.
type Exception struct {
	Type   ExceptionType
	Reason string
	// NotSent says of a call that failed as disconnected that it never left this
	// process: it can be made again.
	NotSent bool
}

func (e *Exception) Error() string { return "rpc: " + e.Type.String() + ": " + e.Reason }

// Is makes errors.Is match the sentinel of the type. A type that is not known
// counts as failed.
func (e *Exception) Is(target error) bool {
	if int(e.Type) < len(sentinels) {
		return target == sentinels[e.Type]
	}
	return target == ErrFailed
}

// exception gives what of err a caller is told.
func exception(err error) *Exception {
	var e *Exception
	if errors.As(err, &e) && e == err {
		return e
	}
	typ := Failed
	for t, s := range sentinels {
		if errors.Is(err, s) {
			typ = ExceptionType(t)
			break
		}
	}
	reason := err.Error()
	if e != nil {
		typ = e.Type
	} else if errors.Is(err, context.Canceled) {
		reason = reasonCancelled
	}
	return &Exception{Type: typ, Reason: clip(strings.TrimPrefix(reason, "rpc: "+typ.String()+": "))}
}

func clip(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason-len("…")], "") + "…"
}

func exceptionf(t ExceptionType, format string, args ...any) *Exception {
	return &Exception{Type: t, Reason: clip(fmt.Sprintf(format, args...))}
}
