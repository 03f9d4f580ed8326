package deps

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Check compares the module at the root of fsys with the policy and returns
// what breaks it, one line each with file and line number. The error is for a
// tree that cannot be read or parsed.
func Check(fsys fs.FS) ([]string, error) {
	files, err := Load(fsys)
	if err != nil {
		return nil, err
	}
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("deps: %w", err)
	}
	c := &checker{graph: importGraph(files)}
	c.table()
	c.modules(mod)
	for _, f := range files {
		c.file(f)
	}
	return c.faults, nil
}

type checker struct {
	faults []string
	graph  map[string][]string // package to the packages of ours that its non-test files import
}

func (c *checker) fault(file string, line int, format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf("%s:%d: %s", file, line, fmt.Sprintf(format, args...)))
}

// table checks the policy itself: a rule may only name what stands above it.
func (c *checker) table() {
	above := map[string]bool{}
	for i, r := range Policy {
		for _, p := range r.Ours {
			if !above[p] {
				c.fault("policy", i, "%s may import %s, which does not stand above it", r.Package, p)
			}
		}
		for _, m := range r.Modules {
			if !slices.Contains(Modules, m) {
				c.fault("policy", i, "%s may import %s, which is not among Modules", r.Package, m)
			}
		}
		if above[r.Package] {
			c.fault("policy", i, "%s has two rules", r.Package)
		}
		above[r.Package] = true
	}
}

func (c *checker) modules(mod []byte) {
	listed, unwanted := requires(mod)
	for _, m := range listed {
		if !slices.Contains(Modules, m.Path) {
			c.fault("go.mod", m.Line, "requires %s, which the policy does not name", m.Path)
		}
	}
	for _, d := range unwanted {
		c.fault("go.mod", d.Line, "%s: the root module has no such directive", d.Path)
	}
}

func (c *checker) file(f *File) {
	rule := ruleFor(f.Package)
	if rule == nil {
		c.fault(f.Path, 1, "package %s has no rule in the policy", f.Package)
		return
	}
	for _, imp := range f.Imports {
		c.imports(f, rule, imp)
	}
	c.safety(f)
	if f.Lines > MaxLines && !f.Test && !f.Generated {
		c.fault(f.Path, f.Lines, "%d lines; the most is %d: split it", f.Lines, MaxLines)
	}
}

func (c *checker) imports(f *File, rule *Rule, imp Import) {
	target, ours := ourPackage(imp.Path)
	switch {
	case imp.Path == "C":
		c.fault(f.Path, imp.Line, "cgo is used nowhere in this module")
	case imp.Path == "unsafe":
		if !mayBeUnsafe(f.Path) {
			c.fault(f.Path, imp.Line, "unsafe belongs in internal/mem or in a file named *_unsafe.go")
		}
	case ours && f.Test:
		// The compiler refuses a cycle through a package's own tests too, but
		// only where the file's build tags hold.
		if !f.External && c.reaches(target, f.Package) {
			c.fault(f.Path, imp.Line, "test of %s imports %s, which imports %s: a cycle", f.Package, target, f.Package)
		}
	case ours:
		// Folders of one rule may import each other: the compiler sees to cycles.
		if r := ruleFor(target); r != nil && r.TestOnly && !rule.TestOnly {
			c.fault(f.Path, imp.Line, "%s is for test files only", target)
		} else if r != rule && !slices.Contains(rule.Ours, target) {
			c.fault(f.Path, imp.Line, "%s may not import %s", f.Package, target)
		}
	case isThirdParty(imp.Path):
		ok := allowsModule(rule.Modules, imp.Path) || f.Test && allowsModule(TestModules, imp.Path)
		if !ok {
			c.fault(f.Path, imp.Line, "%s may not import %s", f.Package, imp.Path)
		}
	}
}

// safety reports declarations that use unsafe and do not say why they may.
// Sizeof, Alignof and Offsetof are constants and touch no memory.
func (c *checker) safety(f *File) {
	if !slices.ContainsFunc(f.Imports, func(i Import) bool { return i.Path == "unsafe" }) {
		return
	}
	for _, decl := range f.ast.Decls {
		use := unsafeUse(decl)
		if use == token.NoPos {
			continue
		}
		start, doc := decl.Pos(), (*ast.CommentGroup)(nil)
		switch d := decl.(type) {
		case *ast.FuncDecl:
			doc = d.Doc
		case *ast.GenDecl:
			doc = d.Doc
		}
		if doc != nil {
			start = doc.Pos()
		}
		said := slices.ContainsFunc(f.ast.Comments, func(g *ast.CommentGroup) bool {
			return g.Pos() >= start && g.End() <= decl.End() && hasSafetyLine(g)
		})
		if !said {
			c.fault(f.Path, f.fset.Position(use).Line, "unsafe without a // SAFETY: line in or directly above the declaration")
		}
	}
}

func unsafeUse(decl ast.Decl) token.Pos {
	found := token.NoPos
	ast.Inspect(decl, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || found != token.NoPos {
			return found == token.NoPos
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "unsafe" {
			switch sel.Sel.Name {
			case "Sizeof", "Alignof", "Offsetof":
			default:
				found = sel.Pos()
			}
		}
		return true
	})
	return found
}

func hasSafetyLine(g *ast.CommentGroup) bool {
	return slices.ContainsFunc(g.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "// SAFETY:") })
}

func mayBeUnsafe(file string) bool {
	return path.Dir(file) == "internal/mem" || strings.HasSuffix(file, "_unsafe.go") || strings.HasSuffix(file, "_unsafe_test.go")
}

func ruleFor(pkg string) *Rule {
	for i := range Policy {
		r := &Policy[i]
		if parent, ok := strings.CutSuffix(r.Package, "/..."); r.Package == pkg || ok && strings.HasPrefix(pkg, parent+"/") {
			return r
		}
	}
	return nil
}

func ourPackage(imp string) (pkg string, ok bool) {
	if imp == Module {
		return ".", true
	}
	return strings.CutPrefix(imp, Module+"/")
}

// isThirdParty tells modules from the standard library by the dot that a
// module's host has.
func isThirdParty(imp string) bool {
	host, _, _ := strings.Cut(imp, "/")
	return strings.Contains(host, ".")
}

func allowsModule(modules []string, imp string) bool {
	return slices.ContainsFunc(modules, func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") })
}

func importGraph(files []*File) map[string][]string {
	graph := map[string][]string{}
	for _, f := range files {
		if f.Test {
			continue
		}
		for _, imp := range f.Imports {
			if target, ours := ourPackage(imp.Path); ours && !slices.Contains(graph[f.Package], target) {
				graph[f.Package] = append(graph[f.Package], target)
			}
		}
	}
	return graph
}

// reaches reports whether package from imports package to, directly or not.
func (c *checker) reaches(from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(p string) bool {
		if p == to {
			return true
		}
		if seen[p] {
			return false
		}
		seen[p] = true
		return slices.ContainsFunc(c.graph[p], walk)
	}
	return walk(from)
}
