package segment_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/fairlead-go/fairlead/segment"
)

// numbers builds a list of vals, and reads it back in every way there is.
func numbers[T Number](t *testing.T, vals ...T) {
	t.Helper()
	bits := func(v T) string { return fmt.Sprintf("%T %x", v, math.Float64bits(float64(v))) }
	t.Run(fmt.Sprintf("%T", vals[0]), func(t *testing.T) {
		eachArena(t, func(t *testing.T, a Arena) {
			m := builder(t, a)
			root := m.NewRoot(Size{Ptrs: 3})
			l := NewNumbers[T](root.Ptr(0), len(vals))
			for i, v := range vals {
				l.Set(i, v)
			}
			want(t, "Copy into the list", NewNumbers[T](root.Ptr(1), len(vals)).Copy(append(vals[:len(vals):len(vals)], 1, 2)), len(vals))
			want(t, "Equal", root.Ptr(0).Reader().Equal(root.Ptr(1).Reader()), Equal)
			NewNumbers[T](root.Ptr(2), 0)

			r := reread(t, m).Root().Struct()
			got := ReadNumbers[T](r.Ptr(0))
			want(t, "Len", got.Len(), len(vals))
			for i, v := range vals {
				want(t, "At", bits(got.At(i)), bits(v))
				want(t, "builder's At", bits(l.At(i)), bits(v))
			}
			var all []string
			for v := range got.All() {
				all = append(all, bits(v))
			}
			for i, v := range got.Indexed() {
				want(t, "Indexed", bits(v), all[i])
			}
			for i, v := range l.Indexed() {
				want(t, "builder's Indexed", bits(v), all[i])
			}
			want(t, "All", len(all), len(vals))
			if v, ok := got.View(); ok != NativeViews || ok && (len(v) != len(vals) || cap(v) != len(vals) || bits(v[0]) != bits(vals[0])) {
				t.Errorf("View gives %v with capacity %d, %v", v, cap(v), ok)
			}
			out := make([]T, len(vals)+1)
			want(t, "Copy", got.Copy(out), len(vals))
			want(t, "Copy of some", got.Copy(out[:1]), 1)
			for i, v := range vals {
				want(t, "Copy", bits(out[i]), bits(v))
			}
			if v, ok := ReadNumbers[T](r.Ptr(2)).View(); len(v) != 0 || ok != true {
				t.Errorf("View of an empty list is %v, %v", v, ok)
			}
			for range got.All() {
				break
			}
			for range got.Indexed() {
				break
			}
			for _, i := range []int{-1, len(vals), math.MaxInt, math.MinInt} {
				mustPanic(t, "out of range", func() { got.At(i) })
				mustPanic(t, "out of range", func() { l.At(i) })
				mustPanic(t, "out of range", func() { l.Set(i, 0) })
			}
		})
	})
}

type colour uint16

func TestNumbers(t *testing.T) {
	numbers[int8](t, math.MinInt8, -1, 0, 1, math.MaxInt8)
	numbers[uint8](t, 0, 1, math.MaxUint8)
	numbers[int16](t, math.MinInt16, -1, 0, 1, math.MaxInt16)
	numbers[uint16](t, 0, 1, math.MaxUint16)
	numbers[int32](t, math.MinInt32, -1, 0, 1, math.MaxInt32)
	numbers[uint32](t, 0, 1, math.MaxUint32)
	numbers[int64](t, math.MinInt64, -1, 0, 1<<52)
	numbers[uint64](t, 0, 1, 1<<52)
	numbers[float32](t, -1.5, float32(math.Inf(1)), math.SmallestNonzeroFloat32, math.MaxFloat32)
	numbers(t, -1.5, math.Inf(-1), math.SmallestNonzeroFloat64, math.MaxFloat64, math.Copysign(0, -1))
	numbers[colour](t, 0, 3, 65535)
}

