// Package shape resolves the types of a schema for those who walk messages by
// them: generic parameters are bound, names of nodes looked up, and each
// struct's fields sorted as they are printed.
//
// A [Table] does this once for each type and keeps the result. Types are unique
// in their table: the same type is the same pointer.
package shape

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// ErrSchema is matched by errors of a schema that does not hold together: a type
// is not of the kind that it is used as, or has no end.
var ErrSchema = errors.New("inconsistent schema")

// maxTypes is how many types a table holds. Only generic types that contain
// larger instances of themselves have no end, as deep as a message follows them.
const maxTypes = 1 << 16

// Table resolves the types of one registry, as its nodes are when a type is first
// met. What the registry does not have then is taken as [schema.Registry] says:
// an unknown struct is any struct. It is safe for concurrent use.
type Table struct {
	reg   *schema.Registry
	mu    sync.Mutex
	types map[string]*Type
}

// NewTable returns a table for the nodes of reg.
func NewTable(reg *schema.Registry) *Table {
	return &Table{reg: reg, types: map[string]*Type{}}
}

// Type is a type with all generic parameters bound; one that is bound to nothing
// is AnyPointer.
type Type struct {
	Kind schema.TypeKind
	Any  schema.AnyKind // of AnyPointer; never a parameter
	Elem *Type          // of a list
	// Node is the node of an enum, a struct or an interface.
	Node *schema.Node

	number int
	env    env
	table  *Table
	shape  atomic.Pointer[Struct]
}

// env binds the generic parameters of the scopes around a struct's fields.
type env []binding

type binding struct {
	scope schema.ID
	types []*Type
}

func (e env) lookup(scope schema.ID) []*Type {
	for i := range e {
		if e[i].scope == scope {
			return e[i].types
		}
	}
	return nil
}

// Struct is what a struct or a group consists of.
type Struct struct {
	Node *schema.Node
	Size segment.Size
	// Fields has all fields, by their index.
	Fields []Field
	// Plain has the fields that are in no union, by their index.
	Plain []*Field
	// Union has the members of the union by their discriminant.
	Union []*Field
	// Tag is where the discriminant lies, in bytes.
	Tag uint32
}

// Field is a field of a struct.
type Field struct {
	*schema.Field
	Index int
	// Type is the field's type, with Kind StructType for a group.
	Type *Type
	// At is the place of a slot: bytes in the data section, a bit for Bool, or the
	// index of a pointer.
	At uint32
}

// Active gives the member of the union that is set in v, or nil if there is no
// union or its discriminant is unknown.
func (s *Struct) Active(v segment.Struct) *Field {
	if len(s.Union) == 0 {
		return nil
	}
	if d := int(v.Uint16(s.Tag)); d < len(s.Union) {
		return s.Union[d]
	}
	return nil
}

// Bits reads a field of the data section, with its default applied: a Bool as 0
// or 1, integers sign-extended, floats as their IEEE 754 bits.
func (f *Field) Bits(v segment.Struct) uint64 {
	def := f.Default.Bits
	switch f.Type.Kind {
	case schema.Bool:
		var b uint64
		if v.Bool(f.At) {
			b = 1
		}
		return b ^ def&1
	case schema.Int8:
		return uint64(int64(v.Int8(f.At) ^ int8(def)))
	case schema.Int16:
		return uint64(int64(v.Int16(f.At) ^ int16(def)))
	case schema.Int32:
		return uint64(int64(v.Int32(f.At) ^ int32(def)))
	case schema.Uint8:
		return uint64(v.Uint8(f.At) ^ uint8(def))
	case schema.Uint16, schema.EnumType:
		return uint64(v.Uint16(f.At) ^ uint16(def))
	case schema.Uint32, schema.Float32:
		return uint64(v.Uint32(f.At) ^ uint32(def))
	case schema.Int64, schema.Uint64, schema.Float64:
		return v.Uint64(f.At) ^ def
	}
	return 0
}

