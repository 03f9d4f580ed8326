package dynamic

import (
	"iter"
	"slices"

	"github.com/fairlead-go/fairlead/schema"
)

// Annotation is an annotation on a declaration.
type Annotation struct {
	// ID is that of the annotation's declaration, and Name its name where the
	// registry has it.
	ID   schema.ID
	Name string
	// Value is as [Module.Const] gives a constant.
	Value any
}

func (u *space) annotations(list []schema.Annotation) ([]Annotation, error) {
	var out []Annotation
	for _, a := range list {
		n, ok := u.reg.Node(a.ID)
		if !ok || n.Declared == nil {
			return nil, errSchema("the annotation " + a.ID.String() + " is not in the registry")
		}
		u.mu.Lock()
		env := u.bind(a.Brand, nil)
		u.mu.Unlock()
		v, err := u.value(&n.Declared.Type, env, a.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, Annotation{a.ID, pathName(n), v})
	}
	return out, nil
}

// Annotations are those of the file.
func (m *Module) Annotations() ([]Annotation, error) { return m.space.annotations(m.file.Annotations) }

// Annotations are those of a struct, an enum or an interface.
func (t *Type) Annotations() ([]Annotation, error) {
	if t.node == nil {
		return nil, nil
	}
	return t.space.annotations(t.node.Annotations)
}

// Annotations are those of the field.
func (f *Field) Annotations() ([]Annotation, error) {
	return f.owner.space.annotations(f.decl.Annotations)
}

// Default is the value of a field that is not set, as [Struct.Get] gives it. That
// of a group is nil.
func (f *Field) Default() (any, error) {
	if f.group {
		return nil, nil
	}
	return f.owner.space.value(&f.decl.Type, f.owner.env, f.decl.Default)
}

// UnionFields are the members of a struct's union, ordered by discriminant.
func (t *Type) UnionFields() []*Field {
	return slices.DeleteFunc(slices.Clone(t.union), func(f *Field) bool { return f == nil })
}

// PlainFields are the fields of a struct that are in no union, ordered as
// [Type.Fields].
func (t *Type) PlainFields() []*Field {
	return slices.DeleteFunc(slices.Clone(t.fields), func(f *Field) bool { return f.InUnion() })
}

// Enumerants are the names of an enum's values, ordered by their numbers.
func (t *Type) Enumerants() []string { return slices.Clone(t.names) }

// EnumerantAnnotations are those of enumerant i.
func (t *Type) EnumerantAnnotations(i int) ([]Annotation, error) {
	if t.node == nil || t.node.Enum == nil {
		return nil, nil
	}
	return t.space.annotations(t.node.Enum.Enumerants[i].Annotations)
}

// Enumerant gives a value of an enum by its name.
func (t *Type) Enumerant(name string) (Enum, error) {
	if t.kind != schema.EnumType {
		return Enum{}, errAccess(t.kind, "it has no enumerants").in(t.String())
	}
	n, err := t.enumerantByName(name)
	if err != nil {
		return Enum{}, err.in(t.Name())
	}
	return Enum{t, n}, nil
}

// Method is a method of an interface.
type Method struct {
	Name string
	// Interface is the one that declares the method, and Ordinal its number there.
	Interface *Type
	Ordinal   uint16
	// Params and Results are structs; a streaming method's results are
	// StreamResult.
	Params, Results *Type
	Streaming       bool
	decl            *schema.Method
}

// Schema is the declaration, which must not be changed.
func (m Method) Schema() *schema.Method { return m.decl }

// Annotations are those of the method.
func (m Method) Annotations() ([]Annotation, error) {
	return m.Interface.space.annotations(m.decl.Annotations)
}

// Methods are the methods that an interface declares itself, ordered by ordinal.
func (t *Type) Methods() []Method {
	if t.node == nil || t.node.Interface == nil {
		return nil
	}
	u := t.space
	out := make([]Method, len(t.node.Interface.Methods))
	for i := range out {
		d := &t.node.Interface.Methods[i]
		out[i] = Method{
			Name: d.Name, Interface: t, Ordinal: uint16(i), decl: d,
			Params:    u.resolve(&schema.Type{Kind: schema.StructType, ID: d.Params, Brand: d.ParamBrand}, t.env),
			Results:   u.resolve(&schema.Type{Kind: schema.StructType, ID: d.Results, Brand: d.ResultBrand}, t.env),
			Streaming: d.Results == schema.StreamResultID,
		}
	}
	return out
}

// Extends are the interfaces that an interface extends directly.
func (t *Type) Extends() []*Type {
	if t.node == nil || t.node.Interface == nil {
		return nil
	}
	var out []*Type
	for _, s := range t.node.Interface.Extends {
		out = append(out, t.space.resolve(&schema.Type{Kind: schema.InterfaceType, ID: s.ID, Brand: s.Brand}, t.env))
	}
	return out
}

// AllMethods iterates over the methods of an interface and of all that it
// extends, its own first; each interface counts once.
func (t *Type) AllMethods() iter.Seq[Method] {
	return func(yield func(Method) bool) {
		seen := map[schema.ID]bool{}
		queue := []*Type{t}
		for len(queue) > 0 {
			t := queue[0]
			queue = queue[1:]
			if seen[t.typ.ID] {
				continue
			}
			seen[t.typ.ID] = true
			for _, m := range t.Methods() {
				if !yield(m) {
					return
				}
			}
			queue = append(queue, t.Extends()...)
		}
	}
}

// Method finds a method of an interface, or of one that it extends, by its name.
func (t *Type) Method(name string) (Method, error) {
	var names []string
	for m := range t.AllMethods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, errNoName("such method", name, names).in(name).in(t.Name())
}