// Integers that a float64 can't hold, and NaNs with their payload, survive
// every way in and out bit by bit.
func TestNumbersBitForBit(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 3})
	ints := []int64{math.MaxInt64, math.MinInt64, -1, 1<<53 + 1}
	NewNumbers[int64](root.Ptr(0), 4).Copy(ints)
	got := make([]int64, 4)
	ReadNumbers[int64](root.Ptr(0).Reader()).Copy(got)
	if !slices.Equal(got, ints) {
		t.Errorf("got %v", got)
	}
	for _, payload := range []uint64{0x7ff8000000000001, 0xfff8dead0000beef} {
		v := math.Float64frombits(payload)
		l := NewNumbers[float64](root.Ptr(1), 2)
		l.Set(0, v)
		l.Copy([]float64{v})
		want(t, "NaN", math.Float64bits(l.At(0)), payload)
		out := []float64{0}
		l.Reader().Copy(out)
		want(t, "copied NaN", math.Float64bits(out[0]), payload)
		c := builder(t, fresh{})
		c.RootBuilder().Set(root.Ptr(1).Reader())
		want(t, "deep-copied NaN", c.Root().List().Len(), 2)
		want(t, "deep-copied NaN", math.Float64bits(ReadNumbers[float64](c.Root()).At(0)), payload)
	}
	f := math.Float32frombits(0x7fc54321)
	l := NewNumbers[float32](root.Ptr(2), 3)
	l.Set(2, f)
	want(t, "float32 NaN", math.Float32bits(l.At(2)), 0x7fc54321)
	out := make([]float32, 3)
	l.Reader().Copy(out)
	want(t, "copied float32 NaN", math.Float32bits(out[2]), 0x7fc54321)
}

// A view is the message's own memory.
func TestViewWritesThrough(t *testing.T) {
	m := builder(t, fresh{})
	l := NewNumbers[int32](m.RootBuilder(), 3)
	v, ok := l.View()
	if ok != NativeViews {
		t.Fatalf("View is ok: %v", ok)
	}
	if ok {
		v[1] = -9
		want(t, "At", l.At(1), -9)
	}
}

func TestBools(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 63, 64, 65, 130} {
		eachArena(t, func(t *testing.T, a Arena) {
			m := builder(t, a)
			l := m.RootBuilder().NewBools(n)
			for i := range n {
				l.Set(i, i%3 == 0)
			}
			for i := range n { // a setter changes one bit only
				v := l.At(i)
				l.Set(i, !v)
				for j := range n {
					if l.At(j) != (j%3 == 0 != (i == j)) {
						t.Fatalf("bit %d after setting %d", j, i)
					}
				}
				l.Set(i, v)
			}
			r := reread(t, m).Root().Bools()
			want(t, "Len", r.Len(), n)
			seen := 0
			for i, v := range r.Indexed() {
				want(t, "bit", v, i%3 == 0)
				seen++
			}
			for v := range r.All() {
				_ = v
				seen++
			}
			want(t, "seen", seen, 2*n)
			want(t, "ElemSize", r.List().ElemSize(), Bit)
			mustPanic(t, "out of range", func() { r.At(n) })
			mustPanic(t, "out of range", func() { l.Set(n, true) })
			mustPanic(t, "out of range", func() { l.At(-1) })
		})
	}
}

type (
	person        Struct
	personBuilder StructBuilder
)

func (p person) age() uint32            { return Struct(p).Uint32(0) }
func (b personBuilder) setAge(v uint32) { StructBuilder(b).SetUint32(0, v) }

// Lists of the types that generated code makes.
func TestStructs(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		l := NewStructs[personBuilder](m.RootBuilder(), Size{DataWords: 1, Ptrs: 1}, 5)
		for i, b := range l.Indexed() {
			b.setAge(uint32(i) * 10)
			StructBuilder(b).SetText(0, fmt.Sprint("p", i))
		}
		n := 0
		for range l.All() {
			n++
		}
		r := ReadStructs[person](reread(t, m).Root())
		for i, p := range r.Indexed() {
			want(t, "age", p.age(), uint32(i)*10)
			want(t, "text", Struct(p).Text(0), fmt.Sprint("p", i))
			want(t, "At", r.At(i).age(), p.age())
			n++
		}
		for range r.All() {
			n++
			break
		}
		want(t, "elements", n, 11)
		want(t, "StructSize", r.List().StructSize(), Size{DataWords: 1, Ptrs: 1})
		want(t, "ElemSize", r.List().ElemSize(), Composite)
		mustPanic(t, "out of range", func() { r.At(5) })
		mustPanic(t, "out of range", func() { l.At(5) })
		mustPanic(t, "out of range", func() { l.Set(-1, Struct{}) })
	})
}

