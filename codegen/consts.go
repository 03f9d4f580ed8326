package codegen

import (
	"fmt"
	"math"
	"strconv"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// valueTable is the objects that defaults and constants refer to. They lie in
// one message, which the generated code carries as a string.
type valueTable struct {
	list []segment.Ptr
}

// value gives the expression for the pointer to an object of the table, which
// it adds.
func (g *generator) value(v schema.Value) string {
	g.values.list = append(g.values.list, v.Ptr)
	return fmt.Sprintf("%s.At(%d)", g.valuesName, len(g.values.list)-1)
}

// valuesMessage writes the message with the objects of the table, and what
// picks a default from it.
func (g *generator) valuesMessage() error {
	if len(g.values.list) == 0 {
		return nil
	}
	all, err := schema.NewValue(schema.ListType, func(p segment.PtrBuilder) {
		l := p.NewPtrs(len(g.values.list))
		for i, v := range g.values.list {
			l.At(i).Set(v)
		}
	})
	if err != nil {
		return fmt.Errorf("codegen: %s: constants and defaults: %w", g.file.node.DisplayName, err)
	}
	segs, err := all.Ptr.Message().ToSegments()
	if err != nil {
		return fmt.Errorf("codegen: %s: constants and defaults: %w", g.file.node.DisplayName, err)
	}
	g.printf("// %s holds constants and defaults. It is verified, so that many goroutines\n// may read it.\n", g.valuesName)
	g.printf("var %s = func() %s {\n", g.valuesName, g.seg("Ptrs"))
	g.printf("msg, err := %s([][]byte{[]byte(%s)})\n", g.seg("FromSegments"), quote(string(segs[0])))
	g.printf("if err == nil {\nerr = msg.Verify()\n}\nif err != nil {\npanic(err)\n}\nreturn msg.Root().Ptrs()\n}()\n\n")
	if g.hasListDefault {
		g.printf("// %s gives p, or def where p is not a list.\n", g.listOrName)
		g.printf("func %s(p, def %s) %s {\nif p.Kind() == %s {\nreturn p\n}\nreturn def\n}\n\n", g.listOrName, g.seg("Ptr"), g.seg("Ptr"), g.seg("KindList"))
		g.printf("// %s gives p, with a copy of def in the place of null.\n", g.editOrName)
		g.printf("func %s(p %s, def %s) %s {\nif p.IsNull() {\np.Set(def)\n}\nreturn p\n}\n\n", g.editOrName, g.seg("PtrBuilder"), g.seg("Ptr"), g.seg("PtrBuilder"))
	}
	return nil
}

// constant writes a constant: one of Go where it can be, else a function that
// reads it.
func (g *generator) constant(d *decl) error {
	n := d.node
	typ, v := &n.Const.Type, n.Const.Value
	if v.Kind != typ.Kind {
		return fmt.Errorf("codegen: %s is of %v and has a value of %v", n.DisplayName, typ.Kind, v.Kind)
	}
	g.doc(d.name+" is the constant "+schemaName(n)+".", n.Doc, n.Annotations)
	switch typ.Kind {
	case schema.Void:
		g.printf("var %s struct{}\n\n", d.name)
	case schema.Bool:
		g.printf("const %s = %t\n\n", d.name, v.Bits != 0)
	case schema.Float32, schema.Float64:
		g.float(d.name, v)
	case schema.EnumType:
		t := g.typeName(typ.ID, schema.KindEnum)
		g.printf("const %s %s = %d\n\n", d.name, t, uint16(v.Bits))
	case schema.Text:
		g.printf("const %s = %s\n\n", d.name, quote(v.Ptr.Text()))
	case schema.Data, schema.ListType, schema.StructType, schema.InterfaceType, schema.AnyPointer:
		g.object(d.name, typ, v)
	default:
		k, ok := scalars[typ.Kind]
		if !ok {
			return fmt.Errorf("codegen: %s is of the unknown %v", n.DisplayName, typ.Kind)
		}
		g.printf("const %s %s = %s\n\n", d.name, k.goType, integer(typ.Kind, v.Bits))
	}
	return nil
}

// float writes a constant that is a float. Infinities, NaNs and the negative
// zero are no constants in Go.
func (g *generator) float(name string, v schema.Value) {
	f, goType, bits := v.Float(), scalars[v.Kind].goType, 64
	if v.Kind == schema.Float32 {
		bits = 32
	}
	switch {
	case isPlain(f):
		g.printf("const %s %s = %s\n\n", name, goType, strconv.FormatFloat(f, 'g', -1, bits))
	case v.Kind == schema.Float32:
		g.printf("var %s = %s.Float32frombits(0x%x)\n\n", name, g.std("math"), uint32(v.Bits))
	default:
		g.printf("var %s = %s.Float64frombits(0x%x)\n\n", name, g.std("math"), v.Bits)
	}
}

// object writes the function that reads a constant of a pointer type.
func (g *generator) object(name string, typ *schema.Type, v schema.Value) {
	goType, form := g.seg("Ptr"), "%s"
	switch typ.Kind {
	case schema.Data:
		goType, form = "[]byte", "%s.Data()"
	case schema.ListType:
		l := g.listForm(typ.Elem)
		goType, form = l.reader, l.read
	case schema.StructType:
		goType, _ = g.structNames(typ.ID)
		form = goType + "(%s.Struct())"
	}
	if g.err == nil {
		g.printf("func %s() %s { return %s }\n\n", name, goType, fmt.Sprintf(form, g.value(v)))
	}
}

// isPlain tells whether a float can be a constant of Go.
func isPlain(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (v != 0 || !math.Signbit(v))
}
