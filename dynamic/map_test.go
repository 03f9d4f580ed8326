package dynamic_test

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// same compares values as maps have them. NaNs are equal, and AnyPointers if
// they lead to equal objects.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			w, ok := b[k]
			if !ok || !same(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case float32:
		b, ok := b.(float32)
		return ok && math.Float32bits(a) == math.Float32bits(b)
	case float64:
		b, ok := b.(float64)
		return ok && math.Float64bits(a) == math.Float64bits(b)
	case dynamic.Any:
		b, ok := b.(dynamic.Any)
		return ok && (a.Equal(b) == segment.Equal || a.Kind() == segment.KindCapability && a.String() == b.String())
	}
	return reflect.DeepEqual(a, b)
}

// drawStruct draws a map with every number of a struct and some of its pointers:
// what Map gives for a message.
func drawStruct(t *rapid.T, typ *dynamic.Type, depth int) map[string]any {
	m := map[string]any{}
	var member *dynamic.Field
	if u := typ.UnionFields(); len(u) > 0 {
		member = rapid.SampledFrom(u).Draw(t, "member")
	}
	for _, f := range typ.Fields() {
		if f.InUnion() && f != member {
			continue
		}
		ft := f.Type()
		switch {
		case f.IsGroup():
			m[f.Name()] = drawStruct(t, ft, depth)
		case !ft.Kind().IsPointer():
			m[f.Name()] = drawScalar(t, ft)
		case depth > 0 && rapid.Bool().Draw(t, "there"):
			m[f.Name()] = drawPtr(t, ft, depth-1)
		case f.InUnion():
			m[f.Name()] = nil
		}
	}
	return m
}

func drawScalar(t *rapid.T, typ *dynamic.Type) any {
	switch typ.Kind() {
	case schema.Bool:
		return rapid.Bool().Draw(t, "bool")
	case schema.Int8:
		return rapid.Int8().Draw(t, "int8")
	case schema.Int16:
		return rapid.Int16().Draw(t, "int16")
	case schema.Int32:
		return rapid.Int32().Draw(t, "int32")
	case schema.Int64:
		return rapid.Int64().Draw(t, "int64")
	case schema.Uint8:
		return rapid.Uint8().Draw(t, "uint8")
	case schema.Uint16:
		return rapid.Uint16().Draw(t, "uint16")
	case schema.Uint32:
		return rapid.Uint32().Draw(t, "uint32")
	case schema.Uint64:
		return rapid.Uint64().Draw(t, "uint64")
	case schema.Float32:
		return math.Float32frombits(rapid.Uint32().Draw(t, "float32") | 1<<22) // NaNs are quiet
	case schema.Float64:
		return math.Float64frombits(rapid.Uint64().Draw(t, "float64"))
	case schema.EnumType:
		names := typ.Enumerants()
		n := rapid.Uint16Max(uint16(len(names)+2)).Draw(t, "enumerant")
		if int(n) < len(names) {
			return names[n]
		}
		return n
	}
	return nil
}

func drawPtr(t *rapid.T, typ *dynamic.Type, depth int) any {
	switch typ.Kind() {
	case schema.Text:
		return rapid.String().Draw(t, "text")
	case schema.Data:
		return rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "data")
	case schema.InterfaceType:
		return dynamic.Capability(rapid.Uint32().Draw(t, "capability"))
	case schema.StructType:
		return drawStruct(t, typ, depth)
	case schema.ListType:
		out := make([]any, rapid.IntRange(0, 4).Draw(t, "len"))
		for i := range out {
			switch e := typ.Elem(); {
			case e.Kind() == schema.StructType:
				out[i] = drawStruct(t, e, depth-1)
			case !e.Kind().IsPointer():
				out[i] = drawScalar(t, e)
			case rapid.Bool().Draw(t, "there"):
				out[i] = drawPtr(t, e, depth-1)
			}
		}
		return out
	}
	return drawAny(t, typ)
}