func TestPointerLists(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		root := m.NewRoot(Size{Ptrs: 3})
		texts := root.Ptr(0).NewPtrs(3)
		datas := root.Ptr(1).NewPtrs(3)
		for i, p := range texts.Indexed() {
			p.SetText(fmt.Sprint("text", i))
			datas.At(i).SetData([]byte{byte(i), 0, byte(i)})
		}
		nested := root.Ptr(2).NewPtrs(2)
		NewNumbers[uint16](nested.At(1), 3).Copy([]uint16{1, 2, 3})
		want(t, "null element", nested.At(0).IsNull(), true)

		r := reread(t, m).Root().Struct()
		n := 0
		for i, s := range r.Ptr(0).Texts().Indexed() {
			want(t, "text", s, fmt.Sprint("text", i))
			want(t, "BytesAt", string(r.Ptr(0).Texts().BytesAt(i)), s)
			n++
		}
		for i, b := range r.Ptr(1).Datas().Indexed() {
			want(t, "data", string(b), string([]byte{byte(i), 0, byte(i)}))
			n++
		}
		for range r.Ptr(0).Texts().All() {
			n++
		}
		for range r.Ptr(1).Datas().All() {
			n++
		}
		for range r.Ptr(2).Ptrs().All() {
			n++
		}
		want(t, "elements", n, 14)
		want(t, "lengths", [2]int{r.Ptr(0).Texts().Len(), r.Ptr(1).Datas().Len()}, [2]int{3, 3})
		inner := ReadNumbers[uint16](r.Ptr(2).Ptrs().At(1))
		want(t, "inner", inner.At(2), 3)
		want(t, "null inner", ReadNumbers[uint16](r.Ptr(2).Ptrs().At(0)).Len(), 0)
		want(t, "ElemSize", r.Ptr(1).Datas().List().ElemSize(), Pointer)
		want(t, "ElemSize", r.Ptr(0).Texts().List().ElemSize(), Pointer)
		want(t, "ElemSize", r.Ptr(2).Ptrs().List().ElemSize(), Pointer)
		mustPanic(t, "out of range", func() { r.Ptr(0).Texts().At(3) })
		mustPanic(t, "out of range", func() { r.Ptr(1).Datas().At(-1) })
		mustPanic(t, "out of range", func() { r.Ptr(2).Ptrs().At(2) })
		mustPanic(t, "out of range", func() { nested.At(2) })
	})
}

// A list that is set to an empty one is not null and has no elements.
func TestSetListToEmpty(t *testing.T) {
	m := builder(t, fresh{})
	root := m.NewRoot(Size{Ptrs: 1})
	NewNumbers[int64](root.Ptr(0), 5).Set(4, -1)
	NewNumbers[int64](root.Ptr(0), 0)
	r := reread(t, m).Root().Struct()
	want(t, "Has", r.Has(0), true)
	want(t, "Len", r.List(0).Len(), 0)
	want(t, "the old list", holds(t, m, "\xff\xff\xff\xff"), false)
	root.Ptr(0).SetList(List{})
	want(t, "Has", root.Has(0), false)
}

// A list larger than its segments' usual size goes through.
func TestLongList(t *testing.T) {
	m := builder(t, &exact{})
	root := m.NewRoot(Size{Ptrs: 2})
	l := NewStructs[StructBuilder](root.Ptr(0), Size{DataWords: 1, Ptrs: 1}, 20_000)
	for i, e := range l.Indexed() {
		e.SetUint64(0, uint64(i))
		e.SetText(0, "an element's text")
	}
	big := NewNumbers[uint64](root.Ptr(1), 100_000)
	big.Set(99_999, 7)
	r := reread(t, m).Root().Struct()
	s := ReadStructs[Struct](r.Ptr(0))
	for i, e := range s.Indexed() {
		if e.Uint64(0) != uint64(i) || string(e.TextBytes(0)) != "an element's text" {
			t.Fatalf("element %d is wrong", i)
		}
	}
	want(t, "last number", ReadNumbers[uint64](r.Ptr(1)).At(99_999), 7)
	noErr(t, r.Message())
}

