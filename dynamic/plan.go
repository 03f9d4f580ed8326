package dynamic

import (
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// plan is what a struct's fields need to be got and set: made once for each
// type, and never changed.
type plan struct {
	size    segment.Size
	fields  []*Field // direct fields, ordered as in the schema
	all     []*Field // and behind them the members of groups, by their paths
	table   []*Field // all, by hash
	byName  map[string]*Field
	group   bool
	union   []*Field // by discriminant
	discOff uint32   // byte offset of the discriminant
}

// maxTable is how many fields are kept in the small table. It is not much
// larger because the names may be chosen so that they collide.
const maxTable = 64

// maxGroups is how deep groups may lie in each other.
const maxGroups = 32

// Field is a field of a struct, resolved once: a handle for loops that go over
// many values. It may be used from any goroutine.
type Field struct {
	name  string // a member of a group has its path, such as "employment.school"
	kind  schema.TypeKind
	group bool
	width uint8 // bits of a number, a Bool or an enumerant, else 0
	index uint16
	off   uint32 // in bytes, of a Bool in bits, of a pointer its index
	flip  uint64 // default bits of a number
	// choices are the discriminants on the way to the field, outermost first.
	choices []choice
	typ     atomic.Pointer[Type]
	owner   *Type
	scope   *Type // the struct or group that declares it
	def     segment.Ptr
	decl    *schema.Field
}

// choice is a discriminant that has to have a value for a member to be set.
type choice struct {
	off   uint32 // bytes
	value uint16
	of    *Type // the struct or group whose union it is
}

// planStruct makes the plan. The space is locked.
func (t *Type) planStruct() {
	d := t.node.Struct
	t.size = segment.Size{DataWords: d.DataWords, Ptrs: d.Ptrs}
	t.group = d.IsGroup
	if d.Discriminants > 0 {
		t.discOff = d.DiscriminantOffset * 2
		if uint64(d.DiscriminantOffset)*2+2 > uint64(d.DataWords)*8 {
			t.err = errSchema("the discriminant lies behind the data of " + t.node.DisplayName)
			return
		}
		t.union = make([]*Field, d.Discriminants)
	}
	for i := range d.Fields {
		f := t.planField(&d.Fields[i])
		f.index = uint16(i)
		if t.err != nil {
			return
		}
		t.fields = append(t.fields, f)
	}
	t.index()
}

// planField checks a field of a schema that may come from anywhere.
func (t *Type) planField(d *schema.Field) *Field {
	f := &Field{name: d.Name, owner: t, scope: t, decl: d, kind: d.Type.Kind, group: d.IsGroup()}
	if d.InUnion() {
		if int(d.Discriminant) >= len(t.union) || t.union[d.Discriminant] != nil {
			t.err = errSchema("the discriminant of " + t.node.DisplayName + "." + d.Name + " is not one of the union's")
			return f
		}
		t.union[d.Discriminant] = f
		f.choices = []choice{{t.discOff, d.Discriminant, t}}
	}
	if f.group {
		f.kind = schema.StructType
		g := t.planGroup(d.Group)
		f.typ.Store(g)
		t.err = g.err
		return f
	}
	if f.kind == schema.AnyPointer && d.Type.Any != schema.AnyAny {
		// A generic parameter may be bound to any type of pointers.
		b := t.space.resolveLocked(&d.Type, t.env)
		f.typ.Store(b)
		f.kind = b.kind
	}
	f.width = uint8(f.kind.Bits())
	at := uint64(d.Offset)
	switch bits := uint64(d.Type.Kind.Bits()); {
	case d.Type.Kind.IsPointer():
		if at >= uint64(t.size.Ptrs) {
			t.err = errSchema("the pointer of " + t.node.DisplayName + "." + d.Name + " lies behind the struct's end")
		}
		f.off, f.def = d.Offset, d.Default.Ptr
	case (at+1)*bits > uint64(t.size.DataWords)*64:
		t.err = errSchema("the data of " + t.node.DisplayName + "." + d.Name + " lies behind the struct's end")
	case bits == 1:
		f.off, f.flip = d.Offset, d.Default.Bits&1
	case bits > 1:
		f.off, f.flip = d.Offset*uint32(bits/8), d.Default.Bits&(math.MaxUint64>>(64-bits))
	}
	return f
}

// planGroup gives the type of a group of t, which shares its sections. Groups
// form a tree, so that walking them ends.
func (t *Type) planGroup(id schema.ID) *Type {
	n, ok := t.space.reg.Node(id)
	if !ok || n.Struct == nil || !n.Struct.IsGroup {
		return t.space.broken(schema.Type{Kind: schema.StructType, ID: id}, "the group "+id.String()+" of "+t.node.DisplayName+" is not in the registry")
	}
	depth := 0
	for s := t.node; s.Struct != nil && s.Struct.IsGroup && depth <= maxGroups; depth++ {
		if s, ok = t.space.reg.Node(s.Scope); !ok {
			break
		}
	}
	twice := false
	for _, f := range t.fields {
		twice = twice || f.decl.Group == id
	}
	if depth > maxGroups || twice || n.Scope != t.node.ID || n.Struct.DataWords > t.size.DataWords || n.Struct.Ptrs > t.size.Ptrs {
		return t.space.broken(schema.Type{Kind: schema.StructType, ID: id}, n.DisplayName+" is not a group of "+t.node.DisplayName)
	}
	return t.space.node(id, schema.KindStruct, t.env)
}

// index makes the table by name, in which the members of groups stand by their
// paths as long as there is room.
func (t *Type) index() {
	t.all = t.fields[:len(t.fields):len(t.fields)]
	for _, f := range t.fields {
		if !f.group {
			continue
		}
		for _, m := range f.typ.Load().all {
			if len(t.all) < maxTable {
				t.all = append(t.all, f.member(m))
			}
		}
	}
	if len(t.all) > maxTable {
		t.byName = make(map[string]*Field, len(t.fields))
		for _, f := range t.fields {
			t.byName[f.name] = f
		}
		return
	}
	size := 4
	for size < 2*len(t.all) {
		size *= 2
	}
	t.table = make([]*Field, size)
	for _, f := range t.all {
		i := hash(f.name) & uint32(size-1)
		for t.table[i] != nil {
			i = (i + 1) & uint32(size-1)
		}
		t.table[i] = f
	}
}

// member gives a field of a group as one of the struct that has the group.
func (f *Field) member(m *Field) *Field {
	c := &Field{
		name: f.name + "." + m.name, owner: f.owner, scope: m.scope, decl: m.decl,
		kind: m.kind, group: m.group, width: m.width, off: m.off, flip: m.flip, def: m.def,
		choices: append(append([]choice(nil), f.choices...), m.choices...),
	}
	if t := m.typ.Load(); t != nil {
		c.typ.Store(t)
	}
	return c
}

// hash is cheap and good enough for the names of one struct.
func hash(s string) uint32 {
	n := uint(len(s))
	if n == 0 {
		return 0
	}
	h := uint64(s[0]) | uint64(s[n-1])<<8 | uint64(s[n/2])<<16 | uint64(s[(n-1)/2])<<24 | uint64(n)<<32
	h *= 0x9e3779b97f4a7c15
	return uint32(h >> 40)
}

// lookup finds a field by its name, or by its path through groups. It gives nil
// where the table has none.
func (t *Type) lookup(name string) *Field {
	if table := t.table; len(table) > 0 {
		mask := uint32(len(table) - 1)
		for i := hash(name); ; i++ {
			f := table[i&mask]
			if f == nil {
				return nil
			}
			if f.name == name {
				return f
			}
		}
	}
	return t.byName[name]
}

// descend finds a field by its path through groups, however large they are. The
// error names what is not there, and what is.
func (t *Type) descend(path string) (*Field, *Error) {
	if t.err != nil {
		return nil, t.err
	}
	if t.kind != schema.StructType {
		return nil, errAccess(t.kind, "it has no fields").in(path)
	}
	if f := t.lookup(path); f != nil {
		return f, nil
	}
	head, rest, dotted := strings.Cut(path, ".")
	f := t.lookup(head)
	if f == nil {
		return nil, errNoName("such field", head, t.fieldNames()).in(head)
	}
	if !dotted {
		return f, nil
	}
	if !f.group {
		return nil, errAccess(f.kind, "it has no field "+clip(rest)).in(head)
	}
	m, err := f.Type().descend(rest)
	if err != nil {
		return nil, err.in(head)
	}
	return f.member(m), nil
}

func (t *Type) fieldNames() []string {
	names := make([]string, len(t.fields))
	for i, f := range t.fields {
		names[i] = f.name
	}
	return names
}

// Type is the type of the field's values; that of a group is a struct.
func (f *Field) Type() *Type {
	if t := f.typ.Load(); t != nil {
		return t
	}
	return f.resolve()
}

//go:noinline
func (f *Field) resolve() *Type {
	t := f.owner.space.resolve(&f.decl.Type, f.owner.env)
	f.typ.Store(t)
	return t
}

// Name is the field's name, or the path through groups that it was looked up by.
func (f *Field) Name() string { return f.name }

// IsGroup tells whether the field is a group: a part of its struct that has a
// name.
func (f *Field) IsGroup() bool { return f.group }

// InUnion tells whether the field is a member of a union.
func (f *Field) InUnion() bool { return f.decl.InUnion() }

// Schema is the declaration, which must not be changed.
func (f *Field) Schema() *schema.Field { return f.decl }

// Owner is the type of the structs that the field can be used with.
func (f *Field) Owner() *Type { return f.owner }

// Fields are the fields of a struct as its schema orders them, by their ordinals;
// a group stands where its first field does.
func (t *Type) Fields() []*Field { return slices.Clone(t.fields) }

// Field gives a field by its name, or by its path through groups, as a handle
// for those who use it often.
func (t *Type) Field(path string) (*Field, error) {
	f, err := t.descend(path)
	if err != nil {
		return nil, err.in(t.Name())
	}
	return f, nil
}
