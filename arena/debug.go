package arena

import (
	"bytes"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"sync"
)

// A Fault is a kind of mistake that a debug pool finds.
type Fault uint8

const (
	// Leak is a block that was dropped without Free. It still counts as
	// outstanding.
	Leak Fault = iota + 1
	// DoubleFree is a block that was freed again. The second Free did nothing.
	DoubleFree
	// StaleWrite is a block that was written to after it was freed.
	StaleWrite
	// Overrun is a block that was written to behind what its Free called used.
	Overrun
	// Foreign is a Free of memory that the pool never handed out, or of a part of
	// a block. It did nothing.
	Foreign
)

// String returns the name of the fault in plain words.
func (f Fault) String() string {
	switch f {
	case Leak:
		return "block dropped without Free"
	case DoubleFree:
		return "block freed twice"
	case StaleWrite:
		return "write through a stale view"
	case Overrun:
		return "write behind the used part"
	case Foreign:
		return "Free of memory that is not the pool's"
	}
	return fmt.Sprintf("fault %d", uint8(f))
}

// A Report is one mistake that a debug pool found. The stacks are text, a line a
// function, empty where they do not apply.
type Report struct {
	Fault     Fault
	Bytes     int    // size of the block
	Offset    int    // first byte written, for StaleWrite and Overrun
	Allocated string // where the block was allocated
	Freed     string // where it was freed first
	Found     string // where the mistake was made or found
}

// String returns the report as text of several lines.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "arena: %s: %d bytes", r.Fault, r.Bytes)
	if r.Fault == StaleWrite || r.Fault == Overrun {
		fmt.Fprintf(&b, ", at offset %d", r.Offset)
	}
	for _, s := range []struct{ title, stack string }{{"allocated", r.Allocated}, {"freed", r.Freed}, {"found", r.Found}} {
		if s.stack != "" {
			fmt.Fprintf(&b, "\n%s at\n%s", s.title, s.stack)
		}
	}
	return b.String()
}

func logReport(r Report) {
	slog.Error("arena: "+r.Fault.String(), "bytes", r.Bytes, "offset", r.Offset,
		"allocated", r.Allocated, "freed", r.Freed, "found", r.Found)
}

// poison fills freed memory. As a pointer word it is a capability pointer with
// reserved bits set, which every reader calls malformed.
const poison = 0xdb

var (
	poisonPage = bytes.Repeat([]byte{poison}, 4096)
	zeroPage   = make([]byte, 4096)
)

const defaultQuarantine = 16 << 20

// A debugger is the pool's other mode. It hands out fresh memory only, so that
// one block never has two owners, whatever its users do.
type debugger struct {
	limit      int // largest class in bytes
	quarantine int // bytes
	report     func(Report)

	mu     sync.Mutex
	blocks map[uintptr]*record // by address, until the collector has the memory
	queue  []watched           // oldest first
	bytes  int                 // in queue
	out    int64
	outLen int64
}

// A record is what is known of one block. It does not keep the block alive: a
// block that nobody has any more is a leak, and is to be found. Nobody else can
// get the address while somebody has the block.
type record struct {
	addr        uintptr
	bytes       int
	freed       bool
	written     bool // after it was freed, and reported
	allocatedAt stack
	freedAt     stack
}

type watched struct {
	mem []byte
	rec *record
}

func newDebugger(opts PoolOptions, limit int) *debugger {
	d := &debugger{
		limit:      limit,
		quarantine: opts.Quarantine,
		report:     opts.Report,
		blocks:     map[uintptr]*record{},
	}
	if d.quarantine <= 0 {
		d.quarantine = defaultQuarantine
	}
	if d.report == nil {
		d.report = logReport
	}
	return d
}

func (d *debugger) allocate(minBytes int) []byte {
	size := min(roundUp(minBytes, largeStep), maxSegment)
	if minBytes <= d.limit {
		size = 1 << (minShift + classOf(minBytes))
	}
	mem := make([]byte, size)
	rec := &record{addr: reflect.ValueOf(mem).Pointer(), bytes: size, allocatedAt: callers()}
	d.mu.Lock()
	d.blocks[rec.addr] = rec
	d.out++
	d.outLen += int64(size)
	d.mu.Unlock()
	runtime.AddCleanup(&mem[0], d.collected, rec)
	return mem
}

