package dynamic

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// codec is how a Go struct and a struct of a schema map to each other: made once
// for each pair of types.
type codec struct {
	err    *Error
	fields []codecField
	which  []int // index of the Go field that names the member of the union
}

type codecField struct {
	f     *Field
	index []int // of the Go field, through embedded structs
	goTyp reflect.Type
}

// codecOf gives the codec for a Go struct type.
func (t *Type) codecOf(g reflect.Type) *codec {
	if c, ok := t.goCodecs.Load(g); ok {
		return c.(*codec)
	}
	c, _ := t.goCodecs.LoadOrStore(g, t.makeCodec(g))
	return c.(*codec)
}

// tagName is the key of the tags of this package.
const tagName = "capnp"

func (t *Type) makeCodec(g reflect.Type) *codec {
	c := &codec{}
	tagged := map[string]bool{}
	byName := map[string]int{}
	for _, gf := range reflect.VisibleFields(g) {
		tag, hasTag := gf.Tag.Lookup(tagName)
		if tag == "-" || !gf.IsExported() || gf.Anonymous && !hasTag && indirect(gf.Type).Kind() == reflect.Struct {
			continue
		}
		if throughPointer(g, gf.Index) {
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		if opts == "which" {
			if gf.Type.Kind() != reflect.String || len(t.union) == 0 {
				c.err = &Error{Path: gf.Name, Kind: ErrType, Detail: "a field with the tag which is a string, in a struct with a union"}
				return c
			}
			c.which = gf.Index
			continue
		}
		if opts != "" {
			c.err = &Error{Path: gf.Name, Kind: ErrName, Detail: "no option " + clip(opts) + " in the tag; there is which"}
			return c
		}
		f := t.lookup(name)
		if name == "" {
			name = lowerFirst(gf.Name)
			if f = t.lookup(name); f == nil {
				f = t.lookup(lowerWord(gf.Name))
			}
		}
		if f == nil || f.scope != t {
			c.err = errNoName("such field", name, t.fieldNames()).in(gf.Name)
			return c
		}
		if i, ok := byName[f.name]; ok {
			if tagged[f.name] || !hasTag {
				continue // the outer one, which came first
			}
			c.fields[i] = codecField{f, gf.Index, gf.Type}
			tagged[f.name] = hasTag
			continue
		}
		byName[f.name] = len(c.fields)
		tagged[f.name] = hasTag
		c.fields = append(c.fields, codecField{f, gf.Index, gf.Type})
	}
	return c
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// throughPointer tells whether a field lies in an embedded pointer, which may be
// nil and so has no place.
func throughPointer(g reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		g = g.Field(i).Type
		if g.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// lowerFirst makes the name of a field out of that of an exported Go field.
func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// lowerWord is lowerFirst for a name that begins with an initialism: ID is id,
// URLPath is urlPath.
func lowerWord(s string) string {
	upper := 0
	for upper < len(s) && s[upper] >= 'A' && s[upper] <= 'Z' {
		upper++
	}
	if upper < len(s) {
		upper = max(0, upper-1)
	}
	return strings.ToLower(s[:upper]) + s[upper:]
}

// assignReflect sets fields from a Go struct or a map of any type.
func (t *Type) assignReflect(b segment.StructBuilder, v reflect.Value) *Error {
	switch v.Kind() {
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			return errKind("a map with strings as its keys", "a "+v.Type().String())
		}
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = it.Value().Interface()
		}
		return t.fill(b, m, false)
	case reflect.Struct:
	default:
		return errKind(takesWhat(schema.StructType), "a "+v.Kind().String())
	}
	c := t.codecOf(v.Type())
	if c.err != nil {
		return c.err
	}
	chosen, err := c.member(t, v)
	if err != nil {
		return err
	}
	for i := range c.fields {
		cf := &c.fields[i]
		fv := v.FieldByIndex(cf.index)
		if len(cf.f.choices) > 0 {
			if cf.f != chosen {
				continue
			}
		} else if isNil(fv) || cf.f.kind == schema.Void {
			continue
		}
		if err := cf.f.setReflect(b, fv); err != nil {
			return err.in(cf.f.name)
		}
	}
	return nil
}

// member gives the member of the union that a Go struct has set: the one that
// its which names, or the only one that is not zero.
func (c *codec) member(t *Type, v reflect.Value) (*Field, *Error) {
	if len(t.union) == 0 {
		return nil, nil
	}
	if c.which != nil {
		if name := v.FieldByIndex(c.which).String(); name != "" {
			f := t.lookup(name)
			if f == nil || f.scope != t || !f.InUnion() {
				return nil, errNoName("member "+clip(name)+" of the union", name, t.memberNames())
			}
			return f, nil
		}
	}
	var found *Field
	for i := range c.fields {
		f := c.fields[i].f
		if len(f.choices) == 0 || v.FieldByIndex(c.fields[i].index).IsZero() {
			continue
		}
		if found != nil {
			return nil, errTwoMembers(found, f)
		}
		found = f
	}
	return found, nil
}

func (t *Type) memberNames() []string {
	var names []string
	for _, f := range t.union {
		if f != nil {
			names = append(names, f.name)
		}
	}
	return names
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	}
	return false
}

