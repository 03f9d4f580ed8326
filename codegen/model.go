package codegen

import (
	"fmt"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
)

// model is a request, indexed.
type model struct {
	req   *schema.Request
	nodes []*schema.Node
	byID  map[schema.ID]*schema.Node
	files map[schema.ID]*file
	// owner is the interface of a method that a struct was made for.
	owner map[schema.ID]schema.ID
}

// file is a schema file, the declarations of it that the request has, and the
// names that Go code has for them.
type file struct {
	node  *schema.Node
	decls []*decl // parents before what is in them, in the order of the source
	byID  map[schema.ID]*decl
	names scope
}

// newModel indexes a request, whose nodes may be missing or refer to anything.
func newModel(req *schema.Request) (*model, error) {
	m := &model{req: req, nodes: req.Nodes, byID: map[schema.ID]*schema.Node{}, files: map[schema.ID]*file{}, owner: map[schema.ID]schema.ID{}}
	for _, n := range req.Nodes {
		if m.byID[n.ID] != nil {
			return nil, fmt.Errorf("codegen: two nodes of the request have the id %v", n.ID)
		}
		if err := complete(n); err != nil {
			return nil, err
		}
		m.byID[n.ID] = n
		if n.Kind == schema.KindInterface {
			for _, method := range n.Interface.Methods {
				m.owner[method.Params], m.owner[method.Results] = n.ID, n.ID
			}
		}
	}
	return m, nil
}

// complete checks that a node has what its kind says.
func complete(n *schema.Node) error {
	ok := n.Kind == schema.KindFile || n.Kind == schema.KindStruct && n.Struct != nil || n.Kind == schema.KindEnum && n.Enum != nil ||
		n.Kind == schema.KindInterface && n.Interface != nil || n.Kind == schema.KindConst && n.Const != nil ||
		n.Kind == schema.KindAnnotation && n.Declared != nil
	if !ok {
		return fmt.Errorf("codegen: node %v (%q) is not a whole %v", n.ID, n.DisplayName, n.Kind)
	}
	return nil
}

