package fairlead

import (
	"errors"
	"fmt"
	"io"
)

var (
	// ErrURL is matched by the error of a URL that cannot be understood.
	ErrURL = errors.New("fairlead: bad URL")
	// ErrClosed is matched by the error of a call after Close, or ended by it.
	ErrClosed = errors.New("fairlead: closed")
	// ErrDisconnected is matched by the error of a pipe whose connection was lost.
	ErrDisconnected = errors.New("fairlead: disconnected")
)

// A fault is an error of a transport that matches one of this package too.
type fault struct {
	kind error
	err  error
}

func (f *fault) Error() string   { return f.err.Error() }
func (f *fault) Unwrap() []error { return []error{f.kind, f.err} }

// A dialect is how the errors of a transport are told apart.
type dialect struct{ closed, disconnected error }

// translate gives an error of a transport as one of this package.
func (d dialect) translate(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case errors.Is(err, d.disconnected), errors.Is(err, io.ErrUnexpectedEOF):
		return &fault{ErrDisconnected, err}
	case errors.Is(err, d.closed):
		return &fault{ErrClosed, err}
	}
	return err
}

// about says which call on which URL failed.
func about(doing, url string, err error) error {
	return fmt.Errorf("fairlead: %s %s: %w", doing, url, err)
}
