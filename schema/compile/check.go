package compile

import (
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// checkNames checks the names of all that is declared directly in d, and in its
// groups and unions: their form, and that none is used twice.
func (c *compiler) checkNames(d *decl) {
	if d.kind == schema.KindConst || d.kind == schema.KindAnnotation {
		return
	}
	n := names{c: c, mod: d.mod, nodesAllowed: d.kind != schema.KindEnum}
	n.check(d.members(), make(map[string]syntax.Span, len(d.members())))
}

type names struct {
	c            *compiler
	mod          *module
	nodesAllowed bool
}

func (n *names) check(members []*syntax.Decl, seen map[string]syntax.Span) {
	for _, m := range members {
		n.unique(m.Name, seen)
		n.form(m)
		switch m.Kind {
		case syntax.Using, syntax.Const, syntax.Enum, syntax.Struct, syntax.Interface, syntax.AnnotationDecl:
			if !n.nodesAllowed {
				n.c.failAt(n.mod, m.Span, "This kind of declaration doesn't belong here.")
			}
		case syntax.Union, syntax.Group:
			inner := names{c: n.c, mod: n.mod}
			if m.Name.Text == "" {
				// An unnamed union's members share the scope.
				inner.check(m.Members, seen)
			} else {
				inner.check(m.Members, make(map[string]syntax.Span, len(m.Members)))
			}
		}
	}
}

// checkParams checks that no two parameters of a method have the same name.
func (c *compiler) checkParams(m *module, params []syntax.Param) {
	if len(params) < 2 {
		return
	}
	n := names{c: c, mod: m}
	seen := make(map[string]syntax.Span, len(params))
	for i := range params {
		n.unique(params[i].Name, seen)
	}
}

func (n *names) unique(name syntax.Name, seen map[string]syntax.Span) {
	first, again := seen[name.Text]
	if !again {
		seen[name.Text] = name.Span
		return
	}
	if name.Text == "" {
		n.c.failAt(n.mod, name.Span, "An unnamed union is already defined in this scope.")
		n.c.failAt(n.mod, first, "Previously defined here.")
		return
	}
	n.c.failAt(n.mod, name.Span, "'%s' is already defined in this scope.", name.Text)
	n.c.failAt(n.mod, first, "'%s' previously defined here.", name.Text)
}

// form checks how a name is written: types and only they start with a capital.
func (n *names) form(m *syntax.Decl) {
	name := m.Name.Text
	if name == "" {
		return
	}
	isType := false
	switch m.Kind {
	case syntax.Using:
		target := targetName(m.Type)
		isType = target == "" || target[0] < 'a' || target[0] > 'z'
	case syntax.Enum, syntax.Struct, syntax.Interface:
		isType = true
	}
	switch {
	case isType && (name[0] < 'A' || name[0] > 'Z'):
		n.c.failAt(n.mod, m.Name.Span, "Type names must begin with a capital letter.")
	case !isType && (name[0] < 'a' || name[0] > 'z'):
		n.c.failAt(n.mod, m.Name.Span, "Non-type names must begin with a lower-case letter.")
	}
	if strings.Contains(name, "_") {
		n.c.failAt(n.mod, m.Name.Span, "Cap'n Proto declaration names should use camelCase and must not contain underscores. "+
			"(Code generators may convert names to the appropriate style for the target language.)")
	}
}

// targetName gives the last name of what a using refers to, "" if it has none.
func targetName(e *syntax.Expr) string {
	for e.Kind == syntax.Apply {
		e = e.Base
	}
	switch e.Kind {
	case syntax.RelName, syntax.AbsName, syntax.Member:
		return e.Text
	}
	return ""
}
