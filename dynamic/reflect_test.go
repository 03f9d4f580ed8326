package dynamic_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

func fieldNames(fields []*dynamic.Field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.Name()+":"+f.Type().String())
	}
	return strings.Join(names, " ")
}

func TestReflection(t *testing.T) {
	mod := all(t)
	choice := typeOf(t, mod, "Choice")
	if got, want := fieldNames(choice.PlainFields()), "before:UInt16 plain:Choice.plain"; got != want {
		t.Errorf("the plain fields are %s, want %s", got, want)
	}
	if got, want := fieldNames(choice.UnionFields()), "nothing:Void flag:Bool small:Int8 large:UInt64 text:Text data:Data colour:Colour scalars:Scalars numbers:List(Int32) group:Choice.group any:AnyPointer"; got != want {
		t.Errorf("the members are %s, want %s", got, want)
	}
	if got := len(choice.Fields()); got != 13 {
		t.Errorf("Choice has %d fields", got)
	}
	f, err := choice.Field("plain.a")
	if err != nil {
		t.Fatal(err)
	}
	if def, err := f.Default(); err != nil || def != int16(3) || f.InUnion() || f.IsGroup() || f.Owner() != choice || f.Schema().Name != "a" {
		t.Errorf("plain.a has the default %v, %v", def, err)
	}
	for name, want := range map[string]string{"t": "text", "d": "[0 255]", "e": "blue", "l": "[1, -2, 3]", "i8": "-12", "f64": "-Inf"} {
		f, err := typeOf(t, mod, "Defaults").Field(name)
		if err != nil {
			t.Fatal(err)
		}
		if def, err := f.Default(); err != nil || fmt.Sprint(def) != want {
			t.Errorf("the default of %s is %v (%v), want %s", name, def, err, want)
		}
	}
	colours := typeOf(t, mod, "Colour")
	if !slices.Equal(colours.Enumerants(), []string{"red", "green", "blue"}) || colours.Kind() != schema.EnumType || colours.Name() != "Colour" {
		t.Errorf("the enum is %v", colours)
	}
	if e, err := colours.Enumerant("green"); err != nil || e.Number() != 1 || !e.Known() || e.Type() != colours {
		t.Errorf("green is %v, %v", e, err)
	}
	_, err = colours.Enumerant("gren")
	faulty(t, err, dynamic.ErrName, `Colour: no enumerant "gren"`)
	if list := typeOf(t, mod, "All"); list.List().Elem() != list || list.List().String() != "List(All)" {
		t.Error("the type of lists is wrong")
	}
	for _, name := range []string{"Text", "Int32", "AnyPointer", "AnyStruct", "Capability", "Void"} {
		if got := typeOf(t, mod, name).String(); got != name {
			t.Errorf("the type %s is called %s", name, got)
		}
	}
	if got, err := mod.TypeByID(choice.Schema().ID); err != nil || got != choice {
		t.Errorf("by its id Choice is %v, %v", got, err)
	}
}

func TestMethods(t *testing.T) {
	worker := typeOf(t, all(t), "Worker")
	var got []string
	for m := range worker.AllMethods() {
		got = append(got, fmt.Sprintf("%s.%s@%d(%s)->(%s) %v", m.Interface, m.Name, m.Ordinal, fieldNames(m.Params.Fields()), fieldNames(m.Results.Fields()), m.Streaming))
	}
	want := []string{
		"Worker.work@0(job:Text times:UInt32)->(done:Bool) false", "Worker.feed@1(chunk:Data)->() true",
		"Worker.fetch@2(key:Text)->(value:AnyPointer) false", "Base.ping@0()->() false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the methods are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(worker.Methods()) != 3 || len(worker.Extends()) != 1 || worker.Extends()[0].Name() != "Base" {
		t.Errorf("Worker has %d methods and extends %v", len(worker.Methods()), worker.Extends())
	}
	m, err := worker.Method("ping")
	if err != nil || m.Interface.Name() != "Base" || m.Schema().Name != "ping" {
		t.Errorf("ping is %v, %v", m, err)
	}
	if m, err = worker.Method("work"); err != nil {
		t.Fatal(err)
	}
	if b, err := m.Params.New(map[string]any{"job": "x"}); err != nil || b.Uint("times") != 3 {
		t.Errorf("the parameters are %v, %v", b, err)
	} else {
		b.Message().Release()
	}
	_, err = worker.Method("wrok")
	faulty(t, err, dynamic.ErrName, "Worker.wrok: no such method; did you mean work?")
}

