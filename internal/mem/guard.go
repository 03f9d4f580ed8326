package mem

import (
	"fmt"
	"reflect"
	"runtime/debug"
)

// Guard runs f and turns a memory fault of its goroutine inside b into an error
// that matches [ErrFault] and says at which offset it was. b is mapped memory
// that may go away under the reader: a file that someone else shortens, or whose
// disk fails. Any other panic of f goes on.
//
// Only what f does in its own goroutine is guarded; what it starts must call
// Guard for itself. A deferred call of f runs while the fault unwinds, so a lock
// that f holds must be released by one. The cost is some ten nanoseconds a call.
func Guard(b []byte, f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		p := recover()
		if p == nil {
			return
		}
		// The runtime's error for a fault at an address has this method, and
		// no other panic of the runtime does.
		if fault, ok := p.(interface{ Addr() uintptr }); ok && len(b) > 0 {
			// Some processors tell only the page, so the range is taken to
			// whole pages at both ends.
			page := uintptr(pageSize)
			start := reflect.ValueOf(b).Pointer()
			first := start &^ (page - 1)
			last := (start + uintptr(len(b)) - 1) | (page - 1)
			if addr := fault.Addr(); addr >= first && addr <= last {
				offset := int(addr) - int(start)
				err = fmt.Errorf("%w: near offset %d of %d", ErrFault, max(offset, 0), len(b))
				return
			}
		}
		panic(p)
	}()
	return f()
}
