package dynamic

import (
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// StructBuilder builds a struct by the names of its fields, in the memory of its
// message. It is a small value, valid until its message's Release or until the
// pointer that refers to the struct is set to something else.
//
// Setters return nothing: the first fault is kept, see [StructBuilder.Err], and
// a message with a fault is not sent. Setting a member of a union selects it, and
// so does setting something below it.
type StructBuilder struct {
	msg *segment.Message
	typ *Type
	b   segment.StructBuilder
}

// Edit gives a struct of a message that is built elsewhere as one of type t. An
// error says that it is smaller than the type's structs.
func (t *Type) Edit(b segment.StructBuilder) (StructBuilder, error) {
	switch have := b.Size(); {
	case t.kind != schema.StructType:
		return StructBuilder{}, errAccess(t.kind, "it is no struct").in(t.String())
	case t.err != nil:
		return StructBuilder{}, t.err
	case b.Message() == nil:
		return StructBuilder{}, &Error{Path: t.Name(), Kind: ErrType, Detail: "the builder has failed"}
	case have.DataWords < t.size.DataWords || have.Ptrs < t.size.Ptrs:
		return StructBuilder{}, &Error{Path: t.Name(), Kind: ErrType, Detail: "the struct is smaller than the type's"}
	}
	return StructBuilder{b.Message(), t, b}, nil
}

// Reader gives the same struct for reading, at no cost; what is set later shows
// in it.
func (b StructBuilder) Reader() Struct { return Struct{b.msg, b.typ, b.b.Reader()} }

// Type is the type of the struct, nil for what a failed call gave.
func (b StructBuilder) Type() *Type { return b.typ }

// Raw gives the struct without its type.
func (b StructBuilder) Raw() segment.StructBuilder { return b.b }

// Message is the message that is built, nil for what a failed call gave. Whoever
// made it releases it.
func (b StructBuilder) Message() *segment.Message {
	if b.msg == nil {
		return nil
	}
	return b.msg
}

// Err gives the first fault of the message, whoever found it.
func (b StructBuilder) Err() error { return errOf(b.msg) }

func (b StructBuilder) fail(top *Type, path string, err *Error) {
	if err != nil {
		failAt(b.msg, top, path, err)
	}
}

// find gives the struct that a path leads to, and the field in it. With making
// set, what is on the way is built and selected.
func (b StructBuilder) find(path string, making bool) (segment.StructBuilder, *Field) {
	if t := b.typ; t != nil {
		if f := t.lookup(path); f != nil && (making || f.selected(b.b.Reader())) {
			return b.b, f
		}
	}
	return b.findSlow(path, making)
}

//go:noinline
func (b StructBuilder) findSlow(path string, making bool) (segment.StructBuilder, *Field) {
	if b.typ == nil {
		return segment.StructBuilder{}, nil // its fault is known
	}
	top, start := b.typ, 0
	for {
		name, rest, more := strings.Cut(path[start:], ".")
		f, err := b.typ.descend(name)
		if err == nil && !making && !f.selected(b.b.Reader()) {
			err = f.unselected(b.b.Reader()).in(name)
		}
		if err == nil && !more {
			return b.b, f
		}
		if err == nil && f.kind != schema.StructType {
			err = errAccess(f.kind, "it has no field "+clip(rest)).in(name)
		}
		if err != nil {
			b.fail(top, path[:max(0, start-1)], err)
			return segment.StructBuilder{}, nil
		}
		f.choose(b.b)
		b = f.edit(b.msg, b.b)
		start += len(name) + 1
	}
}

// edit gives the struct or group of a field, which is built if it is not there.
func (f *Field) edit(msg *segment.Message, b segment.StructBuilder) StructBuilder {
	t := f.Type()
	if f.group {
		return StructBuilder{msg, t, b}
	}
	p := f.ptrBuilder(b)
	if t.err != nil {
		return StructBuilder{msg: msg}
	}
	return StructBuilder{msg, t, p.Struct(t.size)}
}

// ptrBuilder gives the field's pointer. A null one gets a copy of the default.
func (f *Field) ptrBuilder(b segment.StructBuilder) segment.PtrBuilder {
	p := b.Ptr(uint16(f.off))
	if !f.def.IsNull() && p.IsNull() {
		p.Set(f.def)
	}
	return p
}

// Set sets a field to v: a bool; any Go number that the field holds exactly
// (only a float64 is rounded, to a Float32); the name or number of an
// enumerant; a string for Text, a []byte for Data; nil for Void, and for a
// pointer that is to be null; a map, a Go struct or a [Struct] for a struct or
// group; a slice or a [List] for a list; what [AnyBuilder.Set] takes for an
// AnyPointer. Everything is copied.
func (b StructBuilder) Set(path string, v any) {
	if to, f := b.find(path, true); f != nil {
		if err := f.set(to, v, false); err != nil {
			b.fail(b.typ, path, err)
		}
	}
}

// SetBool sets a Bool.
func (b StructBuilder) SetBool(path string, v bool) {
	if to, f := b.find(path, true); f != nil {
		b.fail(b.typ, path, f.setBool(to, v))
	}
}

// SetInt sets any number, or an enumerant by its number.
func (b StructBuilder) SetInt(path string, v int64) {
	if to, f := b.find(path, true); f != nil {
		b.fail(b.typ, path, f.setNumber(to, number{class: signed, bits: uint64(v)}))
	}
}

// SetUint sets any number, or an enumerant by its number.
func (b StructBuilder) SetUint(path string, v uint64) {
	if to, f := b.find(path, true); f != nil {
		b.fail(b.typ, path, f.setNumber(to, number{class: unsigned, bits: v}))
	}
}

// SetFloat sets any number that holds v.
func (b StructBuilder) SetFloat(path string, v float64) {
	if to, f := b.find(path, true); f != nil {
		b.fail(b.typ, path, f.setNumber(to, number{class: floating, f: v}))
	}
}

// SetText copies a Text.
func (b StructBuilder) SetText(path, v string) {
	if to, f := b.find(path, true); f != nil {
		b.fail(b.typ, path, f.setText(to, v))
	}
}

// SetData copies a Data.
func (b StructBuilder) SetData(path string, v []byte) {
	if to, f := b.find(path, true); f != nil {
		b.fail(b.typ, path, f.setData(to, v))
	}
}

// Init builds a struct, all defaults, in the place of what was there, or gives a
// group all its defaults.
func (b StructBuilder) Init(path string) StructBuilder {
	to, f := b.find(path, true)
	if f == nil {
		return StructBuilder{msg: b.msg}
	}
	made, err := f.initStruct(b.msg, to)
	b.fail(b.typ, path, err)
	return made
}

func (f *Field) initStruct(msg *segment.Message, b segment.StructBuilder) (StructBuilder, *Error) {
	if f.kind != schema.StructType {
		return StructBuilder{msg: msg}, errAccess(f.kind, "Init makes structs and groups")
	}
	t := f.Type()
	if t.err != nil {
		return StructBuilder{msg: msg}, t.err
	}
	f.choose(b)
	if f.group {
		t.clearGroup(b)
		return StructBuilder{msg, t, b}, nil
	}
	return StructBuilder{msg, t, b.Ptr(uint16(f.off)).NewStruct(t.size)}, nil
}

// InitList builds a list of n elements, all defaults, in the place of what was
// there.
func (b StructBuilder) InitList(path string, n int) ListBuilder {
	to, f := b.find(path, true)
	if f == nil {
		return ListBuilder{msg: b.msg}
	}
	t, p, err := f.initList(to)
	if err != nil {
		b.fail(b.typ, path, err)
		return ListBuilder{msg: b.msg}
	}
	return ListBuilder{b.msg, t, n, t.elem.newList(p, n), p}
}

// initList gives the type of a field that is a list, and its pointer to build
// one under.
func (f *Field) initList(b segment.StructBuilder) (*Type, segment.PtrBuilder, *Error) {
	if f.kind != schema.ListType {
		return nil, segment.PtrBuilder{}, errAccess(f.kind, "InitList makes lists")
	}
	t := f.Type()
	if t.err != nil {
		return nil, segment.PtrBuilder{}, t.err
	}
	f.choose(b)
	return t, b.Ptr(uint16(f.off)), nil
}

// Clear gives a field its default: a pointer becomes null, and what is below it
// is gone. Clearing a member of a union selects it.
func (b StructBuilder) Clear(path string) {
	if to, f := b.find(path, true); f != nil {
		f.choose(to)
		f.clear(to)
	}
}

// Struct gives a struct or a group to build in. A struct that is not there is
// built; one from an older sender is copied to its new size.
func (b StructBuilder) Struct(path string) StructBuilder {
	to, f := b.find(path, false)
	if f == nil {
		return StructBuilder{msg: b.msg}
	}
	if f.kind != schema.StructType {
		b.fail(b.typ, path, errAccess(f.kind, "Struct gives structs and groups"))
		return StructBuilder{msg: b.msg}
	}
	if err := f.Type().err; err != nil {
		b.fail(b.typ, path, err)
		return StructBuilder{msg: b.msg}
	}
	return f.edit(b.msg, to)
}

// List gives the list that is there; it is empty where there is none.
func (b StructBuilder) List(path string) ListBuilder {
	to, f := b.find(path, false)
	if f == nil {
		return ListBuilder{msg: b.msg}
	}
	if f.kind != schema.ListType {
		b.fail(b.typ, path, errAccess(f.kind, "List gives lists"))
		return ListBuilder{msg: b.msg}
	}
	return editList(b.msg, f.Type(), f.ptrBuilder(to))
}

// Any gives a pointer without regard to its type, and so an AnyPointer. A member
// of a union is selected by it.
func (b StructBuilder) Any(path string) AnyBuilder {
	to, f := b.find(path, true)
	if f == nil {
		return AnyBuilder{msg: b.msg}
	}
	if f.group || !f.kind.IsPointer() {
		b.fail(b.typ, path, errAccess(f.kind, "Any gives pointers"))
		return AnyBuilder{msg: b.msg}
	}
	f.choose(to)
	return AnyBuilder{b.msg, f.Type(), to.Ptr(uint16(f.off))}
}

// Get is [Struct.Get], but gives builders of structs, lists and AnyPointers.
func (b StructBuilder) Get(path string) any {
	to, f := b.find(path, false)
	if f == nil {
		return nil
	}
	switch f.kind {
	case schema.StructType:
		return b.Struct(path)
	case schema.ListType:
		return b.List(path)
	case schema.AnyPointer:
		return b.Any(path)
	}
	return f.value(b.msg, to.Reader())
}

// Bool is [Struct.Bool].
func (b StructBuilder) Bool(path string) bool { return b.Reader().Bool(path) }

// Int is [Struct.Int].
func (b StructBuilder) Int(path string) int64 { return b.Reader().Int(path) }

// Uint is [Struct.Uint].
func (b StructBuilder) Uint(path string) uint64 { return b.Reader().Uint(path) }

// Float is [Struct.Float].
func (b StructBuilder) Float(path string) float64 { return b.Reader().Float(path) }

// Text is [Struct.Text].
func (b StructBuilder) Text(path string) string { return b.Reader().Text(path) }

// Enum is [Struct.Enum].
func (b StructBuilder) Enum(path string) Enum { return b.Reader().Enum(path) }

// Data gives the bytes of a Data, which may be overwritten in place. They are the
// message's memory, valid until its Release; the slice is nil where there are
// none.
func (b StructBuilder) Data(path string) []byte {
	to, f := b.find(path, false)
	if f == nil {
		return nil
	}
	if f.kind != schema.Data {
		b.fail(b.typ, path, errAccess(f.kind, "Data gives Data"))
		return nil
	}
	return f.ptrBuilder(to).Data()
}

// Has is [Struct.Has].
func (b StructBuilder) Has(path string) bool { return b.Reader().Has(path) }

// Which is [Struct.Which].
func (b StructBuilder) Which(path ...string) string { return b.Reader().Which(path...) }

// Discriminant is [Struct.Discriminant].
func (b StructBuilder) Discriminant(path ...string) uint16 { return b.Reader().Discriminant(path...) }

// All is [Struct.All].
func (b StructBuilder) All() iter.Seq2[*Field, any] { return b.Reader().All() }

// Copy is [Struct.Copy].
func (b StructBuilder) Copy() (StructBuilder, error) { return b.Reader().Copy() }

// Assign sets fields from v: those that a map or a Go struct has, or all of a
// [Struct] of the same type. The fault of a value is kept, and returned.
func (b StructBuilder) Assign(v any) error {
	if b.typ == nil {
		return b.Err()
	}
	err := b.typ.takes(v)
	if err == nil {
		err = b.typ.assign(b.b, v)
	}
	if err != nil {
		b.fail(b.typ, "", err)
		return err
	}
	return nil
}

// assign sets fields from a value that the type, which is that of b, takes.
func (t *Type) assign(b segment.StructBuilder, v any) *Error {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		return t.fill(b, v, false)
	case StructBuilder:
		return t.assign(b, v.Reader())
	case Struct:
		if !t.group {
			b.CopyFrom(v.s)
			return nil
		}
		for f, v := range v.All() {
			if err := f.set(b, v, false); err != nil {
				return err.in(f.name)
			}
		}
		return nil
	}
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	return t.assignReflect(b, rv)
}

