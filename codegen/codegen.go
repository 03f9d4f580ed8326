package codegen

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
)

// Package says which Go package has the code of a schema file.
type Package struct {
	// Path is the package's import path.
	Path string
	// Name is its name; "" means the last element of Path that can be one.
	Name string
}

// Options say what the schema does not. The zero value serves a file that
// stands alone, or is annotated with $Go.package and $Go.import.
type Options struct {
	// Package is where the code of the file will lie. It comes before the file's
	// annotations; without either the package is named after the file.
	Package Package
	// Imports tells the packages of the files that the file imports, by their
	// names as the import or the compiler's command line gives them. It comes
	// before annotations. A file without either that is imported for a type is an
	// error.
	Imports map[string]Package
}

// maxOutput is how much is generated at most for one file, in bytes.
const maxOutput = 64 << 20

// Generate gives the Go source for one file of a request, formatted as gofmt
// does. It is the same for the same request and options.
//
// The request may come from anywhere: what can't be generated is an error, and
// what is generated has no text from the request but in comments, quoted
// strings and identifiers that were checked.
func Generate(req *schema.Request, file schema.ID, opt Options) ([]byte, error) {
	m, err := newModel(req)
	if err != nil {
		return nil, err
	}
	f, err := m.file(file)
	if err != nil {
		return nil, err
	}
	g := &generator{
		model:   m,
		file:    f,
		opt:     opt,
		imports: map[string]string{},
		aliases: scope{},
	}
	if g.pkg, err = m.packageOf(f.node, opt, true); err != nil {
		return nil, err
	}
	if err := g.prepare(); err != nil {
		return nil, err
	}
	for _, d := range f.decls {
		if err := g.declaration(d); err != nil {
			return nil, err
		}
		if g.body.Len() > maxOutput {
			return nil, fmt.Errorf("codegen: %s: the code would be longer than %d bytes", f.node.DisplayName, maxOutput)
		}
	}
	return g.assemble()
}

// generator makes the code of one file.
type generator struct {
	*model
	file    *file
	opt     Options
	pkg     Package
	imports map[string]string // import path to name
	aliases scope             // the names of imports
	body    bytes.Buffer
	values  valueTable
	err     error // the first that was met inside an expression

	schemaName, valuesName, listOrName, editOrName string
	hasListDefault                                 bool
}

func (g *generator) printf(format string, args ...any) { fmt.Fprintf(&g.body, format, args...) }

// fail keeps the first error of an expression that is made inside others.
func (g *generator) fail(err error) {
	if g.err == nil {
		g.err = err
	}
}

// locals are names that mean something in the generated code, so that no
// import can have them.
var locals = []string{
	"b", "c", "call", "ctx", "def", "err", "f", "fill", "i", "m", "max", "msg", "n", "name", "names", "ok", "p", "r", "release", "s", "v",
	// Predeclared names that the code uses.
	"bool", "byte", "error", "float32", "float64", "int", "int16", "int32", "int64", "int8", "iota", "len", "nil",
	"panic", "string", "true", "false", "uint16", "uint32", "uint64", "uint8",
	"init", "main", "_",
}

// prepare names what is not a declaration of the schema. The names of a file's
// own carry its base name where they are not seen, so that several files can
// make up a package; Schema does where the request shows that they do.
func (g *generator) prepare() error {
	for _, l := range locals {
		g.aliases[l] = true
	}
	for name := range own {
		g.aliases[name] = true
	}
	base := exported(fileBase(g.file.node.DisplayName))
	g.schemaName = "Schema"
	for _, n := range g.nodes {
		if n.Kind != schema.KindFile || n == g.file.node || g.pkg.Path == "" {
			continue
		}
		if other, err := g.packageOf(n, g.opt, false); err == nil && other.Path == g.pkg.Path {
			g.schemaName = base + "Schema"
		}
	}
	g.schemaName = g.file.names.take(g.schemaName)
	g.valuesName = g.file.names.take(unexported(base) + "Values")
	g.listOrName = g.file.names.take(unexported(base) + "ListOr")
	g.editOrName = g.file.names.take(unexported(base) + "EditOr")
	return nil
}