// SetBits sets a field of the data section to what Bits then gives.
func (f *Field) SetBits(b segment.StructBuilder, bits uint64) {
	bits ^= f.Default.Bits
	switch f.Type.Kind {
	case schema.Bool:
		b.SetBool(f.At, bits&1 != 0)
	case schema.Int8, schema.Uint8:
		b.SetUint8(f.At, uint8(bits))
	case schema.Int16, schema.Uint16, schema.EnumType:
		b.SetUint16(f.At, uint16(bits))
	case schema.Int32, schema.Uint32, schema.Float32:
		b.SetUint32(f.At, uint32(bits))
	case schema.Int64, schema.Uint64, schema.Float64:
		b.SetUint64(f.At, bits)
	}
}

// Has tells whether the field has something to show: all but null pointers. It
// does not look at the union that the field may be in.
func (f *Field) Has(v segment.Struct) bool {
	return f.IsGroup() || !f.Type.Kind.IsPointer() || v.Has(uint16(f.At))
}

// Ptr gives the pointer of a field, or its default in the place of null, and
// whether it is the default.
func (f *Field) Ptr(v segment.Struct) (p segment.Ptr, isDefault bool) {
	p = v.Ptr(uint16(f.At))
	if p.IsNull() {
		return f.Default.Ptr, true
	}
	return p, false
}

// Enumerant gives the enumerant with number n of an enum, or nil.
func (t *Type) Enumerant(n uint16) *schema.Enumerant {
	if es := t.Node.Enum.Enumerants; int(n) < len(es) {
		return &es[n]
	}
	return nil
}

// Of gives the shape of a type. Generic parameters in it are unbound.
func (t *Table) Of(typ schema.Type) (*Type, error) { return t.resolve(&typ, nil) }

// StructOf gives the shape of the struct or group id, with no parameter bound.
func (t *Table) StructOf(id schema.ID) (*Type, error) {
	return t.resolve(&schema.Type{Kind: schema.StructType, ID: id}, nil)
}

func (t *Table) resolve(typ *schema.Type, e env) (*Type, error) {
	switch typ.Kind {
	case schema.ListType:
		if typ.Elem == nil {
			return nil, fmt.Errorf("%w: a list of nothing", ErrSchema)
		}
		elem, err := t.resolve(typ.Elem, e)
		if err != nil {
			return nil, err
		}
		return t.intern("L"+strconv.Itoa(elem.number), &Type{Kind: schema.ListType, Elem: elem})
	case schema.EnumType:
		return t.named(typ, "E", schema.KindEnum, nil)
	case schema.InterfaceType:
		return t.named(typ, "I", schema.KindInterface, nil)
	case schema.StructType:
		bound, err := t.bind(typ.Brand, e)
		if err != nil {
			return nil, err
		}
		return t.named(typ, "S", schema.KindStruct, bound)
	case schema.AnyPointer:
		switch typ.Any {
		case schema.AnyParam:
			if ts := e.lookup(typ.Scope); int(typ.Index) < len(ts) {
				return ts[typ.Index], nil
			}
			return t.any(schema.AnyAny)
		case schema.AnyMethodParam:
			return t.any(schema.AnyAny)
		}
		return t.any(typ.Any)
	}
	if typ.Kind > schema.AnyPointer {
		return nil, fmt.Errorf("%w: a type of %v", ErrSchema, typ.Kind)
	}
	return t.intern("P"+strconv.Itoa(int(typ.Kind)), &Type{Kind: typ.Kind})
}

func (t *Table) any(kind schema.AnyKind) (*Type, error) {
	return t.intern("A"+strconv.Itoa(int(kind)), &Type{Kind: schema.AnyPointer, Any: kind})
}

// bind resolves a brand that is used where e holds.
func (t *Table) bind(b schema.Brand, e env) (env, error) {
	var bound env
	for i := range b {
		scope := &b[i]
		types := e.lookup(scope.Scope)
		if !scope.Inherit {
			types = make([]*Type, len(scope.Bind))
			for k, arg := range scope.Bind {
				var err error
				if arg == nil {
					types[k], err = t.any(schema.AnyAny)
				} else {
					types[k], err = t.resolve(arg, e)
				}
				if err != nil {
					return nil, err
				}
			}
		}
		if len(types) > 0 {
			bound = append(bound, binding{scope.Scope, types})
		}
	}
	slices.SortFunc(bound, func(a, b binding) int {
		if a.scope < b.scope {
			return -1
		}
		return 1
	})
	return bound, nil
}

