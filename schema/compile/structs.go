package compile

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// structBuilder turns the members of a struct, or the parameters of a method,
// into the fields of a node and of the nodes of its groups.
type structBuilder struct {
	c       *compiler
	scope   *scope
	whole   structSpace
	groups  []*schema.Node
	all     []*structMember // in the order of the source, without the struct itself
	ordered []ordinal
}

// structMember is a field, a group or a union, or the struct itself.
type structMember struct {
	parent    *structMember
	kind      syntax.DeclKind // Field, Group, Union or Struct
	isParam   bool
	codeOrder uint16
	inUnion   bool

	name        syntax.Name
	span        syntax.Span
	typ, value  *syntax.Expr
	annotations []syntax.Annotation
	doc         string

	// index is the place among the parent's fields, -1 until it is known. It is
	// known when the first field in it comes up.
	index    int
	children int          // how many fields it has itself
	node     *schema.Node // of a group, a named union or the struct
	space    space        // of a field
	union    *unionSpace  // of a union, or of the unnamed one in a group or struct
	members  uint16       // how many members of the union were numbered
}

// ordinal is a number after an @ and what it is the number of.
type ordinal struct {
	value  uint64
	span   syntax.Span
	member *structMember
}

// compileStruct fills the node of a struct in from its members.
func (c *compiler) compileStruct(d *decl) {
	if n := countFields(d.ast.Members); n > maxFields {
		d.node.Struct = &schema.Struct{ListEncoding: inlineComposite}
		c.failAt(d.mod, d.span(), "Struct has %d fields, more than the %d that ordinals can tell apart.", n, maxFields)
		return
	}
	b := structBuilder{c: c, scope: &scope{decl: d}}
	root := &structMember{kind: syntax.Struct, node: d.node}
	b.traverse(d.ast.Members, root, &b.whole)
	b.finish(root)
	d.aux = append(d.aux, b.groups...)
}

const maxFields = math.MaxUint16 + 1

// countFields counts the fields of a struct, in its groups and unions too.
func countFields(members []*syntax.Decl) (n int) {
	for _, m := range members {
		switch m.Kind {
		case syntax.Field:
			n++
		case syntax.Group, syntax.Union:
			n += countFields(m.Members)
		}
	}
	return n
}

// compileParams fills the node of a method's parameters or results in.
func (c *compiler) compileParams(s *scope, node *schema.Node, params []syntax.Param) {
	b := structBuilder{c: c, scope: s}
	root := &structMember{kind: syntax.Struct, node: node, children: len(params)}
	members := make([]structMember, len(params))
	for i := range params {
		p := &params[i]
		members[i] = structMember{
			parent: root, kind: syntax.Field, isParam: true, codeOrder: uint16(i), name: p.Name, span: p.Span,
			typ: p.Type, value: p.Value, annotations: p.Annotations, index: -1, space: &b.whole,
		}
		b.all = append(b.all, &members[i])
		b.ordered = append(b.ordered, ordinal{value: uint64(i), member: &members[i]})
	}
	b.finish(root)
}

// add makes a member of a declaration.
func (b *structBuilder) add(d *syntax.Decl, parent *structMember, codeOrder *uint16, inUnion bool) *structMember {
	m := &structMember{
		parent: parent, kind: d.Kind, codeOrder: *codeOrder, inUnion: inUnion, name: d.Name, span: d.Span,
		typ: d.Type, value: d.Value, annotations: d.Annotations, doc: d.Doc, index: -1,
	}
	*codeOrder++
	parent.children++
	b.all = append(b.all, m)
	if d.Kind != syntax.Field {
		m.node = b.newGroup(parent.node, d.Name.Text)
	}
	return m
}

// newGroup makes the node of a group. Its id is known at the end.
func (b *structBuilder) newGroup(parent *schema.Node, name string) *schema.Node {
	n := &schema.Node{
		Kind: schema.KindStruct, DisplayName: parent.DisplayName + "." + name, PrefixLen: len(parent.DisplayName) + 1,
		Generic: parent.Generic, Struct: &schema.Struct{IsGroup: true, ListEncoding: inlineComposite},
	}
	b.groups = append(b.groups, n)
	return n
}

const inlineComposite = 7

