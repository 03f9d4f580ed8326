package segment_test

import (
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// huge are lists of elements without size: a few words of message, half a
// billion elements to walk.
var huge = []struct {
	name string
	segs [][]uint64
}{
	{"voids", [][]uint64{{listPtr(0, Void, 1<<29-1)}}},
	{"empty structs", [][]uint64{{listPtr(0, Composite, 0), listTag(1<<29-1, 0, 0)}}},
	{"2^30 - 1 empty structs", [][]uint64{{listPtr(0, Composite, 0), listTag(1<<30-1, 0, 0)}}},
	{"voids behind a far pointer", [][]uint64{{farPtr(1, 0)}, {listPtr(0, Void, 1<<29-1)}}},
	{"empty structs in a struct", [][]uint64{{structPtr(0, 0, 1), listPtr(0, Composite, 0), listTag(1<<29-1, 0, 0)}}},
	{"many small ones", [][]uint64{append([]uint64{listPtr(0, Pointer, 64)}, repeated(64, listPtr(0, Void, 1<<18))...)}},
}

func repeated(n int, w uint64) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = w
	}
	return out
}

// CVE-2015-2312: a huge list of elements without size costs the sender nothing
// and the reader all of its time. Each such element costs a word of budget.
func TestCVE_2015_2312_ListOfNothing(t *testing.T) {
	for _, c := range huge {
		t.Run(c.name, func(t *testing.T) {
			for what, read := range map[string]func(m *Message){
				"walk":   func(m *Message) { m.Verify() },
				"copy":   func(m *Message) { b := builder(t, fresh{}); b.RootBuilder().Set(m.Root()) },
				"Equal":  func(m *Message) { m.Root().Equal(m.Root()) },
				"orphan": func(m *Message) { b := builder(t, fresh{}); b.NewOrphanCopy(m.Root()) },
				"Canonical": func(m *Message) {
					if _, err := m.Canonical(); err == nil {
						t.Error("Canonical gives no error")
					}
				},
				"elements": func(m *Message) {
					n := 0
					for range ReadStructs[Struct](m.Root()).All() {
						n++
					}
					if m.Root().Kind() == KindStruct {
						n += m.Root().Struct().List(0).Len()
					}
					if n > DefaultTraversalWords {
						t.Errorf("%d elements were walked", n)
					}
					m.Verify()
				},
			} {
				t.Run(what, func(t *testing.T) {
					m := openWords(t, c.segs...)
					read(m)
					if what != "elements" {
						wantLimit(t, m.Err(), "TraversalWords", DefaultTraversalWords)
					}
				})
			}
		})
	}
}
