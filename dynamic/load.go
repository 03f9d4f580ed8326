package dynamic

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

// Loader loads schemas. The zero value is useful; [Load] is its Load.
type Loader struct {
	// FS is where files are read from; nil stands for the operating system's.
	FS fs.FS
	// ImportPaths are the folders in which imports that start with a slash are
	// looked for. The standard schemas are always found.
	ImportPaths []string
	// Registry gets the nodes, which is how a program joins what it loads with
	// what it has from elsewhere. nil means one for each module.
	Registry *schema.Registry
	// Arena is where [Module.New] takes memory from. Default [arena.Pool].
	Arena segment.Arena
	// SizeHint is how many bytes [Module.New] expects a message to have. See
	// [segment.NewSized].
	SizeHint int
}

// Load compiles a .capnp file and what it imports. All faults of the schema are
// in the error, each with file, line and column.
func Load(file string) (*Module, error) { return Loader{}.Load(file) }

// LoadFS is [Load] for a file in fsys, such as an embed.FS.
func LoadFS(fsys fs.FS, file string) (*Module, error) { return Loader{FS: fsys}.Load(file) }

// Load compiles a .capnp file and what it imports. See [Load].
func (l Loader) Load(file string) (*Module, error) {
	req, err := compile.Files([]string{file}, compile.Options{FS: l.FS, ImportPaths: l.ImportPaths})
	if err != nil {
		return nil, fmt.Errorf("dynamic: %w", err) // err names the file
	}
	return l.Request(req)
}

// Unpack loads the schema that generated code carries in its constant Schema.
func (l Loader) Unpack(packed string) (*Module, error) {
	req, err := schema.Unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("dynamic: %w", err)
	}
	return l.Request(req)
}

// Request loads the first file that a compiler was asked for.
func (l Loader) Request(req *schema.Request) (*Module, error) {
	if len(req.Files) == 0 {
		return nil, errSchema("the request is for no file")
	}
	if l.Registry == nil {
		l.Registry = schema.NewRegistry()
	}
	if err := l.Registry.Add(req.Nodes...); err != nil {
		return nil, fmt.Errorf("dynamic: %w", err)
	}
	return l.Module(req.Files[0].ID)
}

// Module gives the module of a file whose nodes are in Registry. The file may
// also be a struct, an interface or another node in which names are declared.
func (l Loader) Module(file schema.ID) (*Module, error) {
	if l.Registry == nil {
		return nil, errSchema("a Loader without a Registry has no file " + file.String())
	}
	a := l.Arena
	if a == nil {
		a = arena.Pool()
	}
	return newSpace(l.Registry, a, l.SizeHint).module(file)
}

// Module is a file of a schema: the types and constants that it declares, by
// their names. It may be used from any goroutine.
type Module struct {
	space *space
	file  *schema.Node
	names map[string]*declared
}

// declared is a declaration, whose type is made when it is first asked for.
type declared struct {
	id   schema.ID
	once sync.Once
	typ  *Type
	err  *Error
}

func (u *space) module(file schema.ID) (*Module, error) {
	n, ok := u.reg.Node(file)
	if !ok {
		return nil, errSchema("there is no file " + file.String() + " in the registry")
	}
	m := &Module{space: u, file: n, names: map[string]*declared{}}
	m.declare("", n, 0)
	return m, nil
}

// maxNesting is how deep declarations may be nested to have a name here.
const maxNesting = 64

// declare adds the names of what is nested in a node. A node that the registry
// lacks stays unknown: only what is used is ever sent over a wire.
func (m *Module) declare(prefix string, n *schema.Node, depth int) {
	for _, c := range n.Nested {
		name := prefix + c.Name
		if m.names[name] != nil || depth > maxNesting {
			continue
		}
		m.names[name] = &declared{id: c.ID}
		if child, ok := m.space.reg.Node(c.ID); ok && child.Scope == n.ID {
			m.declare(name+".", child, depth+1)
		}
	}
}

// Registry is where the module's nodes are.
func (m *Module) Registry() *schema.Registry { return m.space.reg }

// Node is the declaration of the file, which must not be changed.
func (m *Module) Node() *schema.Node { return m.file }

