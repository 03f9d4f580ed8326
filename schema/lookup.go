package schema

import (
	"iter"
	"strings"
)

// Field finds a field of a struct by its name. It is nil if there is none.
func (n *Node) Field(name string) *Field {
	if n.Struct == nil {
		return nil
	}
	for i := range n.Struct.Fields {
		if f := &n.Struct.Fields[i]; f.Name == name {
			return f
		}
	}
	return nil
}

// Child finds a named declaration inside n; groups are not among them.
func (n *Node) Child(name string) (ID, bool) {
	for _, c := range n.Nested {
		if c.Name == name {
			return c.ID, true
		}
	}
	return 0, false
}

// UnionFields iterates over the fields that are members of the struct's union.
func (s *Struct) UnionFields() iter.Seq[*Field] { return s.fields(true) }

// PlainFields iterates over the fields that are not in the struct's union.
func (s *Struct) PlainFields() iter.Seq[*Field] { return s.fields(false) }

func (s *Struct) fields(inUnion bool) iter.Seq[*Field] {
	return func(yield func(*Field) bool) {
		for i := range s.Fields {
			if f := &s.Fields[i]; f.InUnion() == inUnion && !yield(f) {
				return
			}
		}
	}
}

// Member finds the member of the union that a discriminant selects. It is nil
// if the schema knows none, as when a newer writer set it.
func (s *Struct) Member(discriminant uint16) *Field {
	for f := range s.UnionFields() {
		if f.Discriminant == discriminant {
			return f
		}
	}
	return nil
}

// Enumerant finds the number of the enumerant called name.
func (e *Enum) Enumerant(name string) (number uint16, ok bool) {
	for i := range e.Enumerants {
		if e.Enumerants[i].Name == name {
			return uint16(i), true
		}
	}
	return 0, false
}

// Method finds the number of the method called name, which a superclass may
// have too: see [Registry.Interfaces].
func (f *Interface) Method(name string) (ordinal uint16, ok bool) {
	for i := range f.Methods {
		if f.Methods[i].Name == name {
			return uint16(i), true
		}
	}
	return 0, false
}

// FindAnnotation finds the value of the annotation id among those of a
// declaration.
func FindAnnotation(from []Annotation, id ID) (Value, bool) {
	for _, a := range from {
		if a.ID == id {
			return a.Value, true
		}
	}
	return Value{}, false
}

// Interfaces iterates over an interface and, in depth-first order and each once,
// all that it extends: those are the interfaces whose methods it has. With each
// comes its brand as seen from the first, whose own is brand. Superclasses that
// are not in the registry are left out.
func (r *Registry) Interfaces(id ID, brand Brand) iter.Seq2[*Node, Brand] {
	return func(yield func(*Node, Brand) bool) {
		seen := map[ID]bool{}
		r.interfaces(id, brand, seen, yield)
	}
}

func (r *Registry) interfaces(id ID, brand Brand, seen map[ID]bool, yield func(*Node, Brand) bool) bool {
	n, ok := r.Node(id)
	if !ok || n.Interface == nil || seen[id] {
		return true
	}
	seen[id] = true
	if !yield(n, brand) {
		return false
	}
	for _, super := range n.Interface.Extends {
		if !r.interfaces(super.ID, super.Brand.Bind(brand), seen, yield) {
			return false
		}
	}
	return true
}

// FindMethod finds a method by name in an interface and all that it extends:
// the interface that declares it, with its brand, and its number there.
func (r *Registry) FindMethod(id ID, brand Brand, name string) (iface *Node, b Brand, ordinal uint16, ok bool) {
	for n, b := range r.Interfaces(id, brand) {
		if i, ok := n.Interface.Method(name); ok {
			return n, b, i, true
		}
	}
	return nil, nil, 0, false
}

// TypeName writes a type as the schema language does, such as List(Int32). Nodes
// are called by their path within their file, and by their id if the registry
// does not have them.
func (r *Registry) TypeName(t Type) string {
	var b strings.Builder
	r.writeType(&b, t)
	return b.String()
}

// maxTypeName ends the writing of types that generics have blown up.
const maxTypeName = 1 << 10

func (r *Registry) writeType(b *strings.Builder, t Type) {
	if b.Len() > maxTypeName {
		b.WriteString("…")
		return
	}
	switch t.Kind {
	case ListType:
		b.WriteString("List(")
		r.writeType(b, *t.Elem)
		b.WriteByte(')')
	case EnumType, StructType, InterfaceType:
		n, ok := r.Node(t.ID)
		if !ok {
			b.WriteString(t.ID.String())
			return
		}
		b.WriteString(n.Path())
		if scope := t.Brand.Scope(t.ID); scope != nil && !scope.Inherit {
			r.writeBindings(b, scope.Bind)
		}
	case AnyPointer:
		b.WriteString(r.anyName(t))
	default:
		b.WriteString(t.Kind.String())
	}
}

func (r *Registry) writeBindings(b *strings.Builder, bind []*Type) {
	for i, t := range bind {
		if b.WriteString([]string{"(", ", "}[min(i, 1)]); t == nil {
			b.WriteString("AnyPointer")
		} else {
			r.writeType(b, *t)
		}
	}
	b.WriteByte(')')
}

func (r *Registry) anyName(t Type) string {
	switch t.Any {
	case AnyStruct:
		return "AnyStruct"
	case AnyList:
		return "AnyList"
	case AnyCapability:
		return "Capability"
	case AnyParam:
		if n, ok := r.Node(t.Scope); ok && int(t.Index) < len(n.Params) {
			return n.Params[t.Index]
		}
	}
	return "AnyPointer"
}

// Path gives the node's place in its file, such as Person.PhoneNumber, and for a
// file its name.
func (n *Node) Path() string {
	if n.Kind == KindFile {
		return n.DisplayName
	}
	return n.DisplayName[strings.LastIndexByte(n.DisplayName, ':')+1:]
}

// MethodName gives the names of the method that a call names by an interface and
// an ordinal: the path of the interface within its file, such as
// "Calculator.Value", and the method's own. It is false if the registry does not
// have it.
func (r *Registry) MethodName(iface ID, ordinal uint16) (path, method string, ok bool) {
	n, ok := r.Node(iface)
	if !ok || n.Interface == nil || int(ordinal) >= len(n.Interface.Methods) {
		return "", "", false
	}
	return n.Path(), n.Interface.Methods[ordinal].Name, true
}
