package segment_test

import (
	"fmt"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// orphanKinds is everything an orphan can be: how it is built under a pointer,
// how it is made as an orphan, and how it reads.
var orphanKinds = []struct {
	name  string
	build func(p PtrBuilder)
	make  func(m *Message) *Orphan
	read  func(p Ptr) string
	want  string
}{
	{
		"struct",
		func(p PtrBuilder) {
			s := p.NewStruct(Size{DataWords: 1, Ptrs: 1})
			s.SetUint64(0, 42)
			s.SetText(0, "below")
		},
		func(m *Message) *Orphan {
			o := m.NewOrphanStruct(Size{DataWords: 1, Ptrs: 1})
			s := o.Struct(Size{DataWords: 1, Ptrs: 1})
			s.SetUint64(0, 42)
			s.SetText(0, "below")
			return o
		},
		func(p Ptr) string { return fmt.Sprint(p.Struct().Uint64(0), p.Struct().Text(0)) }, "42below",
	},
	{
		"empty struct",
		func(p PtrBuilder) { p.NewStruct(Size{}) },
		func(m *Message) *Orphan { return m.NewOrphanStruct(Size{}) },
		func(p Ptr) string { return fmt.Sprint(p.Kind(), p.Struct().Size()) }, "struct {0 0}",
	},
	{
		"text",
		func(p PtrBuilder) { p.SetText("some text") },
		func(m *Message) *Orphan { return m.NewOrphanText("some text") },
		func(p Ptr) string { return p.Text() }, "some text",
	},
	{
		"data",
		func(p PtrBuilder) { p.SetData([]byte("some data")) },
		func(m *Message) *Orphan { return m.NewOrphanData([]byte("some data")) },
		func(p Ptr) string { return string(p.Data()) }, "some data",
	},
	{
		"empty data",
		func(p PtrBuilder) { p.SetData(nil) },
		func(m *Message) *Orphan { return m.NewOrphanData(nil) },
		func(p Ptr) string { return fmt.Sprint(p.Kind(), len(p.Data())) }, "list 0",
	},
	{
		"external data",
		func(p PtrBuilder) { p.SetExternalData(make([]byte, 64), nil) },
		func(m *Message) *Orphan { return m.NewOrphanExternal(make([]byte, 64), nil) },
		func(p Ptr) string { return fmt.Sprint(len(p.Data())) }, "64",
	},
	{
		"void list",
		func(p PtrBuilder) { p.NewList(Void, 7) },
		func(m *Message) *Orphan { return m.NewOrphanList(Void, 7) },
		func(p Ptr) string { return fmt.Sprint(p.List().ElemSize(), p.List().Len()) }, "void 7",
	},
	{
		"bit list",
		func(p PtrBuilder) { p.NewBools(70).Set(69, true) },
		func(m *Message) *Orphan {
			o := m.NewOrphanList(Bit, 70)
			return adopted(m, o, func(p PtrBuilder) {
				for i := range p.Bools().Len() { // none where memory ran out
					p.Bools().Set(i, i == 69)
				}
			})
		},
		func(p Ptr) string { return fmt.Sprint(p.Bools().At(68), p.Bools().At(69)) }, "false true",
	},
	{
		"number list",
		func(p PtrBuilder) { NewNumbers[int32](p, 3).Copy([]int32{1, -2, 3}) },
		func(m *Message) *Orphan {
			o := m.NewOrphanList(FourBytes, 3)
			return adopted(m, o, func(p PtrBuilder) { EditNumbers[int32](p).Copy([]int32{1, -2, 3}) })
		},
		func(p Ptr) string {
			v := make([]int32, 3)
			ReadNumbers[int32](p).Copy(v)
			return fmt.Sprint(v)
		}, "[1 -2 3]",
	},
	{
		"pointer list",
		func(p PtrBuilder) {
			l := p.NewPtrs(2)
			l.At(0).SetText("a")
			l.At(1).SetText("b")
		},
		func(m *Message) *Orphan {
			o := m.NewOrphanList(Pointer, 2)
			return adopted(m, o, func(p PtrBuilder) {
				for i, q := range p.Ptrs().Indexed() {
					q.SetText("ab"[i : i+1])
				}
			})
		},
		func(p Ptr) string { return p.Texts().At(0) + p.Texts().At(1) }, "ab",
	},
	{
		"struct list",
		func(p PtrBuilder) {
			l := NewStructs[StructBuilder](p, Size{DataWords: 1, Ptrs: 1}, 2)
			l.At(1).SetUint64(0, 9)
			l.At(0).SetText(0, "zero")
		},
		func(m *Message) *Orphan {
			o := m.NewOrphanStructList(Size{DataWords: 1, Ptrs: 1}, 2)
			o.StructList(Size{DataWords: 1})
			return adopted(m, o, func(p PtrBuilder) {
				for i, e := range EditStructs[StructBuilder](p, Size{}).Indexed() {
					if i == 1 {
						e.SetUint64(0, 9)
					} else {
						e.SetText(0, "zero")
					}
				}
			})
		},
		func(p Ptr) string {
			l := ReadStructs[Struct](p)
			return fmt.Sprint(l.At(1).Uint64(0), l.At(0).Text(0))
		}, "9zero",
	},
	{
		"list of empty structs",
		func(p PtrBuilder) { p.NewStructList(Size{}, 3) },
		func(m *Message) *Orphan { return m.NewOrphanStructList(Size{}, 3) },
		func(p Ptr) string { return fmt.Sprint(p.List().ElemSize(), p.List().Len()) }, "struct 3",
	},
	{
		"capability",
		func(p PtrBuilder) { p.SetCapability(11) },
		func(m *Message) *Orphan {
			c := New(fresh{})
			defer c.Release()
			c.RootBuilder().SetCapability(11)
			return m.NewOrphanCopy(c.Root())
		},
		func(p Ptr) string {
			i, ok := p.Capability()
			return fmt.Sprint(i, ok)
		}, "11 true",
	},
}

// adopted fills an orphan by adopting it for a moment.
func adopted(m *Message, o *Orphan, fill func(p PtrBuilder)) *Orphan {
	l := m.NewOrphanStruct(Size{Ptrs: 1})
	s := l.Struct(Size{Ptrs: 1})
	s.Ptr(0).Adopt(o)
	fill(s.Ptr(0))
	o = s.Ptr(0).Disown()
	l.Discard()
	return o
}

func eachOrphan(t *testing.T, f func(t *testing.T, m *Message, root StructBuilder, kind int)) {
	t.Helper()
	for i, k := range orphanKinds {
		t.Run(k.name, func(t *testing.T) {
			eachArena(t, func(t *testing.T, a Arena) {
				m := builder(t, a)
				f(t, m, m.NewRoot(Size{Ptrs: 3}), i)
				noErr(t, m)
			})
		})
	}
}

func TestOrphanDisownAdopt(t *testing.T) {
	eachOrphan(t, func(t *testing.T, m *Message, root StructBuilder, kind int) {
		k := orphanKinds[kind]
		k.build(root.Ptr(0))
		o := root.Ptr(0).Disown()
		want(t, "Has after Disown", root.Has(0), false)
		want(t, "IsNull", o.IsNull(), false)
		root.SetText(1, "what is there goes")
		root.Ptr(1).Adopt(o)
		want(t, "IsNull after Adopt", o.IsNull(), true)
		want(t, "value", k.read(root.Ptr(1).Reader()), k.want)
		want(t, "overwritten text", holds(t, m, "what is there"), false)
		r := reread(t, m)
		want(t, "value reread", k.read(r.Root().Struct().Ptr(1)), k.want)
		if err := r.Verify(); err != nil {
			t.Error(err)
		}
		root.Ptr(2).Adopt(root.Ptr(1).Disown())
		want(t, "value moved again", k.read(reread(t, m).Root().Struct().Ptr(2)), k.want)
		want(t, "Has where it was", root.Has(1), false)
	})
}

func TestOrphanNew(t *testing.T) {
	eachOrphan(t, func(t *testing.T, m *Message, root StructBuilder, kind int) {
		k := orphanKinds[kind]
		o := k.make(m)
		want(t, "IsNull", o.IsNull(), false)
		root.Ptr(0).Adopt(o)
		want(t, "value", k.read(reread(t, m).Root().Struct().Ptr(0)), k.want)
	})
}

// An orphan as the first thing of a message.
func TestOrphanBeforeTheRoot(t *testing.T) {
	for _, k := range orphanKinds {
		t.Run(k.name, func(t *testing.T) {
			m := builder(t, fresh{})
			o := k.make(m)
			m.RootBuilder().Adopt(o)
			want(t, "value", k.read(reread(t, m).Root()), k.want)
			noErr(t, m)
		})
	}
}

func TestOrphanCopy(t *testing.T) {
	eachOrphan(t, func(t *testing.T, m *Message, root StructBuilder, kind int) {
		k := orphanKinds[kind]
		src := builder(t, &exact{})
		k.build(src.RootBuilder())
		root.Ptr(0).Adopt(m.NewOrphanCopy(reread(t, src).Root()))
		root.Ptr(1).Adopt(m.NewOrphanCopy(root.Ptr(0).Reader()))
		root.Ptr(0).Clear()
		want(t, "value", k.read(reread(t, m).Root().Struct().Ptr(1)), k.want)
	})
}

func TestOrphanDiscardZeroes(t *testing.T) {
	eachOrphan(t, func(t *testing.T, m *Message, root StructBuilder, kind int) {
		empty := nonZeroBytes(t, m)
		k := orphanKinds[kind]
		k.build(root.Ptr(0))
		o := root.Ptr(0).Disown()
		o.Discard()
		want(t, "IsNull", o.IsNull(), true)
		want(t, "what is left", nonZeroBytes(t, m), empty)
		o = k.make(m)
		o.Discard()
		want(t, "what is left", nonZeroBytes(t, m), empty)
	})
}

// An orphan that is left alone stays, and nothing reaches it.
func TestOrphanNeverAdopted(t *testing.T) {
	eachOrphan(t, func(t *testing.T, m *Message, root StructBuilder, kind int) {
		orphanKinds[kind].build(root.Ptr(0))
		root.Ptr(0).Disown()
		want(t, "TotalWords", must(t)(reread(t, m).Root().TotalWords()), 3)
	})
}

func TestOrphanMisuse(t *testing.T) {
	for _, k := range orphanKinds {
		t.Run(k.name, func(t *testing.T) {
			m := builder(t, fresh{})
			root := m.NewRoot(Size{Ptrs: 2})
			o := k.make(m)
			root.Ptr(0).Adopt(o)
			root.Ptr(1).Adopt(o)
			wantErr(t, m, ErrMisuse, "adopted or discarded before")
			want(t, "Has", root.Has(1), false)
			o.Discard()
			wantErr(t, m, ErrMisuse, "adopted or discarded before")
			o.Truncate(0)
			wantErr(t, m, ErrMisuse, "adopted or discarded before")
			o.TruncateText(0)
			wantErr(t, m, ErrMisuse, "adopted or discarded before")
			o.Struct(Size{DataWords: 1})
			wantErr(t, m, ErrMisuse, "adopted or discarded before")
			want(t, "value", k.read(root.Ptr(0).Reader()), k.want)

			d := k.make(m)
			d.Discard()
			root.Ptr(1).Adopt(d)
			wantErr(t, m, ErrMisuse, "adopted or discarded before")

			other := builder(t, fresh{})
			p := other.NewRoot(Size{Ptrs: 1}).Ptr(0)
			p.SetText("stays")
			p.Adopt(k.make(m))
			wantErr(t, other, ErrMisuse, "inside its own message")
			want(t, "what was there", p.Reader().Text(), "stays")
			noErr(t, m)
		})
	}
}

func TestOrphanOfNothing(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 2})
	o := root.Ptr(0).Disown()
	want(t, "IsNull", o.IsNull(), true)
	root.SetText(1, "gone")
	root.Ptr(1).Adopt(o)
	want(t, "Has", root.Has(1), false)
	var zero Orphan
	want(t, "IsNull", zero.IsNull(), true)
	root.Ptr(0).Adopt(&zero)
	want(t, "Struct", zero.Struct(Size{}), StructBuilder{})
	zero.Discard()
	want(t, "IsNull of no lists", m.NewOrphanConcat().IsNull(), true)
	noErr(t, m)
}

