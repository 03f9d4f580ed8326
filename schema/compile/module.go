package compile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// module is a schema file.
type module struct {
	loc     location
	name    string // in the result
	file    *syntax.File
	info    fs.FileInfo // of a file of the operating system, else nil
	root    *decl
	imports map[string]*module // by the name in the source; nil if it failed
}

// decl is a declaration that has an id: a file, or a const, enum, struct,
// interface or annotation.
type decl struct {
	mod    *module
	parent *decl        // nil for a file
	ast    *syntax.Decl // nil for a file
	kind   schema.Kind
	id     schema.ID
	node   *schema.Node

	nested  []*decl
	aliases []*alias
	names   map[string]member // of nested and aliases, if there are many

	generic bool   // it, or something around it, has parameters
	open    *brand // every parameter is what the surroundings make of it
	bare    *brand // no parameter is bound; nil until it is needed

	shaped   bool
	included bool
	untyped  bool           // a const or annotation whose type has a fault
	aux      []*schema.Node // groups, parameters and results
	deps     []*decl
	value    state // of a const
}

// state is how far something got that may depend on itself.
type state uint8

const (
	idle state = iota
	busy
	done
)

// alias is a using.
type alias struct {
	in     *decl
	ast    *syntax.Decl
	state  state
	target ref // refNone if it failed
	bound  []level
}

// member is what a name in a scope stands for.
type member struct {
	decl  *decl
	alias *alias
}

// manyNames is from when on a scope has a table of its names.
const manyNames = 8

// find looks a name up among what is declared directly in d.
func (d *decl) find(name string) (member, bool) {
	if d.names != nil {
		m, ok := d.names[name]
		return m, ok
	}
	for _, n := range d.nested {
		if n.ast.Name.Text == name {
			return member{decl: n}, true
		}
	}
	for _, a := range d.aliases {
		if a.ast.Name.Text == name {
			return member{alias: a}, true
		}
	}
	return member{}, false
}

// params are d's own generic parameters.
func (d *decl) params() []syntax.Name {
	if d.ast == nil || d.kind != schema.KindStruct && d.kind != schema.KindInterface {
		return nil
	}
	return d.ast.Params
}

// span is where errors about d as a whole are shown.
func (d *decl) span() syntax.Span {
	if d.ast == nil {
		return syntax.Span{}
	}
	return d.ast.Name.Span
}

func (d *decl) annotations() []syntax.Annotation {
	if d.ast == nil {
		return d.mod.file.Annotations
	}
	return d.ast.Annotations
}

func (d *decl) members() []*syntax.Decl {
	if d.ast == nil {
		return d.mod.file.Decls
	}
	return d.ast.Members
}

// nodeKinds are the kinds of the declarations that have an id.
var nodeKinds = map[syntax.DeclKind]schema.Kind{
	syntax.Const:          schema.KindConst,
	syntax.Enum:           schema.KindEnum,
	syntax.Struct:         schema.KindStruct,
	syntax.Interface:      schema.KindInterface,
	syntax.AnnotationDecl: schema.KindAnnotation,
}

func hasNode(k syntax.DeclKind) bool { return nodeKinds[k] != 0 }

// load reads a file, unless that has happened, and parses it.
func (c *compiler) load(loc location, file fs.File) (*module, error) {
	defer file.Close()
	key := loc.key()
	if m := c.modules[key]; m != nil {
		return m, nil
	}
	var info fs.FileInfo
	if loc.in.fsys == nil {
		var err error
		if info, err = file.Stat(); err != nil {
			return nil, err
		}
		for _, m := range c.order {
			if m.info != nil && os.SameFile(m.info, info) {
				c.modules[key] = m
				return m, nil
			}
		}
	}
	if len(c.order) >= maxFiles {
		return nil, fmt.Errorf("it would be one file more than %d", maxFiles)
	}
	text, err := readAll(file, syntax.MaxSource)
	if err != nil {
		return nil, err
	}
	m := c.parse(loc, text)
	m.info = info
	return m, nil
}

// parse makes a module of a text.
func (c *compiler) parse(loc location, text []byte) *module {
	file, errs := syntax.Parse(loc.shown(), text)
	for _, e := range errs {
		c.fail(e)
	}
	m := &module{loc: loc, name: loc.rel, file: file}
	c.modules[loc.key()] = m
	c.order = append(c.order, m)
	c.steps += int64(len(text)) / stepBytes
	m.root = &decl{mod: m, kind: schema.KindFile}
	m.root.id = c.fileID(m)
	c.declare(m.root, m.name)
	return m
}