func TestAnnotations(t *testing.T) {
	mod := all(t)
	show := func(list []dynamic.Annotation, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, a := range list {
			out = append(out, fmt.Sprintf("%s=%v", a.Name, a.Value))
		}
		return strings.Join(out, " ")
	}
	typ := typeOf(t, mod, "Annotated")
	if got := show(typ.Annotations()); got != "weight=3 note=a struct" {
		t.Errorf("the struct's annotations are %s", got)
	}
	f, err := typ.Field("f")
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Annotations()
	if err != nil || len(list) != 3 || list[0].Value != int32(-4) || list[1].Value != "a field" || list[2].Value.(dynamic.Struct).Uint("u8") != 9 {
		t.Errorf("the field's annotations are %v, %v", list, err)
	}
	m, err := typeOf(t, mod, "Worker").Method("work")
	if err != nil {
		t.Fatal(err)
	}
	if list, err := m.Annotations(); err != nil || list[0].Value.(dynamic.Struct).Int("i32") != 4 {
		t.Errorf("the method's annotations are %v, %v", list, err)
	}
	if got := show(typeOf(t, mod, "Colour").EnumerantAnnotations(0)); got != "weight=7" {
		t.Errorf("the enumerant's annotations are %s", got)
	}
	if got := show(typeOf(t, mod, "Base").Annotations()); got != "note=base" {
		t.Errorf("the interface's annotations are %s", got)
	}
	if got := show(mod.Annotations()); got != "" {
		t.Errorf("the file's annotations are %s", got)
	}
}

func TestGenerics(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", map[string]any{
		"box":  map[string]any{"value": "text", "next": map[string]any{"value": "next"}, "nested": map[string]any{"value": map[string]any{"value": "deep"}}},
		"pair": map[string]any{"a": "a", "b": []any{1, 2}},
	})
	if got := b.Text("box.value") + b.Text("box.next.value") + b.Text("box.nested.value.value"); got != "textnextdeep" {
		t.Errorf("the texts are %q", got)
	}
	if got := b.List("pair.b").Int(1); got != 2 {
		t.Errorf("the number is %d", got)
	}
	if got := b.Struct("box.nested").Type().String(); got != "Box(Box(Text))" {
		t.Errorf("the type of nested is %s", got)
	}
	if b.Struct("box.next").Type() != b.Struct("box").Type() {
		t.Error("equal types are not the same")
	}
	inner := build(t, mod, "UsesInner", map[string]any{"inner": map[string]any{"outer": "t", "own": []byte("d")}})
	if got := inner.Text("inner.outer") + string(inner.Data("inner.own")); got != "td" {
		t.Errorf("the inner struct has %q", got)
	}
	b.Set("box.value", 5)
	faulty(t, b.Err(), dynamic.ErrType, "All.box.value: takes a string")

	free := typeOf(t, mod, "Box")
	bound, err := free.Bind(typeOf(t, mod, "Data"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := bound.New(map[string]any{"value": []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Message().Release()
	if got := bound.String(); got != "Box(Data)" {
		t.Errorf("the bound type is %s", got)
	}
	d := build(t, mod, "Box", map[string]any{"value": "any"})
	if got := d.Any("value").Text(); got != "any" {
		t.Errorf("in a Box without parameters there is %q", got)
	}
	_, err = free.Bind(typeOf(t, mod, "Int32"))
	faulty(t, err, dynamic.ErrType, "Int32")
	_, err = free.Bind()
	faulty(t, err, dynamic.ErrType, "1 generic parameter cannot be bound to 0 types")
}

// TestVersions reads and edits structs of another version of their schema.
func TestVersions(t *testing.T) {
	mod := all(t)
	older, newer := typeOf(t, mod, "Old"), typeOf(t, mod, "New")
	b := build(t, mod, "Old", map[string]any{"a": 5, "t": "x"})
	segs, err := b.Message().ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	msg, err := segment.FromSegments(segs)
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	s, err := newer.Root(msg)
	if err != nil {
		t.Fatal(err)
	}
	if s.Uint("a") != 5 || s.Text("t") != "x" || s.Uint("b") != 77 || s.Text("u") != "later" || s.List("l").Len() != 0 || s.Has("u") || s.Err() != nil {
		t.Errorf("an old struct reads as %v (%v)", s, s.Err())
	}
	e, err := newer.EditRoot(b.Message())
	if err != nil {
		t.Fatal(err)
	}
	e.Set("b", 1)
	e.Set("u", "y")
	e.Set("l", []map[string]any{{"a": 1}})
	if s := received(t, e); s.Uint("a") != 5 || s.Uint("b") != 1 || s.Text("u") != "y" || s.Err() != nil {
		t.Errorf("an old struct that was edited reads as %v", s)
	}
	old, err := older.Root(e.Message())
	if err != nil || old.Uint("a") != 5 || old.Text("t") != "x" {
		t.Errorf("a new struct reads as the old %v, %v", old, err)
	}
	if _, err := newer.Edit(build(t, mod, "Old", nil).Raw()); err == nil {
		t.Error("a struct that is too small can be edited")
	}
}
