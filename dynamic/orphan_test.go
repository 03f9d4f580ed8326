package dynamic_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
)

func TestOrphan(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "All", map[string]any{
		"child": map[string]any{"text": "x"}, "lt": []string{"a", "b"}, "text": "t", "li32": []int{1, 2, 3},
	})
	o := b.Disown("child")
	if b.Has("child") || o.IsNull() || o.Type().Name() != "All" {
		t.Errorf("after Disown the field is still there, or the orphan is empty")
	}
	o.Struct().Set("data", []byte("y"))
	b.Struct("child").Adopt("child", o)
	if got := b.Text("child.child.text") + string(b.Data("child.child.data")); got != "xy" {
		t.Errorf("the adopted struct has %q, want xy", got)
	}
	l := b.Disown("li32")
	l.Resize(5)
	l.List().Set(4, 9)
	b.Adopt("li32", l)
	if got := fmt.Sprint(b.List("li32").Slice()); got != "[1 2 3 0 9]" {
		t.Errorf("the list is %s after Resize", got)
	}
	text := b.Disown("text")
	text.Resize(4)
	copy(text.Any().Raw().TextBytes(), "long")
	b.List("lt").Adopt(1, text)
	if got := b.List("lt").Text(1); got != "long" {
		t.Errorf("the text is %q", got)
	}
	made := b.NewOrphan(typeOf(t, mod, "Int16").List(), 2)
	made.List().SetInt(1, -7)
	b.Any("any").Adopt(made)
	if got := b.Any("any").List(typeOf(t, mod, "Int16").List()).Int(1); got != -7 {
		t.Errorf("the list under the AnyPointer has %d", got)
	}
	gone := b.Any("any").Disown()
	gone.Discard()
	sound(t, b)
	if b.Has("any") || !gone.IsNull() {
		t.Error("a discarded orphan is still there")
	}
	received(t, b)
}

func TestOrphanFaults(t *testing.T) {
	mod := all(t)
	for name, do := range map[string]struct {
		kind error
		do   func(b, other dynamic.StructBuilder)
	}{
		"adopted twice": {dynamic.ErrOrphan, func(b, _ dynamic.StructBuilder) {
			o := b.Disown("child")
			b.Adopt("child", o)
			b.Adopt("child", o)
		}},
		"used after it was adopted": {dynamic.ErrOrphan, func(b, _ dynamic.StructBuilder) {
			o := b.Disown("child")
			b.Adopt("child", o)
			o.Struct().Set("text", "x")
		}},
		"adopted after Discard": {dynamic.ErrOrphan, func(b, _ dynamic.StructBuilder) {
			o := b.Disown("child")
			o.Discard()
			b.Adopt("child", o)
		}},
		"discarded twice": {dynamic.ErrOrphan, func(b, _ dynamic.StructBuilder) {
			o := b.Disown("child")
			o.Discard()
			o.Discard()
		}},
		"of another message": {dynamic.ErrOrphan, func(b, other dynamic.StructBuilder) { b.Adopt("child", other.Disown("child")) }},
		"of another type":    {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.Adopt("text", b.Disown("child")) }},
		"of a number":        {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.Disown("scalars.i8") }},
		"into a group":       {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.Adopt("choice.plain", b.Disown("child")) }},
		"a list as a struct": {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.Disown("lt").Struct() }},
		"a struct as a list": {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.Disown("child").List() }},
		"struct made longer": {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.Disown("child").Resize(3) }},
		"a struct to a list": {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.List("ls").Adopt(0, b.Disown("child")) }},
		"made of a number":   {dynamic.ErrType, func(b, _ dynamic.StructBuilder) { b.NewOrphan(b.List("li8").Type().Elem(), 1) }},
	} {
		v := map[string]any{"child": map[string]any{}, "ls": []any{nil}, "lt": []string{"x"}}
		b, other := build(t, mod, "All", v), build(t, mod, "All", v)
		do.do(b, other)
		t.Run(name, func(t *testing.T) { faulty(t, b.Err(), do.kind) })
		if _, err := b.Message().ToSegments(); err == nil {
			t.Errorf("%s: the message leaves although it has a fault", name)
		}
	}
}

// TestGrowing builds lists of every element type without knowing their length.
func TestGrowing(t *testing.T) {
	mod := all(t)
	elems := map[string]func(i int) any{
		"lv": func(int) any { return nil }, "lb": func(i int) any { return i%3 == 0 },
		"li8": func(i int) any { return -i % 100 }, "lu64": func(i int) any { return i }, "lf32": func(i int) any { return float32(i) / 2 },
		"le": func(i int) any { return i % 4 }, "lt": func(i int) any { return fmt.Sprint(i) }, "ld": func(i int) any { return []byte{byte(i)} },
		"ls": func(i int) any { return map[string]any{"i32": i} }, "ll": func(i int) any { return []int{i, i + 1} }, "lif": func(i int) any { return dynamic.Capability(i) },
	}
	for field, elem := range elems {
		for _, n := range []int{0, 1, 8, 9, 100} {
			b := build(t, mod, "All", map[string]any{field: []any{elem(1)}})
			g := b.Grow(field)
			want := make([]any, n)
			for i := range n {
				g.Append(elem(i))
				want[i] = elem(i)
			}
			if b.List(field).Len() != 1 || g.Len() != n {
				t.Errorf("%s: before Finish the field has %d elements and the list %d", field, b.List(field).Len(), g.Len())
			}
			first, second := g.Finish(), g.Finish()
			sound(t, b)
			direct := build(t, mod, "All", map[string]any{field: want})
			if got, want := received(t, b).Short(), received(t, direct).Short(); got != want || first.Len() != n || second.Len() != n {
				t.Errorf("%s of %d elements is %s, want %s", field, n, got, want)
			}
			if n > 0 {
				g.Append(elem(0))
				faulty(t, b.Err(), dynamic.ErrType, "finished")
			}
		}
	}
	b := build(t, mod, "All", nil)
	g := b.Grow("children")
	for i := range 20 {
		c := g.Add()
		c.Set("text", fmt.Sprint(i))
		c.Set("scalars.i8", i)
	}
	g.Finish()
	sound(t, b)
	for i, c := range b.List("children").Reader().All() {
		if s := c.(dynamic.Struct); s.Text("text") != fmt.Sprint(i) || s.Int("scalars.i8") != int64(i) {
			t.Errorf("element %d is %v", i, s)
		}
	}
	b.Grow("li8").Add()
	faulty(t, b.Err(), dynamic.ErrType, "Add makes structs")
	b = build(t, mod, "All", nil)
	b.Grow("text").Append("x")
	faulty(t, b.Err(), dynamic.ErrType, "All.text")
	b = build(t, mod, "All", nil)
	g = b.Grow("li8")
	g.Append(1)
	g.Append(1000)
	faulty(t, b.Err(), dynamic.ErrRange, "List(Int8)[1]: 1000")
	g.Finish()
}
