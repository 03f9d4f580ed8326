package dynamic

import (
	"sync/atomic"

	"github.com/fairlead-go/fairlead/segment"
)

// root is what all handles that stem from one Read or New share: the message,
// and the first fault that this package found.
type root struct {
	msg   *segment.Message
	fault atomic.Pointer[Error]
	built bool
}

// err is the first fault of the values or of the message.
func (r *root) err() error {
	if r == nil {
		return nil
	}
	if e := r.fault.Load(); e != nil {
		return e
	}
	return r.msg.Err()
}

// fail keeps e if it is the first fault. A message that is built gets it too,
// so that nothing half-built leaves.
func (r *root) fail(e *Error) {
	if r == nil || e == nil || !r.fault.CompareAndSwap(nil, e) || !r.built || r.msg.Err() != nil {
		return
	}
	spoil(r.msg, e)
}

// spoil makes err the fault of a message that is built. A message takes over
// the fault of one that is copied into it; the one that is copied here has err
// because its arena gave that instead of a second segment.
func spoil(msg *segment.Message, err error) {
	faulty := segment.New(&failing{err: err})
	defer faulty.Release()
	p := faulty.RootBuilder()
	p.NewData(len(failing{}.first) + 1)
	msg.NewOrphanCopy(p.Reader())
}

// failing is an arena that fails after its first segment.
type failing struct {
	first [64]byte
	given bool
	err   error
}

func (f *failing) Allocate(minBytes int) ([]byte, error) {
	if f.given || minBytes > len(f.first) {
		return nil, f.err
	}
	f.given = true
	return f.first[:], nil
}

func (f *failing) Free([]byte, int) {}

// keepers gives memory that nobody has to release: that of values which outlive
// the message that they were read from.
type keepers struct{}

func (keepers) Allocate(minBytes int) ([]byte, error) { return make([]byte, minBytes), nil }

func (keepers) Free([]byte, int) {}

// Zeroed promises that the memory is zero.
func (keepers) Zeroed() bool { return true }
