package oracle

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// report fails the test for the unexplained differences, and prints one of each
// sort, made small.
func report(t testing.TB, d *Differ, diffs []Difference) {
	t.Helper()
	count := map[string]int{}
	first := map[string]Difference{}
	var order []string
	for _, diff := range diffs {
		s := diff.signature()
		if count[s]++; count[s] == 1 {
			order = append(order, s)
			first[s] = diff
		}
	}
	for i, s := range order {
		if i == 20 {
			t.Errorf("and %d more sorts", len(order)-i)
			break
		}
		t.Errorf("%d unexplained differences of the sort %s, such as\n%v", count[s], s, d.Minimise(first[s]))
	}
}

// TestGoldensAlike runs every form of every golden through both sides, read as
// every type, its own and those it was not written as.
func TestGoldensAlike(t *testing.T) {
	d := NewDiffer(t)
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		t.Run(g.Name, func(t *testing.T) {
			forms := [][]byte{g.Binary, oneSegment(g.Canonical), doubleFar(t, g.Binary), graft(t, g.Flat, g.Canonical)}
			for _, n := range SegmentSizes {
				forms = append(forms, g.Segmented[n], doubleFar(t, g.Segmented[n]))
			}
			var cases []Case
			for i, form := range forms {
				for root := Everything; root <= AnyRoot; root++ {
					cases = append(cases, Case{
						Segments: splitSegments(t, form), Root: root, CopyWords: uint32(i),
						Other: splitSegments(t, forms[0]), Upgrade: true,
					})
				}
			}
			report(t, d, d.Compare(cases))
		})
	}
	t.Logf("%d operations, %d with a fault, explained: %v", d.Requests, d.Faulty, d.Explained)
}

// TestDifferencesOnce are small messages on which the two sides once differed.
func TestDifferencesOnce(t *testing.T) {
	text := func(s string) uint64 {
		var b [8]byte
		copy(b[:], s)
		return binary.LittleEndian.Uint64(b[:])
	}
	for _, tt := range []struct {
		name string
		c    Case
	}{
		// A list without size has an offset too: to where the next object goes.
		{"canonical form of an empty list", Case{
			Root: Old, Segments: segmentsOf(structPtr(0, 0, 2), listPtr(1, 2, 2), listPtr(1, 4, 0), text("a")),
		}},
		{"canonical form of a list of Void", Case{
			Root: Old, Segments: segmentsOf(structPtr(0, 0, 2), listPtr(1, 0, 7), listPtr(0, 2, 2), text("a")),
		}},
		// The nesting limit is met before a far pointer is followed and its pad
		// paid for: the next pointer's kind must still find its word.
		{"a pad beyond the nesting limit", Case{
			Root: AnyRoot, Nesting: 1, Limit: rootCharge + 3 + 2,
			Segments: segmentsOf(structPtr(0, 0, 3), farPtr(0, 4, false), 0, farPtr(0, 5, false), structPtr(-1, 0, 0), structPtr(-1, 0, 0)),
		}},
		{"a text that is too deep", Case{
			Root: Point, Nesting: 1, Limit: 100,
			Segments: segmentsOf(structPtr(0, 2, 1), 1, 2, listPtr(0, 2, 3), text("hi")),
		}},
		{"a malformed pointer beyond the nesting limit", Case{
			Root: Link, Nesting: 1, Segments: segmentsOf(structPtr(0, 0, 1), listPtr(0, 2, 3)),
		}},
		// Its word is read, and paid for, once.
		{"a text without NUL, and the last word of the limit", Case{
			Root: Old, Limit: rootCharge + 14 + 3,
			Segments: segmentsOf(structPtr(0, 1, 13), 0, 0, 0, 0, 0, 0, 0, 0, 0, listPtr(4, 6, 1), 0, 0, 0, 0,
				listPtr(0, 2, 8), text("no NUL.!")),
		}},
		{"two texts, the first without NUL, and words for both once", Case{
			Root: AnyRoot, Limit: rootCharge + 2,
			Segments: segmentsOf(listPtr(0, 6, 2), listPtr(1, 2, 3), listPtr(1, 2, 3), text("abc"), text("ab")),
		}},
		{"texts of a list, the first without NUL, and words for both once", Case{
			Root: New, Limit: rootCharge + 12 + 2 + 2,
			Segments: segmentsOf(structPtr(0, 1, 11), 0, 0, 0, 0, 0, 0, 0, 0, listPtr(3, 6, 2), 0, 0, 0,
				listPtr(1, 2, 3), listPtr(1, 2, 3), text("abc"), text("ab")),
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := NewDiffer(t)
			tt.c.Other = tt.c.Segments
			report(t, d, d.Compare([]Case{tt.c}))
		})
	}
}

func segmentsOf(ws ...uint64) [][]byte { return [][]byte{words(ws...)[8:]} }

