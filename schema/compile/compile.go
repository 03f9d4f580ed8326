package compile

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
	"github.com/fairlead-go/fairlead/segment"
)

// Files compiles the named files and what they import. The result has all nodes
// of the files, and of imported ones those that are needed: what the files
// refer to, what that refers to, and what each of these is declared in.
//
// The error is of type [Errors] if the fault is in a schema; then it has all
// faults of all files.
func Files(names []string, opt Options) (*schema.Request, error) {
	c, err := newCompiler(opt)
	if err != nil {
		return nil, err
	}
	files := make([]*module, len(names))
	for i, name := range names {
		if files[i], err = c.open(name); err != nil {
			return nil, err
		}
	}
	return c.run(files)
}

// open loads a file that is named by the caller.
func (c *compiler) open(name string) (*module, error) {
	loc, err := c.find.named(name)
	if err != nil {
		return nil, err
	}
	file, err := loc.open()
	if err != nil {
		return nil, fmt.Errorf("compile: %s: %w", name, plain(err))
	}
	m, err := c.load(loc, file)
	if err != nil {
		return nil, fmt.Errorf("compile: %s: %w", name, err)
	}
	return m, nil
}

// Source compiles a text as if it were the contents of the file called name,
// which need not exist. See [Files].
func Source(name string, text []byte, opt Options) (*schema.Request, error) {
	c, err := newCompiler(opt)
	if err != nil {
		return nil, err
	}
	loc, err := c.find.named(name)
	if err != nil {
		return nil, err
	}
	return c.run([]*module{c.parse(loc, text)})
}

// plain leaves out the path that the file system puts into its errors.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// compiler is one run.
type compiler struct {
	opt     Options
	find    *finder
	modules map[string]*module // by location; several may lead to one
	order   []*module          // as they were loaded
	byID    map[schema.ID]*decl
	groups  map[schema.ID]*schema.Node
	errs    Errors

	included []*decl  // what the result has, in order
	tasks    []func() // values that are left for later

	// What is left of the limits, and whether it was said that nothing is.
	steps, words, embedBytes int64
	tooMany, tooComplex      bool
	chain                    int // how many aliases and constants are being looked into
}

func newCompiler(opt Options) (*compiler, error) {
	find, err := newFinder(opt)
	if err != nil {
		return nil, err
	}
	return &compiler{
		opt: opt, find: find, modules: make(map[string]*module), byID: make(map[schema.ID]*decl),
		groups: make(map[schema.ID]*schema.Node),
		steps:  freeSteps, words: maxValueWords, embedBytes: maxEmbedBytes,
	}, nil
}

func (c *compiler) run(files []*module) (*schema.Request, error) {
	for _, m := range files {
		c.request(m.root)
	}
	if c.tooMany {
		return nil, c.errs.Err()
	}
	// Shaping a declaration adds what it depends on.
	for i := 0; i < len(c.included); i++ {
		d := c.included[i]
		c.shape(d)
		for _, dep := range d.deps {
			for ; dep != nil; dep = dep.parent {
				c.include(dep)
			}
		}
	}
	for _, d := range c.included {
		if d.kind == schema.KindConst {
			c.constant(d)
		}
	}
	for i := 0; i < len(c.tasks) && len(c.errs) < syntax.MaxErrors; i++ {
		c.tasks[i]()
	}
	req := &schema.Request{}
	for _, m := range files {
		req.Files = append(req.Files, schema.RequestedFile{ID: m.root.id, Name: m.name, Imports: c.importTable(m)})
	}
	c.errs.Sort()
	if err := c.errs.Err(); err != nil {
		return nil, err
	}
	for _, d := range c.included {
		req.Nodes = append(req.Nodes, d.node)
		req.Nodes = append(req.Nodes, d.aux...)
	}
	return req, nil
}