// drawAny makes an object for an AnyPointer in a message of its own.
func drawAny(t *rapid.T, typ *dynamic.Type) any {
	msg := segment.New(heap{})
	switch p := msg.RootBuilder(); rapid.IntRange(0, 2).Draw(t, "sort") {
	case 0:
		if typ.String() != "AnyList" {
			p.NewStruct(segment.Size{DataWords: 1, Ptrs: 1}).SetText(0, "x")
			break
		}
		fallthrough
	case 1:
		if typ.String() != "AnyStruct" {
			segment.NewNumbers[int32](p, 3).Set(1, 7)
			break
		}
		p.NewStruct(segment.Size{})
	case 2:
		if typ.String() == "AnyPointer" {
			p.SetCapability(9)
		} else {
			return drawAny(t, typ)
		}
	}
	return anyOf(msg)
}

type heap struct{}

func (heap) Allocate(n int) ([]byte, error) { return make([]byte, n), nil }
func (heap) Free([]byte, int)               {}

// anyOf gives the root of a message as an Any.
func anyOf(msg *segment.Message) dynamic.Any {
	holder := segment.New(heap{})
	holder.NewRoot(segment.Size{Ptrs: 1}).Ptr(0).Set(msg.Root())
	s, err := holderType.Root(holder)
	if err != nil {
		panic(err)
	}
	return s.Any("value")
}

var holderType = func() *dynamic.Type {
	m, err := dynamic.Load("testdata/all.capnp")
	if err != nil {
		panic(err)
	}
	t, err := m.Type("Box")
	if err != nil {
		panic(err)
	}
	return t
}()

// TestMapRoundTrip turns random maps into messages and back.
func TestMapRoundTrip(t *testing.T) {
	mod := all(t)
	for _, name := range []string{"All", "Choice", "Defaults", "Scalars", "UsesInner", "Box", "Many", "New"} {
		typ := typeOf(t, mod, name)
		t.Run(name, rapid.MakeCheck(func(rt *rapid.T) {
			want := drawStruct(rt, typ, 4)
			b, err := typ.New(want)
			if err != nil {
				rt.Fatal(err)
			}
			defer b.Message().Release()
			got := received(t, b).Map()
			if !same(want, got) {
				rt.Fatalf("%v\nbecame\n%v", want, got)
			}
			again, err := typ.New(got)
			if err != nil {
				rt.Fatal(err)
			}
			defer again.Message().Release()
			first, _ := b.Message().ToSegments()
			second, _ := again.Message().ToSegments()
			if !reflect.DeepEqual(first, second) {
				rt.Fatal("equal maps make unequal messages")
			}
			if err := b.Err(); err != nil {
				rt.Fatal(err)
			}
		}))
	}
}

func TestMapOptions(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "Choice", map[string]any{"colour": "red", "plain": map[string]any{"a": 3}})
	for _, c := range []struct {
		opt  dynamic.MapOptions
		want map[string]any
	}{
		{dynamic.MapOptions{}, map[string]any{"before": uint16(0), "colour": "red", "plain": map[string]any{"a": int16(3)}}},
		{dynamic.MapOptions{OmitDefaults: true}, map[string]any{"colour": "red"}},
		{dynamic.MapOptions{NullPointers: true}, map[string]any{"before": uint16(0), "colour": "red", "plain": map[string]any{"a": int16(3), "b": ""}}},
		{dynamic.MapOptions{NullPointers: true, OmitDefaults: true}, map[string]any{"colour": "red", "plain": map[string]any{"b": ""}}},
	} {
		if got := b.MapWith(c.opt); !same(c.want, got) {
			t.Errorf("with %+v the map is %v, want %v", c.opt, got, c.want)
		}
	}
	d := build(t, mod, "Defaults", nil).MapWith(dynamic.MapOptions{NullPointers: true})
	want := map[string]any{
		"b": true, "i8": int8(-12), "u16": uint16(40000), "i64": int64(-1234567890123), "f32": float32(1.5), "f64": math.Inf(-1), "e": "blue",
		"t": "text", "d": []byte{0, 255}, "l": []any{int16(1), int16(-2), int16(3)}, "lt": []any{"a", "bc"},
		"s": scalars(map[string]any{"i32": int32(-5), "e": "green"}), "ls": []any{scalars(map[string]any{"i8": int8(1)}), scalars(map[string]any{"i8": int8(2)})},
	}
	if !same(want, d) {
		t.Errorf("the defaults are %v, want %v", d, want)
	}
}