func TestSetElementToItself(t *testing.T) {
	eachArena(t, func(t *testing.T, a Arena) {
		m := builder(t, a)
		l := NewStructs[StructBuilder](m.RootBuilder(), Size{DataWords: 1, Ptrs: 1}, 2)
		l.At(0).SetUint64(0, 5)
		l.At(0).SetText(0, "me")
		size := m.SizeBytes()
		l.Set(0, l.At(0).Reader())
		want(t, "data", l.At(0).Reader().Uint64(0), 5)
		want(t, "text", l.At(0).Reader().Text(0), "me")
		want(t, "size", m.SizeBytes(), size)
		l.Set(1, l.At(0).Reader())
		want(t, "other's text", l.At(1).Reader().Text(0), "me")
		l.At(0).Ptr(0).Set(l.At(0).Ptr(0).Reader())
		want(t, "text set to itself", l.At(0).Reader().Text(0), "me")
		want(t, "Verify", reread(t, m).Verify(), nil)
	})
}

// AnyList knows its elements' size whatever it is.
func TestAnyList(t *testing.T) {
	m := builder(t, fresh{})
	for e := Void; e < Composite; e++ {
		m.RootBuilder().NewList(e, 9)
		l := reread(t, m).Root().List()
		want(t, "ElemSize", l.ElemSize(), e)
		want(t, "Len", l.Len(), 9)
		want(t, "Message", l.Message() != nil, true)
	}
	if l := reread(t, m).Root().ListOr(List{}); l.Len() != 9 {
		t.Error("ListOr gives its default for a list that is there")
	}
	def := m.Root().List()
	want(t, "ListOr", Ptr{}.ListOr(def).Len(), 9)
}

// A list under a struct's pointer is the list under that pointer, whichever way
// it is built, and its faults are the same.
func TestNewStructsIn(t *testing.T) {
	for _, c := range []struct {
		name string
		sz   Size
		n    int
	}{
		{"some", Size{DataWords: 1, Ptrs: 2}, 3},
		{"one", Size{Ptrs: 1}, 1},
		{"none", Size{DataWords: 1}, 0},
		{"without size", Size{}, 4},
		{"in a segment of their own", Size{DataWords: 7}, 100},
		{"too many elements", Size{}, 1 << 29},
		{"too many words", Size{DataWords: 1}, 1<<29 - 1},
		{"too many of the largest", Size{DataWords: math.MaxUint16, Ptrs: math.MaxUint16}, 1<<29 - 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachArena(t, func(t *testing.T, a Arena) {
				m := builder(t, a)
				root := m.NewRoot(Size{DataWords: 1, Ptrs: 2})
				build := func(l StructsBuilder[StructBuilder]) error {
					want(t, "Len", l.Len(), c.n)
					for i := range min(l.Len(), 100) {
						l.At(i).SetUint8(0, uint8(i))
					}
					err := m.Err()
					m.ClearErr()
					return err
				}
				err0 := build(NewStructs[StructBuilder](root.Ptr(0), c.sz, c.n))
				err1 := build(NewStructsIn[StructBuilder](root, 1, c.sz, c.n))
				if fmt.Sprint(err0) != fmt.Sprint(err1) {
					t.Errorf("errors %v and %v", err0, err1)
				}
				if err0 == nil {
					r := reread(t, m).Root().Struct()
					want(t, "Equal", r.Ptr(0).Equal(r.Ptr(1)), Equal)
					want(t, "length read", r.Ptr(1).Structs().Len(), c.n)
				}
			})
		})
	}
	t.Run("no such pointer", func(t *testing.T) {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		root := builder(t, fresh{}).NewRoot(Size{Ptrs: 1})
		NewStructsIn[StructBuilder](root, 1, Size{DataWords: 1}, 1)
	})
	t.Run("of a failed builder", func(t *testing.T) {
		l := NewStructsIn[StructBuilder](StructBuilder{}, 1, Size{DataWords: 1}, 3)
		l.At(2).SetUint8(0, 1)
		want(t, "Len", l.Len(), 3)
	})
}
