package dynamic

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Orphan is an object of a message that no pointer refers to: it was taken from
// its place by Disown, or made by [StructBuilder.NewOrphan], and can be adopted
// once by another place of the same message and type. Using it again is a fault
// that matches [ErrOrphan]. An orphan that is never adopted stays in the message
// as room that is not used.
type Orphan struct {
	msg *segment.Message
	typ *Type
	o   *segment.Orphan
	// held is a pointer of no field that refers to the object while it is built
	// in.
	held segment.PtrBuilder
}

func disown(msg *segment.Message, t *Type, p segment.PtrBuilder) *Orphan {
	return &Orphan{msg: msg, typ: t, o: p.Disown()}
}

// usable is the fault of an orphan that is gone, or of another message than
// that of msg.
func (o *Orphan) usable(msg *segment.Message) *Error {
	switch {
	case o == nil || o.typ == nil || o.o == nil && o.held.Message() == nil:
		return &Error{Kind: ErrOrphan, Detail: "the orphan was adopted or discarded before"}
	case o.msg != msg:
		return &Error{Kind: ErrOrphan, Detail: "the orphan lies in another message"}
	}
	return nil
}

func (o *Orphan) adopt(msg *segment.Message, t *Type, p segment.PtrBuilder) *Error {
	if err := o.usable(msg); err != nil {
		return err
	}
	if err := o.fits(t); err != nil {
		return err
	}
	if o.held.Message() != nil {
		o.o, o.held = o.held.Disown(), segment.PtrBuilder{}
	}
	p.Adopt(o.o)
	o.o = nil
	return nil
}

// fits tells whether a pointer of type t may refer to the orphan.
func (o *Orphan) fits(t *Type) *Error {
	sort := schema.AnyList
	switch o.typ.kind {
	case schema.StructType:
		sort = schema.AnyStruct
	case schema.InterfaceType:
		sort = schema.AnyCapability
	}
	if o.typ.same(t) || t.anyTakes(sort) && o.typ.kind != schema.AnyPointer {
		return nil
	}
	return errKind(takesWhat(t.kind)+t.ofType(), "an orphan of "+o.typ.String())
}

// Type is the type of the object.
func (o *Orphan) Type() *Type { return o.typ }

// IsNull tells whether there is nothing: the pointer was null, or the orphan was
// adopted.
func (o *Orphan) IsNull() bool {
	if o.held.Message() != nil {
		return o.held.IsNull()
	}
	return o.o == nil || o.o.IsNull()
}

// hold gives a pointer that refers to the object.
func (o *Orphan) hold() (segment.PtrBuilder, bool) {
	if o.msg == nil {
		return segment.PtrBuilder{}, false
	}
	if err := o.usable(o.msg); err != nil {
		fail(o.msg, err)
		return segment.PtrBuilder{}, false
	}
	if o.held.Message() == nil {
		place := o.msg.NewOrphanStruct(segment.Size{Ptrs: 1}).Struct(segment.Size{Ptrs: 1})
		if place.Message() == nil {
			return segment.PtrBuilder{}, false
		}
		o.held = place.Ptr(0)
		o.held.Adopt(o.o)
		o.o = nil
	}
	return o.held, true
}

// Struct gives an orphan that is a struct to build in.
func (o *Orphan) Struct() StructBuilder {
	p, ok := o.hold()
	if !ok {
		return StructBuilder{msg: o.msg}
	}
	if err := o.typ.wants(schema.StructType, "Struct"); err != nil {
		fail(o.msg, err)
		return StructBuilder{msg: o.msg}
	}
	return StructBuilder{o.msg, o.typ, p.Struct(o.typ.size)}
}

// List gives an orphan that is a list to build in.
func (o *Orphan) List() ListBuilder {
	p, ok := o.hold()
	if !ok {
		return ListBuilder{msg: o.msg}
	}
	if err := o.typ.wants(schema.ListType, "List"); err != nil {
		fail(o.msg, err)
		return ListBuilder{msg: o.msg}
	}
	return editList(o.msg, o.typ, p)
}

// Any gives the orphan as a pointer, to set one that is text, data or an
// AnyPointer.
func (o *Orphan) Any() AnyBuilder {
	p, ok := o.hold()
	if !ok {
		return AnyBuilder{msg: o.msg}
	}
	return AnyBuilder{o.msg, o.typ, p}
}

