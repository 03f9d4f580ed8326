package schema

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

const (
	fileTest ID = 0x8000000000000001 + iota
	structA
	structB
	enumE
	ifaceI
	ifaceJ
	groupG
	groupH
	annotationN
)

// int32Field is a slot of 32 bits.
func int32Field(name string, ordinal, offset int) Field {
	return Field{
		Name: name, CodeOrder: uint16(ordinal), Discriminant: NoDiscriminant, Ordinal: uint16(ordinal), HasOrdinal: true,
		Offset: uint32(offset), Type: Type{Kind: Int32}, Default: Value{Kind: Int32},
	}
}

func ptrField(name string, ordinal, offset int, t Type) Field {
	f := int32Field(name, ordinal, offset)
	f.Type, f.Default = t, Value{Kind: t.Kind}
	return f
}

func structNode(id ID, name string, fields ...Field) *Node {
	return &Node{
		ID: id, DisplayName: "test.capnp:" + name, PrefixLen: 11, Scope: fileTest, Kind: KindStruct,
		Struct: &Struct{DataWords: 2, Ptrs: 2, ListEncoding: 7, Fields: fields},
	}
}

func enumNode(names ...string) *Node {
	n := &Node{ID: enumE, DisplayName: "test.capnp:E", PrefixLen: 11, Scope: fileTest, Kind: KindEnum, Enum: &Enum{}}
	for i, name := range names {
		n.Enum.Enumerants = append(n.Enum.Enumerants, Enumerant{Name: name, CodeOrder: uint16(i)})
	}
	return n
}

func ifaceNode(id ID, name string, extends ...ID) *Node {
	n := &Node{ID: id, DisplayName: "test.capnp:" + name, PrefixLen: 11, Scope: fileTest, Kind: KindInterface, Interface: &Interface{}}
	for _, e := range extends {
		n.Interface.Extends = append(n.Interface.Extends, Superclass{ID: e})
	}
	return n
}

func groupNode(id ID, name string, scope ID, fields ...Field) *Node {
	n := structNode(id, name, fields...)
	n.Scope, n.Struct.IsGroup = scope, true
	return n
}

func groupField(name string, order int, id ID) Field {
	return Field{Name: name, CodeOrder: uint16(order), Discriminant: NoDiscriminant, Group: id}
}

// with changes a node that was just made.
func with(n *Node, change func(*Node)) *Node {
	change(n)
	return n
}

