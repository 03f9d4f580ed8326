package segment_test

import (
	"fmt"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// What a list that was written with one element size gives to a reader that
// expects another. "-" is an error.
func TestListUpgradeInReader(t *testing.T) {
	lists := []struct {
		name  string
		words []uint64
	}{
		{"void", []uint64{listPtr(0, Void, 2)}},
		{"bit", []uint64{listPtr(0, Bit, 2), 3}},
		{"byte", []uint64{listPtr(0, Byte, 2), 0x2211}},
		{"two", []uint64{listPtr(0, TwoBytes, 2), 0x44332211}},
		{"four", []uint64{listPtr(0, FourBytes, 2), 0x8877665544332211}},
		{"eight", []uint64{listPtr(0, EightBytes, 2), 0x8877665544332211, 0xffeeddccbbaa9988}},
		{"pointer", []uint64{listPtr(0, Pointer, 2), listPtr(1, Byte, 2), 0, textWord("x")}},
		{"struct of data", []uint64{listPtr(0, Composite, 2), listTag(2, 1, 0), 0x8877665544332211, 0xffeeddccbbaa9988}},
		{"struct of a pointer", []uint64{listPtr(0, Composite, 2), listTag(2, 0, 1), listPtr(1, Byte, 2), 0, textWord("x")}},
		{"struct of both", []uint64{
			listPtr(0, Composite, 4), listTag(2, 1, 1), 0x8877665544332211, listPtr(2, Byte, 2), 0xffeeddccbbaa9988, 0, textWord("x"),
		}},
		{"empty structs", []uint64{listPtr(0, Composite, 0), listTag(2, 0, 0)}},
	}
	views := []struct {
		name string
		read func(p Ptr) []string
		want []string
	}{
		{"bit", func(p Ptr) (out []string) {
			for v := range p.Bools().All() {
				out = append(out, fmt.Sprint(v))
			}
			return out
		}, []string{"-", "[true true]", "-", "-", "-", "-", "-", "-", "-", "-", "-"}},
		{"uint8", numbersIn[uint8], []string{"-", "-", "[11 22]", "[11 33]", "[11 55]", "[11 88]", "-", "[11 88]", "-", "[11 88]", "-"}},
		{"uint16", numbersIn[uint16], []string{"-", "-", "-", "[2211 4433]", "[2211 6655]", "[2211 9988]", "-", "[2211 9988]", "-", "[2211 9988]", "-"}},
		{"uint32", numbersIn[uint32], []string{"-", "-", "-", "-", "[44332211 88776655]", "[44332211 bbaa9988]", "-", "[44332211 bbaa9988]", "-", "[44332211 bbaa9988]", "-"}},
		{"uint64", numbersIn[uint64], []string{
			"-", "-", "-", "-", "-", "[8877665544332211 ffeeddccbbaa9988]", "-",
			"[8877665544332211 ffeeddccbbaa9988]", "-", "[8877665544332211 ffeeddccbbaa9988]", "-",
		}},
		{"pointer", func(p Ptr) (out []string) {
			for q := range p.Texts().All() {
				out = append(out, q)
			}
			return out
		}, []string{"-", "-", "-", "-", "-", "-", "[x ]", "-", "[x ]", "[x ]", "-"}},
		{"struct", func(p Ptr) (out []string) {
			for s := range ReadStructs[Struct](p).All() {
				out = append(out, fmt.Sprintf("%x/%x/%s", s.Uint8(0), s.Uint64(0), s.Text(0)))
			}
			return out
		}, []string{
			"[0/0/ 0/0/]", "-", "[11/0/ 22/0/]", "[11/0/ 33/0/]", "[11/0/ 55/0/]",
			"[11/8877665544332211/ 88/ffeeddccbbaa9988/]", "[0/0/x 0/0/]",
			"[11/8877665544332211/ 88/ffeeddccbbaa9988/]", "[0/0/x 0/0/]",
			"[11/8877665544332211/x 88/ffeeddccbbaa9988/]", "[0/0/ 0/0/]",
		}},
	}
	for _, v := range views {
		for i, l := range lists {
			t.Run(l.name+" as "+v.name, func(t *testing.T) {
				m := openWords(t, l.words)
				got := fmt.Sprint(v.read(m.Root()))
				if v.want[i] == "-" {
					want(t, "elements", got, "[]")
					wantErr(t, m, ErrMalformed, "expected a list of "+map[string]string{
						"bit": "bit", "uint8": "1-byte", "uint16": "2-byte", "uint32": "4-byte", "uint64": "8-byte", "pointer": "pointer", "struct": "struct",
					}[v.name]+" elements")
					return
				}
				want(t, "elements", got, v.want[i])
				noErr(t, m)
				checkViews(t, m.Root().List(), v.name, got)
			})
		}
	}
}

func numbersIn[T Number](p Ptr) (out []string) {
	l := ReadNumbers[T](p)
	vals := make([]T, l.Len())
	l.Copy(vals)
	for i, v := range vals {
		if l.At(i) != v {
			return []string{"At and Copy differ"}
		}
		out = append(out, fmt.Sprintf("%x", v))
	}
	return out
}

// checkViews reads the same through an AnyList.
func checkViews(t *testing.T, l List, view, text string) {
	t.Helper()
	n := -1
	switch view {
	case "bit":
		n = l.Bools().Len()
	case "uint8":
		n = NumbersOf[uint8](l).Len()
	case "uint16":
		n = NumbersOf[uint16](l).Len()
	case "uint32":
		n = NumbersOf[uint32](l).Len()
	case "uint64":
		n = NumbersOf[uint64](l).Len()
	case "pointer":
		n = l.Ptrs().Len()
	case "struct":
		n = l.Structs().Len()
	}
	want(t, "Len of "+text, n, 2)
	noErr(t, l.Message())
}

// A view through AnyList that can't be is an error too.
func TestAnyListDowngrade(t *testing.T) {
	m := openWords(t, []uint64{listPtr(0, Bit, 2), 3})
	l := m.Root().List()
	for name, n := range map[string]int{
		"struct": l.Structs().Len(), "pointer": l.Ptrs().Len(), "1-byte": NumbersOf[int8](l).Len(), "8-byte": NumbersOf[float64](l).Len(),
	} {
		want(t, name, n, 0)
	}
	wantErr(t, m, ErrMalformed, "expected a list of struct elements, found bit elements")
	m = openWords(t, []uint64{listPtr(0, Byte, 2), 3})
	want(t, "bits", m.Root().List().Bools().Len(), 0)
	wantErr(t, m, ErrMalformed, "expected a list of bit elements, found 1-byte elements")
}

// A builder works with a list of larger elements in place.
func TestBuilderEditsWiderLists(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	l := NewStructs[StructBuilder](root.Ptr(0), Size{DataWords: 2, Ptrs: 2}, 3)
	for _, e := range l.Indexed() {
		e.SetUint64(0, 0x1111111111111111)
		e.SetUint64(8, 0x2222222222222222)
		e.SetText(1, "kept")
	}
	n := EditNumbers[uint16](root.Ptr(0))
	n.Set(1, 0xffff)
	want(t, "Copy", n.Copy([]uint16{7}), 1)
	if _, ok := n.View(); ok {
		t.Error("a view of elements that do not lie side by side")
	}
	p := root.Ptr(0).Ptrs()
	p.At(2).SetText("first pointer")
	want(t, "element 0", l.At(0).Reader().Uint64(0), 0x1111111111110007)
	want(t, "element 1", l.At(1).Reader().Uint64(0), 0x111111111111ffff)
	for i, e := range l.Indexed() {
		want(t, "second word", e.Reader().Uint64(8), 0x2222222222222222)
		want(t, "second pointer", e.Reader().Text(1), "kept")
		want(t, "first pointer", e.Has(0), i == 2)
	}
	want(t, "pointers", p.Reader().At(2).Text(), "first pointer")
	root.Ptr(0).Bools()
	wantErr(t, m, ErrMalformed, "expected a list of bit elements")
	EditNumbers[uint64](root.Ptr(0)).Set(0, 1)
	noErr(t, m)
}

// Getting a struct at a larger size than it has copies it, keeps what is below
// it, and zeroes the old one.
func TestStructUpgradeInBuilder(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{Ptrs: 2})
		old := root.NewStruct(0, Size{DataWords: 1, Ptrs: 2})
		old.SetUint64(0, 0xabcdefabcdefabcd)
		old.SetText(0, "zeroth")
		old.NewStruct(1, Size{DataWords: 1}).SetUint64(0, 5)
		root.Ptr(1).SetText("between")

		got := root.Struct(0, Size{DataWords: 3, Ptrs: 1})
		want(t, "Size", got.Size(), Size{DataWords: 3, Ptrs: 2})
		got.SetUint64(16, 9)
		again := root.Struct(0, Size{DataWords: 1, Ptrs: 4})
		want(t, "Size", again.Size(), Size{DataWords: 3, Ptrs: 4})
		again.SetText(3, "third")
		want(t, "the old data", old.Reader().Uint64(0), 0)
		want(t, "the old pointers", old.Has(0) || old.Has(1), false)
		want(t, "the data between", got.Reader().Uint64(0), 0)
		same := root.Struct(0, Size{DataWords: 1, Ptrs: 1})
		same.SetUint64(8, 8)

		r := reread(t, m)
		s := r.Root().Struct().Struct(0)
		want(t, "data", [3]uint64{s.Uint64(0), s.Uint64(8), s.Uint64(16)}, [3]uint64{0xabcdefabcdefabcd, 8, 9})
		want(t, "texts", s.Text(0)+s.Text(3), "zerothird"[:6]+"third")
		want(t, "struct", s.Struct(1).Uint64(0), 5)
		want(t, "neighbour", r.Root().Struct().Text(1), "between")
		want(t, "Verify", r.Verify(), nil)
		want(t, "copies of the data", countWord(t, m, 0xabcdefabcdefabcd), 1)
	})
}

