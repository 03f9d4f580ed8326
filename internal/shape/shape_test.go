package shape_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/internal/randval"
	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
)

func registry(t *testing.T, keep func(*schema.Node) bool) (*schema.Registry, map[string]*schema.Node) {
	t.Helper()
	req, err := randval.Load("kinds")
	if err != nil {
		t.Fatal(err)
	}
	reg := schema.NewRegistry()
	named := map[string]*schema.Node{}
	for _, n := range req.Nodes {
		named[n.Name()] = n
		if !keep(n) {
			continue
		}
		if err := reg.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return reg, named
}

func all(*schema.Node) bool { return true }

// field follows a path of fields from a struct and gives the last one's type.
func field(t *testing.T, typ *shape.Type, path string) *shape.Type {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		if typ.Kind == schema.ListType {
			typ = typ.Elem
		}
		sh, err := typ.Struct()
		if err != nil {
			t.Fatal(err)
		}
		var found *shape.Field
		for i := range sh.Fields {
			if sh.Fields[i].Name == name {
				found = &sh.Fields[i]
			}
		}
		if found == nil {
			t.Fatalf("no field %s", name)
		}
		typ = found.Type
	}
	return typ
}

func describe(t *shape.Type) string {
	switch t.Kind {
	case schema.ListType:
		return "List(" + describe(t.Elem) + ")"
	case schema.StructType, schema.EnumType:
		return t.Node.Name()
	}
	return t.Kind.String()
}

// TestGenerics follows generic parameters through the structs that use them.
func TestGenerics(t *testing.T) {
	reg, named := registry(t, all)
	table := shape.NewTable(reg)
	root, err := table.StructOf(named["Generic"].ID)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"texts.first":                            "Text",
		"texts.second":                           "Data",
		"texts.swapped.first":                    "Data",
		"texts.swapped.swapped.first":            "Text",
		"structs.first":                          "Choice",
		"structs.second":                         "List(Int32)",
		"structs.inner.value":                    "Choice",
		"structs.inner.pairs.second":             "Text",
		"structs.inner.pairs.first":              "Choice",
		"structs.swapped.inner.value":            "List(Int32)",
		"structs.swapped.group.one":              "List(Int32)",
		"structs.group.two.value":                "Choice",
		"lists.first":                            "List(Text)",
		"lists.second":                           "Scalars",
		"nested.first.second":                    "Text",
		"nested.inner.pairs.first.swapped.first": "Text",
	} {
		if got := describe(field(t, root, path)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	if a, b := field(t, root, "texts"), field(t, root, "texts.swapped.swapped"); a != b {
		t.Error("the same type is two")
	}
	unbound, err := table.StructOf(named["Pair"].ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(field(t, unbound, "inner.value")); got != "AnyPointer" {
		t.Errorf("unbound: %s", got)
	}
}

// TestUnknownNodes has a registry without some of the nodes.
func TestUnknownNodes(t *testing.T) {
	reg, named := registry(t, func(n *schema.Node) bool {
		return n.Name() != "Scalars" && n.Name() != "Colour" && n.Name() != "inner" && n.Name() != "Service"
	})
	table := shape.NewTable(reg)
	root, err := table.StructOf(named["Choice"].ID)
	if err != nil {
		t.Fatal(err)
	}
	if c := field(t, root, "colour"); c.Kind != schema.EnumType || c.Enumerant(0) != nil {
		t.Errorf("an unknown enum is %v", c.Kind)
	}
	inner, err := field(t, root, "group.inner").Struct()
	if err != nil || len(inner.Fields) != 0 {
		t.Errorf("an unknown group has %v, %v", inner, err)
	}
	lists, err := table.StructOf(named["Lists"].ID)
	if err != nil {
		t.Fatal(err)
	}
	if s := field(t, lists, "structs").Elem; s.Kind != schema.AnyPointer || s.Any != schema.AnyStruct {
		t.Errorf("an unknown struct is %v", s.Kind)
	}
	wrong := schema.Type{Kind: schema.EnumType, ID: named["Lists"].ID}
	if _, err := table.Of(wrong); !errors.Is(err, shape.ErrSchema) {
		t.Errorf("a struct as an enum: %v", err)
	}
}

// TestWithoutEnd follows a generic type into ever larger instances of itself.
func TestWithoutEnd(t *testing.T) {
	const id schema.ID = 0xf000000000000001
	param := func(i uint16) *schema.Type {
		return &schema.Type{Kind: schema.AnyPointer, Any: schema.AnyParam, Scope: id, Index: i}
	}
	list := func(t *schema.Type) *schema.Type { return &schema.Type{Kind: schema.ListType, Elem: t} }
	larger := func(bind ...*schema.Type) schema.Field {
		return schema.Field{
			Discriminant: schema.NoDiscriminant, HasOrdinal: true,
			Type:    schema.Type{Kind: schema.StructType, ID: id, Brand: schema.Brand{{Scope: id, Bind: bind}}},
			Default: schema.Value{Kind: schema.StructType},
		}
	}
	left, right := larger(list(param(0)), param(1)), larger(param(1), list(list(param(0))))
	left.Name, right.Name = "left", "right"
	right.Offset, right.Ordinal, right.CodeOrder = 1, 1, 1
	reg := schema.NewRegistry()
	err := reg.Add(&schema.Node{
		ID: id, DisplayName: "test.capnp:T", PrefixLen: len("test.capnp:"), Kind: schema.KindStruct,
		Params: []string{"A", "B"}, Generic: true,
		Struct: &schema.Struct{Ptrs: 2, ListEncoding: 7, Fields: []schema.Field{left, right}},
	})
	if err != nil {
		t.Fatal(err)
	}
	table := shape.NewTable(reg)
	typ, err := table.StructOf(id)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[*shape.Type]bool{}
	todo := []*shape.Type{typ}
	for len(todo) > 0 && err == nil {
		typ, todo = todo[0], todo[1:]
		var sh *shape.Struct
		if sh, err = typ.Struct(); err == nil && !seen[typ] {
			seen[typ] = true
			todo = append(todo, sh.Fields[0].Type, sh.Fields[1].Type)
		}
	}
	if !errors.Is(err, shape.ErrSchema) {
		t.Errorf("%v", err)
	}
}

func TestConcurrent(t *testing.T) {
	reg, named := registry(t, all)
	table := shape.NewTable(reg)
	var wg sync.WaitGroup
	got := make([]*shape.Struct, 8)
	for i := range got {
		wg.Go(func() {
			typ, err := table.StructOf(named["Everything"].ID)
			if err == nil {
				got[i], err = typ.Struct()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range got {
		if s != got[0] {
			t.Error("one struct has two shapes")
		}
	}
}
