package arena

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A recorder keeps what a debug pool reports.
type recorder struct {
	mu      sync.Mutex
	reports []Report
}

func (r *recorder) report(rep Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reports = append(r.reports, rep)
}

func (r *recorder) all() []Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Report(nil), r.reports...)
}

func debugPool(t *testing.T, quarantine int) (*Pooled, *recorder) {
	r := &recorder{}
	p := NewPool(PoolOptions{Debug: true, Quarantine: quarantine, Report: r.report})
	if !p.Debugging() {
		t.Fatal("not debugging")
	}
	return p, r
}

//go:noinline
func allocateHere(t *testing.T, p *Pooled, n int) []byte {
	mem, err := p.Allocate(n)
	if err != nil {
		t.Fatal(err)
	}
	return mem
}

//go:noinline
func freeHere(p *Pooled, mem []byte, used int) { p.Free(mem, used) }

func one(t *testing.T, r *recorder, want Fault) Report {
	t.Helper()
	all := r.all()
	if len(all) != 1 || all[0].Fault != want {
		t.Fatalf("reported %v, want one %q", all, want)
	}
	return all[0]
}

func TestDebugOff(t *testing.T) {
	p := NewPool(PoolOptions{})
	if p.Debugging() || p.Check() != 0 {
		t.Error("a default pool is debugging")
	}
}

func TestDebugLeak(t *testing.T) {
	p, r := debugPool(t, 0)
	allocateHere(t, p, 1000)
	for i := 0; len(r.all()) == 0; i++ { // a cleanup runs some time after a collection
		if i == 10_000 {
			t.Fatal("no report after 10,000 collections")
		}
		runtime.GC()
		runtime.Gosched()
	}
	rep := one(t, r, Leak)
	if rep.Bytes != 1024 || !strings.Contains(rep.Allocated, "allocateHere") || !strings.Contains(rep.Allocated, "TestDebugLeak") {
		t.Errorf("report %v", rep)
	}
	checkOutstanding(t, p, 1, 1024)
	if n := len(p.debug.blocks); n != 0 {
		t.Errorf("%d records of collected blocks are kept", n)
	}
}

func TestDebugNoLeakAfterFree(t *testing.T) {
	p, r := debugPool(t, 512) // one block at a time: the others leave at once
	for range 50 {
		p.Free(allocateHere(t, p, 512), 512)
	}
	for i := 0; ; i++ {
		p.debug.mu.Lock()
		n := len(p.debug.blocks)
		p.debug.mu.Unlock()
		if n <= 1 {
			break
		}
		if i == 10_000 {
			t.Fatalf("%d records of freed blocks are kept after 10,000 collections", n)
		}
		runtime.GC()
		runtime.Gosched()
	}
	if all := r.all(); len(all) != 0 {
		t.Errorf("reported %v", all)
	}
}

func TestDebugDoubleFree(t *testing.T) {
	for name, quarantine := range map[string]int{"watched": 0, "not watched any more": 1} {
		t.Run(name, func(t *testing.T) {
			p, r := debugPool(t, quarantine)
			mem := allocateHere(t, p, 512)
			freeHere(p, mem, 0)
			p.Free(mem, 0)
			rep := one(t, r, DoubleFree)
			if !strings.Contains(rep.Allocated, "allocateHere") || !strings.Contains(rep.Freed, "freeHere") ||
				strings.Contains(rep.Found, "freeHere") || !strings.Contains(rep.Found, "TestDebugDoubleFree") {
				t.Errorf("report %v", rep)
			}
			checkOutstanding(t, p, 0, 0)
			a, b := allocateHere(t, p, 512), allocateHere(t, p, 512)
			if same(a, b) || same(a, mem) || same(b, mem) {
				t.Error("one block has two owners")
			}
			p.Free(a, 0)
			p.Free(b, 0)
		})
	}
}

