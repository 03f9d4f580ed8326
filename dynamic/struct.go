package dynamic

import (
	"iter"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// Struct reads a struct by the names of its fields. It is a small value, valid
// until its message's Release; the zero Struct reads as nothing.
//
// A field is named by its name, or by a path through groups and structs, such as
// "employment.school". Getters return values: what is not there reads as its
// default, and what is wrong (an unknown name, a getter of the wrong kind, a
// member of a union that is not set, a malformed message) reads as zero and is
// kept as the first fault, see [Struct.Err].
type Struct struct {
	msg *segment.Message
	typ *Type
	s   segment.Struct
}

// Read gives a struct of a message from elsewhere as one of type t. The struct
// may be shorter than the type says, as one from an older sender is.
func (t *Type) Read(s segment.Struct) (Struct, error) {
	if t.kind != schema.StructType {
		return Struct{}, errKind("no struct, being "+describe(t.kind), "one").in(t.String())
	}
	if t.err != nil {
		return Struct{}, t.err
	}
	msg := s.Message()
	if msg == nil {
		msg = keep(segment.Ptr{}) // for faults
	}
	return Struct{msg, t, s}, nil
}

// Type is the type of the struct, nil for what a failed getter gave.
func (s Struct) Type() *Type { return s.typ }

// Raw gives the struct without its type.
func (s Struct) Raw() segment.Struct { return s.s }

// Message is the message that the struct lies in; it is nil where the struct is
// not there and reads as all defaults.
func (s Struct) Message() *segment.Message { return s.s.Message() }

// Err gives the first fault of the message, whoever found it.
func (s Struct) Err() error { return errOf(s.msg) }

// find gives the struct that a path leads to, and the field in it. The field
// is nil for a fault, which is kept.
func (s Struct) find(path string) (segment.Struct, *Field) {
	if t := s.typ; t != nil {
		if f := t.lookup(path); f != nil && f.selected(s.s) {
			return s.s, f
		}
	}
	return s.findSlow(path)
}

//go:noinline
func (s Struct) findSlow(path string) (segment.Struct, *Field) {
	if s.typ == nil {
		return segment.Struct{}, nil // its fault is known
	}
	top, start := s.typ, 0
	for {
		name, rest, more := strings.Cut(path[start:], ".")
		f, err := s.typ.descend(name)
		if err == nil && !f.selected(s.s) {
			err = f.unselected(s.s).in(name)
		}
		if err == nil && !more {
			return s.s, f
		}
		if err == nil && f.kind != schema.StructType {
			err = errAccess(f.kind, "it has no field "+clip(rest)).in(name)
		}
		if err != nil {
			s.fail(top, path[:max(0, start-1)], err)
			return segment.Struct{}, nil
		}
		s = f.structOf(s.msg, s.s)
		start += len(name) + 1
	}
}

// fail keeps an error of an access to a field of top.
func (s Struct) fail(top *Type, path string, err *Error) { failAt(s.msg, top, path, err) }

func failAt(msg *segment.Message, top *Type, path string, err *Error) {
	if err == nil {
		return
	}
	if path != "" {
		err = err.in(path)
	}
	fail(msg, err.in(top.Name()))
}

// Get gives the value of a field: a bool, an int8 … uint64, a float32 or
// float64, a string for Text and for an enumerant, a []byte that is a copy, nil
// for Void, or a [Struct], [List], [Any] or [Capability]. An enumerant that the
// schema does not know is a uint16; a capability that is null is nil.
func (s Struct) Get(path string) any {
	if raw, f := s.find(path); f != nil {
		return f.value(s.msg, raw)
	}
	return nil
}

// Bool reads a Bool.
func (s Struct) Bool(path string) bool {
	raw, f := s.find(path)
	if f == nil {
		return false
	}
	if f.kind != schema.Bool {
		s.fail(s.typ, path, errAccess(f.kind, "Bool reads Bool"))
		return false
	}
	return f.bits(raw) != 0
}

// Int reads an integer of any size; a UInt64 that an int64 does not hold is a
// fault.
func (s Struct) Int(path string) int64 {
	raw, f := s.find(path)
	if f == nil {
		return 0
	}
	v, err := asInt(f.kind, f.bits(raw))
	if err != nil {
		s.fail(s.typ, path, err)
	}
	return v
}

// Uint reads an integer of any size; a negative one is a fault.
func (s Struct) Uint(path string) uint64 {
	raw, f := s.find(path)
	if f == nil {
		return 0
	}
	v, err := asUint(f.kind, f.bits(raw))
	if err != nil {
		s.fail(s.typ, path, err)
	}
	return v
}

// Float reads a Float32 or Float64.
func (s Struct) Float(path string) float64 {
	raw, f := s.find(path)
	if f == nil {
		return 0
	}
	v, err := asFloat(f.kind, f.bits(raw))
	if err != nil {
		s.fail(s.typ, path, err)
	}
	return v
}

// Text copies a Text.
func (s Struct) Text(path string) string { return string(s.TextBytes(path)) }

// TextBytes reads a Text without copying it. The slice is the message's memory,
// valid until its Release; do not modify it or append to it.
func (s Struct) TextBytes(path string) []byte {
	raw, f := s.find(path)
	if f == nil {
		return nil
	}
	if f.kind != schema.Text {
		s.fail(s.typ, path, errAccess(f.kind, "Text reads Text"))
		return nil
	}
	return f.textBytes(raw)
}

// Data reads a Data without copying it. The slice is the message's memory, valid
// until its Release; do not modify it or append to it. It is nil where the
// pointer is null.
func (s Struct) Data(path string) []byte {
	raw, f := s.find(path)
	if f == nil {
		return nil
	}
	if f.kind != schema.Data {
		s.fail(s.typ, path, errAccess(f.kind, "Data reads Data"))
		return nil
	}
	return f.data(raw)
}

// Enum reads an enumerant.
func (s Struct) Enum(path string) Enum {
	raw, f := s.find(path)
	if f == nil {
		return Enum{}
	}
	if f.kind != schema.EnumType {
		s.fail(s.typ, path, errAccess(f.kind, "Enum reads enumerants"))
		return Enum{}
	}
	return Enum{f.Type(), uint16(f.bits(raw))}
}

// Struct reads a struct or a group; one that is not there reads as all
// defaults.
func (s Struct) Struct(path string) Struct {
	raw, f := s.find(path)
	if f == nil {
		return Struct{msg: s.msg}
	}
	if f.kind != schema.StructType {
		s.fail(s.typ, path, errAccess(f.kind, "Struct reads structs and groups"))
		return Struct{msg: s.msg}
	}
	return f.structOf(s.msg, raw)
}

// List reads a list. A list that failed has no elements, but may be asked for
// any: they read as failed too.
func (s Struct) List(path string) List {
	raw, f := s.find(path)
	if f == nil {
		return List{msg: s.msg}
	}
	if f.kind != schema.ListType {
		s.fail(s.typ, path, errAccess(f.kind, "List reads lists"))
		return List{msg: s.msg}
	}
	return readList(s.msg, f.Type(), f.ptr(raw))
}

// Any reads a pointer without regard to its type, and so an AnyPointer, whose
// type only the caller knows.
func (s Struct) Any(path string) Any {
	raw, f := s.find(path)
	if f == nil {
		return Any{msg: s.msg}
	}
	if f.group || !f.kind.IsPointer() {
		s.fail(s.typ, path, errAccess(f.kind, "Any reads pointers"))
		return Any{msg: s.msg}
	}
	p := f.ptr(raw)
	if p.Message() == f.def.Message() && !p.IsNull() {
		// What is read as what it is not must not become a fault of the schema.
		p = keep(p).Root()
	}
	return Any{s.msg, f.Type(), p}
}

// Capability gives the index of a capability in the table that travels beside
// the message; ok is false if there is none.
func (s Struct) Capability(path string) (index uint32, ok bool) {
	raw, f := s.find(path)
	if f == nil {
		return 0, false
	}
	if f.kind != schema.InterfaceType && f.kind != schema.AnyPointer {
		s.fail(s.typ, path, errAccess(f.kind, "Capability reads capabilities"))
		return 0, false
	}
	return f.ptr(raw).Capability()
}

// Has tells whether a field is there: a pointer that is not null, a group or a
// number that is not a member of a union with another one set. What is below a
// struct that is not there is not there. Only an unknown name is a fault.
func (s Struct) Has(path string) bool {
	if s.typ == nil {
		return false
	}
	top, start := s.typ, 0
	for {
		name, rest, more := strings.Cut(path[start:], ".")
		f, err := s.typ.descend(name)
		if err == nil && more && f.kind != schema.StructType {
			err = errAccess(f.kind, "it has no field "+clip(rest)).in(name)
		}
		if err != nil {
			s.fail(top, path[:max(0, start-1)], err)
			return false
		}
		if !f.selected(s.s) || !f.group && f.kind.IsPointer() && !s.s.Has(uint16(f.off)) {
			return false
		}
		if !more {
			return true
		}
		s = f.structOf(s.msg, s.s)
		start += len(name) + 1
	}
}

// Which names the member that is set in the struct's union, or in that of the
// struct or group at path, such as Which("employment"). A member that the
// schema does not know gives its number, such as "7".
func (s Struct) Which(path ...string) string {
	if t, n, ok := s.which(path); ok {
		return t.member(n)
	}
	return ""
}

// Discriminant is [Struct.Which] as the number on the wire.
func (s Struct) Discriminant(path ...string) uint16 {
	_, n, _ := s.which(path)
	return n
}

func (s Struct) which(path []string) (*Type, uint16, bool) {
	top := s.typ
	if len(path) > 0 {
		s = s.Struct(strings.Join(path, "."))
	}
	if s.typ == nil {
		return nil, 0, false
	}
	if len(s.typ.union) == 0 {
		s.fail(top, strings.Join(path, "."), &Error{Kind: ErrType, Detail: "has no union"})
		return nil, 0, false
	}
	return s.typ, s.s.Uint16(s.typ.discOff), true
}

// All iterates over the fields and their values: of a union the member that is
// set, and no pointers that are null.
func (s Struct) All() iter.Seq2[*Field, any] {
	return func(yield func(*Field, any) bool) {
		if s.typ == nil {
			return
		}
		for _, f := range s.typ.fields {
			if f.there(s.s) && !yield(f, f.value(s.msg, s.s)) {
				return
			}
		}
	}
}

// there tells whether the field is selected and, if it is a pointer, not null.
func (f *Field) there(s segment.Struct) bool {
	return f.selected(s) && (f.group || !f.kind.IsPointer() || s.Has(uint16(f.off)))
}

// Equal compares two structs. See [segment.Ptr.Equal].
func (s Struct) Equal(t Struct) segment.Equality { return s.s.Equal(t.s) }

// TotalWords is the size of the struct and all below it in 8-byte words.
func (s Struct) TotalWords() (int64, error) { return s.s.TotalWords() }

// Copy copies the struct deeply, as the root of a new message that belongs to
// the caller.
func (s Struct) Copy() (StructBuilder, error) {
	if s.typ == nil {
		return StructBuilder{}, s.Err()
	}
	return s.typ.New(s)
}

// Enum is an enumerant: a value of an enum. It can be compared by ==.
type Enum struct {
	typ *Type
	n   uint16
}

// Type is the enum, nil for what a failed getter gave.
func (e Enum) Type() *Type { return e.typ }

// Number is the number on the wire.
func (e Enum) Number() uint16 { return e.n }

// Known tells whether the schema has a name for the number.
func (e Enum) Known() bool { return e.typ != nil && int(e.n) < len(e.typ.names) }

// String is the name, or the number where the schema has no name for it.
func (e Enum) String() string {
	if e.Known() {
		return e.typ.names[e.n]
	}
	return strconv.Itoa(int(e.n))
}