func (b *structBuilder) number(d *syntax.Decl, m *structMember) {
	if d.Ordinal.IsSet() {
		b.ordered = append(b.ordered, ordinal{d.Ordinal.Value, d.Ordinal.Span, m})
	}
}

// traverse goes through the members of a struct or of a group, which lie in
// the space s.
func (b *structBuilder) traverse(members []*syntax.Decl, parent *structMember, s space) {
	var codeOrder uint16
	for _, d := range members {
		switch d.Kind {
		case syntax.Field:
			m := b.add(d, parent, &codeOrder, false)
			m.space = s
			b.number(d, m)
		case syntax.Group:
			b.traverseGroup(d, b.add(d, parent, &codeOrder, false), s)
		case syntax.Union:
			// An unnamed union's members belong to the parent, and so does their order.
			m, order := parent, &codeOrder
			if d.Name.Text != "" {
				m, order = b.add(d, parent, &codeOrder, false), new(uint16)
			}
			m.union = &unionSpace{parent: s}
			b.traverseUnion(d, m, m.union, order)
			b.number(d, m)
		}
	}
}

func (b *structBuilder) traverseGroup(d *syntax.Decl, m *structMember, s space) {
	if len(d.Members) == 0 {
		b.c.failAt(b.scope.decl.mod, d.Span, "Group must have at least one member.")
	}
	b.traverse(d.Members, m, s)
}

// traverseUnion goes through the members of a union. Each has a space of its
// own in it.
func (b *structBuilder) traverseUnion(u *syntax.Decl, parent *structMember, union *unionSpace, codeOrder *uint16) {
	if len(u.Members) < 2 {
		b.c.failAt(b.scope.decl.mod, u.Span, "Union must have at least two members.")
	}
	for _, d := range u.Members {
		own := &memberSpace{union: union}
		switch d.Kind {
		case syntax.Field:
			m := b.add(d, parent, codeOrder, true)
			m.space = own
			b.number(d, m)
		case syntax.Group:
			b.traverseGroup(d, b.add(d, parent, codeOrder, true), own)
		case syntax.Union:
			if d.Name.Text == "" {
				b.c.failAt(b.scope.decl.mod, d.Span, "Unions cannot contain unnamed unions.")
				continue
			}
			m := b.add(d, parent, codeOrder, true)
			m.union = &unionSpace{parent: own}
			b.traverseUnion(d, m, m.union, new(uint16))
			b.number(d, m)
		}
	}
}

// field gives the field of a member, which takes its place among its parent's
// fields when it is first asked for.
func (m *structMember) field() *schema.Field {
	p := m.parent
	if m.index >= 0 {
		return &p.node.Struct.Fields[m.index]
	}
	if p.parent != nil {
		p.field()
	}
	s := p.node.Struct
	if s.Fields == nil {
		// Never grown, for there are pointers into it.
		s.Fields = make([]schema.Field, 0, p.children)
	}
	m.index = len(s.Fields)
	s.Fields = append(s.Fields, schema.Field{
		Name: strings.Clone(m.name.Text), CodeOrder: m.codeOrder, Discriminant: schema.NoDiscriminant, Doc: m.doc,
	})
	f := &s.Fields[m.index]
	if m.inUnion {
		f.Discriminant = p.members
		p.members++
	}
	return f
}