// Resize makes a list, text or data shorter, or longer by elements that are all
// defaults. Builders of its elements are no longer valid.
func (o *Orphan) Resize(n int) {
	if o.msg == nil {
		return
	}
	err := o.usable(o.msg)
	if err == nil && o.typ.kind != schema.ListType && o.typ.kind != schema.Text && o.typ.kind != schema.Data {
		err = errAccess(o.typ.kind, "it has no length")
	}
	if err != nil {
		fail(o.msg, err)
		return
	}
	if o.held.Message() != nil {
		o.o, o.held = o.held.Disown(), segment.PtrBuilder{}
	}
	if o.typ.kind == schema.Text {
		o.o.TruncateText(n)
		return
	}
	o.o.Truncate(n)
}

// Discard zeroes the object, which is then gone.
func (o *Orphan) Discard() {
	if o.msg == nil {
		return
	}
	if err := o.usable(o.msg); err != nil {
		fail(o.msg, err)
		return
	}
	if o.held.Message() != nil {
		o.held.Clear()
	} else {
		o.o.Discard()
	}
	o.o, o.held = nil, segment.PtrBuilder{}
}

// NewOrphan makes an object of type t in the message of b that no pointer
// refers to yet: a struct, or a list, text or data of n elements.
func (b StructBuilder) NewOrphan(t *Type, n int) *Orphan {
	o := &Orphan{msg: b.msg}
	if b.typ == nil {
		return o
	}
	if t == nil || t.err != nil || !t.kind.IsPointer() || t.kind == schema.InterfaceType || t.kind == schema.AnyPointer {
		fail(b.msg, &Error{Path: b.typ.Name(), Kind: ErrType, Detail: "an orphan is a struct, a list, text or data"})
		return o
	}
	place := b.msg.NewOrphanStruct(segment.Size{Ptrs: 1}).Struct(segment.Size{Ptrs: 1})
	if place.Message() == nil {
		return o
	}
	o.typ, o.held = t, place.Ptr(0)
	switch t.kind {
	case schema.StructType:
		o.held.NewStruct(t.size)
	case schema.ListType:
		t.elem.newList(o.held, n)
	case schema.Text:
		o.held.NewText(n)
	case schema.Data:
		o.held.NewData(n)
	}
	return o
}

// Adopt lets a field refer to the orphan's object, in the place of what was
// there.
func (b StructBuilder) Adopt(path string, o *Orphan) {
	to, f := b.find(path, true)
	if f == nil {
		return
	}
	if f.group || !f.kind.IsPointer() {
		b.fail(b.typ, path, errAccess(f.kind, "only a pointer adopts"))
		return
	}
	err := o.usable(b.msg)
	if err == nil {
		err = o.fits(f.Type())
	}
	if err == nil {
		f.choose(to)
		err = o.adopt(b.msg, f.Type(), to.Ptr(uint16(f.off)))
	}
	b.fail(b.typ, path, err)
}

// Disown takes the object from under a field, which becomes null.
func (b StructBuilder) Disown(path string) *Orphan {
	to, f := b.find(path, false)
	if f == nil {
		return &Orphan{msg: b.msg}
	}
	if f.group || !f.kind.IsPointer() {
		b.fail(b.typ, path, errAccess(f.kind, "only a pointer is disowned"))
		return &Orphan{msg: b.msg}
	}
	return disown(b.msg, f.Type(), to.Ptr(uint16(f.off)))
}

// Adopt lets element i of a list of pointers refer to the orphan's object.
func (l ListBuilder) Adopt(i int, o *Orphan) {
	if l.check(i) {
		if k := l.typ.elem.kind; !k.IsPointer() || k == schema.StructType {
			l.fail(i, errAccess(k, "only a pointer adopts"))
			return
		}
		l.fail(i, o.adopt(l.msg, l.typ.elem, l.l.At(i)))
	}
}

// Disown takes the object from under element i of a list of pointers.
func (l ListBuilder) Disown(i int) *Orphan {
	if !l.check(i) {
		return &Orphan{msg: l.msg}
	}
	if k := l.typ.elem.kind; !k.IsPointer() || k == schema.StructType {
		l.fail(i, errAccess(k, "only a pointer is disowned"))
		return &Orphan{msg: l.msg}
	}
	return disown(l.msg, l.typ.elem, l.l.At(i))
}
