package mem

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrLocked is matched by the error of [Lock] for a file that somebody has locked.
var ErrLocked = errors.New("mem: file is locked")

// Lock locks f against other processes that lock it, without waiting. The lock
// ends with the last descriptor of this opening of the file, and so with the
// process at the latest.
func Lock(f *os.File) error { return lock(f) }

// A Watch hears when somebody writes to a file by a system call; stores to a
// mapping of it are silent. Waiting holds no thread of the operating system.
//
// SetDeadline and Close may be called from any goroutine, Wait from one at a time.
type Watch struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool

	step  func(fd uintptr) bool
	look  func() bool
	slept bool
	err   error
	drain [256]byte
}

// NewWatch begins to listen to f, which need not stay open. The caller closes it.
func NewWatch(f *os.File) (*Watch, error) { return newWatch(f) }

// Wait sleeps until somebody writes to the file. Before it does, when no write
// can be missed any more, it calls look; if that returns false, Wait returns at
// once. A return without error need not mean anything: the caller looks again.
// Errors match [os.ErrDeadlineExceeded] when the deadline has passed, and
// [os.ErrClosed] after Close.
func (w *Watch) Wait(look func() bool) error {
	w.look, w.slept, w.err = look, false, nil
	err := w.raw.Read(w.step)
	w.look = nil
	if err == nil {
		err = w.err
	}
	if err != nil && w.closed.Load() {
		err = os.ErrClosed // the poller has an error of its own for it
	}
	if err != nil {
		return fmt.Errorf("mem: watch: wait: %w", err)
	}
	return nil
}

// SetDeadline makes the Wait that goes on, and any later one, return at t with an
// error. The zero time means never.
func (w *Watch) SetDeadline(t time.Time) error {
	if err := w.file.SetReadDeadline(t); err != nil {
		return fmt.Errorf("mem: watch: %w", err)
	}
	return nil
}

// Close ends a Wait and the watch. Closing again does nothing.
func (w *Watch) Close() error {
	if w.closed.Swap(true) {
		return nil
	}
	if err := w.file.Close(); err != nil {
		return fmt.Errorf("mem: watch: close: %w", err)
	}
	return nil
}
