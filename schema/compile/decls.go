package compile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// targets are what an annotation of a node of the kind is put on.
var targets = [...]schema.Target{
	schema.KindFile: schema.TargetFile, schema.KindStruct: schema.TargetStruct, schema.KindEnum: schema.TargetEnum,
	schema.KindInterface: schema.TargetInterface, schema.KindConst: schema.TargetConst,
	schema.KindAnnotation: schema.TargetAnnotation,
}

// shape makes everything of d's node but the values that need other nodes:
// those are left for later, for two structs may have defaults of each other's
// types.
func (c *compiler) shape(d *decl) {
	if d.shaped {
		return
	}
	d.shaped = true
	c.checkNames(d)
	s := &scope{decl: d}
	switch d.kind {
	case schema.KindStruct:
		c.compileStruct(d)
	case schema.KindEnum:
		c.compileEnum(d)
	case schema.KindInterface:
		c.compileInterface(d)
	case schema.KindConst:
		d.node.Const = &schema.Const{}
		t, ok := c.typeOf(s, d.ast.Type)
		d.node.Const.Type, d.untyped = t, !ok
		d.node.Const.Value.Kind = d.node.Const.Type.Kind
	case schema.KindAnnotation:
		d.node.Declared = &schema.AnnotationDecl{Targets: d.ast.Targets}
		t, ok := c.typeOf(s, d.ast.Type)
		d.node.Declared.Type, d.untyped = t, !ok
	}
	d.node.Annotations = c.annotate(s, d.annotations(), targets[d.kind])
}

// numbered gives the members of a kind in the order of their ordinals.
func (c *compiler) numbered(d *decl, kind syntax.DeclKind) []codeOrdered {
	var out []codeOrdered
	for _, m := range d.ast.Members {
		if m.Kind == kind {
			out = append(out, codeOrdered{m, uint16(len(out))})
		}
	}
	slices.SortStableFunc(out, func(x, y codeOrdered) int { return cmp.Compare(x.Ordinal.Value, y.Ordinal.Value) })
	check := ordinals{c: c, mod: d.mod}
	for _, m := range out {
		check.add(m.Ordinal.Value, m.Ordinal.Span)
	}
	return out
}

// codeOrdered is a declaration with its place in the source among those of its
// kind.
type codeOrdered struct {
	*syntax.Decl
	codeOrder uint16
}

func (c *compiler) compileEnum(d *decl) {
	members := c.numbered(d, syntax.Enumerant)
	d.node.Enum = &schema.Enum{Enumerants: make([]schema.Enumerant, len(members))}
	s := &scope{decl: d}
	for i, m := range members {
		d.node.Enum.Enumerants[i] = schema.Enumerant{
			Name: strings.Clone(m.Name.Text), CodeOrder: m.codeOrder, Doc: m.Doc,
			Annotations: c.annotate(s, m.Annotations, schema.TargetEnumerant),
		}
	}
}

func (c *compiler) compileInterface(d *decl) {
	s := &scope{decl: d}
	iface := &schema.Interface{}
	d.node.Interface = iface
	for _, e := range d.ast.Extends {
		r, ok := c.resolve(s, e)
		switch {
		case !ok:
		case r.kind == refParam || r.kind == refMethodParam:
			c.failAt(d.mod, e.Span, "'%s' is an unbound generic parameter. Currently we don't support extending these.", exprString(e))
		case !r.is(schema.KindInterface):
			c.failAt(d.mod, e.Span, "'%s' is not an interface.", exprString(e))
		default:
			iface.Extends = append(iface.Extends, schema.Superclass{ID: r.decl.id, Brand: c.brandOf(s, &r)})
		}
	}
	members := c.numbered(d, syntax.Method)
	iface.Methods = make([]schema.Method, len(members))
	for i, m := range members {
		out := &iface.Methods[i]
		out.Name, out.CodeOrder, out.Doc = strings.Clone(m.Name.Text), m.codeOrder, m.Doc
		for _, p := range m.Params {
			out.ImplicitParams = append(out.ImplicitParams, strings.Clone(p.Text))
		}
		out.Params, out.ParamBrand = c.compileParamList(d, m.Decl, m.Args, false)
		out.Results, out.ResultBrand = c.compileParamList(d, m.Decl, m.Results, true)
		out.Annotations = c.annotate(s, m.Annotations, schema.TargetMethod)
	}
}