// TestBothWays has each side read what the other wrote.
func TestBothWays(t *testing.T) {
	d := NewDiffer(t)
	rng := rand.New(rand.NewPCG(*seedFlag, 0))
	all := seeds(t)
	for range 2000 {
		all = append(all, randomSeed(t, rng, d.walker.defs))
	}
	for i := range all {
		s := &all[i]
		m, err := segment.FromSegments(s.segs)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		dump, kind, err := d.walker.Dump(m, s.root)
		want := string(dump)
		if kind != OK {
			t.Fatalf("%s: our own reading: %v", s.name, err)
		}
		words := uint32(rng.IntN(40))
		ours := segment.New(smallArena{int(words)})
		ours.RootBuilder().Set(m.Root())
		segs, err := ours.ToSegments()
		if err != nil {
			t.Fatalf("%s: our copy: %v", s.name, err)
		}
		if got, a := d.peer.Walk(s.root, joinSegments(segs)); a.Kind != OK || got != want {
			t.Errorf("%s: our copy in segments of %d reads on the other side as %v %s\n%s\nwant\n%s", s.name, words, a.Kind, a.Text, got, want)
		}
		ours.Release()
		m.Release()

		_, framed, a := d.peer.Copy(s.root, words, joinSegments(s.segs))
		if a.Kind != OK {
			t.Fatalf("%s: the peer's copy: %v %s", s.name, a.Kind, a.Text)
		}
		back, err := segment.FromSegments(splitSegments(t, framed))
		if err != nil {
			t.Fatalf("%s: the peer's copy: %v", s.name, err)
		}
		if got, kind, err := d.walker.Dump(back, s.root); kind != OK || string(got) != want {
			t.Errorf("%s: the peer's copy in segments of %d reads on our side as %v\n%s\nwant\n%s", s.name, words, err, got, want)
		}
		back.Release()
		if t.Failed() {
			return
		}
	}
}

// flipShapes are small messages with every kind of pointer.
func flipShapes(t testing.TB) []seed {
	t.Helper()
	var out []seed
	goldens, err := Goldens()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range goldens {
		switch g.Name {
		case "large": // nothing that the others lack
		case "links", "nothing", "choice", "point":
			out = append(out,
				newSeed(t, g.Name+"/segments of 1", g.Root, g.Segmented[1]),
				newSeed(t, g.Name+"/double far", g.Root, doubleFar(t, g.Segmented[8])))
			fallthrough
		default:
			// Without the null pointers at the ends of its structs a message has
			// fewer words that say the same.
			out = append(out, newSeed(t, g.Name+"/canonical", g.Root, oneSegment(g.Canonical)))
		}
	}
	lists := segmentsOf(listPtr(0, 6, 3), structPtr(2, 1, 1), listPtr(3, 5, 1), listPtr(3, 7, 2), 1, 0, 2, structPtr(1, 1, 1), 3, 0)
	return append(out,
		newSeed(t, "list of a struct, numbers and structs", AnyRoot, joinSegments(lists)),
		newSeed(t, "graft", Everything, graft(t, lists[0], lists[0])))
}

var pairs = flag.Int("pairs", 8, "TestFlips takes one of so many pairs of bits; 1 means all")

// TestFlips flips every bit and pairs of bits of every word that is a pointer, a
// landing pad or a tag. Words that are null are one of a kind in each message,
// and one of them is enough. All pairs are 700,000 messages:
// go test -run TestFlips -pairs 1 -timeout 0
func TestFlips(t *testing.T) {
	d := NewDiffer(t)
	shapes := flipShapes(t)
	if len(shapes) < 12 {
		t.Fatalf("%d shapes, want at least 12", len(shapes))
	}
	mutants, turn := 0, 0
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			nulls := 0
			for _, p := range s.ptrs {
				old := word(s.segs[p.segment], p.word)
				if old == 0 {
					if nulls++; nulls > 1 {
						continue
					}
				}
				var cases []Case
				for i := range 64 {
					for j := i; j < 64; j++ {
						// The sample takes other pairs at each word.
						if turn++; i != j && turn%*pairs != 0 {
							continue
						}
						segs := append([][]byte(nil), s.segs...)
						segs[p.segment] = bytes.Clone(segs[p.segment])
						flip := uint64(1)<<i | uint64(1)<<j
						binary.LittleEndian.PutUint64(segs[p.segment][8*p.word:], old^flip)
						cases = append(cases, Case{
							Segments: segs, Root: s.root, Limit: 20000, CopyWords: uint32(i % 20),
							Other: s.segs, Upgrade: s.root == Old,
						})
					}
				}
				mutants += len(cases)
				report(t, d, d.Compare(cases))
			}
		})
	}
	t.Logf("%d shapes, %d mutants, %d operations, %d with a fault, explained: %v",
		len(shapes), mutants, d.Requests, d.Faulty, d.Explained)
}

var (
	mutants  = flag.Int("mutants", 20000, "how many mutants TestMutants compares")
	seedFlag = flag.Uint64("seed", 1, "the seed of TestMutants")
)

// TestMutants compares both sides on random mutations of the goldens and of
// random messages. A million: go test -run TestMutants -mutants 1000000 -timeout 0
func TestMutants(t *testing.T) {
	d := NewDiffer(t)
	rng := rand.New(rand.NewPCG(*seedFlag, 0x6661697261646c65))
	golden := seeds(t)
	const batch = 500
	var diffs []Difference
	for done := 0; done < *mutants; {
		m := mutator{rng: rng, seeds: golden}
		if rng.IntN(2) == 0 {
			m.seeds = nil
			for range 20 {
				m.seeds = append(m.seeds, randomSeed(t, rng, d.walker.defs))
			}
		}
		cases := make([]Case, min(batch, *mutants-done))
		for i := range cases {
			cases[i] = m.next()
		}
		done += len(cases)
		diffs = append(diffs, d.Compare(cases)...)
		if len(diffs) > 2000 {
			t.Errorf("stopped after %d mutants", done)
			break
		}
	}
	report(t, d, diffs)
	t.Logf("seed %d: %d mutants, %d operations, %d with a fault, peer died %d times, explained: %v",
		*seedFlag, *mutants, d.Requests, d.Faulty, d.peer.Crashes(), d.Explained)
	if d.Faulty < d.Requests/20 || d.Faulty > d.Requests*19/20 {
		t.Errorf("%d of %d operations met a fault: the mutator is out of balance", d.Faulty, d.Requests)
	}
}