func countWord(t *testing.T, m *Message, w uint64) (n int) {
	t.Helper()
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segs {
		for _, v := range toWords(s) {
			if v == w {
				n++
			}
		}
	}
	return n
}

// The same for a struct list, of structs, numbers or pointers.
func TestListUpgradeInBuilder(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(p PtrBuilder)
		want  string // after the upgrade: data, then text
	}{
		{"void", func(p PtrBuilder) { p.NewList(Void, 3) }, "0, 0, 0, "},
		{"byte", func(p PtrBuilder) { NewNumbers[uint8](p, 3).Copy([]uint8{1, 2, 255}) }, "1, 2, ff, "},
		{"two", func(p PtrBuilder) { NewNumbers[int16](p, 3).Copy([]int16{1, 2, -1}) }, "1, 2, ffff, "},
		{"four", func(p PtrBuilder) { NewNumbers[int32](p, 3).Copy([]int32{1, 2, -1}) }, "1, 2, ffffffff, "},
		{"eight", func(p PtrBuilder) { NewNumbers[int64](p, 3).Copy([]int64{1, 2, -1}) }, "1, 2, ffffffffffffffff, "},
		{"pointer", func(p PtrBuilder) {
			l := p.NewPtrs(3)
			l.At(0).SetText("a")
			l.At(2).SetText("c")
		}, "0a, 0, 0c, "},
		{"structs of data", func(p PtrBuilder) {
			NewStructs[StructBuilder](p, Size{DataWords: 1}, 3).At(1).SetUint64(0, 0x77)
		}, "0, 77, 0, "},
		{"structs of both", func(p PtrBuilder) {
			l := NewStructs[StructBuilder](p, Size{DataWords: 1, Ptrs: 1}, 3)
			l.At(1).SetUint64(0, 0x77)
			l.At(1).SetText(0, "b")
		}, "0, 77b, 0, "},
		{"no elements", func(p PtrBuilder) { NewNumbers[int64](p, 0) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachArena(t, func(t *testing.T, a Arena) {
				m := builder(t, a)
				root := m.NewRoot(Size{Ptrs: 2})
				c.build(root.Ptr(0))
				root.SetText(1, "behind")
				l := EditStructs[StructBuilder](root.Ptr(0), Size{DataWords: 1, Ptrs: 2})
				for i, e := range l.Indexed() {
					e.SetText(1, fmt.Sprint(i))
				}
				r := reread(t, m).Root().Struct()
				text := ""
				for i, e := range ReadStructs[Struct](r.Ptr(0)).Indexed() {
					text += fmt.Sprintf("%x%s, ", e.Uint64(0), e.Text(0))
					want(t, "new field", e.Text(1), fmt.Sprint(i))
				}
				want(t, "elements", text, c.want)
				want(t, "neighbour", r.Text(1), "behind")
				noErr(t, r.Message())
				want(t, "Verify", r.Message().Verify(), nil)
				size := m.SizeBytes()
				EditStructs[StructBuilder](root.Ptr(0), Size{DataWords: 1})
				want(t, "size after an upgrade that is none", m.SizeBytes(), size)
			})
		})
	}
}

