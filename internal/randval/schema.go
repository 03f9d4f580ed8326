package randval

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Schema writes a random schema whose structs S0, S1, … use every kind of type,
// with groups, unions, defaults and generics. With annotated it has the
// annotations of json.capnp too.
func Schema(r *rand.Rand, annotated bool) []byte {
	g := &generator{rand: r, annotated: annotated}
	fmt.Fprintf(&g.b, "@0x%016x;\n", r.Uint64()|1<<63)
	if annotated {
		g.b.WriteString("using Json = import \"/capnp/compat/json.capnp\";\n")
	}
	for i := range 2 {
		fmt.Fprintf(&g.b, "enum E%d {", i)
		for k := range 1 + r.IntN(5) {
			fmt.Fprintf(&g.b, " %s @%d%s;", g.name("e"), k, g.annotation("name"))
		}
		g.b.WriteString(" }\n")
	}
	other := "Box(Box(T))" // without end, which the tool's JSON does not survive
	if annotated {
		other = "Box(Data)"
	}
	fmt.Fprintf(&g.b, "struct Box(T) { content @0 :T; boxed @1 :List(Box(T)); other @2 :%s; }\n", other)
	const structs = 4
	for i := range structs {
		g.structs = i
		g.ordinal = 0
		fmt.Fprintf(&g.b, "struct S%d%s {\n", i, g.structAnnotation())
		g.scope(1, true)
		g.b.WriteString("}\n")
	}
	return []byte(g.b.String())
}

type generator struct {
	b         strings.Builder
	rand      *rand.Rand
	annotated bool
	names     int // given so far
	structs   int // complete ones
	ordinal   int
}

func (g *generator) chance(of int) bool { return g.rand.IntN(of) == 0 }

// name gives a name that no other thing of the schema has.
func (g *generator) name(prefix string) string {
	g.names++
	if g.chance(6) {
		prefix += strings.Repeat("long", 1+g.rand.IntN(6))
	}
	return fmt.Sprintf("%s%d", prefix, g.names)
}

// annotation gives an annotation at times, whose strings are unique.
func (g *generator) annotation(which string) string {
	if !g.annotated || !g.chance(3) {
		return ""
	}
	switch which {
	case "name":
		return fmt.Sprintf(" $Json.name(\"%s %s\")", []string{"a name", "é\\n", "x-y"}[g.rand.IntN(3)], g.name("n"))
	case "flatten":
		return fmt.Sprintf(" $Json.flatten(prefix = \"%s_\")", g.name("p"))
	case "discriminator":
		value := ""
		if g.chance(2) {
			value = fmt.Sprintf(", valueName = \"%s\"", g.name("v"))
		}
		return fmt.Sprintf(" $Json.discriminator(name = \"%s\"%s)", g.name("d"), value)
	}
	return []string{" $Json.base64", " $Json.hex"}[g.rand.IntN(2)]
}

func (g *generator) structAnnotation() string { return g.annotation("discriminator") }

// scope writes the members of a struct or group.
func (g *generator) scope(depth int, mayUnion bool) {
	for range 1 + g.rand.IntN(5) {
		g.member(depth)
	}
	if mayUnion && g.chance(2) {
		g.indent(depth)
		g.b.WriteString("union {\n")
		g.union(depth + 1)
		g.indent(depth)
		g.b.WriteString("}\n")
	}
	if g.chance(2) {
		g.member(depth)
	}
}

// union writes the members of a union. The first is Void, so that a default has
// an end.
func (g *generator) union(depth int) {
	g.indent(depth)
	fmt.Fprintf(&g.b, "%s @%d :Void%s;\n", g.name("u"), g.next(), g.annotation("name"))
	for range 1 + g.rand.IntN(4) {
		g.member(depth)
	}
}

func (g *generator) next() int {
	g.ordinal++
	return g.ordinal - 1
}

func (g *generator) indent(depth int) { g.b.WriteString(strings.Repeat("  ", depth)) }

func (g *generator) member(depth int) {
	g.indent(depth)
	name := g.name("f")
	if depth < 4 && g.chance(8) {
		fmt.Fprintf(&g.b, "%s :group%s%s {\n", name, g.annotation("flatten"), g.annotation("name"))
		g.scope(depth+1, true)
		g.indent(depth)
		g.b.WriteString("}\n")
		return
	}
	if depth < 4 && g.chance(8) {
		fmt.Fprintf(&g.b, "%s :union%s%s {\n", name, g.annotation("flatten"), g.annotation("discriminator"))
		g.union(depth + 1)
		g.indent(depth)
		g.b.WriteString("}\n")
		return
	}
	ordinal := g.next()
	typ, def := g.field()
	ann := g.annotation("name")
	switch {
	case typ == "Data":
		ann += g.annotation("data")
	case len(typ) == 2 && typ[0] == 'S' && typ != fmt.Sprintf("S%d", g.structs):
		ann += g.annotation("flatten")
	}
	if def != "" && g.chance(2) {
		def = " = " + def
	} else {
		def = ""
	}
	fmt.Fprintf(&g.b, "%s @%d :%s%s%s;\n", name, ordinal, typ, def, ann)
}

// field gives a type, and a default where there is a simple one.
func (g *generator) field() (typ, def string) {
	switch g.rand.IntN(6) {
	case 0:
		return "List(" + g.element(2) + ")", ""
	case 1:
		return fmt.Sprintf("S%d", g.rand.IntN(g.structs+1)), ""
	case 2:
		return "Box(" + g.pointer(2) + ")", ""
	}
	plain := [][2]string{
		{"Void", ""},
		{"Bool", "true"},
		{"Int8", "-128"},
		{"Int16", "77"},
		{"Int32", "-5"},
		{"Int64", "9223372036854775807"},
		{"UInt8", "255"},
		{"UInt16", "1"},
		{"UInt32", "4000000000"},
		{"UInt64", "18446744073709551615"},
		{"Float32", "1.25"},
		{"Float64", "inf"},
		{"Text", `"text \"x\""`},
		{"Data", `0x"01 ff"`},
		{"E0", ""},
		{"E1", ""},
		{"List(Int16)", "[1, 2, -3]"},
		{"List(Text)", `["", "abc"]`},
	}
	p := plain[g.rand.IntN(len(plain))]
	return p[0], p[1]
}

// element gives a type for the elements of a list.
func (g *generator) element(depth int) string {
	if g.chance(2) {
		return []string{"Void", "Bool", "Int8", "UInt16", "Int32", "UInt64", "Float32", "Float64", "E0", "E1"}[g.rand.IntN(10)]
	}
	return g.pointer(depth)
}

// pointer gives a pointer type.
func (g *generator) pointer(depth int) string {
	n := 5
	if depth == 0 {
		n = 3
	}
	switch g.rand.IntN(n) {
	case 0:
		return "Text"
	case 1:
		return "Data"
	case 2:
		return fmt.Sprintf("S%d", g.rand.IntN(g.structs+1))
	case 3:
		return "List(" + g.element(depth-1) + ")"
	}
	return "Box(" + g.pointer(depth-1) + ")"
}
