package segment_test

import (
	"errors"
	"sync"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Verify finds a fault wherever it is.
func TestVerifyFindsFaults(t *testing.T) {
	bad := structPtr(100, 1, 0)
	for _, c := range []struct {
		name string
		segs [][]uint64
	}{
		{"root", [][]uint64{{bad}}},
		{"second pointer", [][]uint64{{structPtr(0, 1, 2), 0, 0, bad}}},
		{"element of a pointer list", [][]uint64{{listPtr(0, Pointer, 3), 0, 0, bad}}},
		{"element of a struct list", [][]uint64{{listPtr(0, Composite, 4), listTag(2, 1, 1), 0, 0, 0, bad}}},
		{"tag of a struct list", [][]uint64{{listPtr(0, Composite, 1), listTag(2, 1, 0), 0}}},
		{"in the second segment", [][]uint64{{farPtr(1, 0)}, {structPtr(0, 0, 1), bad}}},
		{"unknown pointer", [][]uint64{{structPtr(0, 0, 1), 7}}},
		{"a byte list", [][]uint64{{structPtr(0, 0, 1), listPtr(0, Byte, 1)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, c.segs...)
			err := m.Verify()
			var f *Fault
			if !errors.Is(err, ErrMalformed) || !errors.As(err, &f) || f.Kind != ErrMalformed {
				t.Errorf("Verify: %v", err)
			}
			want(t, "Metered", m.Metered(), true)
			if !errors.Is(m.Err(), err) {
				t.Errorf("Err is %v", m.Err())
			}
		})
	}
}

func TestVerifyLimits(t *testing.T) {
	m := openBytes(t, segsOf([]uint64{structPtr(-1, 0, 1)}), Options{})
	wantLimit(t, m.Verify(), "Depth", DefaultDepth)
	m = openBytes(t, segsOf([]uint64{listPtr(0, Void, 1<<29-1)}), Options{})
	wantLimit(t, m.Verify(), "TraversalWords", DefaultTraversalWords)
}

// After Verify reading costs no budget, and many goroutines may read.
func TestVerifiedMessageIsReadByMany(t *testing.T) {
	b := builder(t, &exact{})
	fillAll(b.NewRoot(fillSize))
	segs, err := b.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	words := must(t)(b.Root().TotalWords())
	m := openBytes(t, segs, Options{Limits: Limits{TraversalWords: words + 60}})
	left := m.Budget()
	if err := m.Verify(); err != nil {
		t.Fatal(err)
	}
	want(t, "budget", m.Budget(), left)
	want(t, "Metered", m.Metered(), false)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				checkAll(t, m.Root().Struct())
				if n, err := m.Root().TotalWords(); n != words || err != nil {
					t.Errorf("TotalWords is %d, %v", n, err)
				}
				if m.Root().Equal(b.Root()) == NotEqual {
					t.Error("the message is not equal to what it was made of")
				}
			}
		})
	}
	wg.Wait()
}

// A fault in a type, which Verify can't know, sticks with many readers too.
func TestManyReadersOneFault(t *testing.T) {
	m := openWords(t, []uint64{listPtr(0, Byte, 1), 0x61})
	if err := m.Verify(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				m.Root().Struct()
				m.Root().TextBytes()
				m.Root().Bools()
			}
		})
	}
	wg.Wait()
	wantErr(t, m, ErrMalformed, "segment 0, word 0")
}

func TestVerifyOfABuiltMessage(t *testing.T) {
	m := builder(t, fresh{})
	want(t, "Verify of nothing", m.Verify(), nil)
	fillAll(m.NewRoot(fillSize))
	want(t, "Verify", m.Verify(), nil)
}