func TestBitListIsNeverUpgraded(t *testing.T) {
	m := builder(t, fresh{})
	p := m.RootBuilder()
	p.NewBools(3).Set(1, true)
	want(t, "StructList", p.StructList(Size{DataWords: 1}).Len(), 0)
	wantErr(t, m, ErrMalformed, "found bit elements")
	want(t, "List", EditNumbers[uint8](p).Len(), 0)
	wantErr(t, m, ErrMalformed, "found bit elements")
	want(t, "the list", p.Bools().At(1), true)
}

// The upgrade of what lies behind a double-far pointer.
func TestUpgradeThroughDoubleFar(t *testing.T) {
	m := builder(t, &exact{max: 8 * 9})
	root := m.NewRoot(Size{Ptrs: 4})
	fillSegments(root)
	if far, double := farPointers(t, m); far == 0 || double == 0 {
		t.Fatalf("%d far and %d double-far pointers: the arena does not force them", far, double)
	}
	for i := range uint16(4) {
		s := root.Struct(i, Size{DataWords: 3, Ptrs: 1})
		want(t, "data", s.Reader().Uint64(0), value(i))
		s.SetUint64(16, uint64(i))
	}
	r := reread(t, m)
	for i := range uint16(4) {
		want(t, "data", r.Root().Struct().Struct(i).Uint64(0), value(i))
		want(t, "data", r.Root().Struct().Struct(i).Uint64(16), uint64(i))
		want(t, "copies", countWord(t, m, value(i)), 1)
	}
	want(t, "Verify", r.Verify(), nil)
}

