package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

func TestTotalWords(t *testing.T) {
	for _, c := range []struct {
		name string
		segs [][]uint64
		want int64
	}{
		{"null", [][]uint64{{0}}, 0},
		{"empty struct", [][]uint64{{structPtr(-1, 0, 0)}}, 0},
		{"struct", [][]uint64{{structPtr(0, 2, 1), 0, 0, 0}}, 3},
		{"text", [][]uint64{{listPtr(0, Byte, 9), 0, 0}}, 2},
		{"void", [][]uint64{{listPtr(0, Void, 1000)}}, 0},
		{"bits", [][]uint64{{listPtr(0, Bit, 65), 0, 0}}, 2},
		{"struct list with its tag", [][]uint64{{listPtr(0, Composite, 3), listTag(1, 2, 1), 0, 0, 0}}, 4},
		{"struct list that does not use its words", [][]uint64{{listPtr(0, Composite, 3), listTag(1, 1, 0), 0, 0, 0}}, 2},
		{"empty struct list", [][]uint64{{listPtr(0, Composite, 0), listTag(0, 5, 5)}}, 1},
		{"nested", [][]uint64{{structPtr(0, 0, 2), structPtr(1, 1, 0), structPtr(0, 1, 0), 7}}, 4}, // the same object twice
		{"far", [][]uint64{{farPtr(1, 0)}, {structPtr(0, 1, 0), 7}}, 1},
		{"double-far", [][]uint64{{doubleFarPtr(1, 0), 0}, {farPtr(0, 1), structPtr(0, 1, 0)}}, 1},
		{"capability", [][]uint64{{structPtr(0, 0, 1), capPtr(1)}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := openWords(t, c.segs...)
			left := m.Budget()
			want(t, "TotalWords", must(t)(m.Root().TotalWords()), c.want)
			want(t, "budget", m.Budget(), left)
			switch m.Root().Kind() {
			case KindStruct:
				want(t, "Struct.TotalWords", must(t)(m.Root().Struct().TotalWords()), c.want)
			case KindList:
				want(t, "List.TotalWords", must(t)(m.Root().List().TotalWords()), c.want)
			}
		})
	}
}

// It counts what a copy takes.
func TestTotalWordsIsTheSizeOfACopy(t *testing.T) {
	m := builder(t, &exact{max: 8 * 20})
	fillAll(m.NewRoot(fillSize))
	c := builder(t, fresh{})
	c.RootBuilder().Set(reread(t, m).Root())
	segs, err := c.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "TotalWords", must(t)(m.Root().TotalWords()), int64(len(segs[0])/8-1))
}

func TestTotalWordsLimits(t *testing.T) {
	m := openBytes(t, segsOf([]uint64{structPtr(-1, 0, 1)}), Options{Limits: Limits{Depth: 10}}) // leads to itself
	_, err := m.Root().TotalWords()
	wantLimit(t, err, "Depth", 10)
	m = openBytes(t, segsOf([]uint64{structPtr(0, 0, 2), structPtr(1, 10, 0), structPtr(0, 10, 0), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),
		Options{Limits: Limits{TraversalWords: 20}})
	_, err = m.Root().TotalWords()
	wantLimit(t, err, "TraversalWords", 20)
}