func TestAddRefuses(t *testing.T) {
	inUnion := func(f Field, d uint16) Field {
		f.Discriminant = d
		return f
	}
	deep := &Type{Kind: Text}
	for range MaxDepth + 1 {
		deep = &Type{Kind: ListType, Elem: deep}
	}
	bits, err := NewValue(ListType, func(p segment.PtrBuilder) { p.NewBools(3) })
	if err != nil {
		t.Fatal(err)
	}
	one := func(n *Node) [][]*Node { return [][]*Node{{n}} }
	withType := func(typ Type) [][]*Node { return one(structNode(structA, "A", ptrField("f", 0, 0, typ))) }
	withField := func(change func(*Field)) [][]*Node {
		f := int32Field("f", 0, 0)
		change(&f)
		return one(structNode(structA, "A", f))
	}
	for _, tt := range []struct {
		name string
		add  [][]*Node // by calls of Add; the last has to fail
		want string
	}{
		{"id without its highest bit", one(structNode(5, "A")), "@0x0000000000000005"},
		{"scope without its highest bit", one(with(structNode(structA, "A"), func(n *Node) { n.Scope = 7 })), "scope"},
		{"display name with a newline", one(structNode(structA, "A\npackage evil")), "not printable"},
		{"prefix longer than the name", one(with(structNode(structA, "A"), func(n *Node) { n.PrefixLen = 99 })), "99 bytes"},
		{"parameters of what is not generic", one(with(structNode(structA, "A"), func(n *Node) { n.Params = []string{"T"} })), "not generic"},
		{"same parameter twice", one(with(structNode(structA, "A"), func(n *Node) { n.Generic, n.Params = true, []string{"T", "T"} })), `"T": there twice`},
		{"kind without its body", one(with(structNode(structA, "A"), func(n *Node) { n.Kind = KindEnum })), "kind enum"},
		{"unknown kind", one(with(structNode(structA, "A"), func(n *Node) { n.Kind = 9 })), "kind 9"},
		{"nested name that is code", one(with(structNode(structA, "A"), func(n *Node) { n.Nested = []Nested{{"x; y", structB}} })), `"x; y"`},
		{"unknown list encoding", one(with(structNode(structA, "A"), func(n *Node) { n.Struct.ListEncoding = 8 })), "list encoding 8"},
		{"list encoding of another size", one(with(structNode(structA, "A"), func(n *Node) { n.Struct.ListEncoding = 2 })), "list encoding 2"},
		{"list encoding with data beside", one(with(structNode(structA, "A"), func(n *Node) { n.Struct.ListEncoding, n.Struct.Ptrs = 6, 1 })), "list encoding 6"},
		{"default that is no Int8", withField(func(f *Field) { f.Type.Kind, f.Default = Int8, Value{Kind: Int8, Bits: 0x80} }), "0x80 is no value of Int8"},
		{"same field name twice", one(structNode(structA, "A", int32Field("f", 0, 0), int32Field("f", 1, 1))), `field "f": there twice`},
		{"field name that is code", one(structNode(structA, "A", int32Field("f()", 0, 0))), `"f()"`},
		{"empty field name", one(structNode(structA, "A", int32Field("", 0, 0))), `field ""`},
		{"data offset", withField(func(f *Field) { f.Offset = 4 }), "offset 4 × 32 bits, in a data section of 128 bits"},
		{"data offset that overflows", withField(func(f *Field) { f.Offset = 0xffffffff }), "offset 4294967295"},
		{"pointer offset", one(structNode(structA, "A", ptrField("f", 0, 2, Type{Kind: Text}))), "pointer 2, of 2"},
		{"code order", withField(func(f *Field) { f.CodeOrder = 1 }), "code order 1, of 1"},
		{"ordinals that fall", one(structNode(structA, "A", with2(int32Field("f", 0, 0), 5), int32Field("g", 1, 1))), "ordinal 1 after 5"},
		{"discriminant in no union", one(structNode(structA, "A", inUnion(int32Field("f", 0, 0), 0))), "discriminant 0, of 0"},
		{"union of one", one(with(structNode(structA, "A", inUnion(int32Field("f", 0, 0), 0)), func(n *Node) { n.Struct.Discriminants = 1 })), "union of one"},
		{
			"discriminant twice",
			one(with(structNode(structA, "A", inUnion(int32Field("f", 0, 0), 0), inUnion(int32Field("g", 1, 1), 0)), func(n *Node) { n.Struct.Discriminants = 2 })),
			"discriminant 0: there twice",
		},
		{
			"fewer members than the union has",
			one(with(structNode(structA, "A", inUnion(int32Field("f", 0, 0), 0), int32Field("g", 1, 1)), func(n *Node) { n.Struct.Discriminants = 2 })),
			"1 fields in a union of 2",
		},
		{
			"discriminant out of bounds",
			one(with(structNode(structA, "A", inUnion(int32Field("f", 0, 0), 0), inUnion(int32Field("g", 1, 1), 1)), func(n *Node) {
				n.Struct.Discriminants, n.Struct.DiscriminantOffset = 2, 8
			})),
			"discriminant at 8 × 16 bits",
		},
		{"default of another type", withField(func(f *Field) { f.Default = Value{Kind: Int16} }), "a value of Int16 for the type Int32"},
		{"default out of range", withField(func(f *Field) { f.Default = Value{Kind: Int32, Bits: 1 << 40} }), "0x10000000000 is no value of Int32"},
		{
			"default list of other elements",
			one(structNode(structA, "A", func() Field {
				f := ptrField("f", 0, 0, Type{Kind: ListType, Elem: &Type{Kind: Int32}})
				f.Default = bits
				return f
			}())),
			"List(Int32)",
		},
		{"unknown type", withType(Type{Kind: 19}), "unknown type 19"},
		{"list of nothing", withType(Type{Kind: ListType}), "list without a type"},
		{"deep list", withType(*deep), "deeper than 64"},
		{"type without an id", withType(Type{Kind: StructType}), "struct type"},
		{"generic argument that is no pointer", withType(Type{Kind: StructType, ID: structB, Brand: Brand{{Scope: structB, Bind: []*Type{{Kind: Int8}}}}}), "generic argument Int8"},
		{"type of another kind", [][]*Node{{enumNode("a")}, {structNode(structA, "A", ptrField("f", 0, 0, Type{Kind: StructType, ID: enumE}))}}, "kind enum where struct is needed"},
		{"type that turns out of another kind", [][]*Node{{structNode(structA, "A", ptrField("f", 0, 0, Type{Kind: StructType, ID: enumE}))}, {enumNode("a")}}, "kind enum where struct is needed"},
		{"id used as two kinds", one(structNode(structA, "A", ptrField("f", 0, 0, Type{Kind: StructType, ID: structB}), ptrField("g", 1, 1, Type{Kind: InterfaceType, ID: structB}))), "used as interface"},
		{"group that is a struct", one2(structNode(structA, "A", groupField("g", 0, structB)), with(structNode(structB, "B"), func(n *Node) { n.Scope = structA })), "a struct where a group is needed"},
		{"group of another struct", one2(structNode(structA, "A", groupField("g", 0, groupG)), groupNode(groupG, "A.g", structB)), "declared in"},
		{"group used twice", one(structNode(structA, "A", groupField("g", 0, groupG), groupField("h", 1, groupG))), "used twice"},
		{"group in itself", one(groupNode(groupG, "A.g", structA, groupField("g", 0, groupG))), "used twice"},
		{"groups in each other", one2(groupNode(groupG, "A.g", groupH, groupField("h", 0, groupH)), groupNode(groupH, "A.h", groupG, groupField("g", 0, groupG))), "scopes"},
		{"groups in each other, one by one", [][]*Node{{groupNode(groupG, "A.g", groupH, groupField("h", 0, groupH))}, {groupNode(groupH, "A.h", groupG, groupField("g", 0, groupG))}}, "scopes"},
		{"group without a scope", one(groupNode(groupG, "A.g", 0)), "without a scope"},
		{"own scope", one(with(structNode(structA, "A"), func(n *Node) { n.Scope = structA })), "scopes"},
		{"nested elsewhere", one2(with(structNode(structA, "A"), func(n *Node) { n.Nested = []Nested{{"B", structB}} }), structNode(structB, "B")), "declared in"},
		{"same enumerant twice", one(enumNode("a", "a")), `enumerant "a": there twice`},
		{"extends itself", one(ifaceNode(ifaceI, "I", ifaceI)), "extends itself"},
		{"extend each other", [][]*Node{{ifaceNode(ifaceI, "I", ifaceJ)}, {ifaceNode(ifaceJ, "J", ifaceI)}}, "extends itself"},
		{"superclass that is an enum", [][]*Node{{enumNode("a"), ifaceNode(ifaceI, "I", enumE)}}, "kind enum where interface is needed"},
		{"method without results", one(with(ifaceNode(ifaceI, "I"), func(n *Node) { n.Interface.Methods = []Method{{Name: "m", Params: structA}} })), `method "m": results`},
		{"annotation that is a struct", [][]*Node{{structNode(structA, "A"), with(structNode(structB, "B"), func(n *Node) { n.Annotations = []Annotation{{ID: structA}} })}}, "kind struct where annotation is needed"},
		{"constant of another type", one(&Node{ID: annotationN, DisplayName: "c", Scope: fileTest, Kind: KindConst, Const: &Const{Type: Type{Kind: Text}, Value: Value{Kind: Data}}}), "a value of Data"},
		{"field that moved", [][]*Node{{structNode(structA, "A", int32Field("f", 0, 0))}, {structNode(structA, "A", int32Field("f", 0, 1))}}, "offset changed from 0 to 1"},
		{"default that changed", [][]*Node{{structNode(structA, "A", int32Field("f", 0, 0))}, withField(func(f *Field) { f.Default.Bits = 3 })[0]}, "default changed"},
		{"another kind", [][]*Node{{structNode(enumE, "E")}, {enumNode()}}, "kind struct became enum"},
		{
			"more here and less there",
			[][]*Node{{structNode(structA, "A", int32Field("f", 0, 0), int32Field("g", 1, 1))}, {with(structNode(structA, "A", int32Field("f", 0, 0)), func(n *Node) { n.Struct.Ptrs = 9 })}},
			"each has something",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRegistry()
			last := len(tt.add) - 1
			for _, nodes := range tt.add[:last] {
				if err := r.Add(nodes...); err != nil {
					t.Fatalf("before: %v", err)
				}
			}
			before := r.Len()
			err := r.Add(tt.add[last]...)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "schema: ") {
				t.Errorf("Add gives %v, want %q in it", err, tt.want)
			}
			if r.Len() != before {
				t.Errorf("%d nodes were added all the same", r.Len()-before)
			}
		})
	}
}