// value is no far pointer by chance.
func value(i uint16) uint64 { return 8 * (uint64(i) + 100) }

// farPointers counts the words that are far and double-far pointers of m. What
// else m holds must be a multiple of 8, or text.
func farPointers(t *testing.T, m *Message) (far, double int) {
	t.Helper()
	segs, err := m.ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segs {
		for _, w := range toWords(s) {
			switch {
			case w>>32 >= uint64(len(segs)):
			case w&7 == 6:
				double++
			case w&7 == 2:
				far++
			}
		}
	}
	return far - double, double // a double-far pointer's pad holds a far pointer
}

// fillSegments puts a struct under each pointer; under every other one by
// adoption into a segment that has no room, which makes double-far pointers.
func fillSegments(s StructBuilder) {
	for i := range s.Size().Ptrs {
		if i%2 == 0 {
			s.NewStruct(i, Size{DataWords: 1, Ptrs: 0}).SetUint64(0, value(i))
			continue
		}
		src := New(fresh{})
		c := src.NewRoot(Size{DataWords: 8})
		c.SetUint64(0, value(i))
		s.Ptr(i).SetStruct(c.Reader())
		src.Release()
	}
}

// In the place of null a builder gets a copy of the default.
func TestDefaultsInBuilder(t *testing.T) {
	d := builder(t, fresh{})
	def := d.NewRoot(Size{DataWords: 1, Ptrs: 1})
	def.SetUint64(0, 42)
	def.SetText(0, "default")
	defList := builder(t, fresh{})
	NewNumbers[uint16](defList.RootBuilder(), 2).Copy([]uint16{5, 6})

	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 3})
	want(t, "reader's default", root.Reader().Ptr(0).StructOr(def.Reader()).Text(0), "default")
	s := root.Ptr(0).StructOr(Size{DataWords: 2}, def.Reader())
	want(t, "Size", s.Size(), Size{DataWords: 2, Ptrs: 1})
	s.SetText(0, "changed")
	want(t, "default's text", def.Reader().Text(0), "default")
	want(t, "default's data", s.Reader().Uint64(0), 42)
	again := root.Ptr(0).StructOr(Size{DataWords: 2}, def.Reader())
	want(t, "what is there", again.Reader().Text(0), "changed")

	n := root.Ptr(1).ListOr(TwoBytes, defList.Root().List())
	want(t, "Len", n.Len(), 2)
	want(t, "list", ReadNumbers[uint16](root.Ptr(1).Reader()).At(1), 6)
	ls := root.Ptr(2).StructListOr(Size{DataWords: 1}, defList.Root().List())
	want(t, "Len", ls.Len(), 2)
	want(t, "element", ls.Reader().Structs().At(1).Uint64(0), 6)
	want(t, "text", Ptr{}.TextOr("x"), "x")
	want(t, "data", string(Ptr{}.DataOr([]byte("x"))), "x")
	root.Ptr(2).SetText("")
	want(t, "text that is there", root.Ptr(2).Reader().TextOr("x"), "")
	want(t, "data that is there", len(root.Ptr(2).Reader().DataOr(nil)), 1)
	want(t, "Verify", reread(t, m).Verify(), nil)
}

