//go:build !race

package segment_test

// Not under the race detector: the race is the point here, as with memory that
// another process writes.

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// A writer changes words of a shared message while it is read in every way.
// Nothing may panic, leave the memory or run away.
func TestSharedMemoryIsWrittenWhileRead(t *testing.T) {
	b := builder(t, &exact{max: 8 * 24})
	root := b.NewRoot(fillSize)
	fillAll(root)
	chain(root.NewStruct(0, chainSize), 3)
	src, err := b.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	regions, done := guarded(len(src), 4096)
	defer done()
	segs := make([][]byte, len(src))
	words := 0
	for i, s := range src {
		segs[i] = regions[i][len(regions[i])-len(s):]
		copy(segs[i], s)
		words += len(s) / 8
	}

	var stop atomic.Bool
	var writes atomic.Int64
	var wg sync.WaitGroup
	for seed := range uint64(2) {
		wg.Go(func() { mutate(seed, segs, src, &stop, &writes) })
	}
	defer func() {
		stop.Store(true)
		wg.Wait()
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))

	limits := Limits{TraversalWords: 5000, Depth: 20}
	faults := 0
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	for round := 0; round < rounds || writes.Load() < 10_000; round++ {
		m, err := Open(segs, Options{Trust: Shared, Limits: limits})
		if err != nil {
			t.Fatal(err)
		}
		again := func() {
			if err := m.Err(); err != nil {
				if faults++; !sentinel(err) {
					t.Fatalf("Err: %v", err)
				}
				_ = err.Error()
			}
			m.ClearErr()
			m.ResetLimits(limits)
		}
		for _, backward := range []bool{false, true} {
			v := visitor{backward: backward, max: 65 * limits.TraversalWords}
			v.ptr(m.Root())
			if v.visits >= v.max {
				t.Fatalf("%d visits", v.visits)
			}
			again()
		}
		typedReads(m.Root(), 2)
		again()
		if m.Verify() == nil && !m.Metered() {
			t.Fatal("Verify ended the budget of a shared message")
		}
		again()
		if _, err := m.Root().TotalWords(); err != nil {
			again()
		}
		m.Root().Equal(m.Root())
		again()
		if fmt.Sprint(m.Root().Kind(), m.Root().Struct().Size()) == "" {
			t.Fatal("nothing is printed")
		}
		again()
		if c, err := m.Canonical(); err == nil {
			r, err := FromSegments([][]byte{c})
			if err != nil {
				t.Fatal(err)
			}
			if is, err := r.IsCanonical(); !is || err != nil {
				t.Fatalf("canonical form of a snapshot: %v, %v", is, err)
			}
			r.Release()
		} else if !sentinel(err) && !errors.Is(err, ErrMisuse) {
			t.Fatalf("Canonical: %v", err)
		}
		again()
		c := New(fresh{})
		c.RootBuilder().Set(m.Root())
		if c.Err() == nil {
			own, err := c.ToSegments()
			if err != nil {
				t.Fatal(err)
			}
			r, err := FromSegments(own)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Verify(); err != nil {
				t.Fatalf("what was copied is not sound: %v", err)
			}
			r.Release()
		}
		c.Release()
		s, err := m.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		first := s.Verify()
		s.ClearErr()
		s.ResetLimits(limits)
		if second := s.Verify(); fmt.Sprint(first) != fmt.Sprint(second) {
			t.Fatalf("a snapshot changes: %v, then %v", first, second)
		}
		s.Release()
		m.Release()
	}
	if faults == 0 {
		t.Errorf("no fault was met in %d rounds and %d writes: the writer did nothing", rounds, writes.Load())
	}
}

// mutate writes pointers, pieces of pointers and the right words by turns.
func mutate(seed uint64, segs, src [][]byte, stop *atomic.Bool, writes *atomic.Int64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for !stop.Load() {
		s := r.IntN(len(segs))
		at := 8 * r.IntN(len(segs[s])/8)
		var w uint64
		switch r.IntN(5) {
		case 0, 1:
			w = toWords(src[s][at : at+8])[0]
		case 2:
			w = toWords(src[s][at : at+8])[0] ^ 1<<r.IntN(64)
		case 3:
			w = farPtr(uint32(r.IntN(len(segs)+1)), uint32(r.IntN(30))) | uint64(r.IntN(2))<<2
		case 4:
			w = r.Uint64()
		}
		putWords(segs[s][at:at+8], []uint64{w})
		writes.Add(1)
	}
}
