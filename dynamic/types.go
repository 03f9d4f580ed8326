package dynamic

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/internal/json"
	"github.com/fairlead-go/fairlead/internal/text"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// maxTypes bounds how many types of generic structs are kept. A schema from
// outside can make a new one at each level of its values; those beyond the
// bound are made again each time that they are met.
const maxTypes = 1 << 16

// space is where the types of one registry are made, each once, so that equal
// types are the same pointer.
type space struct {
	reg   *schema.Registry
	arena segment.Arena
	hint  int

	printer *text.Printer
	json    *json.Codec

	plain [schema.AnyPointer + 1]*Type // of the kinds without parameters
	any   [schema.AnyMethodParam + 1]*Type

	mu     sync.Mutex
	named  map[schema.ID]*Type
	bound  map[string]*Type // generic types, by id and parameters
	serial uint64
}

func newSpace(reg *schema.Registry, arena segment.Arena, hint int) *space {
	u := &space{
		reg: reg, arena: arena, hint: hint, printer: text.New(reg), json: json.New(reg),
		named: map[schema.ID]*Type{}, bound: map[string]*Type{},
	}
	for k := range u.plain {
		switch k := schema.TypeKind(k); k {
		case schema.ListType, schema.EnumType, schema.StructType, schema.InterfaceType:
		default:
			u.plain[k] = u.newType(schema.Type{Kind: k})
		}
	}
	for a := schema.AnyStruct; a <= schema.AnyCapability; a++ {
		u.any[a] = u.newType(schema.Type{Kind: schema.AnyPointer, Any: a})
	}
	// Capability is an interface without a declaration.
	u.any[schema.AnyCapability].kind = schema.InterfaceType
	return u
}

// newType is called with mu held, or before the space is shared.
func (u *space) newType(t schema.Type) *Type {
	u.serial++
	return &Type{space: u, kind: t.Kind, typ: t, serial: u.serial}
}

// scope is what a scope's generic parameters are bound to.
type scope struct {
	id   schema.ID
	args []*Type
}

// resolve gives the type that t means where the generic parameters are bound
// as in env. It never fails: a type that the registry does not know has its
// fault in it.
func (u *space) resolve(t *schema.Type, env []scope) *Type {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.resolveLocked(t, env)
}

func (u *space) resolveLocked(t *schema.Type, env []scope) *Type {
	switch t.Kind {
	case schema.ListType:
		if t.Elem == nil {
			return u.broken(*t, "a list type without its element type")
		}
		return u.listLocked(u.resolveLocked(t.Elem, env))
	case schema.EnumType:
		return u.node(t.ID, schema.KindEnum, nil)
	case schema.StructType:
		return u.node(t.ID, schema.KindStruct, u.bind(t.Brand, env))
	case schema.InterfaceType:
		return u.node(t.ID, schema.KindInterface, u.bind(t.Brand, env))
	case schema.AnyPointer:
		if t.Any == schema.AnyParam {
			for _, s := range env {
				if s.id == t.Scope && int(t.Index) < len(s.args) {
					return s.args[t.Index]
				}
			}
		}
		if int(t.Any) < len(u.any) && u.any[t.Any] != nil {
			return u.any[t.Any]
		}
		return u.plain[schema.AnyPointer]
	}
	if int(t.Kind) < len(u.plain) {
		return u.plain[t.Kind]
	}
	return u.broken(*t, "a type of the unknown "+t.Kind.String())
}

func (u *space) broken(t schema.Type, why string) *Type {
	b := u.newType(t)
	b.err = errSchema(why)
	return b
}

// listLocked gives the type of lists of elem.
func (u *space) listLocked(elem *Type) *Type {
	if l := elem.list.Load(); l != nil {
		return l
	}
	l := u.newType(schema.Type{Kind: schema.ListType, Elem: &elem.typ})
	l.elem, l.err = elem, elem.err
	elem.list.Store(l)
	return l
}