// Longer structs of a newer sender keep what the reader does not know.
func TestUnknownFieldsSurviveACopy(t *testing.T) {
	m := builder(t, fresh{})
	s := m.NewRoot(Size{DataWords: 4, Ptrs: 4})
	s.SetUint64(24, 99)
	s.SetText(3, "unknown")
	c := builder(t, &exact{})
	c.RootBuilder().SetStruct(reread(t, m).Root().Struct())
	r := reread(t, c).Root().Struct()
	want(t, "data", r.Uint64(24), 99)
	want(t, "text", r.Text(3), "unknown")
	want(t, "Size", r.Size(), Size{DataWords: 4, Ptrs: 4})
}

// Getting a struct from a pointer to something else, and the other way round.
func TestBuilderOverTheWrongKind(t *testing.T) {
	m := builder(t, fresh{})
	p := m.RootBuilder()
	p.SetText("text")
	p.Struct(Size{DataWords: 1})
	wantErr(t, m, ErrMalformed, "expected a struct")
	p.NewStruct(Size{DataWords: 1})
	want(t, "List", p.List(Byte).Len(), 0)
	wantErr(t, m, ErrMalformed, "expected a list")
	want(t, "StructList", p.StructList(Size{DataWords: 1}).Len(), 0)
	wantErr(t, m, ErrMalformed, "expected a list")
	want(t, "Text", p.TextBytes() == nil, true)
	wantErr(t, m, ErrMalformed, "expected text")
	want(t, "Data", p.Data() == nil, true)
	wantErr(t, m, ErrMalformed, "expected data")
	p.SetCapability(3)
	p.Struct(Size{DataWords: 1})
	wantErr(t, m, ErrMalformed, "expected a struct")
}

// A default may hold the pointer that it is copied to.
func TestStructOrOfWhatHoldsIt(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{DataWords: 1, Ptrs: 2})
		root.SetUint64(0, 7)
		root.SetText(1, "beside")
		s := root.Ptr(0).StructOr(Size{DataWords: 2}, root.Reader())
		noErr(t, m)
		want(t, "the copy's size", s.Size(), Size{DataWords: 2, Ptrs: 2})
		want(t, "its number", s.Reader().Uint64(0), 7)
		want(t, "its text", s.Reader().Text(1), "beside")
		want(t, "its null pointer", s.Has(0), false)
	})
}
