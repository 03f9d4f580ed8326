package dynamic

import (
	"math"
	"reflect"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// To copies the struct and all below it into the Go struct that dst points to,
// or into a *map[string]any. Go fields are found by their tag `capnp:"name"`, or
// without one by their own name, in which the capitals at the start do not
// count; `capnp:"-"` leaves one out. Each of them has to be there in the schema,
// but not the other way round.
//
// Of a union the Go field of the member that is set is filled; the others get
// their zero value. A string with the tag `capnp:",which"` gets the name of the
// member. Text goes to a string, Data to a []byte or an array, an enumerant to a
// string or an integer, a list to a slice, a struct or group to a struct or a
// map, a pointer that is null to the zero value, anything to an any as
// [Struct.Map] has it, and Void to a bool that is true or a struct{}. Each may be
// behind a pointer. Short texts lie together, as those of [Struct.Map] do.
//
// The error says which Go field cannot hold its value.
func (s Struct) To(dst any) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return &Error{Kind: ErrType, Detail: "To takes a pointer to a Go struct, not " + describeValue(dst)}
	}
	if s.typ == nil {
		return s.Err()
	}
	m := mapperOf(s.msg)
	if err := m.toGo(s.typ, s.s, v.Elem()); err != nil {
		return err.in(s.typ.Name())
	}
	return s.Err()
}

// To is [Struct.To].
func (b StructBuilder) To(dst any) error { return b.Reader().To(dst) }

// toGo reads a struct into a Go struct or a map.
func (m *mapper) toGo(t *Type, s segment.Struct, v reflect.Value) *Error {
	v = reach(v)
	switch v.Kind() {
	case reflect.Map, reflect.Interface:
		made := reflect.ValueOf(m.structMap(t, s))
		if !made.Type().AssignableTo(v.Type()) {
			return errHold(v, "a map[string]any")
		}
		v.Set(made)
		return nil
	case reflect.Struct:
	default:
		return errHold(v, "a struct")
	}
	if t.err != nil {
		return t.err
	}
	c := t.codecOf(v.Type())
	if c.err != nil {
		return c.err
	}
	if c.which != nil {
		v.FieldByIndex(c.which).SetString(t.member(s.Uint16(t.discOff)))
	}
	for i := range c.fields {
		cf := &c.fields[i]
		fv := v.FieldByIndex(cf.index)
		if !cf.f.selected(s) {
			fv.SetZero()
			continue
		}
		if err := m.fieldToGo(cf.f, s, fv); err != nil {
			return err.in(cf.f.name)
		}
	}
	return nil
}

// reach follows pointers, which are made where they are nil.
func reach(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	return v
}

func errHold(v reflect.Value, what string) *Error {
	return &Error{Kind: ErrType, Detail: "a Go " + v.Type().String() + " cannot hold " + what}
}

func (m *mapper) fieldToGo(f *Field, s segment.Struct, v reflect.Value) *Error {
	if f.group {
		return m.toGo(f.Type(), s, v)
	}
	if !f.kind.IsPointer() {
		return scalarToGo(f.Type(), f.bits(s), v)
	}
	p := f.ptr(s)
	if p.IsNull() {
		v.SetZero()
		if v.Kind() == reflect.Pointer && len(f.choices) > 0 {
			reach(v) // tells which member is set
		}
		return nil
	}
	return m.ptrToGo(f.Type(), p, v)
}

// scalarToGo puts a number, a Bool, an enumerant or Void into a Go value.
func scalarToGo(t *Type, bits uint64, v reflect.Value) *Error {
	v = reach(v)
	k := t.kind
	switch g := v.Kind(); {
	case g == reflect.Interface && v.NumMethod() == 0:
		if box := boxScalar(t, k, bits); box != nil {
			v.Set(reflect.ValueOf(box))
		} else {
			v.SetZero()
		}
		return nil
	case k == schema.Void && g == reflect.Bool:
		v.SetBool(true)
		return nil
	case k == schema.Void && g == reflect.Struct && v.NumField() == 0:
		return nil
	case k == schema.Bool && g == reflect.Bool:
		v.SetBool(bits != 0)
		return nil
	case k == schema.EnumType && g == reflect.String:
		v.SetString(Enum{t, uint16(bits)}.String())
		return nil
	case k == schema.EnumType && v.Type() == reflect.TypeFor[Enum]():
		v.Set(reflect.ValueOf(Enum{t, uint16(bits)}))
		return nil
	case k == schema.Float32 && v.CanFloat():
		v.SetFloat(float64(math.Float32frombits(uint32(bits))))
		return nil
	case k == schema.Float64 && g == reflect.Float64:
		v.SetFloat(math.Float64frombits(bits))
		return nil
	case isSigned(k) || isUnsigned(k) || k == schema.EnumType:
		return intToGo(k, bits, v)
	}
	return errHold(v, describe(k))
}

