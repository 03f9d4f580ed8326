package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
)

// kinds gives the registry of testdata/kinds.capnp, and its declarations by
// their paths.
func kinds(t testing.TB) (*Registry, map[string]*Node) {
	t.Helper()
	tool(t)
	msg := compileFile(t, "testdata/kinds.capnp")
	defer msg.Release()
	req, err := ReadRequest(msg)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRegistry()
	if err := r.Add(req.Nodes...); err != nil {
		t.Fatal(err)
	}
	byPath := map[string]*Node{}
	for _, n := range req.Nodes {
		byPath[n.Path()] = n
	}
	return r, byPath
}

func TestBind(t *testing.T) {
	r, at := kinds(t)
	uses, generic, inner := at["Uses"], at["Generic"], at["Generic.Inner"]
	for _, tt := range []struct {
		of    *Node
		field string
		env   Brand
		want  string
	}{
		{uses, "a", nil, "Generic.Inner(Data)"},
		{inner, "v", uses.Field("a").Type.Brand, "Data"},
		{inner, "t", uses.Field("a").Type.Brand, "Text"},
		{inner, "v", nil, "AnyPointer"},
		{generic, "value", nil, "AnyPointer"},
		{generic, "value", Brand{{Scope: generic.ID, Inherit: true}}, "T"},
		{generic, "both", Brand{{Scope: generic.ID, Bind: []*Type{{Kind: Text}, nil}}}, "Generic(Text, AnyPointer)"},
		{generic, "swapped", Brand{{Scope: generic.ID, Bind: []*Type{{Kind: Text}, nil}}}, "Generic(AnyPointer, Text)"},
		{generic, "swapped", Brand{{Scope: generic.ID, Bind: []*Type{{Kind: Text}}}}, "Generic(AnyPointer, Text)"},
		{generic, "list", nil, "List(Generic(Text, Data))"},
		{generic, "half", nil, "Generic(List(Int8), AnyPointer)"},
		{generic, "none", nil, "Generic"},
	} {
		got := r.TypeName(tt.of.Field(tt.field).Type.Bind(tt.env))
		if got != tt.want {
			t.Errorf("%s.%s in %v is %s, want %s", tt.of.Path(), tt.field, tt.env, got, tt.want)
		}
	}
	plain := at["Generic.Plain"].Field("u").Type.Bind(uses.Field("b").Type.Brand)
	if plain.Kind != AnyPointer {
		t.Errorf("U of Generic(…, AnyPointer) is %v", plain.Kind)
	}
	// What an inner type inherits is bound by the outer brand.
	env := Brand{{Scope: generic.ID, Bind: []*Type{{Kind: Text}, {Kind: Data}}}}
	within := generic.Field("inner").Type.Bind(env)
	if got := r.TypeName(inner.Field("t").Type.Bind(within.Brand)); got != "Text" {
		t.Errorf("T of the inner type is %s, want Text", got)
	}
	list := Type{Kind: ListType, Elem: &Type{Kind: AnyPointer, Any: AnyParam, Scope: generic.ID, Index: 1}}
	if got := r.TypeName(list.Bind(env)); got != "List(Data)" || list.Elem.Any != AnyParam {
		t.Errorf("the list is %s, and %v was %v", got, list.Elem, AnyParam)
	}
}

func TestInterfaces(t *testing.T) {
	r, at := kinds(t)
	var got []string
	for n, brand := range r.Interfaces(at["Derived"].ID, nil) {
		got = append(got, fmt.Sprint(n.Path(), " ", len(n.Interface.Methods), " ", len(brand)))
	}
	want := []string{"Derived 1 0", "Service 6 0", "Generic.Maker 1 2"}
	if !slices.Equal(got, want) {
		t.Errorf("Derived has %q, want %q", got, want)
	}
	for range r.Interfaces(at["Derived"].ID, nil) {
		break
	}
	iface, brand, ordinal, ok := r.FindMethod(at["Derived"].ID, nil, "make")
	if !ok || iface != at["Service"] || ordinal != 5 || brand != nil {
		t.Errorf("make is %v @%d of %v", ok, ordinal, iface)
	}
	maker := at["Generic.Maker"]
	_, brand, _, ok = r.FindMethod(maker.ID, at["Uses"].Field("c").Type.Brand, "make")
	results, _ := r.Node(maker.Interface.Methods[0].Results)
	bound := maker.Interface.Methods[0].ResultBrand.Bind(brand)
	if got := r.TypeName(results.Field("made").Type.Bind(bound)); !ok || got != "Generic.Inner(Data)" {
		t.Errorf("Maker(Data).make gives %s, want Generic.Inner(Data)", got)
	}
	if _, _, _, ok := r.FindMethod(at["Derived"].ID, nil, "none"); ok {
		t.Error("found a method that is not there")
	}
	if _, _, _, ok := r.FindMethod(1, nil, "make"); ok {
		t.Error("found a method of an interface that is not there")
	}
}

func TestMethodName(t *testing.T) {
	r, at := kinds(t)
	for _, tt := range []struct {
		iface   ID
		ordinal uint16
		want    string
	}{
		{at["Service"].ID, 5, "Service make"},
		{at["Generic.Maker"].ID, 0, "Generic.Maker make"},
		{at["Generic.Maker"].ID, 1, ""},
		{at["NoMethods"].ID, 0, ""},
		{at["Colour"].ID, 0, ""},
		{1, 0, ""},
	} {
		path, method, ok := r.MethodName(tt.iface, tt.ordinal)
		if got := strings.TrimSpace(path + " " + method); got != tt.want || ok != (tt.want != "") {
			t.Errorf("method %d of %#x is %q, %v, want %q", tt.ordinal, tt.iface, got, ok, tt.want)
		}
	}
}