// Names lists what the module declares, with dots between nested names, sorted.
func (m *Module) Names() []string {
	names := make([]string, 0, len(m.names))
	for name := range m.names {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Type gives the type of a name: a struct, an enum or an interface such as
// "Person.PhoneNumber", or any other that a schema can write there, such as
// "Text" or "List(Map(Text, Person))".
func (m *Module) Type(name string) (*Type, error) {
	t, err := m.typeOf(name)
	return t, err.orNil()
}

func (m *Module) typeOf(name string) (*Type, *Error) {
	d := m.names[name]
	if d == nil {
		if t, err := compile.Type(name, m.file.ID, m.space.reg); err == nil {
			typ := m.space.resolve(&t, nil)
			return typ, typ.err
		}
		return nil, errNoName("such declaration", name, m.Names()).in(name)
	}
	d.once.Do(func() { d.typ, d.err = m.space.declared(d.id, name) })
	return d.typ, d.err
}

// declared gives the type that a node declares.
func (u *space) declared(id schema.ID, name string) (*Type, *Error) {
	n, ok := u.reg.Node(id)
	if !ok {
		return nil, errSchema("the node of " + name + " is not in the registry")
	}
	if n.Struct == nil && n.Enum == nil && n.Interface == nil {
		return nil, &Error{Path: name, Kind: ErrType, Detail: "is a " + n.Kind.String() + ", not a type"}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.node(id, n.Kind, nil)
	return t, t.err
}

// TypeByID gives the struct, enum or interface of an id that is anywhere in the
// registry.
func (m *Module) TypeByID(id schema.ID) (*Type, error) {
	t, err := m.space.declared(id, id.String())
	return t, err.orNil()
}

// Import gives the module of another file of the registry by its name, or by
// the end of it.
func (m *Module) Import(name string) (*Module, error) {
	for n := range m.space.reg.Nodes() {
		if n.Kind == schema.KindFile && (n.DisplayName == name || strings.HasSuffix(n.DisplayName, "/"+strings.TrimPrefix(name, "/"))) {
			return m.space.module(n.ID)
		}
	}
	return nil, &Error{Path: name, Kind: ErrName, Detail: "no such file in the registry"}
}

// Const gives the value of a constant, as [Struct.Get] gives a field. A pointer
// constant is a copy in memory of its own, which nobody has to release.
func (m *Module) Const(name string) (any, error) {
	d := m.names[name]
	if d == nil {
		return nil, errNoName("such declaration", name, m.Names()).in(name)
	}
	n, ok := m.space.reg.Node(d.id)
	if !ok {
		return nil, errSchema("the node of " + name + " is not in the registry")
	}
	if n.Const == nil {
		return nil, &Error{Path: name, Kind: ErrType, Detail: "is a " + n.Kind.String() + ", not a constant"}
	}
	return m.space.value(&n.Const.Type, nil, n.Const.Value)
}

// value gives a value of a schema as a Go value. If it were no copy, what is
// wrong in reading it would become a fault of the schema.
func (u *space) value(typ *schema.Type, env []scope, v schema.Value) (any, error) {
	t := u.resolve(typ, env)
	if t.err != nil {
		return nil, t.err
	}
	switch t.kind {
	case schema.Text:
		return v.Ptr.Text(), nil
	case schema.Data:
		return bytes.Clone(v.Ptr.Data()), nil
	case schema.ListType:
		msg := keep(v.Ptr)
		return readList(msg, t, msg.Root()), nil
	case schema.StructType:
		msg := keep(v.Ptr)
		return Struct{msg, t, msg.Root().Struct()}, nil
	case schema.InterfaceType:
		return nil, nil
	case schema.AnyPointer:
		msg := keep(v.Ptr)
		return Any{msg, t, msg.Root()}, nil
	}
	return boxScalar(t, t.kind, v.Bits), nil
}

// New builds a struct as the root of a new message, and sets its fields from v:
// a map[string]any, a Go struct, a [Struct] of the same type, or nil for all
// defaults. The message belongs to the caller, who sends it or releases it:
//
//	book, err := mod.New("AddressBook", nil)
//	…
//	defer book.Message().Release()
func (m *Module) New(name string, v any) (StructBuilder, error) {
	t, err := m.typeOf(name)
	if err != nil {
		return StructBuilder{}, err
	}
	return t.New(v)
}

// NewIn is [Module.New] in a message of the caller's, so from an arena or a pipe
// of choice.
func (m *Module) NewIn(msg *segment.Message, name string, v any) (StructBuilder, error) {
	t, err := m.typeOf(name)
	if err != nil {
		return StructBuilder{}, err
	}
	return t.NewIn(msg, v)
}

// Read gives the root of a message as a struct of the named type. The message
// stays the caller's.
func (m *Module) Read(msg *segment.Message, name string) (Struct, error) {
	t, err := m.typeOf(name)
	if err != nil {
		return Struct{}, err
	}
	return t.Root(msg)
}

// New is [Module.New] for a type that is known.
func (t *Type) New(v any) (StructBuilder, error) {
	msg := segment.NewSized(t.space.arena, t.space.hint)
	b, err := t.build(msg, v)
	if err != nil {
		msg.Release()
		return StructBuilder{}, err
	}
	return StructBuilder{msg, t, b}, nil
}

// NewIn is [Module.NewIn] for a type that is known. After an error the message
// has that fault too.
func (t *Type) NewIn(msg *segment.Message, v any) (StructBuilder, error) {
	b, err := t.build(msg, v)
	if err != nil {
		return StructBuilder{}, err
	}
	return StructBuilder{msg, t, b}, nil
}

// build makes the root of a message a struct with the fields of v.
func (t *Type) build(msg *segment.Message, v any) (segment.StructBuilder, error) {
	if err := t.wants(schema.StructType, "New"); err != nil {
		return segment.StructBuilder{}, err
	}
	b := msg.NewRoot(t.size)
	var err *Error
	switch m := v.(type) {
	case nil:
	case map[string]any:
		err = t.fill(b, m, true)
	default:
		if err = t.takes(v); err == nil {
			err = t.assign(b, v)
		}
	}
	if err != nil {
		err = err.in(t.Name())
		fail(msg, err)
		return segment.StructBuilder{}, err
	}
	return b, msg.Err()
}

// Root gives the root of a message as a struct of type t. The message stays the
// caller's.
func (t *Type) Root(msg *segment.Message) (Struct, error) {
	if err := t.wants(schema.StructType, "Read"); err != nil {
		return Struct{}, err
	}
	s := Struct{msg, t, msg.Root().Struct()}
	if err := msg.Err(); err != nil {
		return Struct{}, err
	}
	return s, nil
}

// EditRoot gives the root of a message that is being built as a struct of type
// t; it is built if there is none.
func (t *Type) EditRoot(msg *segment.Message) (StructBuilder, error) {
	if err := t.wants(schema.StructType, "EditRoot"); err != nil {
		return StructBuilder{}, err
	}
	b := StructBuilder{msg, t, msg.RootBuilder().Struct(t.size)}
	if err := msg.Err(); err != nil {
		return StructBuilder{}, err
	}
	return b, nil
}