// use imports a package and gives the name that the code has for it.
func (g *generator) use(importPath, name string) string {
	if alias, ok := g.imports[importPath]; ok {
		return alias
	}
	if importPath != own[name] {
		for g.file.names[name] || g.aliases[name] {
			name += "_"
		}
		name = g.aliases.take(name)
		g.file.names[name] = true
	}
	g.imports[importPath] = name
	return name
}

// own are the packages that generated code imports for itself, whose names no
// other import can have.
var own = map[string]string{
	"context": "context", "math": "math", "slices": "slices", "strconv": "strconv",
	"rpc": "github.com/fairlead-go/fairlead/rpc", "segment": "github.com/fairlead-go/fairlead/segment",
}

// std names a package of the standard library.
func (g *generator) std(name string) string { return g.use(own[name], name) }

// seg names something of package segment.
func (g *generator) seg(name string) string { return g.use(own["segment"], "segment") + "." + name }

// rpc names something of package rpc.
func (g *generator) rpc(name string) string { return g.use(own["rpc"], "rpc") + "." + name }

func (g *generator) declaration(d *decl) error {
	var err error
	switch n := d.node; n.Kind {
	case schema.KindStruct:
		err = g.structure(d)
	case schema.KindEnum:
		g.enum(d)
	case schema.KindInterface:
		err = g.iface(d)
	case schema.KindConst:
		err = g.constant(d)
	}
	return cmp.Or(err, g.err)
}

// assemble puts the parts of the file in order and formats it.
func (g *generator) assemble() ([]byte, error) {
	if err := g.tail(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	name := fileLabel(g.file.node.DisplayName)
	fmt.Fprintf(&out, "// Code generated by fairlead from %s. DO NOT EDIT.\n\n", name)
	fmt.Fprintf(&out, "// Package %s has the types of %s.\n", g.pkg.Name, name)
	out.WriteString(paragraphs(g.file.node.Doc))
	fmt.Fprintf(&out, "package %s\n\n", g.pkg.Name)
	if len(g.imports) > 0 {
		out.WriteString("import (\n")
		std := func(p string) bool { return !strings.Contains(p, ".") }
		for _, wantStd := range []bool{true, false} {
			for _, p := range slices.Sorted(maps.Keys(g.imports)) {
				if std(p) != wantStd {
					continue
				}
				if alias := g.imports[p]; alias != path.Base(p) {
					fmt.Fprintf(&out, "%s ", alias)
				}
				fmt.Fprintf(&out, "%q\n", p)
			}
			out.WriteByte('\n')
		}
		out.WriteString(")\n\n")
	}
	out.Write(g.body.Bytes())
	src, err := format.Source(out.Bytes())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("codegen: %s: the code for it does not parse", g.file.node.DisplayName), err)
	}
	return src, nil
}

// tail writes what serves the whole file: the ids, the schema, the values.
func (g *generator) tail() error {
	var ids []*decl
	for _, d := range g.file.decls {
		if d.typeID != "" {
			ids = append(ids, d)
		}
	}
	if len(ids) > 0 {
		g.printf("// The ids of the types.\nconst (\n")
		for _, d := range ids {
			g.printf("%s uint64 = 0x%016x\n", d.typeID, uint64(d.node.ID))
		}
		g.printf(")\n\n")
	}
	if err := g.valuesMessage(); err != nil {
		return err
	}
	packed, err := g.pack()
	if err != nil {
		return err
	}
	g.printf("// %s has the schema of this file, and all that it needs, for package schema's Unpack.\n", g.schemaName)
	g.printf("const %s = %s\n", g.schemaName, quote(packed))
	return nil
}