func (t *Table) named(typ *schema.Type, prefix string, kind schema.Kind, e env) (*Type, error) {
	node, ok := t.reg.Node(typ.ID)
	if !ok {
		return t.unknown(typ)
	}
	if node.Kind != kind {
		return nil, fmt.Errorf("%w: %s is of kind %v, not %v", ErrSchema, node.DisplayName, node.Kind, kind)
	}
	key := strconv.AppendUint([]byte(prefix), uint64(typ.ID), 16)
	for _, b := range e {
		key = append(key, ' ')
		key = strconv.AppendUint(key, uint64(b.scope), 16)
		for _, arg := range b.types {
			key = append(key, ',')
			key = strconv.AppendInt(key, int64(arg.number), 10)
		}
	}
	return t.intern(string(key), &Type{Kind: typ.Kind, Node: node, env: e})
}

// unknown gives what is to be made of a node that the registry does not have: a
// struct of any sort, an enum without names, a group without fields.
func (t *Table) unknown(typ *schema.Type) (*Type, error) {
	node := &schema.Node{ID: typ.ID, DisplayName: typ.ID.String()}
	switch typ.Kind {
	case schema.StructType:
		return t.any(schema.AnyStruct)
	case schema.InterfaceType:
		node.Kind, node.Interface = schema.KindInterface, &schema.Interface{}
	default:
		node.Kind, node.Enum = schema.KindEnum, &schema.Enum{}
	}
	return t.intern("?"+typ.ID.String(), &Type{Kind: typ.Kind, Node: node})
}

// group gives the type of a group, whose fields are bound as those of the struct
// that it is in.
func (t *Table) group(id schema.ID, e env) (*Type, error) {
	if _, ok := t.reg.Node(id); ok {
		return t.named(&schema.Type{Kind: schema.StructType, ID: id}, "S", schema.KindStruct, e)
	}
	node := &schema.Node{ID: id, DisplayName: id.String(), Kind: schema.KindStruct, Struct: &schema.Struct{IsGroup: true}}
	return t.intern("?"+id.String(), &Type{Kind: schema.StructType, Node: node})
}

func (t *Table) intern(key string, typ *Type) (*Type, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.types[key]; known != nil {
		return known, nil
	}
	if len(t.types) >= maxTypes {
		return nil, fmt.Errorf("%w: more than %d types: generic types without end", ErrSchema, maxTypes)
	}
	typ.number = len(t.types)
	typ.table = t
	t.types[key] = typ
	return typ, nil
}

// Struct gives what a struct consists of.
func (t *Type) Struct() (*Struct, error) {
	if s := t.shape.Load(); s != nil {
		return s, nil
	}
	if t.Kind != schema.StructType {
		return nil, fmt.Errorf("%w: %v is not a struct", ErrSchema, t.Kind)
	}
	s, err := t.table.build(t)
	if err != nil {
		return nil, err
	}
	t.shape.CompareAndSwap(nil, s)
	return t.shape.Load(), nil
}

func (t *Table) build(typ *Type) (*Struct, error) {
	decl := typ.Node.Struct
	s := &Struct{
		Node:   typ.Node,
		Size:   segment.Size{DataWords: decl.DataWords, Ptrs: decl.Ptrs},
		Fields: make([]Field, len(decl.Fields)),
		Union:  make([]*Field, decl.Discriminants),
		Tag:    decl.DiscriminantOffset * 2,
	}
	for i := range decl.Fields {
		f := &s.Fields[i]
		*f = Field{Field: &decl.Fields[i], Index: i, At: decl.Fields[i].Offset}
		var err error
		if f.IsGroup() {
			f.Type, err = t.group(f.Group, typ.env)
		} else {
			f.Type, err = t.resolve(&f.Field.Type, typ.env)
			if n := f.Field.Type.Kind.Bits(); n > 8 {
				f.At *= n / 8
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", typ.Node.DisplayName, f.Name, err)
		}
		switch {
		case !f.InUnion():
			s.Plain = append(s.Plain, f)
		case int(f.Discriminant) >= len(s.Union):
			return nil, fmt.Errorf("%w: %s.%s: discriminant %d of %d", ErrSchema, typ.Node.DisplayName, f.Name, f.Discriminant, len(s.Union))
		default:
			s.Union[f.Discriminant] = f
		}
	}
	return s, nil
}