func intToGo(k schema.TypeKind, bits uint64, v reflect.Value) *Error {
	i, negative := int64(bits), false
	if isSigned(k) {
		i = extend(k, bits)
		negative = i < 0
	}
	switch {
	case v.CanInt():
		if !negative && bits > math.MaxInt64 && !isSigned(k) || v.OverflowInt(i) {
			return errFits(bits, k, v)
		}
		v.SetInt(i)
	case v.CanUint():
		if negative || v.OverflowUint(uint64(i)) {
			return errFits(bits, k, v)
		}
		v.SetUint(uint64(i))
	default:
		return errHold(v, describe(k))
	}
	return nil
}

func errFits(bits uint64, k schema.TypeKind, v reflect.Value) *Error {
	n := number{class: unsigned, bits: bits}
	if isSigned(k) {
		n = number{class: signed, bits: uint64(extend(k, bits))}
	}
	return &Error{Kind: ErrRange, Detail: "a Go " + v.Type().String() + " cannot hold " + n.String()}
}

// ptrToGo puts what a pointer refers to into a Go value.
func (m *mapper) ptrToGo(t *Type, p segment.Ptr, v reflect.Value) *Error {
	v = reach(v)
	if v.Kind() == reflect.Interface && v.NumMethod() == 0 {
		if box := m.box(t, p); box != nil {
			v.Set(reflect.ValueOf(box))
		} else {
			v.SetZero()
		}
		return nil
	}
	switch g := v.Kind(); t.kind {
	case schema.Text:
		if g == reflect.String {
			v.SetString(m.text(p.TextBytes()))
			return nil
		}
	case schema.Data:
		if isBytes(v) {
			return bytesToGo(p.Data(), v)
		}
	case schema.StructType:
		return m.toGo(t, p.Struct(), v)
	case schema.ListType:
		return m.listToGo(readList(m.msg, t, p), v)
	default:
		if box := m.ptr(t, p); box != nil && reflect.TypeOf(box) == v.Type() {
			v.Set(reflect.ValueOf(box))
			return nil
		}
	}
	return errHold(v, describe(t.kind))
}

func isBytes(v reflect.Value) bool {
	return (v.Kind() == reflect.Slice || v.Kind() == reflect.Array) && v.Type().Elem().Kind() == reflect.Uint8
}

func bytesToGo(b []byte, v reflect.Value) *Error {
	if v.Kind() == reflect.Slice {
		v.SetBytes(append([]byte{}, b...))
		return nil
	}
	if len(b) != v.Len() {
		return &Error{Kind: ErrRange, Detail: "a Go " + v.Type().String() + " cannot hold " + plural(len(b), "byte")}
	}
	reflect.Copy(v, reflect.ValueOf(b))
	return nil
}

// listToGo puts a list into a slice or an array of the same length.
func (m *mapper) listToGo(l List, v reflect.Value) *Error {
	switch v.Kind() {
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), l.Len(), l.Len()))
	case reflect.Array:
		if v.Len() != l.Len() {
			return &Error{Kind: ErrRange, Detail: "a Go " + v.Type().String() + " cannot hold " + plural(l.Len(), "element")}
		}
	default:
		return errHold(v, "a list")
	}
	for i := range l.Len() {
		e := v.Index(i)
		var err *Error
		switch t := l.typ.elem; {
		case t.kind == schema.StructType:
			err = m.toGo(t, l.Struct(i).s, e)
		case !t.kind.IsPointer():
			err = scalarToGo(t, l.bits(i), e)
		case !l.l.At(i).IsNull():
			err = m.ptrToGo(t, l.l.At(i), e)
		default:
			e.SetZero()
		}
		if err != nil {
			return err.at(i)
		}
	}
	return nil
}