// request includes d and all that is declared in it.
func (c *compiler) request(d *decl) {
	c.include(d)
	for _, a := range d.aliases {
		c.resolveAlias(a)
	}
	for _, n := range d.nested {
		c.request(n)
	}
}

func (c *compiler) include(d *decl) {
	if !d.included {
		d.included = true
		c.included = append(c.included, d)
	}
}

// later runs f when every type is known.
func (c *compiler) later(f func()) { c.tasks = append(c.tasks, f) }

func (c *compiler) fail(e *Error) { c.errs = append(c.errs, e) }

func (c *compiler) failAt(m *module, at syntax.Span, format string, args ...any) {
	if len(c.errs) < syntax.MaxErrors {
		c.fail(m.file.Error(at, fmt.Sprintf(format, args...)))
	}
}

// step counts work that a short text can ask a lot of.
func (c *compiler) step() bool {
	c.steps--
	if c.steps < 0 && !c.tooComplex {
		c.tooComplex = true
		c.failAt(c.order[0], syntax.Span{}, "Types are too complex: aliases and generic arguments make them too large.")
	}
	return c.steps >= 0
}

// nodeOf gives a node by its id for the evaluation of values. Groups are found
// through the struct that they are in, which has been shaped.
func (c *compiler) nodeOf(id schema.ID) *schema.Node {
	if d := c.byID[id]; d != nil {
		c.shape(d)
		return d.node
	}
	return c.groups[id]
}

// evaluate gives a value of type t: at once if it is no pointer, for those are
// needed when values of structs are built, else later.
func (c *compiler) evaluate(d *decl, e *syntax.Expr, t schema.Type, to *schema.Value) {
	if !t.Kind.IsPointer() {
		c.evaluator(d).put(e, t, bitsSlot{to: &to.Bits})
		return
	}
	c.later(func() { c.evaluatePtr(d, e, t, to) })
}

func (c *compiler) evaluatePtr(d *decl, e *syntax.Expr, t schema.Type, to *schema.Value) {
	v := c.evaluator(d)
	if !v.take(e, valueWords) {
		return
	}
	failed := false
	value, err := schema.NewValue(t.Kind, func(p segment.PtrBuilder) { failed = !v.put(e, t, ptrSlot{p: p}) })
	switch {
	case failed:
	case err != nil:
		c.failAt(d.mod, e.Span, "Value cannot be built: %v.", err)
	default:
		*to = value
	}
}

// evaluator evaluates what stands in d.
func (c *compiler) evaluator(d *decl) *valuer {
	return &valuer{
		node:     c.nodeOf,
		fail:     func(at syntax.Span, msg string) { c.failAt(d.mod, at, "%s", msg) },
		constant: func(e *syntax.Expr, t schema.Type) (schema.Type, schema.Value, bool) { return c.namedConstant(d, e, t) },
		embed:    func(e *syntax.Expr) ([]byte, bool) { return c.embedded(d, e) },
		words:    &c.words,
		limit:    maxValueWords,
	}
}

// descend counts aliases and constants that lead to each other.
func (c *compiler) descend(m *module, at syntax.Span) bool {
	if c.chain == maxChain {
		c.failAt(m, at, "More than %d declarations lead from one to the next.", maxChain)
		return false
	}
	c.chain++
	return true
}

func (c *compiler) ascend() { c.chain-- }

// constant evaluates a const. It gives false if it depends on itself or has no
// type.
func (c *compiler) constant(d *decl) bool {
	c.shape(d)
	if d.untyped {
		return false
	}
	switch d.value {
	case busy:
		c.failAt(d.mod, d.span(), "Declaration recursively depends on itself.")
		return false
	case idle:
		if !c.descend(d.mod, d.span()) {
			return false
		}
		defer c.ascend()
		d.value = busy
		if v := d.node.Const; v.Type.Kind.IsPointer() {
			c.evaluatePtr(d, d.ast.Value, v.Type, &v.Value)
		} else {
			c.evaluator(d).put(d.ast.Value, v.Type, bitsSlot{to: &v.Value.Bits})
		}
		d.value = done
	}
	return true
}

