package shm

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

var soakMessages = flag.Uint64("soak.messages", 100_000, "how many messages the soak passes, half of them each way")

// usage is what must not grow.
type usage struct {
	resources
	goroutines int
	heap       uint64 // bytes that are in use after a collection
}

func usageNow(t *testing.T) usage {
	t.Helper()
	r, err := resourcesNow()
	must(t, err)
	runtime.GC()
	runtime.GC() // what the first one put aside for pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{r, runtime.NumGoroutine(), m.HeapAlloc}
}

// soakSizes are those of messages, of which each in turn is sent.
var soakSizes = []int{0, 40, 200, 1000, 0, 4000, 100, 20_000, 0, 60}

// TestSoak passes many messages to and fro between two processes, with up to 64 on
// their way, checks each, and wants no growth of memory, descriptors and
// goroutines. A long run is
//
//	go test ./shm -run '^TestSoak$' -soak.messages 24000000 -timeout 2h
func TestSoak(t *testing.T) {
	p, _ := withChild(t, Options{}, "echo", strconv.Itoa(int(Adaptive)))
	ctx := within(t, 24*time.Hour)
	pass := func(from, to uint64) {
		done := make(chan error, 1)
		room := make(chan struct{}, 64)
		go func() {
			for k := from; k < to; k++ {
				room <- struct{}{}
				if err := sendNumber(ctx, p, k, soakSizes[k%uint64(len(soakSizes))]); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for k := from; k < to; k++ {
			must(t, recvNumber(ctx, p, k, soakSizes[k%uint64(len(soakSizes))]))
			<-room
		}
		must(t, <-done)
	}
	n := *soakMessages / 2
	warm := n / 10
	pass(0, warm)
	before, regions := usageNow(t), p.Stats()
	pass(warm, n)
	after, s := usageNow(t), p.Stats()
	if !after.same(before.resources) || after.goroutines != before.goroutines {
		t.Errorf("after %d messages: %+v\nafter %d: %+v", warm, before, n, after)
	}
	if after.heap > before.heap+256<<10 {
		t.Errorf("the heap has grown from %d to %d bytes", before.heap, after.heap)
	}
	if s.Bytes > regions.Bytes || s.PeerBytes > regions.PeerBytes {
		t.Errorf("the regions have grown from %d and %d to %d and %d bytes", regions.Bytes, regions.PeerBytes, s.Bytes, s.PeerBytes)
	}
	if s.Held != 0 || s.Sent != n || s.Received != n {
		t.Errorf("%d sent, %d received, %d held, want %d, as many and none", s.Sent, s.Received, s.Held, n)
	}
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	t.Logf("%d messages each way; heap %d bytes, regions %d and %d bytes, %d descriptors, %d goroutines\n%s", n, after.heap, s.Bytes, s.PeerBytes, len(after.descriptors), after.goroutines, vmLines(string(status)))
}

// vmLines are the lines of a process's status about its memory.
func vmLines(status string) (lines string) {
	for line := range strings.SplitSeq(status, "\n") {
		if strings.HasPrefix(line, "VmRSS") || strings.HasPrefix(line, "VmHWM") {
			lines += line + "\n"
		}
	}
	return lines
}
