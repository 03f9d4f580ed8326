package dynamic

import (
	"iter"
	"reflect"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// ListBuilder builds a list in place. It is a small value, valid until its
// message's Release or until the pointer that refers to the list is set to
// something else. Indexes and faults are as for a [List].
type ListBuilder struct {
	msg *segment.Message
	typ *Type
	n   int
	l   segment.PtrsBuilder // of whatever its elements are; see [readList]
	p   segment.PtrBuilder  // that refers to the list
}

// newList builds a list of n elements of type t under p.
func (t *Type) newList(p segment.PtrBuilder, n int) segment.PtrsBuilder {
	switch k := t.kind; k {
	case schema.StructType:
		return segment.PtrsBuilder(segment.NewStructs[segment.StructBuilder](p, t.size, n))
	case schema.Void:
		p.NewList(segment.Void, n)
		return segment.PtrsBuilder{}
	case schema.Bool:
		return segment.PtrsBuilder(p.NewBools(n))
	default:
		switch k.Bits() {
		case 8:
			return segment.PtrsBuilder(segment.NewNumbers[uint8](p, n))
		case 16:
			return segment.PtrsBuilder(segment.NewNumbers[uint16](p, n))
		case 32:
			return segment.PtrsBuilder(segment.NewNumbers[uint32](p, n))
		case 64:
			return segment.PtrsBuilder(segment.NewNumbers[uint64](p, n))
		}
	}
	return p.NewPtrs(n)
}

// editList gives the list of type t that is under p.
func editList(msg *segment.Message, t *Type, p segment.PtrBuilder) ListBuilder {
	if t.err != nil {
		fail(msg, t.err)
		return ListBuilder{msg: msg}
	}
	if t.elem.kind == schema.Void {
		return ListBuilder{msg, t, p.List(segment.Void).Len(), segment.PtrsBuilder{}, p}
	}
	l := t.elem.editList(p)
	return ListBuilder{msg, t, l.Len(), l, p}
}

// editList gives the list of elements of type t, which is not Void.
func (t *Type) editList(p segment.PtrBuilder) segment.PtrsBuilder {
	switch k := t.kind; k {
	case schema.StructType:
		return segment.PtrsBuilder(segment.EditStructs[segment.StructBuilder](p, t.size))
	case schema.Bool:
		return segment.PtrsBuilder(p.Bools())
	default:
		switch k.Bits() {
		case 8:
			return segment.PtrsBuilder(segment.EditNumbers[uint8](p))
		case 16:
			return segment.PtrsBuilder(segment.EditNumbers[uint16](p))
		case 32:
			return segment.PtrsBuilder(segment.EditNumbers[uint32](p))
		case 64:
			return segment.PtrsBuilder(segment.EditNumbers[uint64](p))
		}
	}
	return p.Ptrs()
}

// Reader gives the same list for reading.
func (l ListBuilder) Reader() List {
	if l.typ == nil {
		return List{msg: l.msg}
	}
	return readList(l.msg, l.typ, l.p.Reader())
}

// Type is the type of the list, nil for what a failed call gave.
func (l ListBuilder) Type() *Type { return l.typ }

// Len is the number of elements.
func (l ListBuilder) Len() int { return l.n }

// Err is [StructBuilder.Err].
func (l ListBuilder) Err() error { return errOf(l.msg) }

func (l ListBuilder) fail(i int, err *Error) { failElem(l.msg, l.typ, i, err) }

// check panics for an index that the list does not have.
func (l ListBuilder) check(i int) bool {
	if l.typ == nil {
		return false
	}
	if uint(i) >= uint(l.n) {
		outOfRange(i, l.n)
	}
	return true
}

// Set sets element i as [StructBuilder.Set] sets a field. Structs that are there
// are overwritten in place.
func (l ListBuilder) Set(i int, v any) {
	if l.check(i) {
		l.fail(i, l.typ.elem.setElem(l.l, i, v))
	}
}

// setElem sets an element of a list of t.
func (t *Type) setElem(l segment.PtrsBuilder, i int, v any) *Error {
	switch t.kind {
	case schema.Void:
		if v == nil {
			return nil
		}
		if _, ok := v.(struct{}); ok {
			return nil
		}
		return errKind(takesWhat(t.kind), describeValue(v))
	case schema.Bool:
		rv := reflect.ValueOf(v)
		if rv.Kind() != reflect.Bool {
			return errKind(takesWhat(t.kind), describeValue(v))
		}
		segment.BoolsBuilder(l).Set(i, rv.Bool())
		return nil
	case schema.EnumType:
		n, err := t.enumerant(v)
		if err == nil {
			t.storeElem(l, i, uint64(n))
		}
		return err
	case schema.StructType:
		return t.setStruct(segment.StructsBuilder[segment.StructBuilder](l).At(i), v)
	case schema.Text:
		if s, ok := v.(string); ok {
			l.At(i).SetText(s)
			return nil
		}
		return t.setElemPtr(l, i, v)
	case schema.Data, schema.ListType, schema.InterfaceType, schema.AnyPointer:
		return t.setElemPtr(l, i, v)
	}
	n := numberOf(v)
	if n.class == notNumber {
		return errNotNumber(t.kind, v)
	}
	return t.setElemNumber(l, i, n)
}

func (t *Type) setElemPtr(l segment.PtrsBuilder, i int, v any) *Error {
	if v != nil {
		if err := t.takes(v); err != nil {
			return err
		}
	}
	return setPtr(t, l.At(i), v)
}

func (t *Type) setElemNumber(l segment.PtrsBuilder, i int, n number) *Error {
	bits, err := n.to(t.kind)
	if err == nil {
		t.storeElem(l, i, bits)
	}
	return err
}

// storeElem sets a number or an enumerant, whose bits are known to fit.
func (t *Type) storeElem(l segment.PtrsBuilder, i int, bits uint64) {
	switch t.kind.Bits() {
	case 8:
		segment.NumbersBuilder[uint8](l).Set(i, uint8(bits))
	case 16:
		segment.NumbersBuilder[uint16](l).Set(i, uint16(bits))
	case 32:
		segment.NumbersBuilder[uint32](l).Set(i, uint32(bits))
	case 64:
		segment.NumbersBuilder[uint64](l).Set(i, bits)
	}
}

// structAt gives element i of a list of structs.
func (l ListBuilder) structAt(i int) StructBuilder {
	return StructBuilder{l.msg, l.typ.elem, segment.StructsBuilder[segment.StructBuilder](l.l).At(i)}
}

// setStruct overwrites a struct in place: what v does not have gets its default.
func (t *Type) setStruct(b segment.StructBuilder, v any) *Error {
	if v == nil {
		b.Clear()
		return nil
	}
	if err := t.takes(v); err != nil {
		return err
	}
	switch v := v.(type) {
	case Struct:
		b.CopyFrom(v.s)
		return nil
	case StructBuilder:
		b.CopyFrom(v.b.Reader())
		return nil
	}
	var old asides
	for i := range b.Size().Ptrs {
		old = old.add(b.Ptr(i))
	}
	defer old.discard()
	b.Clear()
	return t.assign(b, v)
}

// SetBool sets element i of a List(Bool).
func (l ListBuilder) SetBool(i int, v bool) { l.Set(i, v) }

// SetInt sets element i of a list of numbers, or of enumerants by its number.
func (l ListBuilder) SetInt(i int, v int64) {
	if l.check(i) {
		l.fail(i, l.typ.elem.setElemNumber(l.l, i, number{class: signed, bits: uint64(v)}))
	}
}

// SetUint sets element i of a list of numbers, or of enumerants by its number.
func (l ListBuilder) SetUint(i int, v uint64) {
	if l.check(i) {
		l.fail(i, l.typ.elem.setElemNumber(l.l, i, number{class: unsigned, bits: v}))
	}
}

// SetFloat sets element i of a list of numbers that hold v.
func (l ListBuilder) SetFloat(i int, v float64) {
	if l.check(i) {
		l.fail(i, l.typ.elem.setElemNumber(l.l, i, number{class: floating, f: v}))
	}
}

// SetText copies element i of a List(Text).
func (l ListBuilder) SetText(i int, v string) { l.Set(i, v) }

// SetData copies element i of a List(Data).
func (l ListBuilder) SetData(i int, v []byte) { l.Set(i, v) }

// At gives element i: a builder of a struct, a list or an AnyPointer, and other
// values as [List.At] does.
func (l ListBuilder) At(i int) any {
	if !l.check(i) {
		return nil
	}
	switch l.typ.elem.kind {
	case schema.Void:
		return nil
	case schema.StructType:
		return l.structAt(i)
	case schema.ListType:
		return l.List(i)
	case schema.AnyPointer:
		return l.Any(i)
	}
	return l.reader().At(i)
}

// reader is Reader without following the pointer again. A list that there was no
// memory for keeps its length, but has nothing to be read.
func (l ListBuilder) reader() List {
	if l.typ != nil && l.typ.elem.kind == schema.Void {
		return l.Reader()
	}
	r := l.l.Reader()
	if r.Len() < l.n {
		return List{msg: l.msg}
	}
	return List{l.msg, l.typ, r}
}

// Bool is [List.Bool].
func (l ListBuilder) Bool(i int) bool { return l.reader().Bool(i) }

// Int is [List.Int].
func (l ListBuilder) Int(i int) int64 { return l.reader().Int(i) }

// Uint is [List.Uint].
func (l ListBuilder) Uint(i int) uint64 { return l.reader().Uint(i) }

// Float is [List.Float].
func (l ListBuilder) Float(i int) float64 { return l.reader().Float(i) }

// Text is [List.Text].
func (l ListBuilder) Text(i int) string { return l.reader().Text(i) }

// Enum is [List.Enum].
func (l ListBuilder) Enum(i int) Enum { return l.reader().Enum(i) }

// Data gives the bytes of element i of a List(Data), which may be overwritten in
// place. See [StructBuilder.Data].
func (l ListBuilder) Data(i int) []byte {
	if !l.check(i) {
		return nil
	}
	if k := l.typ.elem.kind; k != schema.Data {
		l.fail(i, errAccess(k, "Data gives Data"))
		return nil
	}
	return l.l.At(i).Data()
}

// Struct gives element i of a list of structs to build in.
func (l ListBuilder) Struct(i int) StructBuilder {
	if !l.check(i) {
		return StructBuilder{msg: l.msg}
	}
	if k := l.typ.elem.kind; k != schema.StructType {
		l.fail(i, errAccess(k, "Struct gives structs"))
		return StructBuilder{msg: l.msg}
	}
	return l.structAt(i)
}

// List gives element i of a list of lists to build in.
func (l ListBuilder) List(i int) ListBuilder {
	if !l.check(i) {
		return ListBuilder{msg: l.msg}
	}
	if k := l.typ.elem.kind; k != schema.ListType {
		l.fail(i, errAccess(k, "List gives lists"))
		return ListBuilder{msg: l.msg}
	}
	return editList(l.msg, l.typ.elem, l.l.At(i))
}

// InitList builds a list of n elements as element i of a list of lists.
func (l ListBuilder) InitList(i, n int) ListBuilder {
	if !l.check(i) {
		return ListBuilder{msg: l.msg}
	}
	if k := l.typ.elem.kind; k != schema.ListType {
		l.fail(i, errAccess(k, "InitList makes lists"))
		return ListBuilder{msg: l.msg}
	}
	p, t := l.l.At(i), l.typ.elem
	return ListBuilder{l.msg, t, n, t.elem.newList(p, n), p}
}

// Any gives element i of a list of pointers without regard to their type.
func (l ListBuilder) Any(i int) AnyBuilder {
	if !l.check(i) {
		return AnyBuilder{msg: l.msg}
	}
	if k := l.typ.elem.kind; !k.IsPointer() || k == schema.StructType {
		l.fail(i, errAccess(k, "Any gives pointers"))
		return AnyBuilder{msg: l.msg}
	}
	return AnyBuilder{l.msg, l.typ.elem, l.l.At(i)}
}

// All iterates over the elements with their indexes, as [ListBuilder.At] gives
// them.
func (l ListBuilder) All() iter.Seq2[int, any] {
	return func(yield func(int, any) bool) {
		for i := range l.n {
			if !yield(i, l.At(i)) {
				return
			}
		}
	}
}

// Structs iterates over the elements of a list of structs.
func (l ListBuilder) Structs() iter.Seq[StructBuilder] {
	return func(yield func(StructBuilder) bool) {
		for i := range l.n {
			if !yield(l.Struct(i)) {
				return
			}
		}
	}
}

// setElems sets the elements of a new list of t.
func (t *Type) setElems(l segment.PtrsBuilder, vals []any) *Error {
	if t.kind == schema.StructType {
		return t.fillAll(segment.StructsBuilder[segment.StructBuilder](l), vals)
	}
	for i, v := range vals {
		if err := t.setElem(l, i, v); err != nil {
			return err.at(i)
		}
	}
	return nil
}

// fillAll sets the elements of a new list of structs.
func (t *Type) fillAll(l segment.StructsBuilder[segment.StructBuilder], vals []any) *Error {
	for i, v := range vals {
		var err *Error
		if m, ok := v.(map[string]any); ok {
			err = t.fill(l.At(i), m, true)
		} else {
			err = t.setStruct(l.At(i), v)
		}
		if err != nil {
			return err.at(i)
		}
	}
	return nil
}

// NumbersBuilder is [Numbers] for a list that is built: its elements are set by
// index, from a slice at once, or through a view.
func NumbersBuilder[T segment.Number](l ListBuilder) segment.NumbersBuilder[T] {
	if l.typ == nil {
		return segment.NumbersBuilder[T]{}
	}
	if err := l.typ.elem.numeric(kindOfNumber[T]()); err != nil {
		fail(l.msg, err.in(l.typ.String()))
		return segment.NumbersBuilder[T]{}
	}
	return segment.NumbersBuilder[T](l.l)
}