// namedConstant gives the constant that an expression in d names.
func (c *compiler) namedConstant(d *decl, e *syntax.Expr, wanted schema.Type) (t schema.Type, v schema.Value, ok bool) {
	s := &scope{decl: d}
	r, ok := c.resolve(s, e)
	if !ok {
		return t, v, false
	}
	if !r.is(schema.KindConst) {
		c.failAt(d.mod, e.Span, "'%s' does not refer to a constant.", exprString(e))
		return t, v, false
	}
	if e.Kind == syntax.RelName {
		parent := ""
		if r.decl.parent.kind != schema.KindFile {
			parent = r.decl.parent.node.Name()
		}
		c.failAt(d.mod, e.Span, "Constant names must be qualified to avoid confusion.  Please replace '%s' with '%s.%s', "+
			"if that's what you intended.", e.Text, parent, e.Text)
	}
	c.shape(r.decl)
	// A struct whose fields are just being placed has no values yet.
	if k := r.decl.node.Const.Type.Kind; wanted.Kind.IsPointer() || !k.IsPointer() {
		if !c.constant(r.decl) {
			return t, v, false
		}
	}
	// The brand is only for the type: the constant is not part of the result.
	t = r.decl.node.Const.Type.Bind(c.compileBrand(&scope{decl: &decl{mod: d.mod}}, r.brand))
	return t, r.decl.node.Const.Value, true
}

// embedded gives the bytes of a file that is embedded in d.
func (c *compiler) embedded(d *decl, e *syntax.Expr) ([]byte, bool) {
	file, err := c.find.open(d.mod.loc, e.Text)
	var b []byte
	if err == nil {
		b, err = readAll(file, c.embedBytes)
	}
	if err != nil {
		c.failAt(d.mod, e.TextSpan, "Couldn't read file for embed: %s%s", e.Text, reason(err))
		return nil, false
	}
	c.embedBytes -= int64(len(b))
	return b, true
}

// importTable lists what a file imports for the sake of types, superclasses,
// methods and annotations. Values are in the result themselves.
func (c *compiler) importTable(m *module) []schema.Import {
	found := make(map[string]bool)
	collectImports(m.file.Decls, found)
	annotationImports(m.file.Annotations, found)
	var out []schema.Import
	for name := range found {
		if to, err := c.importFile(m, name); err == nil && to != nil {
			out = append(out, schema.Import{ID: to.root.id, Name: strings.Clone(name)})
		}
	}
	slices.SortFunc(out, func(a, b schema.Import) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func collectImports(decls []*syntax.Decl, found map[string]bool) {
	for _, d := range decls {
		if d.Kind != syntax.AnnotationDecl { // the reference compiler leaves their types out
			exprImports(d.Type, found)
		}
		for _, e := range d.Extends {
			exprImports(e, found)
		}
		paramImports(d.Args, found)
		paramImports(d.Results, found)
		annotationImports(d.Annotations, found)
		collectImports(d.Members, found)
	}
}

func paramImports(list *syntax.ParamList, found map[string]bool) {
	if list == nil {
		return
	}
	exprImports(list.Type, found)
	if list.Stream {
		found[streamFile] = true
	}
	for i := range list.Params {
		exprImports(list.Params[i].Type, found)
		annotationImports(list.Params[i].Annotations, found)
	}
}

func annotationImports(list []syntax.Annotation, found map[string]bool) {
	for i := range list {
		exprImports(list[i].Name, found)
	}
}

func exprImports(e *syntax.Expr, found map[string]bool) {
	for ; e != nil; e = e.Base {
		if e.Kind == syntax.Import {
			found[e.Text] = true
		}
		for _, a := range e.Args {
			exprImports(a.Value, found)
		}
	}
}
