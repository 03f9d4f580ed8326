package segment_test

import (
	"fmt"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// shapes are small messages with every kind of pointer. region is where the
// pointers, pads and tags lie that are flipped, as (segment, word).
var shapes = []struct {
	name   string
	segs   [][]uint64
	region [][2]int
}{
	{"struct", [][]uint64{{structPtr(0, 2, 1), 11, 12, 0}}, [][2]int{{0, 0}}},
	{"struct in a struct", [][]uint64{{structPtr(0, 1, 2), 11, structPtr(1, 1, 0), 0, 13}}, [][2]int{{0, 2}}},
	{"empty struct", [][]uint64{{structPtr(-1, 0, 0), 5, 6}}, [][2]int{{0, 0}}},
	{"byte list", [][]uint64{{listPtr(0, Byte, 12), 0x1122334455667788, 0x11223344}}, [][2]int{{0, 0}}},
	{"text", [][]uint64{{structPtr(0, 0, 1), listPtr(0, Byte, 11), textWord("abcdefg") | 0x68<<56, textWord("ij")}}, [][2]int{{0, 1}}},
	{"bit list", [][]uint64{{listPtr(0, Bit, 70), 0xaaaaaaaaaaaaaaaa, 0x2a}}, [][2]int{{0, 0}}},
	{"number list", [][]uint64{{listPtr(0, FourBytes, 3), 0x200000001, 3}}, [][2]int{{0, 0}}},
	{"void list", [][]uint64{{listPtr(0, Void, 9), 1}}, [][2]int{{0, 0}}},
	{"pointer list", [][]uint64{{listPtr(0, Pointer, 2), listPtr(1, Byte, 2), 0, textWord("x")}}, [][2]int{{0, 0}}},
	{"struct list", [][]uint64{{listPtr(0, Composite, 4), listTag(2, 1, 1), 5, 0, 6, structPtr(-1, 0, 0)}}, [][2]int{{0, 0}, {0, 1}}},
	{"list of empty structs", [][]uint64{{listPtr(0, Composite, 0), listTag(3, 0, 0), 1}}, [][2]int{{0, 0}}},
	{"capability", [][]uint64{{structPtr(0, 0, 2), capPtr(1), 0}}, [][2]int{{0, 1}}},
	{"far", [][]uint64{{farPtr(1, 1), 7}, {9, structPtr(0, 1, 1), 5, 0}}, [][2]int{{0, 0}, {1, 1}}},
	{"far to text", [][]uint64{{farPtr(1, 0)}, {listPtr(0, Byte, 3), textWord("ab")}}, [][2]int{{0, 0}}},
	{"double-far", [][]uint64{{doubleFarPtr(1, 0), 5, 0}, {farPtr(0, 1), structPtr(0, 1, 1)}}, [][2]int{{0, 0}, {1, 0}, {1, 1}}},
	{"self", [][]uint64{{structPtr(-1, 0, 1)}}, [][2]int{{0, 0}}},
}

// All 1- and 2-bit flips of each shape's pointers, across words too, and each
// pair of bits alone. Nothing may panic, run away, or be called sound and then
// not be.
func TestFlips(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := newProber()
			place, done := placer(len(s.segs))
			defer done()
			segs := segsOf(s.segs...)
			bits := 64 * len(s.region)
			flip := func(words [][]uint64, bit int) {
				r := s.region[bit/64]
				words[r[0]][r[1]] ^= 1 << (bit % 64)
			}
			words := make([][]uint64, len(s.segs))
			run := func(change func()) {
				for i := range words {
					words[i] = append(words[i][:0], s.segs[i]...)
				}
				change()
				for i := range words {
					putWords(segs[i], words[i])
				}
				p.check(t, place(segs))
			}
			run(func() {})
			n := 0
			for i := range bits {
				for j := i; j < bits; j++ {
					// The race detector makes this ten times slower; a part of
					// the pairs will do there, another part each time.
					if n++; (raceEnabled || testing.Short()) && j != i && n%17 != 0 {
						continue
					}
					run(func() {
						flip(words, i)
						if j != i {
							flip(words, j)
						}
					})
				}
			}
			// Isolate: only the pair is left of what was set.
			var set []int
			for b := range bits {
				r := s.region[b/64]
				if s.segs[r[0]][r[1]]>>(b%64)&1 != 0 {
					set = append(set, b)
				}
			}
			for _, i := range set {
				for _, j := range set {
					run(func() {
						for _, b := range set {
							if b != i && b != j {
								flip(words, b)
							}
						}
					})
				}
			}
		})
	}
}

func putWords(b []byte, words []uint64) {
	for i, w := range words {
		for j := range 8 {
			b[8*i+j] = byte(w >> (8 * j))
		}
	}
}

// The shapes themselves are what they say.
func TestShapesAreSound(t *testing.T) {
	for _, s := range shapes {
		m := openWords(t, s.segs...)
		if err := m.Verify(); (err == nil) != (s.name != "self") {
			t.Errorf("%s: %v", s.name, err)
		}
		want(t, fmt.Sprint(s.name, " is null"), m.Root().IsNull(), false)
	}
}