// finish gives every member its place, in the order of the ordinals.
func (b *structBuilder) finish(root *structMember) {
	if root.node.Struct == nil {
		root.node.Struct = &schema.Struct{ListEncoding: inlineComposite}
	}
	slices.SortStableFunc(b.ordered, func(x, y ordinal) int { return cmp.Compare(x.value, y.value) })
	mod := b.scope.decl.mod
	check := ordinals{c: b.c, mod: mod}
	for _, o := range b.ordered {
		m := o.member
		if !m.isParam {
			check.add(o.value, o.span)
		}
		if m.kind == syntax.Union {
			m.setOrdinal(o.value)
			if !m.union.addDiscriminant() {
				b.c.failAt(mod, o.span, "Union ordinal, if specified, must be greater than no more than one of its "+
					"member ordinals (i.e. there can only be one field retroactively unionized).")
			}
			continue
		}
		m.setOrdinal(o.value)
		b.place(m, m.field())
	}

	b.finishGroup(root)
	for _, m := range b.all {
		f := m.field()
		target := schema.TargetField
		switch {
		case m.isParam:
			target = schema.TargetParam
		case m.kind == syntax.Union:
			target = schema.TargetUnion
		case m.kind == syntax.Group:
			target = schema.TargetGroup
		}
		if m.kind != syntax.Field {
			b.finishGroup(m)
		}
		f.Annotations = b.c.annotate(b.scope, m.annotations, target)
	}
	s := root.node.Struct
	if b.whole.words > math.MaxUint16 || b.whole.ptrs > math.MaxUint16 {
		b.c.failAt(mod, b.scope.decl.span(), "Struct is too large: %d words of data and %d pointers, of at most %d each.",
			b.whole.words, b.whole.ptrs, math.MaxUint16)
	}
	s.DataWords, s.Ptrs = uint16(b.whole.words), uint16(b.whole.ptrs)
	for _, g := range b.groups {
		g.Struct.DataWords, g.Struct.Ptrs = s.DataWords, s.Ptrs
		b.c.groups[g.ID] = g
	}
}

func (m *structMember) setOrdinal(v uint64) {
	f := m.field()
	f.Ordinal, f.HasOrdinal = uint16(v), true
}

// finishGroup completes a node: its id, which follows from its place, and its
// discriminant.
func (b *structBuilder) finishGroup(m *structMember) {
	if m.union != nil {
		m.union.addDiscriminant()
		m.node.Struct.Discriminants = m.members
		m.node.Struct.DiscriminantOffset = m.union.discriminant
	}
	if m.parent == nil {
		return
	}
	f := m.field()
	m.node.Scope = m.parent.node.ID
	m.node.ID = schema.GroupID(m.node.Scope, uint16(m.index))
	m.node.Doc = m.doc
	f.Group = m.node.ID
}

// lgSizes are the sizes of the kinds of types that lie in the data section.
var lgSizes = [...]int8{
	schema.Void: -1, schema.Bool: 0, schema.Int8: 3, schema.Int16: 4, schema.Int32: 5, schema.Int64: 6,
	schema.Uint8: 3, schema.Uint16: 4, schema.Uint32: 5, schema.Uint64: 6, schema.Float32: 5, schema.Float64: 6,
	schema.EnumType: lgEnum, schema.AnyPointer: 0,
}

// place gives a field its type, its default and its offset.
func (b *structBuilder) place(m *structMember, f *schema.Field) {
	t, ok := b.c.typeOf(b.scope, m.typ)
	f.Type = t
	f.Default.Kind = t.Kind
	if m.value != nil && ok {
		f.HasDefault = true
		b.fieldDefault(m, f)
	}
	switch k := f.Type.Kind; {
	case k == schema.Void:
		m.space.addVoid()
	case k.IsPointer():
		f.Offset = m.space.addPtr()
	default:
		f.Offset = m.space.addData(uint(lgSizes[k]))
	}
}

func (b *structBuilder) fieldDefault(m *structMember, f *schema.Field) {
	if m.isParam && m.value.Kind == syntax.RelName && m.value.Text == "null" {
		if !f.Type.Kind.IsPointer() {
			b.c.failAt(b.scope.decl.mod, m.value.Span, "Only pointer parameters can declare their default as 'null'.")
		}
		return
	}
	b.c.evaluate(b.scope.decl, m.value, f.Type, &f.Default)
}

// ordinals checks that numbers, which it is given in order, leave out none and
// use none twice.
type ordinals struct {
	c      *compiler
	mod    *module
	next   uint64
	last   syntax.Span
	lastOK bool // last is the first use of next-1 and was not shown yet
}

func (o *ordinals) add(v uint64, at syntax.Span) {
	switch {
	case v < o.next:
		o.c.failAt(o.mod, at, "Duplicate ordinal number.")
		if o.lastOK {
			o.c.failAt(o.mod, o.last, "Ordinal @%d originally used here.", v)
			o.lastOK = false
		}
	case v > o.next:
		o.c.failAt(o.mod, at, "Skipped ordinal @%d.  Ordinals must be sequential with no holes.", o.next)
		o.next = v + 1
	default:
		o.next++
		o.last, o.lastOK = at, true
	}
}