// collected runs when nobody can reach the block of rec any more.
func (d *debugger) collected(rec *record) {
	d.mu.Lock()
	if d.blocks[rec.addr] == rec { // or the address has a new block by now
		delete(d.blocks, rec.addr)
	}
	leaked := !rec.freed
	d.mu.Unlock()
	if leaked {
		d.report(Report{Fault: Leak, Bytes: rec.bytes, Allocated: rec.allocatedAt.String()})
	}
}

func (d *debugger) free(mem []byte, used int) {
	here := callers()
	if used < 0 || used > len(mem) {
		panic(fmt.Sprintf("arena: pool: Free says that %d bytes of %d were used", used, len(mem)))
	}
	if len(mem) == 0 {
		d.report(Report{Fault: Foreign, Found: here.String()})
		return
	}
	d.mu.Lock()
	rec := d.blocks[reflect.ValueOf(mem).Pointer()]
	switch {
	case rec == nil || len(mem) != rec.bytes:
		d.mu.Unlock()
		d.report(Report{Fault: Foreign, Bytes: len(mem), Found: here.String()})
		return
	case rec.freed:
		d.mu.Unlock()
		d.report(Report{
			Fault: DoubleFree, Bytes: rec.bytes,
			Allocated: rec.allocatedAt.String(), Freed: rec.freedAt.String(), Found: here.String(),
		})
		return
	}
	rec.freed, rec.freedAt = true, here
	d.out--
	d.outLen -= int64(rec.bytes)
	d.mu.Unlock()

	// The block is this call's alone now.
	if i := firstNot(mem[used:], zeroPage); i >= 0 {
		d.report(Report{
			Fault: Overrun, Bytes: rec.bytes, Offset: used + i,
			Allocated: rec.allocatedAt.String(), Found: here.String(),
		})
	}
	for i := 0; i < len(mem); {
		i += copy(mem[i:], poisonPage)
	}
	d.mu.Lock()
	d.queue = append(d.queue, watched{mem, rec})
	d.bytes += len(mem)
	n := 0
	for ; d.bytes > d.quarantine; n++ {
		d.bytes -= len(d.queue[n].mem)
	}
	leaving := append([]watched(nil), d.queue[:n]...)
	clear(d.queue[:n])
	d.queue = d.queue[n:]
	d.mu.Unlock()
	d.examine(leaving)
}

// check looks at everything that is watched.
func (d *debugger) check() int {
	d.mu.Lock()
	all := append([]watched(nil), d.queue...)
	d.mu.Unlock()
	return d.examine(all)
}

// examine reports the blocks of ws that were written to, each only once, and
// returns how many it reported.
func (d *debugger) examine(ws []watched) int {
	n := 0
	for _, w := range ws {
		i := firstNot(w.mem, poisonPage)
		if i < 0 {
			continue
		}
		d.mu.Lock()
		known := w.rec.written
		w.rec.written = true
		d.mu.Unlock()
		if known {
			continue
		}
		n++
		d.report(Report{
			Fault: StaleWrite, Bytes: w.rec.bytes, Offset: i,
			Allocated: w.rec.allocatedAt.String(), Freed: w.rec.freedAt.String(),
		})
	}
	return n
}

func (d *debugger) outstanding() (blocks, bytes int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.out, d.outLen
}

// firstNot returns the index of the first byte of b that is not in the pattern,
// which is one byte repeated, or -1.
func firstNot(b, pattern []byte) int {
	for off := 0; off < len(b); off += len(pattern) {
		part := b[off:min(off+len(pattern), len(b))]
		if bytes.Equal(part, pattern[:len(part)]) {
			continue
		}
		for i, c := range part {
			if c != pattern[0] {
				return off + i
			}
		}
	}
	return -1
}

// A stack is program counters, turned into text only for a report.
type stack []uintptr

// callers returns the stack of whoever called the arena.
func callers() stack {
	var pcs [48]uintptr
	return append(stack(nil), pcs[:runtime.Callers(2, pcs[:])]...)
}

func (s stack) String() string {
	var b strings.Builder
	frames := runtime.CallersFrames(s)
	for {
		f, more := frames.Next()
		// The frames of the pool itself say nothing.
		if f.Function != "" && !strings.Contains(f.Function, ").allocate") && !strings.HasSuffix(f.Function, ").freeSlow") &&
			!strings.HasSuffix(f.Function, "debugger).free") {
			fmt.Fprintf(&b, "\t%s %s:%d\n", f.Function, f.File, f.Line)
		}
		if !more {
			return b.String()
		}
	}
}
