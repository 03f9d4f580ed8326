package dynamic_test

import (
	"testing"

	"github.com/fairlead-go/fairlead/dynamic"
	"github.com/fairlead-go/fairlead/segment"
)

func TestUnion(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "Choice", nil)
	if got := b.Which(); got != "nothing" {
		t.Errorf("a new union has %q, want its first member", got)
	}
	for _, c := range []struct {
		path  string
		set   any
		which string
		zero  bool
	}{
		{"flag", true, "flag", false},
		{"text", "hidden", "text", false},
		{"large", uint64(1<<64 - 1), "large", false},
		{"group.y", "deep", "group", false},
		{"group.inner.q", "deeper", "group", false},
		{"small", -1, "small", false},
		{"scalars", map[string]any{"i8": 4}, "scalars", false},
		{"scalars.i16", 5, "scalars", false},
		{"numbers", []int{1, 2}, "numbers", false},
		{"group", map[string]any{"x": 3}, "group", false},
		{"any", "text", "any", false},
		{"text", nil, "text", false},
		{"nothing", nil, "nothing", true},
	} {
		b.Set(c.path, c.set)
		sound(t, b)
		if got := b.Which(); got != c.which {
			t.Errorf("after Set(%q, %v) the union has %q, want %q", c.path, c.set, got, c.which)
		}
		if c.zero {
			empty := build(t, mod, "Choice", nil)
			words, _ := b.Reader().TotalWords()
			if b.Reader().Equal(empty.Reader()) != segment.Equal || words != int64(empty.Raw().Size().Words()) {
				t.Errorf("something of the members set before is left: %v", b.Raw().Reader().DataBytes())
			}
		}
	}

	b.Set("group.inner.q", "deeper")
	if got := b.Which("group.inner"); got != "q" {
		t.Errorf("the inner union has %q, want q", got)
	}
	if got := b.Which("group", "inner"); got != "q" {
		t.Errorf("the inner union has %q by two steps, want q", got)
	}
	if b.Has("text") || !b.Has("group.inner.q") || b.Has("group.inner.p") {
		t.Error("Has does not tell what is set")
	}
	sound(t, b)
	b.Text("text")
	faulty(t, b.Err(), dynamic.ErrUnion, "Choice.text: the union has group")

	b = build(t, mod, "Choice", map[string]any{"scalars": map[string]any{}})
	b.Struct("group")
	faulty(t, b.Err(), dynamic.ErrUnion, "Choice.group: the union has scalars")
	b = build(t, mod, "Scalars", nil)
	b.Which()
	faulty(t, b.Err(), dynamic.ErrType, "has no union")
}

// TestUnionClearsOldMember checks that what another member had does not show
// through where members share their places.
func TestUnionClearsOldMember(t *testing.T) {
	b := build(t, all(t), "Choice", map[string]any{"large": uint64(1<<64 - 1)})
	b.Init("group")
	if got := b.Int("group.x"); got != 0 {
		t.Errorf("group.x is %d after large was set, want 0", got)
	}
	b.Set("text", "secret")
	b.Set("flag", true)
	sound(t, b)
	segs, err := b.Message().ToSegments()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segs {
		for i := range s {
			if i+6 <= len(s) && string(s[i:i+6]) == "secret" {
				t.Error("a text that is no longer there leaves with the message")
			}
		}
	}
}

// TestUnknownMember checks what a receiver sees of a member that a newer schema
// has.
func TestUnknownMember(t *testing.T) {
	mod := all(t)
	b := build(t, mod, "Choice", nil)
	b.Raw().SetUint16(2, 4711) // the discriminant follows before
	if got, n := b.Which(), b.Discriminant(); got != "4711" || n != 4711 {
		t.Errorf("the union has %q and %d, want 4711", got, n)
	}
	if m := b.Map(); len(m) != 2 {
		t.Errorf("the map is %v, want what is not in the union", m)
	}
	sound(t, b)
	b.Bool("flag")
	faulty(t, b.Err(), dynamic.ErrUnion, "the union has 4711")

	b = build(t, mod, "Choice", nil)
	b.Raw().SetUint16(2, 4711)
	b.Set("colour", "green")
	sound(t, b)
	if got := b.Which(); got != "colour" {
		t.Errorf("the union has %q, want colour", got)
	}
}

func TestUnionFields(t *testing.T) {
	typ := typeOf(t, all(t), "Choice")
	f, err := typ.Field("group.inner.q")
	if err != nil {
		t.Fatal(err)
	}
	b, err := typ.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Message().Release()
	if f.Selected(b.Reader()) || f.Has(b.Reader()) {
		t.Error("a member that was not set is selected")
	}
	f.SetText(b, "x")
	if !f.Selected(b.Reader()) || f.Text(b.Reader()) != "x" || b.Which("group.inner") != "q" {
		t.Errorf("the field set by its handle is not there: %v", b)
	}
	sound(t, b)
	b.Set("flag", true)
	f.Text(b.Reader())
	faulty(t, b.Err(), dynamic.ErrUnion, "Choice.group.inner.q: the union has flag")
}