func with2(f Field, ordinal uint16) Field {
	f.Ordinal = ordinal
	return f
}

func one2(a, b *Node) [][]*Node { return [][]*Node{{a, b}} }

func TestAddVersions(t *testing.T) {
	one := structNode(structA, "A", int32Field("f", 0, 0))
	two := structNode(structA, "A", int32Field("f", 0, 0), int32Field("g", 1, 1))
	renamed := structNode(structA, "A", int32Field("other", 0, 0))
	toGroup := structNode(structA, "A", groupField("f", 0, groupG))
	inGroup := groupNode(groupG, "A.f", structA, int32Field("f", 0, 0))
	copied := *one
	text, data, anything := one.Struct.Fields[0], one.Struct.Fields[0], one.Struct.Fields[0]
	for i, f := range []*Field{&text, &data, &anything} {
		f.Type.Kind = []TypeKind{Text, Data, AnyPointer}[i]
		f.Default.Kind = f.Type.Kind
	}
	asText, asData, asAny := structNode(structA, "A", text), structNode(structA, "A", data), structNode(structA, "A", anything)
	for _, tt := range []struct {
		name string
		add  []*Node
		want *Node // in the end
	}{
		{"the same node", []*Node{one, one}, one},
		{"an equal node", []*Node{one, &copied}, one},
		{"a newer one", []*Node{one, two}, two},
		{"an older one", []*Node{two, one}, two},
		{"other names", []*Node{one, renamed}, renamed},
		{"a slot that became a group", []*Node{one, inGroup, toGroup}, toGroup},
		{"a group that was a slot", []*Node{inGroup, toGroup, one}, toGroup},
		{"text that became data", []*Node{asText, asData}, asData},
		{"data that was text", []*Node{asData, asText}, asData},
		{"text that became anything", []*Node{asText, asAny}, asAny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRegistry()
			for _, n := range tt.add {
				if err := r.Add(n); err != nil {
					t.Fatal(err)
				}
			}
			if got, ok := r.Node(structA); !ok || got != tt.want {
				t.Errorf("the registry has %v with %+v, want %+v", got, got.Struct, tt.want.Struct)
			}
		})
	}
}