// An orphan's struct or list is upgraded like any other.
func TestOrphanUpgrade(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{Ptrs: 2})
		o := m.NewOrphanStruct(Size{DataWords: 1})
		o.Struct(Size{DataWords: 1}).SetUint64(0, 1)
		o.Struct(Size{DataWords: 2, Ptrs: 1}).SetText(0, "new")
		root.Ptr(0).Adopt(o)
		s := root.Reader().Struct(0)
		want(t, "struct", fmt.Sprint(s.Uint64(0), s.Text(0), s.Size()), "1new{2 1}")
		l := m.NewOrphanList(EightBytes, 2)
		l.List(EightBytes)
		b := l.StructList(Size{DataWords: 1, Ptrs: 1})
		want(t, "Len", b.Len(), 2)
		root.Ptr(1).Adopt(l)
		want(t, "StructSize", root.Reader().List(1).StructSize(), Size{DataWords: 1, Ptrs: 1})
		want(t, "Verify", reread(t, m).Verify(), nil)
	})
}

// Data of an orphan is written in place.
func TestOrphanData(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	o := m.NewOrphanData([]byte("abc"))
	copy(o.Data(), "xyz")
	root.Ptr(0).Adopt(o)
	want(t, "data", string(root.Reader().Data(0)), "xyz")
	e := m.NewOrphanExternal([]byte("12345678"), nil)
	want(t, "external data", e.Data() == nil, true)
	wantErr(t, m, ErrReadOnly, "")
	want(t, "IsNull", e.IsNull(), false)
	root.Ptr(0).Adopt(e)
	want(t, "data", string(root.Reader().Data(0)), "12345678")
}

// Asking an orphan for what it is not is an error and leaves it as it is.
func TestOrphanOfAnotherKind(t *testing.T) {
	m := builder(t, fresh{})
	o := m.NewOrphanList(Bit, 9)
	want(t, "Data", o.Data() == nil, true)
	wantErr(t, m, ErrMalformed, "expected data")
	o.Struct(Size{DataWords: 1})
	wantErr(t, m, ErrMalformed, "expected a struct")
	m.RootBuilder().Adopt(o)
	want(t, "Len", m.Root().Bools().Len(), 9)
	noErr(t, m)
}

// A message that is read makes no orphans.
func TestOrphanOfReadOnlyMessage(t *testing.T) {
	m := openWords(t, []uint64{0})
	o := m.NewOrphanText("x")
	want(t, "IsNull", o.IsNull(), true)
	wantErr(t, m, ErrReadOnly, "")
}