// fill sets the fields that m has, in the schema's order, so that equal maps
// make equal messages. A fresh struct has all its defaults.
func (t *Type) fill(b segment.StructBuilder, m map[string]any, fresh bool) *Error {
	if len(m)*8 <= len(t.fields) {
		return t.fillFew(b, m, fresh)
	}
	var member *Field
	found := 0
	for _, f := range t.fields {
		v, ok := m[f.name]
		if !ok {
			continue
		}
		if len(f.choices) > 0 {
			if member != nil {
				return errTwoMembers(member, f)
			}
			member = f
		}
		if err := f.set(b, v, fresh); err != nil {
			return err.in(f.name)
		}
		if found++; found == len(m) {
			return nil
		}
	}
	if found < len(m) {
		return t.unknownKey(m)
	}
	return nil
}

// fillFew is fill for a map that has few of many fields: it looks up each key
// among the fields.
func (t *Type) fillFew(b segment.StructBuilder, m map[string]any, fresh bool) *Error {
	var room [16]*Field
	fields := room[:0]
	var member *Field
	for k, v := range m {
		f := t.lookup(k)
		if f == nil || f.scope != t {
			return t.unknownKey(m)
		}
		if len(m) == 1 {
			if err := f.set(b, v, fresh); err != nil {
				return err.in(f.name)
			}
			return nil
		}
		fields = append(fields, f)
	}
	slices.SortFunc(fields, func(a, b *Field) int { return int(a.index) - int(b.index) })
	for _, f := range fields {
		if len(f.choices) > 0 {
			if member != nil {
				return errTwoMembers(member, f)
			}
			member = f
		}
		if err := f.set(b, m[f.name], fresh); err != nil {
			return err.in(f.name)
		}
	}
	return nil
}

func errTwoMembers(a, b *Field) *Error {
	return &Error{Path: b.name, Kind: ErrUnion, Detail: "a union has one member, and " + a.name + " is set as well"}
}

// unknownKey is the fault of a map with a key that is no field's name.
func (t *Type) unknownKey(m map[string]any) *Error {
	var unknown []string
	for k := range m {
		if f := t.lookup(k); f == nil || f.scope != t {
			unknown = append(unknown, k)
		}
	}
	name := slices.Min(unknown)
	return errNoName("such field", name, t.fieldNames()).in(name)
}
