package rpc

import (
	"sync/atomic"
	"time"
)

const (
	longRun  = 50 * time.Microsecond // of a method that is not run by the reader next time
	shortRun = 20 * time.Microsecond // of one that may soon be again
	penance  = 32                    // short runs until then
	sampling = 16                    // one of how many runs by the reader, or who waits, is measured
)

// habits are how long methods take, by a hash of the method: those that share a
// place share their fate.
type habits struct {
	owes [64]atomic.Int32 // how many short runs
	runs uint32           // the reader's
}

func (h *habits) of(m Method) *atomic.Int32 {
	return &h.owes[(m.Interface^m.Interface>>32^uint64(m.Ordinal)*0x9e3779b9)%uint64(len(h.owes))]
}

// quick tells whether the reader may run m.
func (h *habits) quick(m Method) bool { return h.of(m).Load() == 0 }

// slow notes that m held up the reader.
func (h *habits) slow(m Method) { h.of(m).Store(penance) }

// begin gives the time if this run of the reader's is measured. The reader has the
// role.
func (h *habits) begin() time.Time {
	if h.runs++; h.runs%sampling != 0 {
		return time.Time{}
	}
	return time.Now()
}

// end notes a run that began at the given time, if it was measured.
func (h *habits) end(m Method, began time.Time) {
	if began.IsZero() {
		return
	}
	owes := h.of(m)
	switch d := time.Since(began); {
	case d > longRun:
		owes.Store(penance)
	case d < shortRun:
		if n := owes.Load(); n > 0 {
			owes.CompareAndSwap(n, n-1)
		}
	}
}
