package codegen

import (
	"fmt"

	"github.com/fairlead-go/fairlead/schema"
)

// typeName gives the Go name of a type of a schema, qualified if it is in
// another package. After an error, which is kept, it is of no use.
func (g *generator) typeName(id schema.ID, kind schema.Kind) string {
	f, d, err := g.find(id, kind)
	if err != nil {
		g.fail(err)
		return "_"
	}
	return g.qualify(f, d.name)
}

// structNames is typeName for a struct, with the type that builds it.
func (g *generator) structNames(id schema.ID) (reader, builder string) {
	f, d, err := g.find(id, schema.KindStruct)
	if err != nil {
		g.fail(err)
		return "_", "_"
	}
	return g.qualify(f, d.name), g.qualify(f, d.builder)
}

// qualify puts the package in front of a name of file f.
func (g *generator) qualify(f *file, name string) string {
	if f == g.file {
		return name
	}
	p, err := g.packageOf(f.node, g.opt, false)
	if err == nil && p.Path == "" {
		err = fmt.Errorf("codegen: %s imports %s, which has no Go package: annotate it with $Go.import, or tell its import path", g.file.node.DisplayName, f.node.DisplayName)
	}
	if err != nil {
		g.fail(err)
		return "_"
	}
	if p.Path == g.pkg.Path {
		return name
	}
	return g.use(p.Path, p.Name) + "." + name
}

// scalars are the kinds that lie in the data section and are not enums: their
// Go types and the ends of the names of segment's getters and setters.
var scalars = map[schema.TypeKind]struct{ goType, method string }{
	schema.Bool: {"bool", "Bool"},
	schema.Int8: {"int8", "Int8"}, schema.Int16: {"int16", "Int16"}, schema.Int32: {"int32", "Int32"}, schema.Int64: {"int64", "Int64"},
	schema.Uint8: {"uint8", "Uint8"}, schema.Uint16: {"uint16", "Uint16"}, schema.Uint32: {"uint32", "Uint32"}, schema.Uint64: {"uint64", "Uint64"},
	schema.Float32: {"float32", "Float32"}, schema.Float64: {"float64", "Float64"},
}

// size writes the sizes of a struct.
func (g *generator) size(n *schema.Node) string {
	s, t := "", n.Struct
	if t.DataWords > 0 {
		s = fmt.Sprintf("DataWords: %d", t.DataWords)
	}
	if t.Ptrs > 0 {
		if s != "" {
			s += ", "
		}
		s += fmt.Sprintf("Ptrs: %d", t.Ptrs)
	}
	return g.seg("Size") + "{" + s + "}"
}

// listForm is how lists of one type of elements are written in Go. In the
// expressions %s stands for the pointer.
type listForm struct {
	reader, builder  string // types
	read, make, edit string // expressions; make uses n, the length
	list             string // of reader v to its segment.List; "" if it can't be copied
	makeIn           string // make for pointer %d of the struct %s, in one call; "" if there is no such
}

func (g *generator) listForm(elem *schema.Type) listForm {
	if elem == nil {
		g.fail(fmt.Errorf("codegen: %s: a list without a type of its elements", g.file.node.DisplayName))
		return listForm{}
	}
	ptrs := listForm{
		reader: g.seg("Ptrs"), builder: g.seg("PtrsBuilder"),
		read: "%s.Ptrs()", make: "%s.NewPtrs(n)", edit: "%s.Ptrs()", list: "v.List()",
	}
	switch elem.Kind {
	case schema.Void:
		void := g.seg("Void")
		return listForm{
			reader: g.seg("List"), builder: g.seg("ListBuilder"),
			read: "%s.List()", make: "%s.NewList(" + void + ", n)", edit: "%s.List(" + void + ")", list: "v",
		}
	case schema.Bool:
		return listForm{
			reader: g.seg("Bools"), builder: g.seg("BoolsBuilder"),
			read: "%s.Bools()", make: "%s.NewBools(n)", edit: "%s.Bools()", list: "v.List()",
		}
	case schema.Text:
		ptrs.reader, ptrs.read = g.seg("Texts"), "%s.Texts()"
		return ptrs
	case schema.Data:
		ptrs.reader, ptrs.read = g.seg("Datas"), "%s.Datas()"
		return ptrs
	case schema.StructType:
		t, b := g.structNames(elem.ID)
		if g.err != nil {
			return listForm{}
		}
		size := g.size(g.byID[elem.ID])
		b = "[" + b + "]"
		return listForm{
			reader: g.seg("Structs") + "[" + t + "]", builder: g.seg("StructsBuilder") + b,
			read: g.seg("ReadStructs") + "[" + t + "](%s)", make: g.seg("NewStructs") + b + "(%s, " + size + ", n)",
			edit: g.seg("EditStructs") + b + "(%s, " + size + ")", list: "v.List()",
			makeIn: g.seg("NewStructsIn") + b + "(%s, %d, " + size + ", n)",
		}
	case schema.EnumType:
		return g.numbers(g.typeName(elem.ID, schema.KindEnum))
	case schema.InterfaceType:
		t, _ := g.capability(elem)
		t = "[" + t + "]"
		return listForm{
			reader: g.rpc("Clients") + t, builder: g.rpc("ClientsBuilder") + t,
			read: g.rpc("ReadClients") + t + "(%s)", make: g.rpc("NewClients") + t + "(%s, n)", edit: g.rpc("EditClients") + t + "(%s)",
		}
	case schema.ListType, schema.AnyPointer:
		return ptrs
	}
	k, ok := scalars[elem.Kind]
	if !ok {
		g.fail(fmt.Errorf("codegen: %s: a list of the unknown %v", g.file.node.DisplayName, elem.Kind))
	}
	return g.numbers(k.goType)
}

func (g *generator) numbers(t string) listForm {
	t = "[" + t + "]"
	return listForm{
		reader: g.seg("Numbers") + t, builder: g.seg("NumbersBuilder") + t,
		read: g.seg("ReadNumbers") + t + "(%s)", make: g.seg("NewNumbers") + t + "(%s, n)",
		edit: g.seg("EditNumbers") + t + "(%s)", list: "v.List()",
	}
}
