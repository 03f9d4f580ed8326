package dynamic_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
)

// lists has a value for each list of All.
var lists = map[string][]any{
	"lv": {nil, nil, nil}, "lb": {true, false, true}, "li8": {int8(-1), int8(2)}, "li16": {int16(-300), int16(2)}, "li32": {int32(1 << 20)},
	"li64": {int64(-1 << 62)}, "lu8": {uint8(255)}, "lu16": {uint16(65535), uint16(0)}, "lu32": {uint32(1 << 31)}, "lu64": {uint64(1<<64 - 1)},
	"lf32": {float32(0.5)}, "lf64": {-0.25, 3.0}, "le": {"blue", uint16(99), "red"}, "lt": {"", "two"}, "ld": {[]byte{}, []byte{0, 1}},
	"ll": {[]any{int32(1), int32(2)}, []any{}, nil}, "llt": {[]any{"x", nil}}, "lif": {dynamic.Capability(3), nil},
}

func TestLists(t *testing.T) {
	mod := all(t)
	for field, want := range lists {
		b := build(t, mod, "All", nil)
		l := b.InitList(field, len(want))
		for i, v := range want {
			l.Set(i, v)
		}
		sound(t, b)
		if got := l.Slice(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s set by elements is %#v, want %#v", field, got, want)
		}
		if got := received(t, b).List(field).Slice(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s received is %#v, want %#v", field, got, want)
		}
		c := build(t, mod, "All", map[string]any{field: want})
		if got := c.List(field).Slice(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s set at once is %#v, want %#v", field, got, want)
		}
		c.Set(field, b.List(field))
		c.Set(field, received(t, b).List(field))
		if got := c.List(field).Slice(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s set from a List is %#v, want %#v", field, got, want)
		}
		n := 0
		for i := range received(t, c).List(field).All() {
			if i != n {
				t.Errorf("%s: All gives index %d, want %d", field, i, n)
			}
			n++
		}
		sound(t, c)
		if n != len(want) {
			t.Errorf("%s: All gives %d elements, want %d", field, n, len(want))
		}
		for _, i := range []int{-1, len(want)} {
			for what, at := range map[string]func(){
				"reading": func() { c.Reader().List(field).At(i) }, "building": func() { c.List(field).At(i) }, "setting": func() { c.List(field).Set(i, nil) },
			} {
				if !panics(at) {
					t.Errorf("%s: %s at %d of %d elements does not panic", field, what, i, len(want))
				}
			}
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// TestTypedElements gets elements by the getter of their kind, and by others.
func TestTypedElements(t *testing.T) {
	b := build(t, all(t), "All", map[string]any{
		"lb": []bool{true}, "li8": []int{-4}, "lu64": []uint64{1<<64 - 1}, "lf32": []float32{1.5}, "le": []string{"green"}, "lt": []string{"t"},
		"ld": [][]byte{{7}}, "ls": []map[string]any{{"i8": 1}}, "ll": [][]int32{{6}}, "lif": []dynamic.Capability{9},
	})
	r := received(t, b)
	got := fmt.Sprintln(r.List("lb").Bool(0), r.List("li8").Int(0), r.List("lu64").Uint(0), r.List("lf32").Float(0), r.List("le").Enum(0), r.List("lt").Text(0),
		r.List("ld").Data(0), r.List("ls").Struct(0).Int("i8"), r.List("ll").List(0).Int(0), r.List("lif").At(0))
	if want := "true -4 18446744073709551615 1.5 green t [7] 1 6 9\n"; got != want {
		t.Errorf("the elements read as %s, want %s", got, want)
	}
	got = fmt.Sprintln(b.List("lb").Bool(0), b.List("li8").Int(0), b.List("lu64").Uint(0), b.List("lf32").Float(0), b.List("le").Enum(0), b.List("lt").Text(0),
		b.List("ld").Data(0), b.List("ls").Struct(0).Int("i8"), b.List("ll").List(0).Int(0), b.List("lif").At(0))
	if want := "true -4 18446744073709551615 1.5 green t [7] 1 6 9\n"; got != want {
		t.Errorf("the built elements read as %s, want %s", got, want)
	}
	sound(t, r)
	sound(t, b)
	for name, get := range map[string]func(r dynamic.Struct){
		"Bool of text": func(r dynamic.Struct) { r.List("lt").Bool(0) }, "Int of Bool": func(r dynamic.Struct) { r.List("lb").Int(0) },
		"Float of Int8": func(r dynamic.Struct) { r.List("li8").Float(0) }, "Text of Data": func(r dynamic.Struct) { r.List("ld").Text(0) },
		"Data of Text": func(r dynamic.Struct) { r.List("lt").Data(0) }, "Enum of Text": func(r dynamic.Struct) { r.List("lt").Enum(0) },
		"Struct of lists": func(r dynamic.Struct) { r.List("ll").Struct(0) }, "List of structs": func(r dynamic.Struct) { r.List("ls").List(0) },
		"Any of structs": func(r dynamic.Struct) { r.List("ls").Any(0) }, "numbers of text": func(r dynamic.Struct) { dynamic.Numbers[int8](r.List("lt")) },
		"numbers of others": func(r dynamic.Struct) { dynamic.Numbers[uint8](r.List("li8")) },
	} {
		r := received(t, b)
		get(r)
		if !faultyKind(r.Err()) {
			t.Errorf("%s: the fault is %v", name, r.Err())
		}
	}
	r = received(t, b)
	r.List("li8").Uint(0)
	faulty(t, r.Err(), dynamic.ErrRange, "List(Int8)[0]: -4")
	r = received(t, b)
	r.List("lu64").Int(0)
	faulty(t, r.Err(), dynamic.ErrRange, "List(UInt64)[0]: 18446744073709551615")
}

// TestFailedListTakesAnyIndex checks that a wrong name in a chain of calls is
// told by Err and not by a panic.
func TestFailedListTakesAnyIndex(t *testing.T) {
	b := build(t, all(t), "All", nil)
	b.List("nope").Struct(3).List("lt").SetText(7, "x")
	b.List("nope").Reader().Struct(3).Struct("child").List("lt").Text(7)
	b.InitList("nope", 2).List(0).InitList(1, 1).SetInt(0, 1)
	faulty(t, b.Err(), dynamic.ErrName, "All.nope")
}

// TestNumbers views, copies and fills lists at once.
func TestNumbers(t *testing.T) {
	b := build(t, all(t), "All", nil)
	l := b.InitList("li32", 4)
	if n := dynamic.NumbersBuilder[int32](l).Copy([]int32{1, -2, 3, 4}); n != 4 {
		t.Errorf("%d elements were copied", n)
	}
	dynamic.NumbersBuilder[int32](l).Set(2, 33)
	out := make([]int32, 4)
	dynamic.Numbers[int32](received(t, b).List("li32")).Copy(out)
	if want := []int32{1, -2, 33, 4}; !slices.Equal(out, want) {
		t.Errorf("the numbers are %v, want %v", out, want)
	}
	if v, ok := dynamic.Numbers[int32](l.Reader()).View(); ok && !slices.Equal(v, out) {
		t.Errorf("the view is %v, want %v", v, out)
	}
	type colour uint16
	b.Set("le", []any{"blue", 7})
	if got := slices.Collect(dynamic.Numbers[colour](b.List("le").Reader()).All()); !slices.Equal(got, []colour{2, 7}) {
		t.Errorf("the enumerants are %v", got)
	}
	for want, got := range map[string]int{
		"List(Int8)": dynamic.Numbers[int8](b.Reader().List("li8")).Len(), "List(Int16)": dynamic.Numbers[int16](b.Reader().List("li16")).Len(),
		"List(Int64)": dynamic.Numbers[int64](b.Reader().List("li64")).Len(), "List(UInt8)": dynamic.Numbers[uint8](b.Reader().List("lu8")).Len(),
		"List(UInt32)": dynamic.Numbers[uint32](b.Reader().List("lu32")).Len(), "List(UInt64)": dynamic.Numbers[uint64](b.Reader().List("lu64")).Len(),
		"List(Float32)": dynamic.Numbers[float32](b.Reader().List("lf32")).Len(), "List(Float64)": dynamic.Numbers[float64](b.Reader().List("lf64")).Len(),
	} {
		if got != 0 {
			t.Errorf("%s has %d elements", want, got)
		}
	}
	sound(t, b)
	dynamic.NumbersBuilder[int64](l)
	faulty(t, b.Err(), dynamic.ErrType, "List(Int32)")
}

// TestListWithoutMemory uses lists for which there was no memory: they have
// their length, and nothing else happens.
func TestListWithoutMemory(t *testing.T) {
	for field := range lists {
		b := build(t, all(t), "All", nil)
		b.Set("text", 5) // and so nothing more is built
		l := b.InitList(field, 1<<16)
		l.At(l.Len() - 1)
		l.Set(l.Len()-1, nil)
		l.Slice()
		g := b.Grow(field)
		g.Append(nil)
		g.Finish()
		faulty(t, b.Err(), dynamic.ErrType, "All.text")
	}
}
