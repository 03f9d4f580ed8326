package dynamic_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/segment"
)

func TestAny(t *testing.T) {
	mod := all(t)
	scalarsType, texts := typeOf(t, mod, "Scalars"), typeOf(t, mod, "Text").List()
	b := build(t, mod, "All", nil)
	p := b.Any("any")
	if !p.IsNull() || p.Reader().String() != "null" {
		t.Error("an AnyPointer that is not set is there")
	}
	p.Init(scalarsType).Set("i8", 5)
	if got := received(t, b).Any("any").Struct(scalarsType).Int("i8"); got != 5 {
		t.Errorf("the struct has %d", got)
	}
	p.Struct(scalarsType).Set("i16", 6)
	if s := p.Reader().Struct(scalarsType); s.Int("i8") != 5 || s.Int("i16") != 6 {
		t.Errorf("Struct built another one: %v", s)
	}
	p.InitList(texts, 2).Set(1, "x")
	if got := received(t, b).Any("any").List(texts).Text(1); got != "x" {
		t.Errorf("the list has %q", got)
	}
	if p.List(texts).Len() != 2 || p.Kind() != segment.KindList {
		t.Error("the list is not there")
	}
	p.Set("text")
	if got := received(t, b).Any("any").Text(); got != "text" || p.Text() != "text" {
		t.Errorf("the text is %q", got)
	}
	p.Set([]byte{1, 2})
	p.Data()[0] = 9
	if got := received(t, b).Any("any").Data(); string(got) != "\x09\x02" {
		t.Errorf("the data is %v", got)
	}
	p.Set(dynamic.Capability(8))
	if i, ok := received(t, b).Any("any").Capability(); i != 8 || !ok {
		t.Errorf("the capability is %d, %v", i, ok)
	}
	if i, ok := p.Capability(); i != 8 || !ok || p.Reader().String() != "<external capability>" {
		t.Errorf("the built capability is %d, %v", i, ok)
	}
	other := build(t, mod, "All", map[string]any{"text": "from", "anyStruct": build(t, mod, "Scalars", map[string]any{"i8": 3})})
	p.Set(other)
	p.Set(other.Reader().Any("anyStruct"))
	if got := p.Struct(scalarsType).Int("i8"); got != 3 {
		t.Errorf("the copied struct has %d", got)
	}
	p.Set(nil)
	b.Set("anyList", []byte("bytes"))
	sound(t, b)
	if b.Has("any") || !b.Has("anyList") {
		t.Error("Set(nil) left something, or AnyList is not set")
	}
}

// TestAnyWrong reads and builds what is not there as what it is not.
func TestAnyWrong(t *testing.T) {
	mod := all(t)
	scalarsType, texts := typeOf(t, mod, "Scalars"), typeOf(t, mod, "Text").List()
	text := build(t, mod, "All", map[string]any{"any": "text"})
	strct := build(t, mod, "All", map[string]any{"any": build(t, mod, "Scalars", nil)})
	for name, get := range map[string]func() error{
		"text as a struct":     func() error { r := received(t, text); r.Any("any").Struct(scalarsType).Int("i8"); return r.Err() },
		"text as a list":       func() error { r := received(t, text); r.Any("any").List(texts); return r.Err() },
		"text as a capability": func() error { r := received(t, text); r.Any("any").Capability(); return r.Err() },
		"struct as text":       func() error { r := received(t, strct); r.Any("any").Text(); return r.Err() },
		"struct as data":       func() error { r := received(t, strct); r.Any("any").Data(); return r.Err() },
		"struct as a list":     func() error { r := received(t, strct); r.Any("any").List(texts); return r.Err() },
	} {
		if err := get(); err == nil {
			t.Errorf("%s is no fault", name)
		}
	}
	for name, do := range map[string]func(b dynamic.StructBuilder){
		"struct without a type": func(b dynamic.StructBuilder) { b.Any("any").Init(nil) },
		"struct of a list type": func(b dynamic.StructBuilder) { b.Any("any").Init(texts) },
		"list of a struct type": func(b dynamic.StructBuilder) { b.Any("any").InitList(scalarsType, 1) },
		"list in AnyStruct":     func(b dynamic.StructBuilder) { b.Any("anyStruct").InitList(texts, 1) },
		"struct in AnyList":     func(b dynamic.StructBuilder) { b.Any("anyList").Init(scalarsType) },
		"struct in Text":        func(b dynamic.StructBuilder) { b.Any("text").Init(scalarsType) },
		"other struct":          func(b dynamic.StructBuilder) { b.Any("child").Init(scalarsType) },
		"group":                 func(b dynamic.StructBuilder) { b.Set("any", b.Struct("choice.plain")) },
		"number":                func(b dynamic.StructBuilder) { b.Any("any").Set(5) },
		"reading without type":  func(b dynamic.StructBuilder) { b.Reader().Any("any").Struct(nil) },
		"reading a list type":   func(b dynamic.StructBuilder) { b.Reader().Any("any").Struct(texts) },
	} {
		b := build(t, mod, "All", nil)
		do(b)
		if !faultyKind(b.Err()) {
			t.Errorf("%s: the fault is %v", name, b.Err())
		}
	}
}