func TestLookup(t *testing.T) {
	_, at := kinds(t)
	unions, file := at["Unions"], at["testdata/kinds.capnp"]
	var plain, union []string
	for f := range unions.Struct.PlainFields() {
		plain = append(plain, f.Name)
	}
	for f := range unions.Struct.UnionFields() {
		union = append(union, f.Name)
	}
	if fmt.Sprint(plain, union) != "[before named placed flat] [first second third]" {
		t.Errorf("fields are %v and %v", plain, union)
	}
	if f := unions.Struct.Member(1); f == nil || f.Name != "second" || !f.IsGroup() {
		t.Errorf("member 1 is %v", f)
	}
	if unions.Struct.Member(3) != nil || unions.Field("none") != nil || at["Colour"].Field("red") != nil {
		t.Error("found a field that is not there")
	}
	if id, ok := file.Child("Colour"); !ok || id != at["Colour"].ID {
		t.Errorf("Colour is %v", id)
	}
	if _, ok := file.Child("colours"); ok {
		t.Error("found a declaration that is not there")
	}
	if n, ok := at["Colour"].Enum.Enumerant("green"); !ok || n != 2 {
		t.Errorf("green is %d", n)
	}
	if _, ok := at["Colour"].Enum.Enumerant("black"); ok {
		t.Error("found an enumerant that is not there")
	}
	v, ok := FindAnnotation(unions.Annotations, at["onStruct"].ID)
	if !ok || v.Kind != StructType || v.Ptr.Struct().Size().Ptrs == 0 {
		t.Errorf("the annotation on Unions is %v", v)
	}
	if _, ok := FindAnnotation(unions.Annotations, at["onEnum"].ID); ok {
		t.Error("found an annotation that is not there")
	}
	if doc := at["Unions"].Field("first").Doc; doc != "The first.\n" {
		t.Errorf("doc comment of first is %q", doc)
	}
	if name := at["Generic.Inner"].Name(); name != "Inner" {
		t.Errorf("own name of Generic.Inner is %q", name)
	}
}

func TestValues(t *testing.T) {
	_, at := kinds(t)
	defaults := at["Defaults"]
	for field, want := range map[string]uint64{
		"void": 0, "bool": 1, "int8": ^uint64(127), "int16": ^uint64(32767), "int32": ^uint64(1<<31 - 1), "int64": 1 << 63,
		"uint8": 255, "uint16": 65535, "uint32": 1<<32 - 1, "uint64": ^uint64(0), "colour": 1,
	} {
		if f := defaults.Field(field); f.Default.Bits != want {
			t.Errorf("%s is %#x, want %#x", field, f.Default.Bits, want)
		}
	}
	if got := defaults.Field("float32").Default.Float(); got != float64(float32(-1.5e10)) {
		t.Errorf("float32 is %v", got)
	}
	if got := at["ratio"].Const.Value.Float(); got != -0.25 {
		t.Errorf("ratio is %v", got)
	}
	if got := at["text"].Const.Value.Ptr.Text(); got != "constant" {
		t.Errorf("text is %q", got)
	}
	list := segment.ReadNumbers[int16](defaults.Field("list").Default.Ptr)
	if list.Len() != 3 || list.At(1) != -2 {
		t.Errorf("list has %d elements", list.Len())
	}
	if p := defaults.Field("plain").Default.Ptr; !p.IsNull() {
		t.Error("a text without a default has one")
	}
}

func TestNewValue(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kind  TypeKind
		build func(segment.PtrBuilder)
		ok    bool
	}{
		{"text", Text, func(p segment.PtrBuilder) { p.SetText("x") }, true},
		{"null", Text, func(segment.PtrBuilder) {}, true},
		{"empty text", Text, func(p segment.PtrBuilder) { p.SetText("") }, true},
		{"data", Data, func(p segment.PtrBuilder) { p.SetData([]byte{1}) }, true},
		{"empty data", Data, func(p segment.PtrBuilder) { p.SetData(nil) }, true},
		{"list", ListType, func(p segment.PtrBuilder) { p.NewPtrs(2) }, true},
		{"struct", StructType, func(p segment.PtrBuilder) { p.NewStruct(segment.Size{DataWords: 1}) }, true},
		{"anything", AnyPointer, func(p segment.PtrBuilder) { p.SetText("x") }, true},
		{"data as text", Text, func(p segment.PtrBuilder) { p.SetData([]byte{1}) }, false},
		{"list as struct", StructType, func(p segment.PtrBuilder) { p.NewPtrs(2) }, false},
		{"struct as list", ListType, func(p segment.PtrBuilder) { p.NewStruct(segment.Size{DataWords: 1}) }, false},
		{"numbers as data", Data, func(p segment.PtrBuilder) { p.NewList(segment.TwoBytes, 1) }, false},
		{"capability", AnyPointer, func(p segment.PtrBuilder) { p.SetCapability(1) }, false},
		{"object as interface", InterfaceType, func(p segment.PtrBuilder) { p.SetText("x") }, false},
	} {
		v, err := NewValue(tt.kind, tt.build)
		if (err == nil) != tt.ok || err == nil && v.Kind != tt.kind {
			t.Errorf("%s: got %v, %v", tt.name, v, err)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("NewValue of a number does not panic")
		}
	}()
	NewValue(Int32, func(segment.PtrBuilder) {})
}
