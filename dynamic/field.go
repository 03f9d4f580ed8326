package dynamic

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// A Field's own getters and setters do what those of [Struct] and
// [StructBuilder] do, without looking for the name. The struct has to be of the
// type that the field was taken from; another one is a fault.

// of tells whether the field can be read in s.
func (f *Field) of(s Struct) bool {
	return s.typ == f.owner && f.selected(s.s) || f.refuse(s)
}

//go:noinline
func (f *Field) refuse(s Struct) bool {
	switch {
	case s.typ == nil:
	case s.typ != f.owner:
		s.fail(s.typ, "", &Error{Kind: ErrType, Detail: "the field " + f.name + " is one of " + f.owner.Name()})
	default:
		s.fail(f.owner, f.name, f.unselected(s.s))
	}
	return false
}

// wrong keeps the fault of a getter of the wrong kind.
func (f *Field) wrong(s Struct, err *Error) { s.fail(f.owner, f.name, err) }

// Selected tells whether the field is set where it is a member of a union; a
// field in no union always is.
func (f *Field) Selected(s Struct) bool { return s.typ == f.owner && f.selected(s.s) }

// Get is [Struct.Get].
func (f *Field) Get(s Struct) any {
	if !f.of(s) {
		return nil
	}
	return f.value(s.msg, s.s)
}

// Bool is [Struct.Bool].
func (f *Field) Bool(s Struct) bool {
	if !f.of(s) {
		return false
	}
	if f.kind != schema.Bool {
		f.wrong(s, errAccess(f.kind, "Bool reads Bool"))
		return false
	}
	return f.bits(s.s) != 0
}

// Int is [Struct.Int].
func (f *Field) Int(s Struct) int64 {
	if !f.of(s) {
		return 0
	}
	v, err := asInt(f.kind, f.bits(s.s))
	if err != nil {
		f.wrong(s, err)
	}
	return v
}

// Uint is [Struct.Uint].
func (f *Field) Uint(s Struct) uint64 {
	if !f.of(s) {
		return 0
	}
	v, err := asUint(f.kind, f.bits(s.s))
	if err != nil {
		f.wrong(s, err)
	}
	return v
}

// Float is [Struct.Float].
func (f *Field) Float(s Struct) float64 {
	if !f.of(s) {
		return 0
	}
	v, err := asFloat(f.kind, f.bits(s.s))
	if err != nil {
		f.wrong(s, err)
	}
	return v
}

// Text is [Struct.Text].
func (f *Field) Text(s Struct) string { return string(f.TextBytes(s)) }

// TextBytes is [Struct.TextBytes].
func (f *Field) TextBytes(s Struct) []byte {
	if !f.of(s) {
		return nil
	}
	if f.kind != schema.Text {
		f.wrong(s, errAccess(f.kind, "Text reads Text"))
		return nil
	}
	return f.textBytes(s.s)
}

// Data is [Struct.Data].
func (f *Field) Data(s Struct) []byte {
	if !f.of(s) {
		return nil
	}
	if f.kind != schema.Data {
		f.wrong(s, errAccess(f.kind, "Data reads Data"))
		return nil
	}
	return f.data(s.s)
}

// Enum is [Struct.Enum].
func (f *Field) Enum(s Struct) Enum {
	if !f.of(s) {
		return Enum{}
	}
	if f.kind != schema.EnumType {
		f.wrong(s, errAccess(f.kind, "Enum reads enumerants"))
		return Enum{}
	}
	return Enum{f.Type(), uint16(f.bits(s.s))}
}

// Struct is [Struct.Struct].
func (f *Field) Struct(s Struct) Struct {
	if !f.of(s) {
		return Struct{msg: s.msg}
	}
	if f.kind != schema.StructType {
		f.wrong(s, errAccess(f.kind, "Struct reads structs and groups"))
		return Struct{msg: s.msg}
	}
	return f.structOf(s.msg, s.s)
}

// List is [Struct.List].
func (f *Field) List(s Struct) List {
	if !f.of(s) {
		return List{msg: s.msg}
	}
	if f.kind != schema.ListType {
		f.wrong(s, errAccess(f.kind, "List reads lists"))
		return List{msg: s.msg}
	}
	return readList(s.msg, f.Type(), f.ptr(s.s))
}

// Has is [Struct.Has].
func (f *Field) Has(s Struct) bool { return s.typ == f.owner && f.there(s.s) }