// fileID is the id that the file gives itself.
func (c *compiler) fileID(m *module) schema.ID {
	if m.file.ID.IsSet() {
		return schema.ID(m.file.ID.Value)
	}
	// A file that is too large was not looked at.
	if !c.opt.RandomIDs && (m.file.Text != "" || len(c.errs) == 0) {
		c.fail(m.file.MissingID())
	}
	return schema.ID(syntax.NewID())
}

// declare gives d its node, and does the same for what is declared in it.
func (c *compiler) declare(d *decl, displayName string) {
	params := d.params()
	d.generic = len(params) > 0 || d.parent != nil && d.parent.generic
	d.open = &brand{id: d.id, n: len(params), inherited: true}
	d.node = &schema.Node{
		ID: d.id, Kind: d.kind, DisplayName: displayName, Generic: d.generic,
		PrefixLen: max(strings.LastIndexByte(displayName, '.'), strings.LastIndexByte(displayName, ':')) + 1,
	}
	if d.parent != nil {
		d.open.parent = d.parent.open
		d.node.Scope = d.parent.id
		d.node.Doc = d.ast.Doc
	} else {
		d.node.Doc = d.mod.file.Doc
	}
	for _, p := range params {
		d.node.Params = append(d.node.Params, strings.Clone(p.Text))
	}
	c.register(d)

	nested, aliases := 0, 0
	for _, m := range d.members() {
		if hasNode(m.Kind) {
			nested++
		} else if m.Kind == syntax.Using {
			aliases++
		}
	}
	if nested+aliases == 0 {
		return
	}
	separator := "."
	if d.parent == nil {
		separator = ":"
	}
	d.nested = make([]*decl, 0, nested)
	d.aliases = make([]*alias, 0, aliases)
	d.node.Nested = make([]schema.Nested, 0, nested)
	children := make([]decl, nested)
	for _, m := range d.members() {
		if m.Kind == syntax.Using {
			d.aliases = append(d.aliases, &alias{in: d, ast: m})
		}
		if !hasNode(m.Kind) {
			continue
		}
		child := &children[len(d.nested)]
		*child = decl{mod: d.mod, parent: d, ast: m, kind: nodeKinds[m.Kind], id: schema.ID(m.ID.Value)}
		if !m.ID.IsSet() {
			child.id = schema.ChildID(d.id, m.Name.Text)
		}
		d.nested = append(d.nested, child)
		c.declare(child, displayName+separator+m.Name.Text)
		d.node.Nested = append(d.node.Nested, schema.Nested{Name: child.node.Name(), ID: child.id})
	}
	if nested+aliases > manyNames {
		d.names = make(map[string]member, nested+aliases)
		for _, a := range d.aliases {
			d.names[a.ast.Name.Text] = member{alias: a}
		}
		for _, n := range d.nested {
			d.names[n.ast.Name.Text] = member{decl: n}
		}
	}
}

// register enters d under its id, of which there may be one only.
func (c *compiler) register(d *decl) {
	if len(c.byID) >= maxNodes && !c.tooMany {
		c.tooMany = true
		c.failAt(d.mod, d.span(), "There are more than %d declarations.", maxNodes)
	}
	other := c.byID[d.id]
	if other == nil {
		c.byID[d.id] = d
		return
	}
	c.failAt(d.mod, d.span(), "Duplicate ID %v.", d.id)
	c.failAt(other.mod, other.span(), "ID %v originally used here.", d.id)
}

// importFile gives the file that an import in m names. It is nil if there is
// none, with the reason unless that was reported before.
func (c *compiler) importFile(m *module, name string) (*module, error) {
	if got, ok := m.imports[name]; ok {
		return got, nil
	}
	got, err := c.findImport(m, name)
	if m.imports == nil {
		m.imports = make(map[string]*module)
	}
	m.imports[name] = got
	return got, err
}

func (c *compiler) findImport(m *module, name string) (*module, error) {
	locs, err := c.find.candidates(m.loc, name)
	if err != nil {
		return nil, err
	}
	for _, loc := range locs {
		if got := c.modules[loc.key()]; got != nil {
			return got, nil
		}
		file, err := loc.open()
		switch {
		case err == nil:
			return c.load(loc, file)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	return nil, fs.ErrNotExist
}

// reason says why a file can't be read, or nothing if it is just not there.
func reason(err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return ": " + err.Error()
}
