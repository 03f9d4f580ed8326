package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
)

// structure writes the reader and the builder of a struct or a group.
func (g *generator) structure(d *decl) error {
	n := d.node
	if err := g.checkLayout(n); err != nil {
		return err
	}
	t := &structGen{generator: g, decl: d}
	what := "struct " + schemaName(n)
	text, annotations := n.Doc, n.Annotations
	if f := d.member; f != nil {
		what = "group " + schemaName(n)
		if text == "" {
			text, annotations = f.Doc, f.Annotations
		}
	}
	what = d.name + " reads the " + what + "; its Builder builds it."
	if d.which != "" {
		what += " Setting a member of the union selects it."
	}
	g.doc(what, text, annotations)
	g.printf("type %s %s\n", d.name, g.seg("Struct"))
	g.printf("type %s %s\n\n", d.builder, g.seg("StructBuilder"))
	if d.standsAlone() {
		g.printf("// %s and %s read and build the root of msg, %s what any pointer refers to.\n", d.root, d.newRoot, d.under)
		g.printf("func %s(msg *%s) %s { return %s(msg.Root().Struct()) }\n", d.root, g.seg("Message"), d.name, d.name)
		g.printf("func %s(msg *%s) %s { return %s(msg.RootBuilder()) }\n", d.newRoot, g.seg("Message"), d.builder, d.under)
		g.printf("func %s(p %s) %s { return %s(p.NewStruct(%s)) }\n", d.under, g.seg("PtrBuilder"), d.builder, d.builder, g.size(n))
	}
	if d.method == "" {
		g.printf("func (s %s) Reader() %s { return %s(%s(s).Reader()) }\n\n", d.builder, d.name, d.name, g.seg("StructBuilder"))
	}
	t.union()
	for i := range d.fields {
		t.field(&d.fields[i])
	}
	return nil
}

// checkLayout checks that all fields of a struct lie in it, so that what is
// generated can't touch anything else.
func (g *generator) checkLayout(n *schema.Node) error {
	s := n.Struct
	bad := func(f *schema.Field, format string, args ...any) error {
		return fmt.Errorf("codegen: %s: field %.80q %s", n.DisplayName, f.Name, fmt.Sprintf(format, args...))
	}
	dataBits := uint64(s.DataWords) * 64
	if s.Discriminants > 0 && (uint64(s.DiscriminantOffset)+1)*16 > dataBits {
		return fmt.Errorf("codegen: %s: the discriminant at %d is beyond %d words of data", n.DisplayName, s.DiscriminantOffset, s.DataWords)
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		switch k := f.Type.Kind; {
		case f.IsGroup():
			d := g.file.byID[f.Group]
			if d == nil {
				return bad(f, "is the group %v, which the request lacks", f.Group)
			}
			if t := d.node.Struct; t.DataWords != s.DataWords || t.Ptrs != s.Ptrs {
				return bad(f, "is a group that has not the sizes of the struct around it")
			}
		case k > schema.AnyPointer:
			return bad(f, "has the unknown %v", k)
		case k.IsPointer() && f.Offset >= uint32(s.Ptrs):
			return bad(f, "is pointer %d of %d", f.Offset, s.Ptrs)
		case !k.IsPointer() && (uint64(f.Offset)+1)*uint64(k.Bits()) > dataBits:
			return bad(f, "at %d is beyond %d words of data", f.Offset, s.DataWords)
		case f.HasDefault && f.Default.Kind != k:
			return bad(f, "is of %v and its default of %v", k, f.Default.Kind)
		}
	}
	return nil
}

// structGen makes the code of one struct or group.
type structGen struct {
	*generator
	decl *decl
}

// union writes the type that tells which member of the union is set.
func (t *structGen) union() {
	d := t.decl
	if d.which == "" {
		return
	}
	off := d.node.Struct.DiscriminantOffset * 2
	t.enumeration(d.which, "tells the member of "+schemaName(d.node)+"'s union.", "", nil, d.members, false)
	read, build := t.seg("Struct"), t.seg("StructBuilder")
	t.printf("// Which tells which member is set. A getter of another reads what lies in its place.\n")
	t.printf("func (s %s) Which() %s { return %s(%s(s).Uint16(%d)) }\n", d.name, d.which, d.which, read, off)
	t.printf("func (s %s) Which() %s { return %s(%s(s).Reader()).Which() }\n", d.builder, d.which, d.name, build)
	t.printf("func (s %s) pick(m %s) %s {\n%s(s).SetUint16(%d, uint16(m))\nreturn %s(s)\n}\n", d.builder, d.which, build, build, off, build)
	for i := range d.fields {
		if f := &d.fields[i]; f.InUnion() && t.isEdited(f) {
			t.printf("func (s %s) edit(m %s, i uint16) %s {\n", d.builder, d.which, t.seg("PtrBuilder"))
			t.printf("if s.Which() != m {\ns.pick(m).Ptr(i).Clear()\n}\nreturn %s(s).Ptr(i)\n}\n", build)
			break
		}
	}
	t.printf("\n")
}

// isEdited tells whether a field is a pointer whose object is built in place.
func (t *structGen) isEdited(f *fieldGen) bool {
	if f.IsGroup() {
		return false
	}
	k := f.Type.Kind
	return k == schema.StructType || k == schema.ListType || k == schema.AnyPointer && !isCapability(&f.Type)
}

// label names a field in comments.
func (f *fieldGen) label() string {
	what := "field " + f.Name
	switch {
	case f.IsGroup() && f.InUnion():
		what = "member " + f.Name + ", a group"
	case f.IsGroup():
		what = "group " + f.Name
	case f.InUnion():
		what = "member " + f.Name
	}
	if f.HasOrdinal {
		what += fmt.Sprintf(" @%d", f.Ordinal)
	}
	return what
}

// clear is the statements that set all of a group in the struct b to zero: its fields, those of
// the groups in it, and what tells the members of their unions.
func (t *structGen) clear(group *schema.Node) string {
	type span struct{ at, end uint64 }
	var spans []span
	var ptrs []uint32
	seen := map[schema.ID]bool{}
	var walk func(n *schema.Node)
	walk = func(n *schema.Node) {
		if n == nil || n.Struct == nil || seen[n.ID] {
			return
		}
		seen[n.ID] = true
		if n.Struct.Discriminants > 0 {
			at := uint64(n.Struct.DiscriminantOffset) * 16
			spans = append(spans, span{at, at + 16})
		}
		for _, f := range n.Struct.Fields {
			bits := uint64(f.Type.Kind.Bits())
			switch {
			case f.IsGroup():
				walk(t.byID[f.Group])
			case f.Type.Kind.IsPointer():
				ptrs = append(ptrs, f.Offset)
			case bits > 0:
				spans = append(spans, span{uint64(f.Offset) * bits, (uint64(f.Offset) + 1) * bits})
			}
		}
	}
	walk(group)
	slices.SortFunc(spans, func(a, b span) int { return int(int64(a.at) - int64(b.at)) })
	slices.Sort(ptrs)
	var b strings.Builder
	for i := 0; i < len(spans); {
		whole := spans[i]
		for i++; i < len(spans) && spans[i].at <= whole.end; i++ {
			whole.end = max(whole.end, spans[i].end)
		}
		fmt.Fprintf(&b, "b.ClearData(%d, %d)\n", whole.at, whole.end-whole.at)
	}
	for _, p := range slices.Compact(ptrs) {
		fmt.Fprintf(&b, "b.Ptr(%d).Clear()\n", p)
	}
	return b.String()
}
