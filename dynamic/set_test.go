package dynamic_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/segment"
)

type celsius float64

type flags uint8

type name string

// TestSet sets fields of every kind to values of every sort of Go type, and gets
// them again.
func TestSet(t *testing.T) {
	mod := all(t)
	for _, c := range []struct {
		of, path string
		set, get any
	}{
		{"Scalars", "b", true, true},
		{"Scalars", "i8", -128, int8(-128)},
		{"Scalars", "i8", uint64(127), int8(127)},
		{"Scalars", "i16", int64(-32768), int16(-32768)},
		{"Scalars", "i32", float64(-7), int32(-7)},
		{"Scalars", "i64", int64(math.MinInt64), int64(math.MinInt64)},
		{"Scalars", "i64", -float64(1 << 63), int64(math.MinInt64)},
		{"Scalars", "u8", 255, uint8(255)},
		{"Scalars", "u8", flags(3), uint8(3)},
		{"Scalars", "u16", uint(65535), uint16(65535)},
		{"Scalars", "u32", uint32(1 << 31), uint32(1 << 31)},
		{"Scalars", "u64", uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{"Scalars", "u64", json.Number("18446744073709551615"), uint64(math.MaxUint64)},
		{"Scalars", "u64", float64(1 << 63), uint64(1 << 63)},
		{"Scalars", "f32", float32(1.25), float32(1.25)},
		{"Scalars", "f32", 0.1, float32(0.1)},
		{"Scalars", "f32", math.Inf(-1), float32(math.Inf(-1))},
		{"Scalars", "f32", 1 << 24, float32(1 << 24)},
		{"Scalars", "f64", celsius(-3.5), -3.5},
		{"Scalars", "f64", 7, 7.0},
		{"Scalars", "f64", uint64(1 << 60), float64(1 << 60)},
		{"Scalars", "e", "blue", "blue"},
		{"Scalars", "e", name("green"), "green"},
		{"Scalars", "e", 1, "green"},
		{"Scalars", "e", 77, uint16(77)},
		{"Scalars", "v", nil, nil},
		{"Scalars", "v", struct{}{}, nil},
		{"Defaults", "b", false, false},
		{"Defaults", "i8", 0, int8(0)},
		{"Defaults", "u16", 40000, uint16(40000)},
		{"Defaults", "e", "red", "red"},
		{"Defaults", "t", "", ""},
		{"Defaults", "d", []byte{}, []byte{}},
		{"All", "text", "a\x00b", "a\x00b"},
		{"All", "text", name("n"), "n"},
		{"All", "data", []byte{0, 255}, []byte{0, 255}},
		{"All", "data", [2]byte{1, 2}, []byte{1, 2}},
		{"All", "data", json.RawMessage("{}"), []byte("{}")},
		{"All", "cap", dynamic.Capability(5), dynamic.Capability(5)},
		{"All", "cap", nil, nil},
		{"All", "child.child.scalars.i8", 3, int8(3)},
		{"Choice", "group.inner.p", 9, uint8(9)},
		{"Choice", "plain.a", -3, int16(-3)},
		{"Many", "grp.f69", 9, uint8(9)},
	} {
		b := build(t, mod, c.of, nil)
		b.Set(c.path, c.set)
		got := b.Get(c.path)
		sound(t, b)
		if g, ok := got.([]byte); ok {
			if !bytes.Equal(g, c.get.([]byte)) {
				t.Errorf("%s.%s set to %v is %v", c.of, c.path, c.set, got)
			}
		} else if got != c.get {
			t.Errorf("%s.%s set to %v is %#v, want %#v", c.of, c.path, c.set, got, c.get)
		}
		if again := received(t, b).Get(c.path); !reflect.DeepEqual(again, got) {
			t.Errorf("%s.%s set to %v is %#v when received, was %#v", c.of, c.path, c.set, again, got)
		}
	}
}

// TestSetRefuses checks the faults: what is wrong, where, and that the message
// does not leave.
func TestSetRefuses(t *testing.T) {
	mod := all(t)
	for _, c := range []struct {
		of, path string
		set      any
		kind     error
		says     string
	}{
		{"Scalars", "u8", 300, dynamic.ErrRange, "Scalars.u8: 300 is out of range for a UInt8, which goes from 0 to 255"},
		{"Scalars", "u8", -1, dynamic.ErrRange, "0 to 255"},
		{"Scalars", "i8", 128, dynamic.ErrRange, "-128 to 127"},
		{"Scalars", "i8", -129, dynamic.ErrRange, "-128 to 127"},
		{"Scalars", "i16", uint64(1 << 63), dynamic.ErrRange, "9223372036854775808"},
		{"Scalars", "i64", uint64(1 << 63), dynamic.ErrRange, "out of range"},
		{"Scalars", "i64", float64(1 << 63), dynamic.ErrRange, "out of range"},
		{"Scalars", "u64", float64(1 << 64), dynamic.ErrRange, "out of range"},
		{"Scalars", "u64", -1, dynamic.ErrRange, "-1"},
		{"Scalars", "i32", 1.5, dynamic.ErrType, "1.5 is not a whole number"},
		{"Scalars", "i32", math.NaN(), dynamic.ErrType, "NaN"},
		{"Scalars", "i32", math.Inf(1), dynamic.ErrRange, "+Inf"},
		{"Scalars", "i32", true, dynamic.ErrType, "Scalars.i32: takes a whole number, not a bool"},
		{"Scalars", "i32", "1", dynamic.ErrType, "a value of type string"},
		{"Scalars", "b", 1, dynamic.ErrType, "Scalars.b: takes a bool"},
		{"Scalars", "b", nil, dynamic.ErrType, "not nil"},
		{"Scalars", "f32", 1e300, dynamic.ErrRange, "Float32"},
		{"Scalars", "f32", 1<<24 + 1, dynamic.ErrRange, "exactly"},
		{"Scalars", "f64", int64(1<<53 + 1), dynamic.ErrRange, "exactly"},
		{"Scalars", "f64", uint64(math.MaxUint64), dynamic.ErrRange, "exactly"},
		{"Scalars", "f64", int64(math.MaxInt64), dynamic.ErrRange, "exactly"},
		{"Scalars", "f64", "1.0", dynamic.ErrType, "takes a number"},
		{"Scalars", "e", "gren", dynamic.ErrName, `Scalars.e: no enumerant "gren"; did you mean green?`},
		{"Scalars", "e", "mauve", dynamic.ErrName, "there are red, green, blue"},
		{"Scalars", "e", 65536, dynamic.ErrRange, "0 to 65535"},
		{"Scalars", "e", 1.5, dynamic.ErrType, "1.5"},
		{"Scalars", "e", nil, dynamic.ErrType, "takes an enumerant"},
		{"Scalars", "v", 0, dynamic.ErrType, "takes nil"},
		{"Scalars", "i9", 0, dynamic.ErrName, "Scalars.i9: no such field"},
		{"Scalars", "", 0, dynamic.ErrName, "no such field"},
		{"Scalars", "i8.x", 0, dynamic.ErrType, "Scalars.i8: is an Int8"},
		{"All", "text", 5, dynamic.ErrType, "All.text: takes a string"},
		{"All", "text", []byte("x"), dynamic.ErrType, "takes a string"},
		{"All", "data", "x", dynamic.ErrType, "All.data: takes a []byte"},
		{"All", "data", []int{1}, dynamic.ErrType, "[]int"},
		{"All", "li32", []any{1, "2"}, dynamic.ErrType, "All.li32[1]: takes a whole number"},
		{"All", "lu8", []int{1, 256}, dynamic.ErrRange, "All.lu8[1]"},
		{"All", "li32", 5, dynamic.ErrType, "takes a list or a slice of List(Int32)"},
		{"All", "ll", []any{[]any{1}, []any{2, nil}}, dynamic.ErrType, "All.ll[1][1]"},
		{"All", "ls", []any{map[string]any{}, map[string]any{"i8": 1000}}, dynamic.ErrRange, "All.ls[1].i8: 1000"},
		{"All", "scalars", map[string]any{"i8": 0, "zz": 1}, dynamic.ErrName, "All.scalars.zz: no such field"},
		{"All", "scalars", map[int]int{}, dynamic.ErrType, "map"},
		{"All", "scalars", 5, dynamic.ErrType, "takes a map, a Go struct or a Struct of Scalars"},
		{"All", "child.txt", "x", dynamic.ErrName, "All.child.txt: no such field; did you mean text?"},
		{"All", "text.x", "x", dynamic.ErrType, "All.text: is a Text; it has no field"},
		{"All", "iface", 5, dynamic.ErrType, "takes a Capability"},
		{"All", "any", map[string]any{}, dynamic.ErrType, "takes an Any"},
		{"All", "any", 5, dynamic.ErrType, "takes an Any"},
		{"All", "anyStruct", "text", dynamic.ErrType, "takes"},
		{"All", "anyList", dynamic.Capability(1), dynamic.ErrType, "takes"},
		{"All", "cap", "text", dynamic.ErrType, "takes"},
		{"Choice", "plain", nil, dynamic.ErrType, "group"},
		{"Choice", "plain", map[string]any{"c": 1}, dynamic.ErrName, "Choice.plain.c"},
		{"Choice", "group.inner", map[string]any{"p": 1, "q": "x"}, dynamic.ErrUnion, "Choice.group.inner.q: a union has one member, and p"},
		{"Many", "grp.f99", 1, dynamic.ErrName, "Many.grp.f99: no such field"},
	} {
		b := build(t, mod, c.of, nil)
		b.Set(c.path, c.set)
		faulty(t, b.Err(), c.kind, c.says)
		if _, err := b.Message().ToSegments(); err == nil {
			t.Errorf("%s.%s set to %v: the message leaves although it has a fault", c.of, c.path, c.set)
		} else if !reflect.DeepEqual(b.Err(), b.Reader().Err()) {
			t.Errorf("the builder has the fault %v, its reader %v", b.Err(), b.Reader().Err())
		}
	}
}

// TestFirstFaultStays checks that a later fault does not hide the first one, and
// that values set after it are still set.
func TestFirstFaultStays(t *testing.T) {
	b := build(t, all(t), "Scalars", nil)
	b.Set("i8", 1000)
	b.Set("nope", 1)
	b.Set("i16", 5)
	faulty(t, b.Err(), dynamic.ErrRange, "Scalars.i8")
	if got := b.Int("i16"); got != 5 {
		t.Errorf("i16 is %d after a fault elsewhere, want 5", got)
	}
}

// TestTypedSetters checks that each setter takes the kinds that it is for.
func TestTypedSetters(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", nil)
	s := b.Struct("scalars")
	s.SetBool("b", true)
	s.SetInt("i8", -5)
	s.SetUint("u64", math.MaxUint64)
	s.SetFloat("f32", 0.5)
	s.SetInt("f64", 3)
	s.SetInt("e", 2)
	b.SetText("text", "t")
	b.SetData("data", []byte("d"))
	b.SetText("any", "in an AnyPointer")
	sound(t, b)
	if !s.Bool("b") || s.Int("i8") != -5 || s.Uint("u64") != math.MaxUint64 || s.Float("f32") != 0.5 || s.Float("f64") != 3 || s.Enum("e").String() != "blue" {
		t.Errorf("the scalars are %v", s)
	}
	if b.Text("text") != "t" || string(b.Data("data")) != "d" || b.Any("any").Text() != "in an AnyPointer" {
		t.Errorf("the pointers are %v", b)
	}
	for name, set := range map[string]func(dynamic.StructBuilder){
		"bool to an integer":   func(b dynamic.StructBuilder) { b.SetBool("scalars.i8", true) },
		"integer to a bool":    func(b dynamic.StructBuilder) { b.SetInt("scalars.b", 1) },
		"integer to a text":    func(b dynamic.StructBuilder) { b.SetUint("text", 1) },
		"float to an integer":  func(b dynamic.StructBuilder) { b.SetFloat("scalars.i8", 0.5) },
		"text to data":         func(b dynamic.StructBuilder) { b.SetText("data", "x") },
		"data to a text":       func(b dynamic.StructBuilder) { b.SetData("text", nil) },
		"data to a group":      func(b dynamic.StructBuilder) { b.SetData("choice.plain", nil) },
		"list of a text":       func(b dynamic.StructBuilder) { b.InitList("text", 1) },
		"struct of a list":     func(b dynamic.StructBuilder) { b.Init("li8") },
		"pointer of a number":  func(b dynamic.StructBuilder) { b.Any("scalars.i8") },
		"list got from a text": func(b dynamic.StructBuilder) { b.List("text") },
		"struct got from Void": func(b dynamic.StructBuilder) { b.Struct("scalars.v") },
		"data got from a text": func(b dynamic.StructBuilder) { b.Data("text") },
	} {
		b := build(t, mod, "All", nil)
		set(b)
		if !faultyKind(b.Err()) {
			t.Errorf("%s: the fault is %v", name, b.Err())
		}
	}
}

func faultyKind(err error) bool {
	e, ok := err.(*dynamic.Error)
	return ok && e.Kind == dynamic.ErrType
}

// TestClear checks that every kind of field gets its default again.
func TestClear(t *testing.T) {
	mod := all(t)
	empty := build(t, mod, "Defaults", nil)
	b := build(t, mod, "Defaults", map[string]any{
		"b": false, "i8": 1, "u16": 2, "i64": 3, "f32": 4, "f64": 5, "e": "red", "t": "x", "d": []byte("x"),
		"s": map[string]any{"i8": 1}, "l": []int{9}, "ls": []any{}, "lt": []string{"z"},
	})
	for _, f := range b.Type().Fields() {
		b.Clear(f.Name())
	}
	sound(t, b)
	if b.Reader().Equal(empty.Reader()) != segment.Equal {
		t.Errorf("after Clear there is %v", b)
	}
	if b.Text("t") != "text" || b.Int("i8") != -12 || b.List("l").Int(1) != -2 {
		t.Errorf("the defaults are %v", b)
	}
}

// Data without bytes is not null, also where it was got and is set.
func TestEmptyDataStays(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", map[string]any{"data": []byte{}, "ld": []any{[]byte{}, nil}})
	c := build(t, mod, "All", nil)
	c.Set("data", b.Get("data"))
	if !c.Has("data") {
		t.Error("empty data that is set became null")
	}
	l := c.InitList("ld", 2)
	l.Set(0, b.List("ld").At(0))
	l.Set(1, b.List("ld").At(1))
	if l.Any(0).IsNull() || !l.Any(1).IsNull() {
		t.Errorf("of empty and null data they are null: %t, %t", l.Any(0).IsNull(), l.Any(1).IsNull())
	}
	if v := c.Get("data"); v.([]byte) == nil {
		t.Error("empty data is nil")
	}
	sound(t, c)
}
