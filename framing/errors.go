package framing

import (
	"errors"
	"fmt"
	"io"

	"github.com/fairlead-go/fairlead/segment"
)

var (
	// ErrClosed is matched by the error of a call after Close, or ended by it.
	ErrClosed = errors.New("framing: closed")
	// ErrDisconnected is matched by an error that says that a pipe's connection
	// failed. The cause is matched too.
	ErrDisconnected = errors.New("framing: disconnected")
	// ErrCorrupt is matched by an error that says that mapped memory went away
	// while it was read: somebody shortened the file, or its disk failed.
	ErrCorrupt = errors.New("framing: mapped memory went away")
	// ErrFlat is matched by the error of writing to a flat stream what it cannot
	// hold: a second message, or a message of several segments.
	ErrFlat = errors.New("framing: a flat stream holds one message of one segment")
)

// Error is a fault of a stream of messages. It wraps the cause: io.ErrUnexpectedEOF,
// an error of package segment such as a [*segment.LimitError], or what the
// reader said.
type Error struct {
	Offset int64 // where in the stream, in bytes, the message begins that has the fault
	Err    error // the cause
}

func (e *Error) Error() string {
	return fmt.Sprintf("framing: message at offset %d: %v", e.Offset, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// errorAt says where in the stream an error is, but for the end of it.
func errorAt(offset int64, err error) error {
	if err == io.EOF {
		return err
	}
	return &Error{offset, err}
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", segment.ErrMalformed, fmt.Sprintf(format, args...))
}
