package dynamic

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Any reads a pointer whose type only the caller knows: an AnyPointer. It is a
// small value, valid until its message's Release; the zero Any is null. What is
// asked for as what it is not reads as nothing, and is a fault.
type Any struct {
	msg *segment.Message
	typ *Type
	p   segment.Ptr
}

// Raw gives the pointer itself.
func (a Any) Raw() segment.Ptr { return a.p }

// IsNull tells whether there is nothing.
func (a Any) IsNull() bool { return a.p.IsNull() }

// Kind tells what the pointer refers to. Text and data are lists.
func (a Any) Kind() segment.Kind { return a.p.Kind() }

// Err is [Struct.Err].
func (a Any) Err() error { return errOf(a.msg) }

// Struct reads the pointer as a struct of type t.
func (a Any) Struct(t *Type) Struct {
	if err := t.wants(schema.StructType, "Struct"); err != nil {
		fail(a.msg, err)
		return Struct{msg: a.msg}
	}
	return Struct{a.msg, t, a.p.Struct()}
}

// List reads the pointer as a list of type t, such as List(Text): see
// [Type.List].
func (a Any) List(t *Type) List {
	if err := t.wants(schema.ListType, "List"); err != nil {
		fail(a.msg, err)
		return List{msg: a.msg}
	}
	return readList(a.msg, t, a.p)
}

// Text copies the pointer's text.
func (a Any) Text() string { return a.p.Text() }

// Data gives the pointer's bytes without copying them. See [Struct.Data].
func (a Any) Data() []byte { return a.p.Data() }

// Capability gives the index that the pointer holds; ok is false if it is null.
// Something else is a fault of the message, and not ok: ask Kind first.
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
	msg *segment.Message
	typ *Type
	p   segment.PtrBuilder
}

// Reader gives the same pointer for reading.
func (a AnyBuilder) Reader() Any { return Any{a.msg, a.typ, a.p.Reader()} }

// Raw gives the pointer itself.
func (a AnyBuilder) Raw() segment.PtrBuilder { return a.p }

// Err is [StructBuilder.Err].
func (a AnyBuilder) Err() error { return errOf(a.msg) }

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
	fail(a.msg, err)
	return err == nil
}

// Struct gives the struct of type t that is there to build in; one is built if
// there is none.
func (a AnyBuilder) Struct(t *Type) StructBuilder {
	if !a.makes(t, schema.StructType, schema.AnyStruct, "Struct") {
		return StructBuilder{msg: a.msg}
	}
	return StructBuilder{a.msg, t, a.p.Struct(t.size)}
}

// List gives the list of type t that is there.
func (a AnyBuilder) List(t *Type) ListBuilder {
	if !a.makes(t, schema.ListType, schema.AnyList, "List") {
		return ListBuilder{msg: a.msg}
	}
	return editList(a.msg, t, a.p)
}

// Init builds a struct of type t, all defaults, in the place of what was there.
func (a AnyBuilder) Init(t *Type) StructBuilder {
	if !a.makes(t, schema.StructType, schema.AnyStruct, "Init") {
		return StructBuilder{msg: a.msg}
	}
	return StructBuilder{a.msg, t, a.p.NewStruct(t.size)}
}

// InitList builds a list of type t with n elements in the place of what was
// there.
func (a AnyBuilder) InitList(t *Type, n int) ListBuilder {
	if !a.makes(t, schema.ListType, schema.AnyList, "InitList") {
		return ListBuilder{msg: a.msg}
	}
	return ListBuilder{a.msg, t, n, t.elem.newList(a.p, n), a.p}
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
			fail(a.msg, err.in(a.typ.String()))
			return
		}
	}
	fail(a.msg, setPtr(a.typ, a.p, v))
}

// Clear makes the pointer null; what was below it is gone.
func (a AnyBuilder) Clear() { a.p.Clear() }

// Text copies the pointer's text.
func (a AnyBuilder) Text() string { return a.p.Reader().Text() }

// Data gives the pointer's bytes, which may be overwritten in place.
func (a AnyBuilder) Data() []byte { return a.p.Data() }

// Capability gives the index that the pointer holds. See [Any.Capability].
func (a AnyBuilder) Capability() (index uint32, ok bool) { return a.p.Reader().Capability() }

// Adopt lets the pointer refer to the orphan's object.
func (a AnyBuilder) Adopt(o *Orphan) {
	if a.typ != nil {
		fail(a.msg, o.adopt(a.msg, a.typ, a.p))
	}
}

// Disown takes the object from under the pointer, which becomes null.
func (a AnyBuilder) Disown() *Orphan {
	if a.typ == nil {
		return &Orphan{msg: a.msg}
	}
	return disown(a.msg, a.typ, a.p)
}
