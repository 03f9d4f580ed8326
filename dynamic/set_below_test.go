package dynamic_test

import "testing"

// What is set may lie below what is there, and goes with it only after it is copied.
func TestSetFromBelow(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "Choice", map[string]any{"data": []byte("some data")})
	b.Set("any", b.Reader().Data("data"))
	if got := string(b.Any("any").Data()); got != "some data" {
		t.Errorf("data of another member became %q", got)
	}
	b = build(t, mod, "Choice", map[string]any{"scalars": map[string]any{"i8": 7}})
	b.Set("any", b.Reader().Struct("scalars"))
	if got := b.Any("any").Struct(typeOf(t, mod, "Scalars")).Int("i8"); got != 7 {
		t.Errorf("a struct of another member became %d", got)
	}
	b = build(t, mod, "Choice", map[string]any{"numbers": []int{1, 2}})
	b.Set("any", b.Reader().List("numbers"))
	if got := b.Any("any").List(typeOf(t, mod, "List(Int32)")); got.Len() != 2 || got.Int(1) != 2 {
		t.Errorf("a list of another member became %v", got)
	}
	b = build(t, mod, "Choice", map[string]any{"text": "text"})
	b.Set("any", b.Any("text"))
	if got := b.Any("any").Text(); got != "text" {
		t.Errorf("an any of another member became %q", got)
	}
	b = build(t, mod, "Choice", map[string]any{"group": map[string]any{"y": "text"}})
	b.Set("any", b.Reader().Any("group.y"))
	if got := b.Any("any").Text(); got != "text" {
		t.Errorf("text in a group that was another member became %q", got)
	}
	c := build(t, mod, "All", map[string]any{"child": map[string]any{"text": "second"}, "ll": []any{[]int{5}}})
	c.Set("child", map[string]any{"text": "first", "child": c.Struct("child")})
	if got := c.Text("child.text") + " " + c.Text("child.child.text"); got != "first second" {
		t.Errorf("a struct in front of another became %q", got)
	}
	c.Set("child", c.Struct("child.child"))
	if got := c.Reader().Map()["child"]; !same(got, map[string]any{"text": "second"}) {
		t.Errorf("a struct in the place of the one above it became %v", got)
	}
	c.Set("ll", []any{[]int{4}, c.List("ll").List(0)})
	if got := c.List("ll").Short(); got != "[[4], [5]]" {
		t.Errorf("a longer list became %s", got)
	}
	lll := c.InitList("lll", 1)
	lll.Set(0, []any{[]any{map[string]any{"i8": 1}}})
	lll.Set(0, []any{nil, lll.List(0).List(0)})
	if got := lll.List(0).List(1); got.Len() != 1 || got.Struct(0).Int("i8") != 1 {
		t.Errorf("a list in its own place became %v", lll.Short())
	}
	n := c.InitList("children", 1)
	n.Set(0, map[string]any{"child": map[string]any{"text": "below"}})
	n.Set(0, map[string]any{"child": map[string]any{"child": n.Struct(0).Struct("child")}})
	if got := n.Struct(0).Text("child.child.text"); got != "below" {
		t.Errorf("a struct in its own element became %q", got)
	}
	sound(t, c)
	d := build(t, mod, "All", map[string]any{"data": []byte("some data")})
	d.SetData("data", d.Reader().Data("data")[5:])
	if got := string(d.Data("data")); got != "data" {
		t.Errorf("a part of data became %q", got)
	}
	sound(t, b)
	sound(t, d)
}