func TestDebugStaleWrite(t *testing.T) {
	t.Run("found by Check", func(t *testing.T) {
		p, r := debugPool(t, 0)
		mem := allocateHere(t, p, 8192)
		freeHere(p, mem, 16)
		if n := p.Check(); n != 0 {
			t.Fatalf("%d found before the write", n)
		}
		mem[5000] = 1
		if n := p.Check(); n != 1 {
			t.Fatalf("%d found", n)
		}
		rep := one(t, r, StaleWrite)
		if rep.Offset != 5000 || rep.Bytes != 8192 ||
			!strings.Contains(rep.Allocated, "allocateHere") || !strings.Contains(rep.Freed, "freeHere") {
			t.Errorf("report %v", rep)
		}
		if n := p.Check(); n != 0 {
			t.Errorf("%d found again", n)
		}
	})
	t.Run("found when it leaves the quarantine", func(t *testing.T) {
		p, r := debugPool(t, 1024)
		mem := allocateHere(t, p, 512)
		p.Free(mem, 0)
		mem[511] = 0
		p.Free(allocateHere(t, p, 512), 0)
		if all := r.all(); len(all) != 0 {
			t.Fatalf("reported too early: %v", all)
		}
		p.Free(allocateHere(t, p, 512), 0)
		if rep := one(t, r, StaleWrite); rep.Offset != 511 {
			t.Errorf("report %v", rep)
		}
	})
	t.Run("quarantine is bounded", func(t *testing.T) {
		p, _ := debugPool(t, 10_000)
		for range 100 {
			p.Free(allocateHere(t, p, 4096), 0)
			if p.debug.bytes > 10_000 || len(p.debug.queue) > 2 {
				t.Fatalf("%d blocks with %d bytes are watched", len(p.debug.queue), p.debug.bytes)
			}
		}
	})
}

func TestDebugStaleRead(t *testing.T) {
	p, _ := debugPool(t, 0)
	mem := allocateHere(t, p, 4096)
	copy(mem, "secret")
	p.Free(mem, 8)
	if i := firstNot(mem, poisonPage); i >= 0 {
		t.Errorf("byte %d of freed memory is %#x", i, mem[i])
	}
	if poison&3 != 3 {
		t.Error("the pattern is not a pointer that every reader refuses")
	}
}

func TestDebugOverrun(t *testing.T) {
	p, r := debugPool(t, 0)
	mem := allocateHere(t, p, 4096)
	mem[100] = 1
	freeHere(p, mem, 96)
	rep := one(t, r, Overrun)
	if rep.Offset != 100 || !strings.Contains(rep.Found, "freeHere") {
		t.Errorf("report %v", rep)
	}
	checkOutstanding(t, p, 0, 0)
}

var global [512]byte

func TestDebugForeign(t *testing.T) {
	reserve, err := NewReserve(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := reserve.Allocate(512)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { reserve.Free(mapped, 0); reserve.Close() }()
	for name, mem := range map[string][]byte{
		"nothing":      nil,
		"other memory": make([]byte, 512),
		"global":       global[:],
		"mapped":       mapped,
	} {
		t.Run(name, func(t *testing.T) {
			p, r := debugPool(t, 0)
			freeHere(p, mem, 0)
			if rep := one(t, r, Foreign); !strings.Contains(rep.Found, "freeHere") {
				t.Errorf("report %v", rep)
			}
			checkOutstanding(t, p, 0, 0)
		})
	}
	t.Run("part of a block", func(t *testing.T) {
		p, r := debugPool(t, 0)
		mem := allocateHere(t, p, 512)
		p.Free(mem[:256], 0)
		p.Free(mem[8:], 0)
		if all := r.all(); len(all) != 2 || all[0].Fault != Foreign || all[1].Fault != Foreign {
			t.Errorf("reported %v", all)
		}
		checkOutstanding(t, p, 1, 512)
		p.Free(mem, 0)
		mustPanic(t, "used", func() { p.Free(mem, 513) })
	})
}

func TestDebugReportToLog(t *testing.T) {
	old := slog.Default()
	defer slog.SetDefault(old)
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	p := NewPool(PoolOptions{Debug: true})
	mem := allocateHere(t, p, 512)
	p.Free(mem, 0)
	p.Free(mem, 0)
	for _, want := range []string{"level=ERROR", "block freed twice", "allocateHere"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in the log: %s", want, log.String())
		}
	}
}

func TestReportString(t *testing.T) {
	r := Report{Fault: StaleWrite, Bytes: 512, Offset: 9, Allocated: "\tmain.a x.go:1\n", Freed: "\tmain.b x.go:2\n"}
	want := "arena: write through a stale view: 512 bytes, at offset 9\nallocated at\n\tmain.a x.go:1\n\nfreed at\n\tmain.b x.go:2\n"
	if got := r.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	seen := map[string]bool{}
	for f := Leak; f <= Foreign; f++ {
		seen[f.String()] = true
	}
	if len(seen) != 5 || seen[""] || !strings.Contains(fmt.Sprint(Fault(99)), "99") {
		t.Errorf("names %v", seen)
	}
}
