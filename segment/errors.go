package segment

import (
	"errors"
	"fmt"
)

// The faults that a message can have. Match them with [errors.Is].
var (
	// ErrMalformed: the bytes are not a valid message.
	ErrMalformed = errors.New("segment: malformed message")
	// ErrLimit: a limit was met; [errors.As] with a [*LimitError] tells which.
	ErrLimit = errors.New("segment: limit exceeded")
	// ErrReleased: the message was used after its Release.
	ErrReleased = errors.New("segment: message was released")
	// ErrReadOnly: a write to memory that this message may only read.
	ErrReadOnly = errors.New("segment: read-only message")
	// ErrArena: the arena failed, or gave memory that breaks its contract.
	ErrArena = errors.New("segment: arena failed")
	// ErrMisuse: a call that its documentation excludes, such as adopting an
	// orphan twice or into another message.
	ErrMisuse = errors.New("segment: misuse")
)

// LimitError tells which limit was met.
type LimitError struct {
	Limit string // the name of the field of [Limits], or of the format's own limit
	Max   uint64 // its value
	Got   uint64 // what was asked, where it is known; else more than Max
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("segment: limit exceeded: %s is %d, asked for %d", e.Limit, e.Max, e.Got)
}

// Is makes every LimitError match [ErrLimit].
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// Fault is a fault at a place in a message.
type Fault struct {
	Kind    error  // one of the errors of this package
	Segment uint32 // the segment where it was met
	Word    int64  // the word in that segment
	Detail  string // what was wrong there
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%v: segment %d, word %d: %s", f.Kind, f.Segment, f.Word, f.Detail)
}

// Unwrap gives the kind of fault.
func (f *Fault) Unwrap() error { return f.Kind }

// Fail makes err the message's fault, if it has none and err is not nil: for
// layers above that find one of their own, such as a value that does not fit
// its field. See [Message.Err].
func (m *Message) Fail(err error) {
	if err != nil {
		m.fail(err)
	}
}

// fail keeps err if it is the message's first fault.
func (m *Message) fail(err error) {
	if m != nil && m.fault.Load() == nil {
		m.fault.CompareAndSwap(nil, &err)
	}
}

// malformed records that the word at a is wrong. Nothing is formatted once a
// fault is known, so that hostile messages are not paid for twice.
func (s *seg) malformed(a addr, format string, args ...any) {
	s.faultAt(ErrMalformed, s.index(a), format, args...)
}

func (s *seg) faultAt(kind error, at int64, format string, args ...any) {
	if s.msg.fault.Load() != nil {
		return
	}
	if s.msg.released() {
		s.msg.fail(ErrReleased)
		return
	}
	s.msg.fail(&Fault{Kind: kind, Segment: s.id, Word: at, Detail: fmt.Sprintf(format, args...)})
}

func (m *Message) overLimit(limit string, maximum, got uint64) {
	if m.fault.Load() == nil {
		m.fail(&LimitError{Limit: limit, Max: maximum, Got: got})
	}
}
