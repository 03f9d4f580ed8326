package compile

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// typeOf gives the type that an expression names. If it names none, that has
// been reported.
func (c *compiler) typeOf(s *scope, e *syntax.Expr) (schema.Type, bool) {
	r, ok := c.resolve(s, e)
	if !ok {
		return schema.Type{}, false
	}
	return c.asType(s, &r, e.Span)
}

// asType gives the type that r is. Errors are shown where r is named, or else
// at the span at.
func (c *compiler) asType(s *scope, r *ref, at syntax.Span) (schema.Type, bool) {
	if !c.step() {
		return schema.Type{}, false
	}
	if r.src != nil {
		at = r.src.Span
	}
	switch r.kind {
	case refParam:
		return schema.Type{Kind: schema.AnyPointer, Any: schema.AnyParam, Scope: r.scope, Index: r.index}, true
	case refMethodParam:
		return schema.Type{Kind: schema.AnyPointer, Any: schema.AnyMethodParam, Index: r.index}, true
	case refBuiltin:
		if r.builtin.kind == schema.ListType {
			return c.listType(s, r, at)
		}
		return schema.Type{Kind: r.builtin.kind, Any: r.builtin.any}, true
	}
	t := schema.Type{ID: r.decl.id}
	switch r.decl.kind {
	case schema.KindEnum:
		t.Kind = schema.EnumType
	case schema.KindStruct:
		t.Kind = schema.StructType
	case schema.KindInterface:
		t.Kind = schema.InterfaceType
	default:
		name := r.decl.node.Name()
		if r.src != nil {
			name = exprString(r.src)
		}
		c.failAt(s.decl.mod, at, "'%s' is not a type.", name)
		return schema.Type{}, false
	}
	t.Brand = c.brandOf(s, r)
	return t, true
}

func (c *compiler) listType(s *scope, r *ref, at syntax.Span) (schema.Type, bool) {
	if r.brand == nil {
		c.failAt(s.decl.mod, at, "'List' requires exactly one parameter.")
		return schema.Type{}, false
	}
	elem, ok := c.asType(s, &r.brand.params[0], at)
	if !ok {
		return schema.Type{}, false
	}
	if elem.Kind == schema.AnyPointer && elem.Any != schema.AnyList && elem.Any != schema.AnyCapability {
		// A generic parameter may be AnyPointer.
		name := "AnyPointer"
		if elem.Any == schema.AnyStruct {
			name = "AnyStruct"
		}
		c.failAt(s.decl.mod, at, "'List(%s)' is not supported.", name)
		return schema.Type{}, false
	}
	return schema.Type{Kind: schema.ListType, Elem: &elem}, true
}

// brandOf gives the brand of a declaration as the result has it, and notes that
// the scope depends on the declaration.
func (c *compiler) brandOf(s *scope, r *ref) schema.Brand {
	s.decl.dependOn(r.decl)
	return c.compileBrand(s, r.brand)
}

func (c *compiler) compileBrand(s *scope, b *brand) schema.Brand {
	if b == nil || b.isBare() {
		return nil
	}
	levels := b.levels()
	out := make(schema.Brand, len(levels))
	for i, l := range levels {
		out[i] = schema.BrandScope{Scope: l.id, Inherit: l.inherited}
		if l.inherited {
			continue
		}
		out[i].Bind = make([]*schema.Type, len(l.params))
		for j := range l.params {
			// What is no type was refused when it was bound, so this can only fail
			// with an error of its own, and the binding stays open.
			if t, ok := c.asType(s, &l.params[j], syntax.Span{}); ok {
				out[i].Bind[j] = &t
			}
		}
	}
	return out
}

// isBare tells whether b binds nothing at any level.
func (b *brand) isBare() bool {
	for ; b != nil; b = b.parent {
		if len(b.params) > 0 || b.inherited && b.n > 0 {
			return false
		}
	}
	return true
}

// dependOn notes that d refers to other.
func (d *decl) dependOn(other *decl) {
	if n := len(d.deps); n == 0 || d.deps[n-1] != other {
		d.deps = append(d.deps, other)
	}
}
