package segment_test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// resizable is each list that can be made longer and shorter, with n elements
// of which each is recognised.
var resizable = []struct {
	name string
	make func(m *Message, n int) *Orphan
	read func(p Ptr) string
}{
	{"bits", func(m *Message, n int) *Orphan {
		return adopted(m, m.NewOrphanList(Bit, n), func(p PtrBuilder) {
			for i := range n {
				p.Bools().Set(i, true)
			}
		})
	}, func(p Ptr) (s string) {
		for v := range p.Bools().All() {
			s += map[bool]string{true: "x", false: "."}[v]
		}
		return s
	}},
	{"bytes", func(m *Message, n int) *Orphan { return m.NewOrphanData([]byte(strings.Repeat("x", n))) }, readX[uint8]},
	{"words", func(m *Message, n int) *Orphan {
		return adopted(m, m.NewOrphanList(EightBytes, n), func(p PtrBuilder) {
			for i := range n {
				EditNumbers[int64](p).Set(i, 'x')
			}
		})
	}, readX[int64]},
	{"halves", func(m *Message, n int) *Orphan {
		return adopted(m, m.NewOrphanList(TwoBytes, n), func(p PtrBuilder) {
			for i := range n {
				EditNumbers[int16](p).Set(i, 'x')
			}
		})
	}, readX[int16]},
	{"pointers", func(m *Message, n int) *Orphan {
		return adopted(m, m.NewOrphanList(Pointer, n), func(p PtrBuilder) {
			for i := range n {
				p.Ptrs().At(i).SetText("x")
			}
		})
	}, func(p Ptr) (s string) {
		for v := range p.Texts().All() {
			s += v
			if v == "" {
				s += "."
			}
		}
		return s
	}},
	{"structs", func(m *Message, n int) *Orphan {
		return adopted(m, m.NewOrphanStructList(Size{DataWords: 1, Ptrs: 1}, n), func(p PtrBuilder) {
			for e := range EditStructs[StructBuilder](p, Size{}).All() {
				e.SetUint8(0, 'x')
				e.SetText(0, "x")
			}
		})
	}, func(p Ptr) (s string) {
		for e := range ReadStructs[Struct](p).All() {
			switch {
			case e.Uint64(0) == 'x' && e.Text(0) == "x":
				s += "x"
			case e.Uint64(0) == 0 && !e.Has(0):
				s += "."
			default:
				s += "?"
			}
		}
		return s
	}},
}

func readX[T Number](p Ptr) (s string) {
	for v := range ReadNumbers[T](p).All() {
		switch v {
		case 'x':
			s += "x"
		case 0:
			s += "."
		default:
			s += "?"
		}
	}
	return s
}

// Truncate cuts and extends, in place and by moving, and leaves nothing of what
// it cut off.
func TestOrphanTruncateAndExtend(t *testing.T) {
	for _, k := range resizable {
		for _, c := range [][]int{{5, 3}, {5, 5}, {5, 0}, {0, 5}, {5, 9}, {5, 2, 7}, {9, 1, 0, 3}, {63, 64, 65, 1}, {8, 16, 8, 20}, {0, 0}} {
			for _, behind := range []bool{false, true} { // something follows the orphan in its segment
				t.Run(fmt.Sprint(k.name, c, " followed:", behind), func(t *testing.T) {
					for _, a := range []Arena{fresh{}, &exact{}, &exact{max: 8 * 140}} {
						m := builder(t, a)
						root := m.NewRoot(Size{Ptrs: 2})
						o := k.make(m, c[0])
						expect := strings.Repeat("x", c[0])
						for _, n := range c[1:] {
							if behind {
								root.SetText(1, "behind")
							}
							o.Truncate(n)
							expect = (expect + strings.Repeat(".", n))[:n]
						}
						if behind {
							want(t, "what is behind", root.Reader().Text(1), "behind")
						}
						root.Ptr(0).Adopt(o)
						r := reread(t, m)
						want(t, "elements", k.read(r.Root().Struct().Ptr(0)), expect)
						if err := r.Verify(); err != nil {
							t.Error(err)
						}
						root.Ptr(0).Clear()
						root.Ptr(1).Clear()
						want(t, "what is left", nonZeroBytes(t, m), nonZeroBytes(t, twoPointers(t, a)))
					}
				})
			}
		}
	}
}

// twoPointers is a message with nothing but a root of two null pointers.
func twoPointers(t *testing.T, like Arena) *Message {
	a := like
	if e, ok := like.(*exact); ok {
		a = &exact{max: e.max}
	}
	m := builder(t, a)
	m.NewRoot(Size{Ptrs: 2})
	return m
}

// What is cut off at the end of a segment is given back.
func TestOrphanTruncateGivesRoomBack(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	o := m.NewOrphanData(make([]byte, 1000))
	size := m.SizeBytes()
	o.Truncate(100)
	want(t, "given back", size-m.SizeBytes(), 1000-104)
	root.Ptr(0).Adopt(o)
	want(t, "Len", len(root.Reader().Data(0)), 100)
}

