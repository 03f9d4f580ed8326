package compile

import (
	"fmt"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// Type gives the type that a name means in the scope of a node: a builtin type,
// or the path of a declaration, such as Person.PhoneNumber or
// Map(Text, Person).Entry. All nodes come from reg; aliases (using) are not among
// them, and so have no names here.
//
// An error is of type [Errors], with the name in the place of a file.
func Type(name string, scope schema.ID, reg *schema.Registry) (schema.Type, error) {
	f, errs := syntax.ParseValue(name, []byte(name))
	if len(errs) > 0 {
		return schema.Type{}, errs
	}
	t := typeNames{f, reg, scope}
	r, err := t.resolve(f.Value)
	if err != nil {
		return schema.Type{}, Errors{err}
	}
	typ, err := t.typeOf(r, f.Value)
	if err != nil {
		return schema.Type{}, Errors{err}
	}
	return typ, nil
}

// FileType compiles the named file, and gives the type that typ means at the end
// of it: everything that a field's type there may be, with aliases (using) and
// imports. The result has the nodes of the type too. See [Files].
//
// An error in typ has typ in the place of a file.
func FileType(name, typ string, opt Options) (*schema.Request, schema.Type, error) {
	expr, errs := syntax.ParseValue(typ, []byte(typ))
	if len(errs) > 0 {
		return nil, schema.Type{}, errs
	}
	c, err := newCompiler(opt)
	if err != nil {
		return nil, schema.Type{}, err
	}
	m, err := c.open(name)
	if err != nil {
		return nil, schema.Type{}, err
	}
	within := *m
	within.file = expr // for the places of errors
	user := &decl{mod: &within, parent: m.root, open: m.root.open}
	t, _ := c.typeOf(&scope{decl: user}, expr.Value) // what fails is among the errors
	for _, dep := range user.deps {
		for ; dep != nil; dep = dep.parent {
			c.include(dep)
		}
	}
	req, err := c.run([]*module{m})
	if err != nil {
		return nil, schema.Type{}, err
	}
	return req, t, nil
}

// typeNames resolves the names of types by the nodes of a registry.
type typeNames struct {
	file  *syntax.File
	reg   *schema.Registry
	scope schema.ID
}

// named is what a name leads to: a node, in a brand, or a builtin type.
type named struct {
	node    *schema.Node
	brand   schema.Brand
	builtin *builtin
	elem    *schema.Type // of a list
}

func (t *typeNames) fault(e *syntax.Expr, format string, args ...any) *Error {
	return t.file.Error(e.Span, fmt.Sprintf(format, args...))
}

func (t *typeNames) resolve(e *syntax.Expr) (named, *Error) {
	switch e.Kind {
	case syntax.RelName, syntax.AbsName:
		if n, ok := t.child(t.scope, e.Text); ok {
			return named{node: n}, nil
		}
		if b := builtins[e.Text]; b != nil && e.Kind == syntax.RelName {
			return named{builtin: b}, nil
		}
		return named{}, t.fault(e, "Not defined: %s", e.Text)
	case syntax.Member:
		r, err := t.resolve(e.Base)
		if err != nil {
			return r, err
		}
		if r.node != nil {
			if n, ok := t.child(r.node.ID, e.Text); ok {
				return named{node: n, brand: r.brand}, nil
			}
		}
		return named{}, t.fault(e, "Not defined: %s", e.Text)
	case syntax.Apply:
		return t.apply(e)
	}
	return named{}, t.fault(e, "Not a type.")
}

func (t *typeNames) child(scope schema.ID, name string) (*schema.Node, bool) {
	if n, ok := t.reg.Node(scope); ok {
		if id, ok := n.Child(name); ok {
			return t.reg.Node(id)
		}
	}
	return nil, false
}

// apply binds the parameters of a generic type.
func (t *typeNames) apply(e *syntax.Expr) (named, *Error) {
	r, err := t.resolve(e.Base)
	if err != nil {
		return r, err
	}
	var args []*schema.Type
	for _, a := range e.Args {
		ar, err := t.resolve(a.Value)
		if err != nil {
			return r, err
		}
		typ, err := t.typeOf(ar, a.Value)
		if err != nil {
			return r, err
		}
		args = append(args, &typ)
	}
	if r.builtin != nil {
		if r.builtin.kind != schema.ListType || r.elem != nil || len(args) != 1 {
			return r, t.fault(e, "Wrong number of type parameters for %s.", e.Base.Text)
		}
		r.elem = args[0]
		return r, nil
	}
	switch {
	case len(r.node.Params) == 0:
		return r, t.fault(e, "%s has no type parameters.", r.node.Path())
	case len(args) != len(r.node.Params) || r.brand.Scope(r.node.ID) != nil:
		return r, t.fault(e, "%s has %d type parameters, not %d.", r.node.Path(), len(r.node.Params), len(args))
	}
	for i, a := range args {
		if !a.Kind.IsPointer() {
			return r, t.fault(e.Args[i].Value, "Only pointer types can be type parameters.")
		}
	}
	r.brand = append(schema.Brand{{Scope: r.node.ID, Bind: args}}, r.brand...)
	return r, nil
}

func (t *typeNames) typeOf(r named, e *syntax.Expr) (schema.Type, *Error) {
	if r.builtin != nil {
		if r.builtin.kind == schema.ListType && r.elem == nil {
			return schema.Type{}, t.fault(e, "List needs the type of its elements.")
		}
		return schema.Type{Kind: r.builtin.kind, Any: r.builtin.any, Elem: r.elem}, nil
	}
	typ := schema.Type{ID: r.node.ID, Brand: r.brand}
	switch r.node.Kind {
	case schema.KindStruct:
		typ.Kind = schema.StructType
	case schema.KindEnum:
		typ.Kind = schema.EnumType
	case schema.KindInterface:
		typ.Kind = schema.InterfaceType
	default:
		return typ, t.fault(e, "%s is no type but a %v.", r.node.Path(), r.node.Kind)
	}
	return typ, nil
}
