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
	root *root
	typ  *Type
	n    int
	l    segment.PtrsBuilder // of whatever its elements are; see [readList]
	p    segment.PtrBuilder  // that refers to the list
}

// newList builds a list of n elements under p.
func newList(r *root, t *Type, p segment.PtrBuilder, n int) ListBuilder {
	l := ListBuilder{root: r, typ: t, p: p, n: n}
	switch k := t.elem.kind; k {
	case schema.StructType:
		l.l = segment.PtrsBuilder(segment.NewStructs[segment.StructBuilder](p, t.elem.size, n))
	case schema.Void:
		p.NewList(segment.Void, n)
	case schema.Bool:
		l.l = segment.PtrsBuilder(p.NewBools(n))
	default:
		switch k.Bits() {
		case 8:
			l.l = segment.PtrsBuilder(segment.NewNumbers[uint8](p, n))
		case 16:
			l.l = segment.PtrsBuilder(segment.NewNumbers[uint16](p, n))
		case 32:
			l.l = segment.PtrsBuilder(segment.NewNumbers[uint32](p, n))
		case 64:
			l.l = segment.PtrsBuilder(segment.NewNumbers[uint64](p, n))
		default:
			l.l = p.NewPtrs(n)
		}
	}
	return l
}

// editList gives the list of type t that is under p.
func editList(r *root, t *Type, p segment.PtrBuilder) ListBuilder {
	if t.err != nil {
		r.fail(t.err)
		return ListBuilder{root: r}
	}
	l := ListBuilder{root: r, typ: t, p: p}
	switch k := t.elem.kind; k {
	case schema.StructType:
		l.l = segment.PtrsBuilder(segment.EditStructs[segment.StructBuilder](p, t.elem.size))
	case schema.Void:
		l.n = p.List(segment.Void).Len()
		return l
	case schema.Bool:
		l.l = segment.PtrsBuilder(p.Bools())
	default:
		switch k.Bits() {
		case 8:
			l.l = segment.PtrsBuilder(segment.EditNumbers[uint8](p))
		case 16:
			l.l = segment.PtrsBuilder(segment.EditNumbers[uint16](p))
		case 32:
			l.l = segment.PtrsBuilder(segment.EditNumbers[uint32](p))
		case 64:
			l.l = segment.PtrsBuilder(segment.EditNumbers[uint64](p))
		default:
			l.l = p.Ptrs()
		}
	}
	l.n = l.l.Len()
	return l
}

// Reader gives the same list for reading.
func (l ListBuilder) Reader() List {
	if l.typ == nil {
		return List{root: l.root}
	}
	return readList(l.root, l.typ, l.p.Reader())
}

// Type is the type of the list, nil for what a failed call gave.
func (l ListBuilder) Type() *Type { return l.typ }

// Len is the number of elements.
func (l ListBuilder) Len() int { return l.n }

// Err is [StructBuilder.Err].
func (l ListBuilder) Err() error { return l.root.err() }

func (l ListBuilder) fail(i int, err *Error) { failElem(l.root, l.typ, i, err) }

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
		l.fail(i, l.set(i, v))
	}
}

func (l ListBuilder) set(i int, v any) *Error {
	t := l.typ.elem
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
		segment.BoolsBuilder(l.l).Set(i, rv.Bool())
		return nil
	case schema.EnumType:
		n, err := t.enumerant(v)
		if err == nil {
			l.store(i, uint64(n))
		}
		return err
	case schema.StructType:
		return l.setStruct(i, v)
	case schema.Text, schema.Data, schema.ListType, schema.InterfaceType, schema.AnyPointer:
		if v != nil {
			if err := t.takes(v); err != nil {
				return err
			}
		}
		return setPtr(l.root, t, l.l.At(i), v)
	}
	n := numberOf(v)
	if n.class == notNumber {
		return errNotNumber(t.kind, v)
	}
	return l.setNumber(i, n)
}

func (l ListBuilder) setNumber(i int, n number) *Error {
	bits, err := n.to(l.typ.elem.kind)
	if err == nil {
		l.store(i, bits)
	}
	return err
}

// store sets a number or an enumerant, whose bits are known to fit.
func (l ListBuilder) store(i int, bits uint64) {
	switch l.typ.elem.kind.Bits() {
	case 8:
		segment.NumbersBuilder[uint8](l.l).Set(i, uint8(bits))
	case 16:
		segment.NumbersBuilder[uint16](l.l).Set(i, uint16(bits))
	case 32:
		segment.NumbersBuilder[uint32](l.l).Set(i, uint32(bits))
	case 64:
		segment.NumbersBuilder[uint64](l.l).Set(i, bits)
	}
}