// Set is [StructBuilder.Set].
func (f *Field) Set(b StructBuilder, v any) {
	if f.in(b) {
		b.fail(f.owner, f.name, f.set(b.b, v, false))
	}
}

// SetBool is [StructBuilder.SetBool].
func (f *Field) SetBool(b StructBuilder, v bool) {
	if f.in(b) {
		b.fail(f.owner, f.name, f.setBool(b.b, v))
	}
}

// SetInt is [StructBuilder.SetInt].
func (f *Field) SetInt(b StructBuilder, v int64) {
	if f.in(b) {
		b.fail(f.owner, f.name, f.setNumber(b.b, number{class: signed, bits: uint64(v)}))
	}
}

// SetUint is [StructBuilder.SetUint].
func (f *Field) SetUint(b StructBuilder, v uint64) {
	if f.in(b) {
		b.fail(f.owner, f.name, f.setNumber(b.b, number{class: unsigned, bits: v}))
	}
}

// SetFloat is [StructBuilder.SetFloat].
func (f *Field) SetFloat(b StructBuilder, v float64) {
	if f.in(b) {
		b.fail(f.owner, f.name, f.setNumber(b.b, number{class: floating, f: v}))
	}
}

// SetText is [StructBuilder.SetText].
func (f *Field) SetText(b StructBuilder, v string) {
	if f.in(b) {
		b.fail(f.owner, f.name, f.setText(b.b, v))
	}
}

// SetData is [StructBuilder.SetData].
func (f *Field) SetData(b StructBuilder, v []byte) {
	if f.in(b) {
		b.fail(f.owner, f.name, f.setData(b.b, v))
	}
}

// Init is [StructBuilder.Init].
func (f *Field) Init(b StructBuilder) StructBuilder {
	if !f.in(b) {
		return StructBuilder{msg: b.msg}
	}
	to, err := f.initStruct(b.msg, b.b)
	b.fail(f.owner, f.name, err)
	return to
}

// InitList is [StructBuilder.InitList].
func (f *Field) InitList(b StructBuilder, n int) ListBuilder {
	if !f.in(b) {
		return ListBuilder{msg: b.msg}
	}
	t, p, err := f.initList(b.b)
	if err != nil {
		b.fail(f.owner, f.name, err)
		return ListBuilder{msg: b.msg}
	}
	return ListBuilder{b.msg, t, n, t.elem.newList(p, n), p}
}

// in tells whether the field can be set in b.
func (f *Field) in(b StructBuilder) bool {
	if b.typ == f.owner {
		return true
	}
	if b.typ != nil {
		b.fail(b.typ, "", &Error{Kind: ErrType, Detail: "the field " + f.name + " is one of " + f.owner.Name()})
	}
	return false
}

// choose makes the field the one that is set in each union on the way to it.
// What another member had is cleared, so that nothing of it shows through or
// leaves with the message.
func (f *Field) choose(b segment.StructBuilder) {
	if len(f.choices) > 0 {
		f.chooseSlow(b)
	}
}

//go:noinline
func (f *Field) chooseSlow(b segment.StructBuilder) {
	for i := range f.choices {
		if c := &f.choices[i]; b.Reader().Uint16(c.off) != c.value {
			c.make(b)
		}
	}
}

//go:noinline
func (c *choice) make(b segment.StructBuilder) {
	if old := b.Reader().Uint16(c.off); int(old) < len(c.of.union) && c.of.union[old] != nil {
		c.of.union[old].clear(b)
	}
	if m := c.of.union[c.value]; m.group {
		m.clear(b)
	}
	b.SetUint16(c.off, c.value)
}

// clear gives the field its default without regard to unions that it is in.
func (f *Field) clear(b segment.StructBuilder) {
	switch {
	case f.group:
		f.Type().clearGroup(b)
	case f.kind.IsPointer():
		b.Ptr(uint16(f.off)).Clear()
	case f.kind == schema.Bool:
		b.SetBool(f.off, false)
	default:
		b.ClearData(f.off*8, uint64(f.kind.Bits()))
	}
}

// clearGroup clears the fields of a group or a whole struct.
func (t *Type) clearGroup(b segment.StructBuilder) {
	for _, f := range t.fields {
		f.clear(b)
	}
	if len(t.union) > 0 {
		b.SetUint16(t.discOff, 0)
	}
}
