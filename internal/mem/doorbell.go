package mem

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A Doorbell is one end of two bells between two processes: each end rings the
// one at which the other waits. Waiting holds no thread of the operating system.
//
// Each process makes an end with [NewDoorbell], sends the descriptor that it gets
// to the other, and calls Connect with what it receives. Nothing that a hostile
// peer does to what the two share makes Ring block, or Wait beyond its deadline;
// at worst it is not woken itself, or it rings without need.
//
// Ring, SetDeadline and Close may be called from any goroutine, Wait from one at
// a time. Connect comes before all of them but Ring and Close.
type Doorbell struct {
	out, in       *os.File // in is nil until Connect
	rawOut, rawIn syscall.RawConn
	closed        atomic.Bool

	ring  func(fd uintptr) // kept, because a new function value would be an allocation
	fault atomic.Int32     // the error number that ringing met, for good

	// The rest belongs to who waits.
	step  func(fd uintptr) bool
	look  func() bool
	slept bool
	err   error
}

// NewDoorbell makes an end and the descriptor by which the peer hears it. The
// caller sends that to the peer and closes it.
func NewDoorbell() (*Doorbell, int, error) { return newDoorbell() }

// Connect takes over fd, the descriptor that belongs to the peer's end, and
// closes it in case of an error. An error that matches [ErrShared] says that it
// is something else.
func (d *Doorbell) Connect(fd int) error { return d.connect(fd) }

// Ring wakes the peer if it is in a Wait, past the call of look; what happened
// before that call is for look to see. It never blocks. An error says that the
// peer has closed its end, or we ours.
func (d *Doorbell) Ring() error {
	err := d.rawOut.Control(d.ring)
	if no := d.fault.Load(); err == nil && no != 0 {
		err = syscall.Errno(no)
	}
	return d.wrap("ring", err)
}

// Wait sleeps until the peer rings. Before it does, when no ring can be missed
// any more, it calls look, which tells the peer to ring and looks whether there
// is still something to wait for; if it returns false, Wait returns at once.
// look is kept only during the call; a stored function value costs no allocation.
//
// A return without error need not mean anything: the caller looks again. Errors
// match [os.ErrDeadlineExceeded] when the deadline has passed, [os.ErrClosed]
// after Close, and [io.EOF] once the peer has closed its end.
func (d *Doorbell) Wait(look func() bool) error {
	d.look, d.slept, d.err = look, false, nil
	err := d.rawIn.Read(d.step)
	d.look = nil
	if err == nil {
		err = d.err
	}
	return d.wrap("wait", err)
}

// SetDeadline makes the Wait that goes on, and any later one, return at t with
// an error. The zero time means never.
func (d *Doorbell) SetDeadline(t time.Time) error { return d.wrap("deadline", d.in.SetReadDeadline(t)) }

// Close ends a Wait and closes our end. Closing again does nothing.
func (d *Doorbell) Close() error {
	if d.closed.Swap(true) {
		return nil
	}
	err := d.out.Close()
	if d.in != nil {
		err = errors.Join(err, d.in.Close())
	}
	if err != nil {
		return fmt.Errorf("mem: doorbell: close: %w", err)
	}
	return nil
}

func (d *Doorbell) wrap(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case d.closed.Load():
		err = os.ErrClosed // the poller has an error of its own for it
	}
	return fmt.Errorf("mem: doorbell: %s: %w", what, err)
}