// bind gives what a brand binds, with env in the place of what it inherits.
func (u *space) bind(b schema.Brand, env []scope) []scope {
	var out []scope
	for _, s := range b {
		if s.Inherit {
			for _, e := range env {
				if e.id == s.Scope {
					out = append(out, e)
				}
			}
			continue
		}
		args := make([]*Type, len(s.Bind))
		for i, t := range s.Bind {
			args[i] = u.plain[schema.AnyPointer]
			if t != nil {
				args[i] = u.resolveLocked(t, env)
			}
		}
		out = append(out, scope{s.Scope, args})
	}
	return out
}

// key tells types of one node apart by what their parameters are bound to.
func key(id schema.ID, env []scope) string {
	b := binary.LittleEndian.AppendUint64(nil, uint64(id))
	for _, s := range env {
		b = binary.LittleEndian.AppendUint64(b, uint64(s.id))
		b = binary.AppendUvarint(b, uint64(len(s.args)))
		for _, t := range s.args {
			b = binary.AppendUvarint(b, t.serial)
		}
	}
	return string(b)
}

// node gives the type that a node declares.
func (u *space) node(id schema.ID, want schema.Kind, env []scope) *Type {
	n, ok := u.reg.Node(id)
	if !ok || n.Kind != want {
		t := schema.Type{Kind: kindOf(want), ID: id}
		if !ok {
			return u.broken(t, "the "+want.String()+" "+id.String()+" is not in the registry")
		}
		return u.broken(t, n.DisplayName+" is not the "+want.String()+" that it is used as")
	}
	if !n.Generic {
		env = nil
	}
	if len(env) == 0 {
		if t := u.named[id]; t != nil {
			return t
		}
		t := u.newType(schema.Type{Kind: kindOf(want), ID: id})
		u.named[id] = t // before its fields, which may lead back to it
		t.declare(n, nil)
		return t
	}
	k := key(id, env)
	if t := u.bound[k]; t != nil {
		return t
	}
	t := u.newType(schema.Type{Kind: kindOf(want), ID: id, Brand: brandOf(env)})
	if len(u.bound) < maxTypes {
		u.bound[k] = t
	}
	t.declare(n, env)
	return t
}

func kindOf(k schema.Kind) schema.TypeKind {
	switch k {
	case schema.KindEnum:
		return schema.EnumType
	case schema.KindInterface:
		return schema.InterfaceType
	}
	return schema.StructType
}

// brandOf is the brand that binds what env does.
func brandOf(env []scope) schema.Brand {
	b := make(schema.Brand, len(env))
	for i, s := range env {
		b[i] = schema.BrandScope{Scope: s.id, Bind: make([]*schema.Type, len(s.args))}
		for j, t := range s.args {
			b[i].Bind[j] = &t.typ
		}
	}
	return b
}

// Type is a type of a schema with its generic parameters bound: that of a
// struct, an enum, an interface, a list or a number. Equal types of one
// [Module], and of those that share its registry, are the same pointer. It is
// not changed once it is made, and may be used from any goroutine.
type Type struct {
	space  *space
	kind   schema.TypeKind
	typ    schema.Type
	serial uint64
	err    *Error // why the type cannot be used
	node   *schema.Node
	env    []scope
	elem   *Type // of a list
	list   atomic.Pointer[Type]

	plan                       // of a struct
	names    []string          // of an enum
	boxed    []any             // the same, to be handed out without allocating
	numbers  map[string]uint16 // nil where they are few
	goCodecs sync.Map          // reflect.Type to *codec
}

// maxScan is how many enumerants are compared one by one faster than by a map.
const maxScan = 8

// declare fills the type from its node.
func (t *Type) declare(n *schema.Node, env []scope) {
	t.node, t.env = n, env
	switch {
	case n.Struct != nil && t.kind == schema.StructType:
		t.planStruct()
	case n.Enum != nil && t.kind == schema.EnumType:
		for _, e := range n.Enum.Enumerants {
			t.names = append(t.names, e.Name)
			t.boxed = append(t.boxed, e.Name)
		}
		if len(t.names) > maxScan {
			t.numbers = make(map[string]uint16, len(t.names))
			for i, name := range t.names {
				t.numbers[name] = uint16(i)
			}
		}
	}
}