// TestGroupEnlarges adds a group that is larger than the struct that holds it,
// in both orders: who makes room for the struct writes to all of the group.
func TestGroupEnlarges(t *testing.T) {
	parent := structNode(structA, "A", groupField("g", 0, groupG))
	outer := with(groupNode(groupG, "A.g", structA, groupField("h", 0, groupH)), func(n *Node) { n.Struct.DataWords = 3 })
	inner := with(groupNode(groupH, "A.g.h", groupG), func(n *Node) { n.Struct.DataWords, n.Struct.Ptrs = 1, 7 })
	for name, order := range map[string][][]*Node{
		"struct first": {{parent}, {outer}, {inner}},
		"group first":  {{inner}, {outer}, {parent}},
		"together":     {{outer, parent, inner}},
		"mixed":        {{outer}, {inner, parent}},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRegistry()
			for _, nodes := range order {
				if err := r.Add(nodes...); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range []ID{structA, groupG} {
				n, _ := r.Node(id)
				if n.Struct.DataWords != 3 || n.Struct.Ptrs != 7 {
					t.Errorf("%s has %d data words and %d pointers, want 3 and 7", n.DisplayName, n.Struct.DataWords, n.Struct.Ptrs)
				}
			}
			if parent.Struct.Ptrs != 2 {
				t.Errorf("the node that was added was changed")
			}
			if err := r.Add(parent, outer, inner); err != nil {
				t.Errorf("adding again: %v", err)
			}
		})
	}
}

func TestRegistryConcurrent(t *testing.T) {
	req := compileText(t, "@0x9eb32e19f86ee174; struct A { b @0 :B; } struct B { a @0 :A; }")
	r := NewRegistry()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, n := range req.Nodes {
				if err := r.Add(n); err != nil {
					t.Error(err)
				}
				if _, ok := r.Node(n.ID); !ok {
					t.Errorf("%s is not there", n.DisplayName)
				}
				for m := range r.Nodes() {
					_ = r.TypeName(Type{Kind: StructType, ID: m.ID})
				}
			}
		})
	}
	wg.Wait()
	if r.Len() != len(req.Nodes) {
		t.Errorf("%d nodes, want %d", r.Len(), len(req.Nodes))
	}
}

func TestRegistryLimit(t *testing.T) {
	r := NewRegistry()
	nodes := make([]*Node, MaxNodes)
	for i := range nodes {
		nodes[i] = &Node{ID: fileTest + 100 + ID(i), DisplayName: "f"}
	}
	if err := r.Add(nodes...); err != nil {
		t.Fatal(err)
	}
	err := r.Add(&Node{ID: fileTest, DisplayName: "f"})
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "100000 nodes") {
		t.Errorf("one node too many gives %v", err)
	}
	if err := r.Add(nodes[7]); err != nil {
		t.Errorf("adding one again: %v", err)
	}
}