// file gives the file of that id, with names for what the request has of it.
func (m *model) file(id schema.ID) (*file, error) {
	if f := m.files[id]; f != nil {
		return f, nil
	}
	n := m.byID[id]
	if n == nil || n.Kind != schema.KindFile {
		return nil, fmt.Errorf("codegen: the request has no file %v", id)
	}
	f := &file{node: n, byID: map[schema.ID]*decl{}, names: scope{}}
	m.files[id] = f
	if err := m.collect(f, nil, n); err != nil {
		return nil, err
	}
	// Declarations of the file get their names before those inside others, and
	// those with a name of their own choice before all, so that what is added
	// later gives way to what is known by a plain name.
	order := slices.Clone(f.decls)
	slices.SortStableFunc(order, func(a, b *decl) int {
		if a.whole != b.whole {
			if a.whole {
				return -1
			}
			return 1
		}
		return a.depth - b.depth
	})
	for _, d := range order {
		d.name = f.names.take(d.name)
	}
	for _, d := range order {
		if err := d.derive(f.names); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// collect adds the declarations inside n. Those that the request does not have
// are passed over: of an imported file it has only what something refers to.
func (m *model) collect(f *file, parent *decl, n *schema.Node) error {
	if n.Kind == schema.KindStruct {
		for i := range n.Struct.Fields {
			fd := &n.Struct.Fields[i]
			if !fd.IsGroup() || m.byID[fd.Group] == nil {
				continue
			}
			if err := m.add(f, &decl{node: m.byID[fd.Group], parent: parent, member: fd}, fd.Group, fd.Name, fd.Annotations); err != nil {
				return err
			}
		}
	}
	if n.Kind == schema.KindInterface {
		for i := range n.Interface.Methods {
			if err := m.addMethod(f, parent, &n.Interface.Methods[i]); err != nil {
				return err
			}
		}
	}
	for _, nested := range n.Nested {
		c := m.byID[nested.ID]
		if c == nil || c.Kind == schema.KindAnnotation {
			continue
		}
		if c.Scope != n.ID || c.Kind == schema.KindFile {
			return fmt.Errorf("codegen: node %v (%q) is listed in %v, which it is not declared in", c.ID, c.DisplayName, n.ID)
		}
		if err := m.add(f, &decl{node: c, parent: parent}, nested.ID, nested.Name, c.Annotations); err != nil {
			return err
		}
	}
	return nil
}

// addMethod adds the structs that a method has of its own.
func (m *model) addMethod(f *file, parent *decl, method *schema.Method) error {
	for _, results := range []bool{false, true} {
		id, suffix := method.Params, "Params"
		if results {
			id, suffix = method.Results, "Results"
		}
		n := m.byID[id]
		if n == nil || n.Scope != 0 || n.Kind != schema.KindStruct || n.ID == schema.StreamResultID {
			continue
		}
		d := &decl{node: n, parent: parent, method: suffix}
		if err := m.add(f, d, id, method.Name, method.Annotations); err != nil {
			return err
		}
	}
	return nil
}

// add names a declaration, without regard to others, and goes on inside it.
func (m *model) add(f *file, d *decl, id schema.ID, name string, annotations []schema.Annotation) error {
	if d.member != nil && (d.node.Kind != schema.KindStruct || !d.node.Struct.IsGroup) {
		return fmt.Errorf("codegen: field %.80q is the group %v, which is none", name, id)
	}
	if f.byID[id] != nil {
		return fmt.Errorf("codegen: node %v (%q) is declared twice", id, d.node.DisplayName)
	}
	f.byID[id] = d
	f.decls = append(f.decls, d)
	own, whole, err := ownName(d.node.DisplayName, name, annotations)
	if err != nil {
		return err
	}
	if d.method != "" {
		own, whole = own+d.method, false
	}
	d.name = own
	if d.whole = whole; d.parent != nil {
		d.depth = d.parent.depth + 1
		if !whole {
			d.name = d.parent.name + own
		}
	}
	if d.member != nil && d.member.InUnion() && !whole {
		// The plain name is that of the constant which tells the member.
		d.name += "Group"
	}
	if d.depth > schema.MaxDepth || len(d.name) > maxGoName {
		return fmt.Errorf("codegen: %.200q is nested too deep: the limits are %d scopes and a Go name of %d bytes", d.node.DisplayName, schema.MaxDepth, maxGoName)
	}
	return m.collect(f, d, d.node)
}

// find gives the file and the declaration of a type that code refers to.
func (m *model) find(id schema.ID, kind schema.Kind) (*file, *decl, error) {
	n := m.byID[id]
	if n == nil || n.Kind != kind {
		return nil, nil, fmt.Errorf("codegen: the request has no %v %v", kind, id)
	}
	for range schema.MaxDepth + 2 {
		if n.Kind == schema.KindFile {
			f, err := m.file(n.ID)
			if err != nil {
				return nil, nil, err
			}
			if d := f.byID[id]; d != nil {
				return f, d, nil
			}
			break
		}
		scope := n.Scope
		if scope == 0 {
			scope = m.owner[n.ID]
		}
		if n = m.byID[scope]; n == nil {
			break
		}
	}
	return nil, nil, fmt.Errorf("codegen: %v (%q) is not declared in any file of the request", id, m.byID[id].DisplayName)
}

var importPathForm = regexp.MustCompile(`^[A-Za-z0-9_~][A-Za-z0-9_~.+-]*(/[A-Za-z0-9_~+-][A-Za-z0-9_~.+-]*)*$`)

// persistentFileID is the id of the standard schema persistent.capnp, whose code is
// part of this module.
const persistentFileID = 0xb8630836983feed7

// packageOf tells the Go package of a file: what the options say, or its
// annotations, or its name. own is set for the file that code is made for.
func (m *model) packageOf(n *schema.Node, opt Options, own bool) (Package, error) {
	p := opt.Package
	if !own {
		p = m.importOf(n, opt)
	}
	if s, ok := annotation(n.Annotations, goImportID); ok && p.Path == "" {
		p.Path = s
	}
	if !own && n.ID == persistentFileID && p.Path == "" {
		p.Path = "github.com/fairlead-go/fairlead/rpc/persistent"
	}
	if s, ok := annotation(n.Annotations, goPackageID); ok && p.Name == "" {
		p.Name = s
	}
	if p.Path != "" && (p.Path == "C" || !importPathForm.MatchString(p.Path) || len(p.Path) > maxGoName) {
		return Package{}, fmt.Errorf("codegen: %s: %.80q is not an import path", n.DisplayName, p.Path)
	}
	if p.Name == "" {
		base := n.DisplayName
		if p.Path != "" {
			base = lastElement(p.Path)
		}
		p.Name = packageName(fileBase(base))
	}
	if !isIdentifier(p.Name) || token.IsKeyword(p.Name) || p.Name == "_" || len(p.Name) > maxName {
		return Package{}, fmt.Errorf("codegen: %s: %.80q is not a name for a package", n.DisplayName, p.Name)
	}
	return p, nil
}

// importOf gives what the options say of a file that is imported.
func (m *model) importOf(n *schema.Node, opt Options) Package {
	if p, ok := opt.Imports[n.DisplayName]; ok {
		return p
	}
	for _, f := range m.req.Files {
		for _, i := range f.Imports {
			if i.ID == n.ID && opt.Imports[i.Name] != (Package{}) {
				return opt.Imports[i.Name]
			}
		}
	}
	return Package{}
}

// lastElement gives the last element of an import path that is not a major
// version.
func lastElement(importPath string) string {
	dir, last := path.Split(importPath)
	if dir != "" && len(last) > 1 && last[0] == 'v' && strings.Trim(last[1:], "0123456789") == "" {
		last = path.Base(dir)
	}
	return last
}

// fileBase gives the name of a schema file without its folder and suffix, as
// letters and digits.
func fileBase(name string) string {
	name = strings.TrimSuffix(path.Base(strings.ReplaceAll(name, `\`, "/")), ".capnp")
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (isUpper(byte(r)) || isLower(byte(r)) || isDigit(byte(r))) {
			return r
		}
		return -1
	}, name)
	if name == "" || isDigit(name[0]) {
		name = "x" + name
	}
	return name[:min(len(name), maxName)]
}

// packageName makes a name for a package of a word.
func packageName(word string) string {
	word = strings.ToLower(word)
	if token.IsKeyword(word) {
		word += "capnp"
	}
	return word
}