// compileParamList gives the struct of a method's parameters or results, which
// it makes if they are written out.
func (c *compiler) compileParamList(d *decl, m *syntax.Decl, list *syntax.ParamList, results bool) (schema.ID, schema.Brand) {
	if list == nil {
		list = &syntax.ParamList{}
	}
	if list.Stream {
		c.needStream(d, list.Span)
		return schema.StreamResultID, nil
	}
	if list.Type != nil {
		s := &scope{decl: d, implicit: m.Params}
		r, ok := c.resolve(s, list.Type)
		switch {
		case !ok:
		case r.kind == refParam || r.kind == refMethodParam:
			c.failAt(d.mod, list.Type.Span, "Cannot use generic parameter as whole input or output of a method. Instead, "+
				"use a parameter/result list containing a field with this type.")
		case !r.is(schema.KindStruct):
			c.failAt(d.mod, list.Type.Span, "'%s' is not a struct type.", exprString(list.Type))
		default:
			return r.decl.id, c.brandOf(s, &r)
		}
		return 0, nil
	}

	name := m.Name.Text + "$Params"
	if results {
		name = m.Name.Text + "$Results"
	}
	node := &schema.Node{
		ID: schema.MethodStructID(d.id, uint16(m.Ordinal.Value), results), Kind: schema.KindStruct,
		DisplayName: d.node.DisplayName + "." + name, PrefixLen: len(d.node.DisplayName) + 1,
		Generic: d.generic || len(m.Params) > 0,
	}
	// The method's own parameters become the struct's. The reference compiler means
	// to bind them to each other and does not, so nobody relies on it.
	for _, p := range m.Params {
		node.Params = append(node.Params, strings.Clone(p.Text))
	}
	c.checkParams(d.mod, list.Params)
	s := &scope{decl: d, implicit: m.Params, implicitOf: node.ID}
	c.compileParams(s, node, list.Params)
	d.aux = append(d.aux, node)
	return node.ID, c.compileBrand(s, d.open)
}

const streamFile = "/capnp/stream.capnp"

// needStream makes d depend on the struct that streaming methods return.
func (c *compiler) needStream(d *decl, at syntax.Span) {
	m, _ := c.importFile(d.mod, streamFile)
	if m == nil {
		c.failAt(d.mod, at, "A method declaration uses streaming, but '%s' is not found in the import path. "+
			"This is a standard file that should always be installed with the Cap'n Proto compiler.", streamFile)
		return
	}
	r, ok := m.root.find("StreamResult")
	if !ok || r.decl == nil || r.decl.id != schema.StreamResultID {
		c.failAt(d.mod, at, "The version of '%s' found in your import path does not appear to be the official one; "+
			"it is missing the declaration of StreamResult.", streamFile)
		return
	}
	d.dependOn(r.decl)
}

// annotate gives the annotations that are put on something, of the kind that
// target says. Their values are left for later.
func (c *compiler) annotate(s *scope, in []syntax.Annotation, target schema.Target) []schema.Annotation {
	if len(in) == 0 {
		return nil
	}
	out := make([]schema.Annotation, 0, len(in))
	plain := &scope{decl: s.decl} // a method's own parameters are not visible
	for i := range in {
		r, ok := c.resolve(plain, in[i].Name)
		if !ok {
			continue
		}
		if !r.is(schema.KindAnnotation) {
			c.failAt(s.decl.mod, in[i].Name.Span, "'%s' is not an annotation.", exprString(in[i].Name))
			continue
		}
		out = append(out, schema.Annotation{ID: r.decl.id, Brand: c.brandOf(plain, &r)})
		a := &out[len(out)-1]
		c.later(func() { c.annotationValue(s.decl, &in[i], r.decl, a, target) })
	}
	return out
}

// annotationValue checks the use of the annotation decl and gives it its value.
func (c *compiler) annotationValue(d *decl, in *syntax.Annotation, annotation *decl, out *schema.Annotation, target schema.Target) {
	c.shape(annotation)
	declared := annotation.node.Declared
	if declared.Targets&target == 0 {
		c.failAt(d.mod, in.Name.Span, "'%s' cannot be applied to this kind of declaration.", exprString(in.Name))
	}
	if annotation.untyped {
		return
	}
	t := declared.Type.Bind(out.Brand)
	out.Value.Kind = t.Kind
	switch {
	case in.Value != nil:
		c.evaluate(d, in.Value, t, &out.Value)
	case t.Kind != schema.Void:
		c.failAt(d.mod, in.Name.Span, "'%s' requires a value.", exprString(in.Name))
	}
}