// Kind tells what sort of type it is. Capability counts as an interface.
func (t *Type) Kind() schema.TypeKind { return t.kind }

// Schema gives the type as the model of schemas has it.
func (t *Type) Schema() schema.Type { return t.typ }

// Registry is where the nodes of the type are.
func (t *Type) Registry() *schema.Registry { return t.space.reg }

// Node is the declaration of a struct, an enum or an interface, else nil. It
// must not be changed.
func (t *Type) Node() *schema.Node { return t.node }

// Err tells why the type cannot be used, as when the registry lacks a node.
func (t *Type) Err() error { return t.err.orNil() }

// Name is the name of the declaration with the scopes around it, such as
// "Person.PhoneNumber"; for others it is that of [Type.String].
func (t *Type) Name() string {
	if t.node == nil {
		return t.String()
	}
	return pathName(t.node)
}

// pathName is the display name of a node without the file.
func pathName(n *schema.Node) string {
	for i := len(n.DisplayName) - 1; i >= 0; i-- {
		if n.DisplayName[i] == ':' {
			return n.DisplayName[i+1:]
		}
	}
	return n.DisplayName
}

// String gives the type as a schema writes it, such as List(Person).
func (t *Type) String() string { return string(t.append(nil, maxTypeName)) }

// maxTypeName is where the name of a type that is nested in itself is cut off.
const maxTypeName = 256

func (t *Type) append(b []byte, limit int) []byte {
	switch {
	case len(b) > limit:
		return b
	case t.elem != nil:
		return append(t.elem.append(append(b, "List("...), limit), ')')
	case t.typ.Any != schema.AnyAny:
		return append(b, [...]string{"", "AnyStruct", "AnyList", "Capability", "AnyPointer", "AnyPointer"}[min(t.typ.Any, 5)]...)
	case t.node == nil:
		return append(b, t.kind.String()...)
	}
	b = append(b, pathName(t.node)...)
	for _, s := range t.env {
		if s.id != t.node.ID || len(b) > limit {
			continue
		}
		b = append(b, '(')
		for i, a := range s.args {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = a.append(b, limit)
		}
		b = append(b, ')')
	}
	if len(b) > limit {
		b = append(b[:limit], "…"...)
	}
	return b
}

// Elem is the type of a list's elements, else nil.
func (t *Type) Elem() *Type { return t.elem }

// List is the type of lists of t.
func (t *Type) List() *Type {
	if l := t.list.Load(); l != nil {
		return l
	}
	t.space.mu.Lock()
	defer t.space.mu.Unlock()
	return t.space.listLocked(t)
}

// Bind gives a generic struct or interface with its own parameters bound to
// args, which are types of pointers. Parameters of the scopes around it stay as
// they are.
func (t *Type) Bind(args ...*Type) (*Type, error) {
	if t.node == nil || len(t.node.Params) == 0 || len(args) != len(t.node.Params) {
		n := 0
		if t.node != nil {
			n = len(t.node.Params)
		}
		return nil, &Error{Path: t.String(), Kind: ErrType, Detail: plural(n, "generic parameter") + " cannot be bound to " + plural(len(args), "type")}
	}
	for _, a := range args {
		if !a.kind.IsPointer() {
			return nil, &Error{Path: t.String(), Kind: ErrType, Detail: "a generic parameter is a type of pointers, which " + a.String() + " is not"}
		}
	}
	env := []scope{{t.node.ID, args}}
	for _, s := range t.env {
		if s.id != t.node.ID {
			env = append(env, s)
		}
	}
	t.space.mu.Lock()
	defer t.space.mu.Unlock()
	return t.space.node(t.node.ID, t.node.Kind, env), nil
}
