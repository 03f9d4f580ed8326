package dynamic

import (
	"reflect"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// What is in this file sets one field of a struct, or one pointer, from a Go
// value. A value is looked at before anything is changed, as far as one level
// goes.

// set sets the field, and makes it the one that is set in its unions. The groups
// of a fresh struct have their defaults already. What maps have most is tried
// first.
func (f *Field) set(b segment.StructBuilder, v any, fresh bool) *Error {
	switch k := f.kind; k {
	case schema.Text:
		if s, ok := v.(string); ok {
			f.choose(b)
			b.SetText(uint16(f.off), s)
			return nil
		}
	case schema.ListType:
		if s, ok := v.([]any); ok && s != nil {
			return f.setSlice(b, s)
		}
	case schema.StructType:
		if f.group {
			return f.setGroup(b, v, fresh)
		}
		if m, ok := v.(map[string]any); ok && m != nil {
			return f.setMap(b, m)
		}
	case schema.EnumType:
		n, err := f.Type().enumerant(v)
		if err == nil {
			f.store(b, uint64(n))
		}
		return err
	case schema.Bool:
		on, ok := v.(bool)
		if !ok {
			rv := reflect.ValueOf(v)
			if rv.Kind() != reflect.Bool {
				return errKind("a bool", describeValue(v))
			}
			on = rv.Bool()
		}
		return f.setBool(b, on)
	case schema.Void:
		if v != nil {
			if _, ok := v.(struct{}); !ok {
				return errKind("nil, being Void", describeValue(v))
			}
		}
		f.choose(b)
		return nil
	case schema.Data, schema.InterfaceType, schema.AnyPointer:
	default:
		if i, ok := v.(int); ok && k <= schema.Uint64 && intRanges[k].holds(int64(i)) {
			f.store(b, uint64(i))
			return nil
		}
		n := numberOf(v)
		if n.class == notNumber {
			return errNotNumber(k, v)
		}
		return f.setNumber(b, n)
	}
	return f.setPtr(b, v)
}

// setPtr sets a field that is a pointer.
func (f *Field) setPtr(b segment.StructBuilder, v any) *Error {
	t := f.Type()
	if v != nil {
		if err := t.takes(v); err != nil {
			return err
		}
	}
	if len(f.choices) > 0 {
		// An Any is a pointer, which may be that of another member.
		switch a := v.(type) {
		case Any:
			f.setCopy(b, a.p)
			return nil
		case AnyBuilder:
			f.setCopy(b, a.p.Reader())
			return nil
		}
	}
	defer f.setAside(b).discard()
	f.choose(b)
	return setPtr(t, b.Ptr(uint16(f.off)), v)
}

// setCopy copies what src refers to before a member of a union is cleared.
func (f *Field) setCopy(b segment.StructBuilder, src segment.Ptr) {
	if msg := b.Message(); msg != nil {
		o := msg.NewOrphanCopy(src)
		f.choose(b)
		b.Ptr(uint16(f.off)).Adopt(o)
	}
}

// asides are objects that a value was set over. They are cleared once it is
// set, for it may be a copy of something in them.
type asides []*segment.Orphan

func (o asides) discard() {
	for _, old := range o {
		old.Discard()
	}
}

// add takes away what is under a pointer.
func (o asides) add(p segment.PtrBuilder) asides {
	if p.IsNull() {
		return o
	}
	return append(o, p.Disown())
}

// setAside takes away what is under the field, or under the members of its unions
// that it takes the place of.
func (f *Field) setAside(b segment.StructBuilder) asides {
	old := f.disown(b, nil)
	for i := range f.choices {
		c := &f.choices[i]
		was := b.Reader().Uint16(c.off)
		if was != c.value && int(was) < len(c.of.union) && c.of.union[was] != nil {
			old = c.of.union[was].disown(b, old)
		}
	}
	return old
}

// disown takes away what is under the field, or under the fields of a group.
func (f *Field) disown(b segment.StructBuilder, old asides) asides {
	switch {
	case f.group:
		for _, g := range f.Type().fields {
			old = g.disown(b, old)
		}
	case f.kind.IsPointer():
		old = old.add(b.Ptr(uint16(f.off)))
	}
	return old
}

// setMap builds a struct from a map.
func (f *Field) setMap(b segment.StructBuilder, m map[string]any) *Error {
	t := f.Type()
	if t.err != nil {
		return t.err
	}
	defer f.setAside(b).discard()
	f.choose(b)
	return t.fill(b.NewStruct(uint16(f.off), t.size), m, true)
}

// setSlice builds a list from a slice.
func (f *Field) setSlice(b segment.StructBuilder, vals []any) *Error {
	t := f.Type()
	if t.err != nil {
		return t.err
	}
	defer f.setAside(b).discard()
	f.choose(b)
	return t.elem.setElems(t.elem.newList(b.Ptr(uint16(f.off)), len(vals)), vals)
}

func errNotNumber(k schema.TypeKind, v any) *Error {
	if k == schema.Float32 || k == schema.Float64 {
		return errKind("a number", describeValue(v))
	}
	return errKind("a whole number", describeValue(v))
}

// store sets a number or an enumerant, whose bits are known to fit.
func (f *Field) store(b segment.StructBuilder, bits uint64) {
	f.choose(b)
	bits ^= f.flip
	switch f.width {
	case 8:
		b.SetUint8(f.off, uint8(bits))
	case 16:
		b.SetUint16(f.off, uint16(bits))
	case 32:
		b.SetUint32(f.off, uint32(bits))
	case 64:
		b.SetUint64(f.off, bits)
	}
}

func (f *Field) setBool(b segment.StructBuilder, v bool) *Error {
	if f.kind != schema.Bool {
		return errKind(takesWhat(f.kind), "a bool")
	}
	f.choose(b)
	b.SetBool(f.off, v != (f.flip != 0))
	return nil
}

func (f *Field) setNumber(b segment.StructBuilder, n number) *Error {
	bits, err := n.to(f.kind)
	if err == nil {
		f.store(b, bits)
	}
	return err
}

// to gives the bits of the number in a field of kind k.
func (n number) to(k schema.TypeKind) (uint64, *Error) {
	switch {
	case k >= schema.Int8 && k <= schema.Uint64 || k == schema.EnumType:
		return n.toInt(k)
	case k == schema.Float32 || k == schema.Float64:
		return n.toFloat(k)
	}
	return 0, errKind(takesWhat(k), "the number "+n.String())
}

// takesWhat says what the fields of a kind take.
func takesWhat(k schema.TypeKind) string {
	switch k {
	case schema.Void:
		return "nil, being Void"
	case schema.Bool:
		return "a bool"
	case schema.Text:
		return "a string"
	case schema.Data:
		return "a []byte"
	case schema.EnumType:
		return "an enumerant, by its name or number"
	case schema.ListType:
		return "a list or a slice"
	case schema.StructType:
		return "a map, a Go struct or a Struct"
	case schema.InterfaceType:
		return "a Capability"
	case schema.AnyPointer:
		return "an Any, a Struct, a List, a string, a []byte or a Capability"
	case schema.Float32, schema.Float64:
		return "a number"
	}
	return "a whole number"
}

func (f *Field) setText(b segment.StructBuilder, v string) *Error {
	if f.kind != schema.Text {
		if f.kind != schema.AnyPointer {
			return errKind(takesWhat(f.kind), "a string")
		}
		return f.setPtr(b, v)
	}
	f.choose(b)
	b.SetText(uint16(f.off), v)
	return nil
}

func (f *Field) setData(b segment.StructBuilder, v []byte) *Error {
	if f.kind != schema.Data {
		if f.kind != schema.AnyPointer {
			return errKind(takesWhat(f.kind), "a []byte")
		}
		return f.setPtr(b, v)
	}
	defer f.setAside(b).discard()
	f.choose(b)
	b.SetData(uint16(f.off), v)
	return nil
}

// setGroup gives a group the fields of v and its others their defaults. A fresh
// group has its defaults already.
func (f *Field) setGroup(b segment.StructBuilder, v any, fresh bool) *Error {
	t := f.Type()
	if m, ok := v.(map[string]any); ok && fresh && t.err == nil {
		f.choose(b)
		return t.fill(b, m, true)
	}
	if v == nil {
		return errKind("a map, a Go struct or a Struct, being a group", "nil")
	}
	if err := t.takes(v); err != nil {
		return err
	}
	if src, ok := v.(Struct); ok && src.s == b.Reader() {
		f.choose(b)
		return nil // the group is set to itself
	}
	if !fresh {
		defer f.setAside(b).discard()
	}
	f.choose(b)
	if !fresh {
		t.clearGroup(b)
	}
	return t.assign(b, v)
}

// enumerant gives the number that v means: a name, a number or an [Enum].
func (t *Type) enumerant(v any) (uint16, *Error) {
	switch v := v.(type) {
	case string:
		return t.enumerantByName(v)
	case Enum:
		if v.typ == nil || !v.typ.same(t) {
			return 0, errKind("an enumerant of "+t.Name(), "one of another enum")
		}
		return v.n, nil
	}
	if n := numberOf(v); n.class != notNumber {
		bits, err := n.toInt(schema.EnumType)
		return uint16(bits), err
	}
	if rv := reflect.ValueOf(v); rv.Kind() == reflect.String {
		return t.enumerantByName(rv.String())
	}
	return 0, errKind(takesWhat(schema.EnumType), describeValue(v))
}

func (t *Type) enumerantByName(name string) (uint16, *Error) {
	if t.numbers == nil {
		for i, n := range t.names {
			if n == name {
				return uint16(i), nil
			}
		}
	} else if n, ok := t.numbers[name]; ok {
		return n, nil
	}
	if t.err != nil {
		return 0, t.err
	}
	return 0, errNoName("enumerant "+clip(name), name, t.names)
}

// takes tells whether v is of a sort that a pointer of type t can be set to. It
// does not look into maps, slices and Go structs.
func (t *Type) takes(v any) *Error {
	if t.err != nil {
		return t.err
	}
	ok := false
	switch v := v.(type) {
	case Struct:
		ok = v.typ != nil && (t.kind == schema.StructType && v.typ.same(t) || !v.typ.group && t.anyTakes(schema.AnyStruct))
	case StructBuilder:
		return t.takes(v.Reader())
	case List:
		ok = v.typ != nil && (t.kind == schema.ListType && v.typ.same(t) || t.anyTakes(schema.AnyList))
	case ListBuilder:
		return t.takes(v.Reader())
	case Capability, CapabilitySetter:
		ok = t.kind == schema.InterfaceType || t.anyTakes(schema.AnyCapability)
	case Any:
		ok = t.takesAny(v.p)
	case AnyBuilder:
		ok = t.takesAny(v.p.Reader())
	case map[string]any:
		ok = t.kind == schema.StructType
	case []any, []map[string]any:
		ok = t.kind == schema.ListType
	case string:
		ok = t.kind == schema.Text || t.anyTakes(schema.AnyList)
	case []byte:
		ok = t.kind == schema.Data || t.anyTakes(schema.AnyList) || t.kind == schema.ListType && t.elem.kind == schema.Uint8
	default:
		rv := reflect.ValueOf(v)
		for rv.Kind() == reflect.Pointer && !rv.IsNil() {
			rv = rv.Elem()
		}
		switch rv.Kind() {
		case reflect.Pointer:
			ok = true // nil
		case reflect.Struct, reflect.Map:
			ok = t.kind == schema.StructType
		case reflect.String:
			ok = t.kind == schema.Text
		case reflect.Slice, reflect.Array:
			ok = t.kind == schema.ListType || t.kind == schema.Data && rv.Type().Elem().Kind() == reflect.Uint8
		}
	}
	if ok {
		return nil
	}
	return errKind(takesWhat(t.kind)+t.ofType(), describeHandle(v))
}

// ofType says of which type the structs or lists have to be.
func (t *Type) ofType() string {
	if t.kind == schema.StructType || t.kind == schema.ListType {
		return " of " + t.String()
	}
	return ""
}

// describeHandle is describeValue, which tells the type of a struct or list too.
func describeHandle(v any) string {
	var t *Type
	switch v := v.(type) {
	case Struct:
		t = v.typ
	case List:
		t = v.typ
	case Any:
		return "an Any that holds a " + v.p.Kind().String()
	}
	if t != nil {
		return "one of " + t.String()
	}
	return describeValue(v)
}

// anyTakes tells whether t is an AnyPointer that can hold a sort of objects.
func (t *Type) anyTakes(k schema.AnyKind) bool {
	if t.kind != schema.AnyPointer {
		return false
	}
	switch t.typ.Any {
	case schema.AnyStruct, schema.AnyList, schema.AnyCapability:
		return t.typ.Any == k
	}
	return true
}

// takesAny tells whether a pointer of type t can be set to what p refers to. The
// types of structs and of elements are not known.
func (t *Type) takesAny(p segment.Ptr) bool {
	switch p.Kind() {
	case segment.KindNull:
		return true
	case segment.KindStruct:
		return t.anyTakes(schema.AnyStruct)
	case segment.KindList:
		return t.anyTakes(schema.AnyList)
	case segment.KindCapability:
		return t.kind == schema.InterfaceType || t.anyTakes(schema.AnyCapability)
	}
	return false
}

// same tells whether two types mean the same, also where each was loaded on its
// own.
func (t *Type) same(o *Type) bool {
	if t == o {
		return true
	}
	if t.kind != o.kind || t.space == o.space || t.typ.ID != o.typ.ID || t.typ.Any != o.typ.Any || len(t.env) != len(o.env) {
		return false
	}
	if t.elem != nil {
		return t.elem.same(o.elem)
	}
	return t.String() == o.String()
}

// setPtr sets a pointer of type t to v, which t.takes.
func setPtr(t *Type, p segment.PtrBuilder, v any) *Error {
	switch v := v.(type) {
	case nil:
		p.Clear()
		return nil
	case string:
		p.SetText(v)
		return nil
	case Capability:
		p.SetCapability(uint32(v))
		return nil
	case CapabilitySetter:
		v.SetCapability(p)
		return nil
	case Any:
		p.Set(v.p)
		return nil
	case AnyBuilder:
		p.Set(v.p.Reader())
		return nil
	case Struct:
		p.SetStruct(v.s)
		return nil
	case StructBuilder:
		p.SetStruct(v.b.Reader())
		return nil
	case List:
		p.SetList(v.Raw())
		return nil
	case ListBuilder:
		p.SetList(v.Reader().Raw())
		return nil
	case map[string]any:
		if v != nil {
			defer asides(nil).add(p).discard()
			return t.fill(p.NewStruct(t.size), v, true)
		}
	case []any:
		if v != nil {
			defer asides(nil).add(p).discard()
			return t.elem.setElems(t.elem.newList(p, len(v)), v)
		}
	case []byte:
		if v != nil && t.kind == schema.Data {
			p.SetData(v)
			return nil
		}
	}
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	switch k := rv.Kind(); {
	case (k == reflect.Pointer || k == reflect.Slice || k == reflect.Map) && rv.IsNil():
		p.Clear()
		return nil
	case t.kind == schema.ListType:
		defer asides(nil).add(p).discard()
		return t.elem.setElemsReflect(t.elem.newList(p, rv.Len()), rv)
	case t.kind == schema.StructType:
		defer asides(nil).add(p).discard()
		return t.assignReflect(p.NewStruct(t.size), rv)
	}
	setNamed(p, rv)
	return nil
}

// setNamed sets a Text or Data to a value of a type that a program has named.
func setNamed(p segment.PtrBuilder, rv reflect.Value) {
	switch rv.Kind() {
	case reflect.String:
		p.SetText(rv.String())
	case reflect.Slice:
		p.SetData(rv.Bytes())
	case reflect.Array:
		for i, b := 0, p.NewData(rv.Len()); i < len(b); i++ {
			b[i] = uint8(rv.Index(i).Uint())
		}
	}
}
