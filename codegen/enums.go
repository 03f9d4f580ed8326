package codegen

import (
	"strings"

	"github.com/fairlead-go/fairlead/schema"
)

// enumerant is a value of an enumeration of Go.
type enumerant struct {
	constant string
	text     string // what String gives
	doc      string
}

// enum writes an enum.
func (g *generator) enum(d *decl) {
	table := g.enumeration(d.name, "is the enum "+schemaName(d.node)+".", d.node.Doc, d.node.Annotations, d.members, true)
	if table == "" {
		return
	}
	g.printf("// %s gives the value that prints as name; ok is false if there is none.\n", d.parse)
	g.printf("func %s(name string) (v %s, ok bool) {\n", d.parse, d.name)
	g.printf("i := %s.Index(%s[:], name)\nreturn %s(max(i, 0)), i >= 0\n}\n\n", g.std("slices"), table, d.name)
}

// enumeration writes a type of small numbers that print as names, and gives the
// variable that has the names, if one is wanted.
func (g *generator) enumeration(name, what, text string, annotations []schema.Annotation, members []enumerant, wantTable bool) (table string) {
	g.doc(name+" "+what, text, annotations)
	g.printf("type %s uint16\n\n", name)
	itoa := g.std("strconv") + ".Itoa(int(v))"
	if len(members) == 0 {
		g.printf("func (v %s) String() string { return %s }\n\n", name, itoa)
		return ""
	}
	g.printf("const (\n")
	for i, m := range members {
		g.body.WriteString(comment(m.doc))
		g.printf("%s", m.constant)
		if i == 0 {
			g.printf(" %s = iota", name)
		}
		g.printf("\n")
	}
	g.printf(")\n\n")
	var names strings.Builder
	for _, m := range members {
		names.WriteString(quote(m.text) + ", ")
	}
	list, test := "[...]string{"+strings.TrimSuffix(names.String(), ", ")+"}", ""
	if wantTable {
		table = g.file.names.take(unexported(name) + "Names")
		g.printf("var %s = %s\n\n", table, list)
	} else {
		table, test = "names", "names := "+list+"; "
	}
	g.printf("func (v %s) String() string {\nif %sint(v) < len(%s) {\nreturn %s[v]\n}\nreturn %s\n}\n\n", name, test, table, table, itoa)
	return table
}
