package dynamic

import (
	"bytes"
	"iter"
	"reflect"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// List reads a list. It is a small value, valid until its message's Release; the
// zero List is empty.
//
// An index that the list does not have panics, as that of a slice does. A list
// that failed, because there is no such field, has a length of 0 but takes any
// index, so that its fault is found in [List.Err] and not by a panic.
type List struct {
	msg *segment.Message
	typ *Type        // of the list
	l   segment.Ptrs // of whatever its elements are
}

// The typed lists of package segment are one struct under several names. So one
// field holds any of them, and is given the name that its elements ask for.

// readList reads the list that p refers to as one of type t.
func readList(msg *segment.Message, t *Type, p segment.Ptr) List {
	if t.err != nil {
		fail(msg, t.err)
		return List{msg: msg}
	}
	return List{msg, t, t.elem.elems(p)}
}

// elems reads the list of elements of type t that p refers to.
func (t *Type) elems(p segment.Ptr) segment.Ptrs {
	switch k := t.kind; k {
	case schema.StructType, schema.Void:
		return segment.Ptrs(p.Structs())
	case schema.Bool:
		return segment.Ptrs(p.Bools())
	default:
		switch k.Bits() {
		case 8:
			return segment.Ptrs(segment.ReadNumbers[uint8](p))
		case 16:
			return segment.Ptrs(segment.ReadNumbers[uint16](p))
		case 32:
			return segment.Ptrs(segment.ReadNumbers[uint32](p))
		case 64:
			return segment.Ptrs(segment.ReadNumbers[uint64](p))
		}
	}
	return p.Ptrs()
}

// Type is the type of the list, nil for what a failed getter gave.
func (l List) Type() *Type { return l.typ }

// Raw gives the list without the type of its elements.
func (l List) Raw() segment.List {
	if l.typ != nil && (l.typ.elem.kind == schema.StructType || l.typ.elem.kind == schema.Void) {
		return segment.Structs[segment.Struct](l.l).List()
	}
	return l.l.List()
}

// Len is the number of elements.
func (l List) Len() int { return l.l.Len() }

// Err is [Struct.Err].
func (l List) Err() error { return errOf(l.msg) }

// check panics for an index that the list does not have. It tells whether the
// elements are of kind want, or of any numeric kind for Uint64.
func (l List) check(i int, want schema.TypeKind, what string) bool {
	if l.typ == nil {
		return false
	}
	if uint(i) >= uint(l.l.Len()) {
		outOfRange(i, l.l.Len())
	}
	if l.typ.elem.kind != want {
		l.fail(i, errAccess(l.typ.elem.kind, what))
		return false
	}
	return true
}

// outOfRange panics as indexing a slice does.
func outOfRange(i, n int) {
	_ = make([]struct{}, n)[i]
}

func (l List) fail(i int, err *Error) { failElem(l.msg, l.typ, i, err) }

func failElem(msg *segment.Message, t *Type, i int, err *Error) {
	if err != nil && t != nil {
		fail(msg, err.at(i).in(t.String()))
	}
}

// bits reads element i, a number, an enumerant or a Bool.
func (l List) bits(i int) uint64 {
	switch l.typ.elem.kind.Bits() {
	case 8:
		return uint64(segment.Numbers[uint8](l.l).At(i))
	case 16:
		return uint64(segment.Numbers[uint16](l.l).At(i))
	case 32:
		return uint64(segment.Numbers[uint32](l.l).At(i))
	case 64:
		return segment.Numbers[uint64](l.l).At(i)
	case 1:
		if segment.Bools(l.l).At(i) {
			return 1
		}
	}
	return 0
}

// At gives element i as [Struct.Get] gives a field.
func (l List) At(i int) any {
	if l.typ == nil {
		return nil
	}
	if uint(i) >= uint(l.l.Len()) {
		outOfRange(i, l.l.Len())
	}
	t := l.typ.elem
	switch t.kind {
	case schema.StructType:
		return l.Struct(i)
	case schema.Text:
		return l.l.At(i).Text()
	case schema.Data:
		return bytes.Clone(l.l.At(i).Data())
	case schema.ListType:
		return readList(l.msg, t, l.l.At(i))
	case schema.InterfaceType:
		return capability(l.l.At(i))
	case schema.AnyPointer:
		return Any{l.msg, t, l.l.At(i)}
	}
	return boxScalar(t, t.kind, l.bits(i))
}

// Bool reads element i of a List(Bool).
func (l List) Bool(i int) bool { return l.check(i, schema.Bool, "Bool reads Bool") && l.bits(i) != 0 }

// number checks the index of a numeric element and gives its kind and bits.
func (l List) number(i int) (schema.TypeKind, uint64) {
	if l.typ == nil {
		return schema.Int64, 0
	}
	if uint(i) >= uint(l.l.Len()) {
		outOfRange(i, l.l.Len())
	}
	return l.typ.elem.kind, l.bits(i)
}

// Int reads element i of a list of integers. See [Struct.Int].
func (l List) Int(i int) int64 {
	v, err := asInt(l.number(i))
	l.fail(i, err)
	return v
}

// Uint reads element i of a list of integers. See [Struct.Uint].
func (l List) Uint(i int) uint64 {
	v, err := asUint(l.number(i))
	l.fail(i, err)
	return v
}

// Float reads element i of a list of floats.
func (l List) Float(i int) float64 {
	v, err := asFloat(l.number(i))
	l.fail(i, err)
	return v
}

// Text copies element i of a List(Text).
func (l List) Text(i int) string { return string(l.TextBytes(i)) }

// TextBytes reads element i of a List(Text) without copying it. See
// [Struct.TextBytes].
func (l List) TextBytes(i int) []byte {
	if !l.check(i, schema.Text, "Text reads Text") {
		return nil
	}
	return l.l.At(i).TextBytes()
}

// Data reads element i of a List(Data) without copying it. See [Struct.Data].
func (l List) Data(i int) []byte {
	if !l.check(i, schema.Data, "Data reads Data") {
		return nil
	}
	return l.l.At(i).Data()
}

// Enum reads element i of a list of enumerants.
func (l List) Enum(i int) Enum {
	if !l.check(i, schema.EnumType, "Enum reads enumerants") {
		return Enum{}
	}
	return Enum{l.typ.elem, uint16(l.bits(i))}
}

// Struct reads element i of a list of structs.
func (l List) Struct(i int) Struct {
	if !l.check(i, schema.StructType, "Struct reads structs") {
		return Struct{msg: l.msg}
	}
	return Struct{l.msg, l.typ.elem, segment.Structs[segment.Struct](l.l).At(i)}
}

// List reads element i of a list of lists.
func (l List) List(i int) List {
	if !l.check(i, schema.ListType, "List reads lists") {
		return List{msg: l.msg}
	}
	return readList(l.msg, l.typ.elem, l.l.At(i))
}

// Any reads element i of a list of pointers without regard to their type.
func (l List) Any(i int) Any {
	if l.typ == nil {
		return Any{msg: l.msg}
	}
	if uint(i) >= uint(l.l.Len()) {
		outOfRange(i, l.l.Len())
	}
	if k := l.typ.elem.kind; !k.IsPointer() || k == schema.StructType {
		l.fail(i, errAccess(k, "Any reads pointers"))
		return Any{msg: l.msg}
	}
	return Any{l.msg, l.typ.elem, l.l.At(i)}
}

// All iterates over the elements with their indexes, as [List.At] gives them.
func (l List) All() iter.Seq2[int, any] {
	return func(yield func(int, any) bool) {
		for i := range l.l.Len() {
			if !yield(i, l.At(i)) {
				return
			}
		}
	}
}

// Structs iterates over the elements of a list of structs.
func (l List) Structs() iter.Seq[Struct] {
	return func(yield func(Struct) bool) {
		if l.typ == nil {
			return
		}
		if k := l.typ.elem.kind; k != schema.StructType {
			fail(l.msg, errAccess(k, "Structs reads structs").in(l.typ.String()))
			return
		}
		for i := range l.l.Len() {
			if !yield(Struct{l.msg, l.typ.elem, segment.Structs[segment.Struct](l.l).At(i)}) {
				return
			}
		}
	}
}

// Numbers gives a list of numbers or enumerants with the type of its elements,
// to be copied, ranged over or viewed at once:
//
//	temperatures, ok := dynamic.Numbers[int32](sample.List("temperatures")).View()
//
// T has to be the elements' own type, or one that is named for it; an enumerant
// is a uint16. Otherwise the list is empty, and that is a fault.
func Numbers[T segment.Number](l List) segment.Numbers[T] {
	if l.typ == nil {
		return segment.Numbers[T]{}
	}
	if err := l.typ.elem.numeric(kindOfNumber[T]()); err != nil {
		fail(l.msg, err.in(l.typ.String()))
		return segment.Numbers[T]{}
	}
	return segment.Numbers[T](l.l)
}

// kindOfNumber is the kind of type whose values are T.
func kindOfNumber[T segment.Number]() schema.TypeKind {
	switch k := reflect.TypeFor[T]().Kind(); k {
	case reflect.Float32:
		return schema.Float32
	case reflect.Float64:
		return schema.Float64
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema.Int8 + schema.TypeKind(k-reflect.Int8)
	default:
		return schema.Uint8 + schema.TypeKind(k-reflect.Uint8)
	}
}

// numeric tells whether elements of type t can be used as numbers of kind k.
func (t *Type) numeric(k schema.TypeKind) *Error {
	if t.kind == k || t.kind == schema.EnumType && k == schema.Uint16 {
		return nil
	}
	return errAccess(t.kind, "it is not used as "+describe(k))
}
