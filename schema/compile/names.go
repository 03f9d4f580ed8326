package compile

import (
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// refKind tells what a name stands for.
type refKind uint8

const (
	refNone refKind = iota
	refDecl
	refBuiltin
	refParam       // the generic parameter index of the declaration scope
	refMethodParam // the implicit parameter index of the method
)

// ref is what a name stands for, with what its generic parameters are bound to.
type ref struct {
	kind    refKind
	decl    *decl
	builtin *builtin
	brand   *brand // of a declaration, or of List
	scope   schema.ID
	index   uint16
	src     *syntax.Expr // where it is named; nil for what follows from something else
}

// is tells whether r is a declaration of the kind.
func (r *ref) is(k schema.Kind) bool { return r.kind == refDecl && r.decl.kind == k }

// builtin is a type of the language.
type builtin struct {
	kind     schema.TypeKind
	any      schema.AnyKind
	argument bool // may be the argument of a generic
}

var builtins = map[string]*builtin{
	"Void":    {kind: schema.Void},
	"Bool":    {kind: schema.Bool},
	"Int8":    {kind: schema.Int8},
	"Int16":   {kind: schema.Int16},
	"Int32":   {kind: schema.Int32},
	"Int64":   {kind: schema.Int64},
	"UInt8":   {kind: schema.Uint8},
	"UInt16":  {kind: schema.Uint16},
	"UInt32":  {kind: schema.Uint32},
	"UInt64":  {kind: schema.Uint64},
	"Float32": {kind: schema.Float32},
	"Float64": {kind: schema.Float64},
	"Text":    {kind: schema.Text, argument: true},
	"Data":    {kind: schema.Data, argument: true},
	"List":    {kind: schema.ListType, argument: true},

	"AnyPointer": anyPointer,
	"AnyStruct":  {kind: schema.AnyPointer, any: schema.AnyStruct},
	"AnyList":    {kind: schema.AnyPointer, any: schema.AnyList},
	"Capability": {kind: schema.AnyPointer, any: schema.AnyCapability},
}

var anyPointer = &builtin{kind: schema.AnyPointer, argument: true}

// brand says what the generic parameters of a declaration and of the scopes
// around it are bound to. It is not changed once made.
type brand struct {
	id        schema.ID
	n         int  // how many parameters there are
	inherited bool // they are those of the scope that the name is used in
	params    []ref
	parent    *brand
}

// pop gives the part of b for the scope id. If the scope is none of b's, that
// is a brand that binds nothing.
func (b *brand) pop(id schema.ID) *brand {
	for p := b; p != nil; p = p.parent {
		if p.id == id {
			return p
		}
	}
	return &brand{id: id}
}

// level gives the part of b for the scope id, or nil.
func (b *brand) level(id schema.ID) *brand {
	for ; b != nil; b = b.parent {
		if b.id == id {
			return b
		}
	}
	return nil
}

// push gives the brand of a declaration in b's scope, whose own parameters are
// not bound.
func (b *brand) push(d *decl) *brand {
	if d.parent != nil && b == d.parent.open {
		if d.bare == nil {
			d.bare = &brand{id: d.id, n: len(d.params()), parent: b}
		}
		return d.bare
	}
	return &brand{id: d.id, n: len(d.params()), parent: b}
}

// level is a scope of a brand that binds something.
type level struct {
	id        schema.ID
	inherited bool
	params    []ref
}

// levels lists the scopes that bind something, innermost first.
func (b *brand) levels() (out []level) {
	for ; b != nil; b = b.parent {
		if b.inherited && b.n > 0 {
			out = append(out, level{id: b.id, inherited: true})
		} else if len(b.params) > 0 {
			out = append(out, level{id: b.id, params: b.params})
		}
	}
	return out
}

// lookup gives what a parameter is bound to; ok is false if it is inherited.
func (b *brand) lookup(id schema.ID, index uint16) (r ref, ok bool) {
	l := b.level(id)
	switch {
	case l != nil && int(index) < len(l.params):
		return l.params[index], true
	case l != nil && l.inherited:
		return ref{}, false
	}
	return ref{kind: refBuiltin, builtin: anyPointer}, true
}

// rebrand gives the brand of d whose levels are bound, as seen from b's scope.
func (c *compiler) rebrand(b *brand, d *decl, bound []level) *brand {
	if d == nil {
		return nil
	}
	out := &brand{id: d.id, n: len(d.params())}
	if len(bound) > 0 && bound[0].id == d.id {
		if !bound[0].inherited {
			out.params = c.substituteAll(b, bound[0].params)
		} else if l := b.level(d.id); l != nil {
			out.params, out.inherited = l.params, l.inherited
		}
		bound = bound[1:]
	}
	out.parent = c.rebrand(b, d.parent, bound)
	return out
}

func (c *compiler) substituteAll(b *brand, in []ref) []ref {
	out := make([]ref, len(in))
	for i := range in {
		out[i] = c.substitute(b, in[i])
	}
	return out
}

// substitute gives r, which was looked up where nothing is bound, as it is for
// someone whose brand is b.
func (c *compiler) substitute(b *brand, r ref) ref {
	if !c.step() {
		return r
	}
	switch r.kind {
	case refParam:
		if bound, ok := b.lookup(r.scope, r.index); ok {
			return bound
		}
	case refDecl:
		r.brand = c.rebrand(b, r.decl, r.brand.levels())
	case refBuiltin:
		if r.brand != nil {
			r.brand = &brand{n: 1, params: c.substituteAll(b, r.brand.params)}
		}
	}
	return r
}

// scope is where an expression stands: names are looked up from there.
type scope struct {
	decl *decl
	// implicit are a method's own parameters. They belong to the struct implicitOf,
	// or to the method if that is 0.
	implicit   []syntax.Name
	implicitOf schema.ID
}

// resolve gives what an expression names. If it names nothing, that has been
// reported.
func (c *compiler) resolve(s *scope, e *syntax.Expr) (ref, bool) {
	switch e.Kind {
	case syntax.Bad:
	case syntax.RelName:
		return c.resolveName(s, e)
	case syntax.AbsName:
		m, ok := s.decl.mod.root.find(e.Text)
		if !ok {
			c.failAt(s.decl.mod, e.TextSpan, "Not defined: %s", e.Text)
			return ref{}, false
		}
		return c.interpret(s.decl.open, s.decl.mod.root, m, e)
	case syntax.Import:
		return c.resolveImport(s, e)
	case syntax.Apply:
		return c.resolveApply(s, e)
	case syntax.Member:
		base, ok := c.resolve(s, e.Base)
		if !ok {
			return ref{}, false
		}
		if base.kind == refDecl {
			if m, ok := base.decl.find(e.Text); ok {
				return c.interpret(base.brand, base.decl, m, e)
			}
		}
		c.failAt(s.decl.mod, e.TextSpan, "'%s' has no member named '%s'", exprString(e.Base), e.Text)
	default:
		c.failAt(s.decl.mod, e.Span, "Expected name.")
	}
	return ref{}, false
}

func (c *compiler) resolveName(s *scope, e *syntax.Expr) (ref, bool) {
	for i, p := range s.implicit {
		if p.Text != e.Text {
			continue
		}
		if s.implicitOf == 0 {
			return ref{kind: refMethodParam, index: uint16(i), src: e}, true
		}
		return ref{kind: refParam, scope: s.implicitOf, index: uint16(i), src: e}, true
	}
	for d := s.decl; d != nil; d = d.parent {
		if m, ok := d.find(e.Text); ok {
			return c.interpret(s.decl.open, d, m, e)
		}
		for i, p := range d.params() {
			if p.Text == e.Text {
				return ref{kind: refParam, scope: d.id, index: uint16(i), src: e}, true
			}
		}
	}
	if b := builtins[e.Text]; b != nil {
		return ref{kind: refBuiltin, builtin: b, src: e}, true
	}
	c.failAt(s.decl.mod, e.TextSpan, "Not defined: %s", e.Text)
	return ref{}, false
}

// interpret gives what m, found in the scope in, is for someone whose brand is
// b.
func (c *compiler) interpret(b *brand, in *decl, m member, src *syntax.Expr) (ref, bool) {
	b = b.pop(in.id)
	if m.decl != nil {
		return ref{kind: refDecl, decl: m.decl, brand: b.push(m.decl), src: src}, true
	}
	a := m.alias
	c.resolveAlias(a)
	r := a.target
	switch {
	case r.kind == refNone:
		return ref{}, false
	case r.kind == refDecl && len(a.bound) == 0:
		r.brand = b.push(r.decl)
	case r.kind == refDecl:
		r.brand = c.rebrand(b, r.decl, a.bound)
	default:
		r = c.substitute(b, r)
	}
	r.src = src
	return r, true
}

// resolveAlias finds what a using stands for.
func (c *compiler) resolveAlias(a *alias) {
	switch a.state {
	case idle:
		if !c.descend(a.in.mod, a.ast.Name.Span) {
			return
		}
		defer c.ascend()
		a.state = busy
		target, ok := c.resolve(&scope{decl: a.in}, a.ast.Type)
		if ok && a.state == busy {
			a.target = target
			if target.kind == refDecl {
				a.bound = target.brand.levels()
			}
		}
		a.state = done
	case busy:
		a.state = done // so that it is reported once
		c.failAt(a.in.mod, a.ast.Name.Span, "Declaration recursively depends on itself.")
	case done:
	}
}

func (c *compiler) resolveImport(s *scope, e *syntax.Expr) (ref, bool) {
	m, err := c.importFile(s.decl.mod, e.Text)
	if err != nil {
		c.failAt(s.decl.mod, e.TextSpan, "Import failed: %s%s", e.Text, reason(err))
	}
	if m == nil {
		return ref{}, false
	}
	return ref{kind: refDecl, decl: m.root, brand: m.root.open, src: e}, true
}

func (c *compiler) resolveApply(s *scope, e *syntax.Expr) (ref, bool) {
	r, ok := c.resolve(s, e.Base)
	if !ok {
		return ref{}, false
	}
	args := make([]ref, 0, len(e.Args))
	for _, a := range e.Args {
		if a.Name.Text != "" {
			c.failAt(s.decl.mod, a.Name.Span, "Named parameter not allowed here.")
		}
		if arg, ok := c.resolve(s, a.Value); ok {
			args = append(args, arg)
		}
	}
	if len(args) < len(e.Args) {
		return ref{}, false
	}
	n, bound := 0, false
	switch r.kind {
	case refDecl:
		n, bound = r.brand.n, len(r.brand.params) > 0
	case refBuiltin:
		if r.builtin.kind == schema.ListType {
			n, bound = 1, r.brand != nil
		}
	}
	problem := ""
	switch {
	case bound:
		problem = "Double-application of generic parameters."
	case n == 0:
		problem = "Declaration does not accept generic parameters."
	case len(args) > n:
		problem = "Too many generic parameters."
	case len(args) < n:
		problem = "Not enough generic parameters."
	}
	if problem != "" {
		c.failAt(s.decl.mod, e.Span, "%s", problem)
		return ref{}, false
	}
	r.src = e
	if r.kind == refBuiltin {
		r.brand = &brand{n: 1, params: args}
		return r, true
	}
	for i := range args {
		a := &args[i]
		if a.kind == refBuiltin && !a.builtin.argument ||
			a.kind == refDecl && !a.is(schema.KindStruct) && !a.is(schema.KindInterface) {
			c.failAt(s.decl.mod, e.Args[i].Value.Span, "Sorry, only pointer types can be used as generic parameters.")
			return ref{}, false
		}
	}
	r.brand = &brand{id: r.brand.id, n: n, params: args, parent: r.brand.parent}
	return r, true
}

// exprString gives the name that an expression is, as the source has it but for
// white space.
func exprString(e *syntax.Expr) string {
	switch e.Kind {
	case syntax.RelName:
		return e.Text
	case syntax.AbsName:
		return "." + e.Text
	case syntax.Member:
		return exprString(e.Base) + "." + e.Text
	case syntax.Import:
		return "import " + strconv.Quote(e.Text)
	case syntax.Apply:
		args := make([]string, len(e.Args))
		for i, a := range e.Args {
			args[i] = exprString(a.Value)
		}
		return exprString(e.Base) + "(" + strings.Join(args, ", ") + ")"
	}
	return "…"
}
