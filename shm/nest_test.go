package shm

import (
	"testing"

	"github.com/fairlead-go/fairlead/internal/mem"
)

// TestKeptBlocksLeaveOne keeps blocks until no more are given, and finds one left for
// those who wait.
func TestKeptBlocksLeaveOne(t *testing.T) {
	if !mem.SharedSupported() {
		t.Skip("SKIPPED: no shared memory on this system")
	}
	shared, err := mem.NewShared(regionName, firstRegionBytes, mem.SharedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer shared.Release()
	var s store
	s.begin(shared, &Options{MaxBytes: firstRegionBytes})
	s.announce = func(*region) error { t.Error("a region was added"); return ErrDisconnected }

	const bytes = 30_000
	first := s.takeDirty(bytes)
	if first == nil {
		t.Fatal("there is no block")
	}
	kept := 0
	for s.another(first) != nil {
		kept++
	}
	if want := (firstRegionBytes-atBlocks)/classBytes(first.class) - 2; kept != want {
		t.Errorf("%d blocks were kept, want %d", kept, want)
	}
	if s.takeDirty(bytes) == nil {
		t.Error("none is left")
	}
	s.drop(first)
	if s.another(first) != nil {
		t.Error("the last free block was kept")
	}
}