// setReflect sets the field from a field of a Go struct.
func (f *Field) setReflect(b segment.StructBuilder, v reflect.Value) *Error {
	for (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case f.kind == schema.Void:
		f.choose(b)
		return nil
	case isNil(v) && f.group: // named by which
		f.choose(b)
		return nil
	case isNil(v):
		return f.set(b, nil, false)
	case f.group && v.Kind() == reflect.Struct && !isHandle(v.Type()):
		f.choose(b)
		return f.Type().assignReflect(b, v)
	case v.Kind() == reflect.String && f.kind == schema.Text:
		if v.Len() == 0 && len(f.choices) == 0 && f.def.IsNull() {
			f.clear(b)
			return nil
		}
		return f.setText(b, v.String())
	case f.width > 1 && f.kind != schema.EnumType:
		if n := reflectNumber(v); n.class != notNumber {
			return f.setNumber(b, n)
		}
	}
	return f.set(b, v.Interface(), false)
}

var handles = map[reflect.Type]bool{
	reflect.TypeFor[Struct](): true, reflect.TypeFor[StructBuilder](): true, reflect.TypeFor[Any](): true,
	reflect.TypeFor[List](): true, reflect.TypeFor[ListBuilder](): true, reflect.TypeFor[AnyBuilder](): true,
	reflect.TypeFor[Enum](): true,
}

// isHandle tells whether a Go struct is a value of this package, and not one to
// be taken apart.
func isHandle(t reflect.Type) bool { return handles[t] }

// setElemsReflect sets the elements of a new list of t.
func (t *Type) setElemsReflect(l segment.PtrsBuilder, v reflect.Value) *Error {
	for i := range v.Len() {
		e := v.Index(i)
		for (e.Kind() == reflect.Pointer || e.Kind() == reflect.Interface) && !e.IsNil() {
			e = e.Elem()
		}
		var err *Error
		switch {
		case isNil(e):
			err = t.setElem(l, i, nil)
		case t.kind == schema.StructType && (e.Kind() == reflect.Struct || e.Kind() == reflect.Map) && !isHandle(e.Type()):
			err = t.assignReflect(segment.StructsBuilder[segment.StructBuilder](l).At(i), e)
		case t.kind.Bits() > 1 && t.kind != schema.EnumType && (e.CanInt() || e.CanUint() || e.CanFloat()):
			err = t.setElemNumber(l, i, reflectNumber(e))
		default:
			err = t.setElem(l, i, e.Interface())
		}
		if err != nil {
			return err.at(i)
		}
	}
	return nil
}