// scalars has what a map of Scalars has, with some values changed.
func scalars(with map[string]any) map[string]any {
	m := map[string]any{
		"b": false, "i8": int8(0), "i16": int16(0), "i32": int32(0), "i64": int64(0), "u8": uint8(0), "u16": uint16(0), "u32": uint32(0), "u64": uint64(0),
		"f32": float32(0), "f64": 0.0, "e": "red", "v": nil,
	}
	for k, v := range with {
		m[k] = v
	}
	return m
}

// TestMapNeedsNoMessage checks that a map stays as it was when the message is
// gone and its memory is used again.
func TestMapNeedsNoMessage(t *testing.T) {
	mod := all(t)
	b, err := mod.New("All", map[string]any{"text": "text", "data": []byte("data"), "any": "any", "lt": []string{"l"}})
	if err != nil {
		t.Fatal(err)
	}
	m := b.Map()
	b.Message().Release()
	for range 10 {
		c, err := mod.New("All", map[string]any{"text": "xxxx", "data": []byte("xxxx"), "any": "xxx", "lt": []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		c.Message().Release()
	}
	if got := fmt.Sprint(m["text"], string(m["data"].([]byte)), m["any"].(dynamic.Any).Text(), m["lt"]); got != "textdataany[l]" {
		t.Errorf("the map has %s", got)
	}
}

// TestWideStruct fills few fields of many.
func TestWideStruct(t *testing.T) {
	group := map[string]any{}
	for i := range 70 {
		group[fmt.Sprintf("f%02d", i)] = uint8(i)
	}
	mod := all(t)
	b := build(t, mod, "Many", map[string]any{"grp": group, "tail": "t"})
	if got := b.Map()["grp"]; !same(group, got) {
		t.Errorf("the group is %v", got)
	}
	b = build(t, mod, "Many", map[string]any{"grp": map[string]any{"f69": 9, "f03": 3}})
	if b.Int("grp.f69") != 9 || b.Int("grp.f03") != 3 || b.Int("grp.f04") != 0 {
		t.Errorf("the group is %v", b)
	}
	for i := range 70 {
		f, err := b.Type().Field("grp.f" + fmt.Sprintf("%02d", i))
		if err != nil {
			t.Fatal(err)
		}
		f.SetInt(b, int64(i))
		if got := b.Int(f.Name()); got != int64(i) {
			t.Errorf("%s is %d", f.Name(), got)
		}
	}
	sound(t, b)
	_, err := mod.New("Many", map[string]any{"grp": map[string]any{"f69": 9, "f" + strconv.Itoa(70): 3}})
	faulty(t, err, dynamic.ErrName, "Many.grp.f70: no such field; did you mean f00, f07, f10?")
}

// TestMapTexts copies texts of all lengths, which share memory in pieces, and
// outlive their message.
func TestMapTexts(t *testing.T) {
	mod := all(t)
	var want []string
	for n := range 200 {
		want = append(want, strings.Repeat(string(rune('a'+n%26)), n*n%150))
	}
	b, err := mod.New("All", map[string]any{"text": "first", "lt": want})
	if err != nil {
		t.Fatal(err)
	}
	r := received(t, b)
	m := r.Map()
	var g struct {
		Text string
		Lt   []string
	}
	if err := r.To(&g); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if b := r.List("lt").TextBytes(i); len(b) > 0 {
			b[0] = '!'
		}
	}
	b.Message().Release()
	got := m["lt"].([]any)
	for i, w := range want {
		if got[i] != w || g.Lt[i] != w {
			t.Fatalf("text %d is %q in the map and %q in the Go struct, want %q", i, got[i], g.Lt[i], w)
		}
	}
	if m["text"] != "first" || g.Text != "first" {
		t.Errorf("the text is %q in the map and %q in the Go struct", m["text"], g.Text)
	}
}
