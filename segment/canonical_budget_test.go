package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// Canonical charged what it copied, and so a message of more than half its
// budget had a canonical form only once.
func TestCanonicalCostsNoBudget(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		b := builder(t, a)
		root := b.NewRoot(Size{DataWords: 2, Ptrs: 3})
		root.SetUint64(1, 7)
		root.SetText(0, "a text of several words")
		root.SetData(1, padded(100))
		for e := range NewStructs[StructBuilder](root.Ptr(2), Size{DataWords: 1, Ptrs: 1}, 4).All() {
			e.SetText(0, "below")
		}
		noErr(t, b)
		whole := must(t)(b.Root().TotalWords())
		var first []byte
		for _, c := range []struct {
			name  string
			limit int64
		}{
			{"a word less than twice", 2*whole - 1},
			{"all and its landing pads", whole + 20},
			{"ample", 100 * whole},
		} {
			t.Run(c.name, func(t *testing.T) {
				m := reread(t, b)
				m.ResetLimits(Limits{TraversalWords: c.limit})
				for range 5 {
					got, err := m.Canonical()
					if err != nil {
						t.Fatal(err)
					}
					if first == nil {
						first = got
					}
					want(t, "equal forms", string(got) == string(first), true)
					want(t, "budget", m.Budget(), c.limit)
				}
				if _, err := m.IsCanonical(); err != nil {
					t.Error(err)
				}
				want(t, "budget after IsCanonical", m.Budget(), c.limit)
				noErr(t, m)
				want(t, "Equal", m.Root().Equal(b.Root()), Equal)
				if m.Budget() >= c.limit {
					t.Error("reading costs nothing any more")
				}
			})
		}
	})
}

// The budget still bounds what Canonical does.
func TestCanonicalWithinTheBudget(t *testing.T) {
	m := openWords(t, []uint64{
		listPtr(0, Pointer, 3),
		listPtr(2, EightBytes, 4), listPtr(1, EightBytes, 4), listPtr(0, EightBytes, 4), 1, 2, 3, 4,
	})
	m.ResetLimits(Limits{TraversalWords: 14})
	_, err := m.Canonical()
	wantLimit(t, err, "TraversalWords", 14)
}