// structAt gives element i of a list of structs.
func (l ListBuilder) structAt(i int) StructBuilder {
	return StructBuilder{l.root, l.typ.elem, segment.StructsBuilder[segment.StructBuilder](l.l).At(i)}
}

// setStruct overwrites an element: what v does not have gets its default.
func (l ListBuilder) setStruct(i int, v any) *Error {
	b := l.structAt(i)
	if v == nil {
		b.b.Clear()
		return nil
	}
	if err := l.typ.elem.takes(v); err != nil {
		return err
	}
	switch v := v.(type) {
	case Struct:
		b.b.CopyFrom(v.s)
		return nil
	case StructBuilder:
		b.b.CopyFrom(v.b.Reader())
		return nil
	}
	b.b.Clear()
	return b.assign(v)
}

// SetBool sets element i of a List(Bool).
func (l ListBuilder) SetBool(i int, v bool) { l.Set(i, v) }

// SetInt sets element i of a list of numbers, or of enumerants by its number.
func (l ListBuilder) SetInt(i int, v int64) {
	if l.check(i) {
		l.fail(i, l.setNumber(i, number{class: signed, bits: uint64(v)}))
	}
}

// SetUint sets element i of a list of numbers, or of enumerants by its number.
func (l ListBuilder) SetUint(i int, v uint64) {
	if l.check(i) {
		l.fail(i, l.setNumber(i, number{class: unsigned, bits: v}))
	}
}

// SetFloat sets element i of a list of numbers that hold v.
func (l ListBuilder) SetFloat(i int, v float64) {
	if l.check(i) {
		l.fail(i, l.setNumber(i, number{class: floating, f: v}))
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
	r := l.l.Reader()
	if r.Len() < l.n {
		return List{root: l.root}
	}
	return List{l.root, l.typ, l.n, r}
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
		return StructBuilder{root: l.root}
	}
	if k := l.typ.elem.kind; k != schema.StructType {
		l.fail(i, errAccess(k, "Struct gives structs"))
		return StructBuilder{root: l.root}
	}
	return l.structAt(i)
}

// List gives element i of a list of lists to build in.
func (l ListBuilder) List(i int) ListBuilder {
	if !l.check(i) {
		return ListBuilder{root: l.root}
	}
	if k := l.typ.elem.kind; k != schema.ListType {
		l.fail(i, errAccess(k, "List gives lists"))
		return ListBuilder{root: l.root}
	}
	return editList(l.root, l.typ.elem, l.l.At(i))
}

// InitList builds a list of n elements as element i of a list of lists.
func (l ListBuilder) InitList(i, n int) ListBuilder {
	if !l.check(i) {
		return ListBuilder{root: l.root}
	}
	if k := l.typ.elem.kind; k != schema.ListType {
		l.fail(i, errAccess(k, "InitList makes lists"))
		return ListBuilder{root: l.root}
	}
	return newList(l.root, l.typ.elem, l.l.At(i), n)
}

// Any gives element i of a list of pointers without regard to their type.
func (l ListBuilder) Any(i int) AnyBuilder {
	if !l.check(i) {
		return AnyBuilder{root: l.root}
	}
	if k := l.typ.elem.kind; !k.IsPointer() || k == schema.StructType {
		l.fail(i, errAccess(k, "Any gives pointers"))
		return AnyBuilder{root: l.root}
	}
	return AnyBuilder{l.root, l.typ.elem, l.l.At(i)}
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

// assignAny sets as many elements as there are.
func (l ListBuilder) assignAny(vals []any) *Error {
	if l.typ.elem.kind == schema.StructType {
		for i, v := range vals {
			var err *Error
			switch m := v.(type) {
			case nil:
			case map[string]any:
				err = l.structAt(i).fill(m, true)
			default:
				err = l.setStruct(i, v)
			}
			if err != nil {
				return err.at(i)
			}
		}
		return nil
	}
	for i, v := range vals {
		if err := l.set(i, v); err != nil {
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
		l.root.fail(err.in(l.typ.String()))
		return segment.NumbersBuilder[T]{}
	}
	return segment.NumbersBuilder[T](l.l)
}
