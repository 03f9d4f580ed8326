package dynamic

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Any reads a pointer whose type only the caller knows: an AnyPointer. It is a
// small value, valid until its message's Release; the zero Any is null. What is
// asked for as what it is not reads as nothing, and is a fault.
type Any struct {
	root *root
	typ  *Type
	p    segment.Ptr
}

// Raw gives the pointer itself.
func (a Any) Raw() segment.Ptr { return a.p }

// IsNull tells whether there is nothing.
func (a Any) IsNull() bool { return a.p.IsNull() }

// Kind tells what the pointer refers to. Text and data are lists.
func (a Any) Kind() segment.Kind { return a.p.Kind() }

// Err is [Struct.Err].
func (a Any) Err() error { return a.root.err() }

// Struct reads the pointer as a struct of type t.
func (a Any) Struct(t *Type) Struct {
	if err := t.wants(schema.StructType, "Struct"); err != nil {
		a.root.fail(err)
		return Struct{root: a.root}
	}
	return Struct{a.root, t, a.p.Struct()}
}

// List reads the pointer as a list of type t, such as List(Text): see
// [Type.List].
func (a Any) List(t *Type) List {
	if err := t.wants(schema.ListType, "List"); err != nil {
		a.root.fail(err)
		return List{root: a.root}
	}
	return readList(a.root, t, a.p)
}

// Text copies the pointer's text.
func (a Any) Text() string { return a.p.Text() }

// Data gives the pointer's bytes without copying them. See [Struct.Data].
func (a Any) Data() []byte { return a.p.Data() }

// Capability gives the index that the pointer holds; ok is false if it is no
// capability.
func (a Any) Capability() (index uint32, ok bool) { return a.p.Capability() }

// Equal compares what two pointers lead to. See [segment.Ptr.Equal].
func (a Any) Equal(b Any) segment.Equality { return a.p.Equal(b.p) }

// wants tells whether the type serves a call that needs one of a kind.
func (t *Type) wants(k schema.TypeKind, call string) *Error {
	switch {
	case t == nil:
		return &Error{Kind: ErrType, Detail: call + " needs a type"}
	case t.err != nil:
		return t.err
	case t.kind != k:
		return errAccess(t.kind, call+" needs the type of "+describe(k)).in(t.String())
	}
	return nil
}

// AnyBuilder builds what a pointer refers to, whatever it is. It is a small
// value, valid as a [StructBuilder] is.
type AnyBuilder struct {
	root *root
	typ  *Type
	p    segment.PtrBuilder
}

// Reader gives the same pointer for reading.
func (a AnyBuilder) Reader() Any { return Any{a.root, a.typ, a.p.Reader()} }

// Raw gives the pointer itself.
func (a AnyBuilder) Raw() segment.PtrBuilder { return a.p }

// Err is [StructBuilder.Err].
func (a AnyBuilder) Err() error { return a.root.err() }

// IsNull tells whether there is nothing.
func (a AnyBuilder) IsNull() bool { return a.p.IsNull() }

// Kind tells what the pointer refers to. Text and data are lists.
func (a AnyBuilder) Kind() segment.Kind { return a.p.Reader().Kind() }

// makes tells whether the pointer can refer to an object of type t, and keeps
// the fault if not.
func (a AnyBuilder) makes(t *Type, k schema.TypeKind, sort schema.AnyKind, call string) bool {
	if a.typ == nil {
		return false
	}
	err := t.wants(k, call)
	if err == nil && !a.typ.anyTakes(sort) && !a.typ.same(t) {
		err = errKind(takesWhat(a.typ.kind)+a.typ.ofType(), "one of "+t.String())
	}
	a.root.fail(err)
	return err == nil
}

// Struct gives the struct of type t that is there to build in; one is built if
// there is none.
func (a AnyBuilder) Struct(t *Type) StructBuilder {
	if !a.makes(t, schema.StructType, schema.AnyStruct, "Struct") {
		return StructBuilder{root: a.root}
	}
	return StructBuilder{a.root, t, a.p.Struct(t.size)}
}

// List gives the list of type t that is there.
func (a AnyBuilder) List(t *Type) ListBuilder {
	if !a.makes(t, schema.ListType, schema.AnyList, "List") {
		return ListBuilder{root: a.root}
	}
	return editList(a.root, t, a.p)
}

// Init builds a struct of type t, all defaults, in the place of what was there.
func (a AnyBuilder) Init(t *Type) StructBuilder {
	if !a.makes(t, schema.StructType, schema.AnyStruct, "Init") {
		return StructBuilder{root: a.root}
	}
	return StructBuilder{a.root, t, a.p.NewStruct(t.size)}
}

// InitList builds a list of type t with n elements in the place of what was
// there.
func (a AnyBuilder) InitList(t *Type, n int) ListBuilder {
	if !a.makes(t, schema.ListType, schema.AnyList, "InitList") {
		return ListBuilder{root: a.root}
	}
	return newList(a.root, t, a.p, n)
}

// Set copies a [Struct], a [List], a string as text, a []byte as data, a
// [Capability] or another Any; nil makes the pointer null. Maps and slices have
// no type that tells how they are to be built: see [AnyBuilder.Init].
func (a AnyBuilder) Set(v any) {
	if a.typ == nil {
		return
	}
	if v != nil {
		if err := a.typ.takes(v); err != nil {
			a.root.fail(err.in(a.typ.String()))
			return
		}
	}
	a.root.fail(setPtr(a.root, a.typ, a.p, v))
}

// Clear makes the pointer null; what was below it is gone.
func (a AnyBuilder) Clear() { a.p.Clear() }

// Text copies the pointer's text.
func (a AnyBuilder) Text() string { return a.p.Reader().Text() }

// Data gives the pointer's bytes, which may be overwritten in place.
func (a AnyBuilder) Data() []byte { return a.p.Data() }

// Capability gives the index that the pointer holds; ok is false if it is no
// capability.
func (a AnyBuilder) Capability() (index uint32, ok bool) { return a.p.Reader().Capability() }

// Adopt lets the pointer refer to the orphan's object.
func (a AnyBuilder) Adopt(o *Orphan) {
	if a.typ != nil {
		a.root.fail(o.adopt(a.root, a.typ, a.p))
	}
}

// Disown takes the object from under the pointer, which becomes null.
func (a AnyBuilder) Disown() *Orphan {
	if a.typ == nil {
		return &Orphan{root: a.root}
	}
	return disown(a.root, a.typ, a.p)
}