func TestOrphanTruncateText(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		for _, c := range []struct {
			n    int
			want string
		}{{0, ""}, {1, "h"}, {5, "hello"}, {7, "hello\x00\x00"}, {40, "hello" + strings.Repeat("\x00", 35)}} {
			m := builder(t, a)
			root := m.NewRoot(Size{Ptrs: 1})
			o := m.NewOrphanText("hello")
			o.TruncateText(c.n)
			root.Ptr(0).Adopt(o)
			want(t, "text", reread(t, m).Root().Struct().Text(0), c.want)
			noErr(t, m)
		}
	})
}

func TestOrphanResizeMisuse(t *testing.T) {
	m := builder(t, fresh{})
	m.NewRoot(Size{Ptrs: 1})
	for _, c := range []struct {
		name string
		do   func()
		kind error
		part string
	}{
		{"a struct", func() { m.NewOrphanStruct(Size{DataWords: 1}).Truncate(1) }, ErrMisuse, "only lists"},
		{"an empty struct", func() { m.NewOrphanStruct(Size{}).Truncate(1) }, ErrMisuse, "only lists"},
		{"null", func() { m.NewOrphanConcat().Truncate(1) }, ErrMisuse, "only lists"},
		{"text of a list", func() { m.NewOrphanList(TwoBytes, 4).TruncateText(1) }, ErrMisuse, "not text"},
		{"text of no bytes", func() { m.NewOrphanData(nil).TruncateText(0) }, ErrMisuse, "not text"},
		{"too long", func() { m.NewOrphanData(nil).Truncate(1 << 29) }, ErrLimit, "elements of a list"},
		{"too many words", func() { m.NewOrphanStructList(Size{DataWords: 65535}, 1).Truncate(1 << 20) }, ErrLimit, "words of a list"},
		{"external data", func() { m.NewOrphanExternal(make([]byte, 16), nil).Truncate(8) }, ErrReadOnly, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.do()
			wantErr(t, m, c.kind, c.part)
		})
	}
	mustPanic(t, "negative", func() { m.NewOrphanData(nil).Truncate(-1) })
	mustPanic(t, "negative", func() { m.NewOrphanText("").TruncateText(-1) })
}

func TestOrphanConcat(t *testing.T) {
	for _, k := range resizable {
		t.Run(k.name, func(t *testing.T) {
			eachArena(t, func(t *testing.T, a Arena) {
				m := builder(t, a)
				root := m.NewRoot(Size{Ptrs: 3})
				root.Ptr(0).Adopt(k.make(m, 3))
				other := builder(t, fresh{})
				other.RootBuilder().Adopt(k.make(other, 2))
				o := m.NewOrphanConcat(root.Reader().List(0), other.Root().List(), root.Reader().List(0))
				root.Ptr(1).Adopt(o)
				r := reread(t, m).Root().Struct()
				want(t, "joined", k.read(r.Ptr(1)), "xxxxxxxx")
				want(t, "source", k.read(r.Ptr(0)), "xxx")
				root.Ptr(2).Adopt(m.NewOrphanConcat(root.Reader().List(0)))
				want(t, "Equal", root.Ptr(2).Reader().Equal(root.Ptr(0).Reader()), Equal)
				noErr(t, m)
			})
		})
	}
}

func TestOrphanConcatOfDifferentStructs(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 3})
	NewStructs[StructBuilder](root.Ptr(0), Size{DataWords: 1}, 1).At(0).SetUint64(0, 1)
	NewStructs[StructBuilder](root.Ptr(1), Size{Ptrs: 2}, 1).At(0).SetText(1, "two")
	root.Ptr(2).Adopt(m.NewOrphanConcat(root.Reader().List(0), root.Reader().List(1)))
	l := ReadStructs[Struct](reread(t, m).Root().Struct().Ptr(2))
	want(t, "StructSize", l.List().StructSize(), Size{DataWords: 1, Ptrs: 2})
	want(t, "elements", fmt.Sprint(l.At(0).Uint64(0), l.At(0).Text(1), l.At(1).Uint64(0), l.At(1).Text(1)), "10two")
	want(t, "other elements", m.NewOrphanConcat(root.Reader().List(0), openWords(t, []uint64{listPtr(0, Byte, 1), 0}).Root().List()).IsNull(), true)
	wantErr(t, m, ErrMisuse, "can't be joined")
}

// Lists that are together longer than a list can be give an error, not a loop
// of a billion elements, nor a panic.
func TestOrphanConcatTooLong(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 2})
	root.Ptr(0).NewStructList(Size{}, 1<<29-1)
	root.Ptr(1).NewList(Void, 1<<29-1)
	for i := range uint16(2) {
		l := root.Reader().List(i)
		want(t, "IsNull", m.NewOrphanConcat(l, l, l, l, l).IsNull(), true)
		wantLimit(t, m.Err(), "elements of a list", 1<<29-1)
		m.ClearErr()
	}
}
