package json

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/internal/pretty"
	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// maxItem is the longest item of a list or object that stays in one line.
	maxItem = 50
	// maxBytes is the limit of what one call writes.
	maxBytes = 1 << 30
)

var (
	// ErrNoForm is matched by the error of writing or reading a capability or an
	// AnyPointer, which JSON can't express.
	ErrNoForm = errors.New("has no JSON form")
	// ErrTooDeep is matched by the error of a value that nests too deeply.
	ErrTooDeep = pretty.ErrTooDeep
)

// formError says which field has a value that JSON can't express.
type formError struct {
	field string
	err   error
}

func (e *formError) Unwrap() error { return e.err }

func (e *formError) Error() string {
	if inner, ok := e.err.(*formError); ok {
		return e.field + "." + inner.Error()
	}
	return e.field + ": " + e.err.Error()
}

// Options says how values are written. The zero value is the tool's default.
type Options struct {
	// Short writes no white space.
	Short bool
	// MaxBytes limits the output of one call. Default 1 GiB.
	MaxBytes int
	// Opaque writes capabilities and AnyPointers that are set as strings, such as
	// "<Calculator.Value>", for people: they can't be read again. Those that are
	// null are null.
	Opaque bool
}

// AppendStruct appends the JSON of the struct or group s, whose node typ.ID names.
//
// The error is one of the schema, of a limit, of a value that has no JSON, or the
// first fault of the message; dst is then what was written up to there. What
// can't be read is written as its default.
func (c *Codec) AppendStruct(dst []byte, typ schema.Type, s segment.Struct, o Options) ([]byte, error) {
	return c.encode(dst, typ, s.Message(), o, func(w *encoder, t *shape.Type) { w.structure(t, s, 0, false) })
}

// AppendList appends the JSON of a list of type typ. See AppendStruct for the
// error.
func (c *Codec) AppendList(dst []byte, typ schema.Type, l segment.List, o Options) ([]byte, error) {
	return c.encode(dst, typ, l.Message(), o, func(w *encoder, t *shape.Type) {
		if t.Kind != schema.ListType {
			w.Fail(fmt.Errorf("%v is not a list", t.Kind))
			return
		}
		w.list(t.Elem, l, 0, false)
	})
}

// AppendValue appends the JSON of a value of type typ. See AppendStruct for the
// error.
func (c *Codec) AppendValue(dst []byte, typ schema.Type, v schema.Value, o Options) ([]byte, error) {
	return c.encode(dst, typ, v.Ptr.Message(), o, func(w *encoder, t *shape.Type) {
		if t.Kind.IsPointer() {
			w.pointer(t, v.Ptr, asArray, 0, false)
		} else {
			w.scalar(t, v.Bits)
		}
	})
}

func (c *Codec) encode(dst []byte, typ schema.Type, msg *segment.Message, o Options, value func(*encoder, *shape.Type)) ([]byte, error) {
	t, err := c.types.Of(typ)
	if err != nil {
		return dst, fmt.Errorf("json: %w", err)
	}
	w, _ := c.pool.Get().(*encoder)
	if w == nil {
		w = &encoder{c: c}
	}
	defer c.pool.Put(w)
	most := o.MaxBytes
	if most <= 0 {
		most = maxBytes
	}
	if o.Short {
		w.Start(dst, pretty.Style{Delim: ",", Short: true}, most)
		w.colon = ":"
	} else {
		w.Start(dst, pretty.Style{Delim: ", ", Item: maxItem, Alone: true}, most)
		w.colon = ": "
	}
	w.opaque = o.Opaque
	value(w, t)
	dst, err = w.Finish()
	if err == nil && msg != nil {
		err = msg.Err()
	}
	if err != nil {
		return dst, fmt.Errorf("json: %w", err)
	}
	return dst, nil
}

// encoder writes one value. Its indent counts the levels around a list or object
// that have more than one item, which is how the tool indents.
type encoder struct {
	pretty.Writer
	c      *Codec
	colon  string
	opaque bool
}

func (w *encoder) structure(t *shape.Type, s segment.Struct, indent int, prefixed bool) {
	if t.Kind == schema.StructType && t.Node.ID == valueID {
		w.raw(s, indent, prefixed)
		return
	}
	p, err := w.c.plan(t)
	if err != nil {
		w.Fail(err)
		return
	}
	w.object(p, s, indent, prefixed)
}

func (w *encoder) object(p *plan, s segment.Struct, indent int, prefixed bool) {
	if w.InDefault() {
		if !w.Nest() {
			return
		}
		defer w.Unnest()
	}
	n := w.count(p, s)
	w.Buf = append(w.Buf, '{')
	w.Open(n, 2*(indent+1), false, prefixed)
	if n > 1 {
		indent++
	}
	w.members(p, s, "", indent)
	w.Close()
	w.Buf = append(w.Buf, '}')
}

// count tells how many members the object of s has.
func (w *encoder) count(p *plan, s segment.Struct) int {
	n := 0
	for _, f := range p.plain {
		switch {
		case !f.Has(s):
		case f.flat != nil:
			n += w.count(f.flat, flattened(f, s))
		default:
			n++
		}
	}
	f := p.active(s)
	if f == nil {
		return n
	}
	if p.hasTag {
		n++
	}
	switch {
	case f.flat != nil:
		n += w.count(f.flat, flattened(f, s))
	case p.shows(f):
		n++
	}
	return n
}

func (p *plan) active(s segment.Struct) *fieldPlan {
	f := p.Active(s)
	if f == nil {
		return nil
	}
	return &p.fields[f.Index]
}

// shows tells whether the union's member f stands in the object: where the tag
// says it all, it does not.
func (p *plan) shows(f *fieldPlan) bool { return !p.hasTag || f.Type.Kind != schema.Void }

// flattened gives the struct or group whose members stand in the place of f.
func flattened(f *fieldPlan, s segment.Struct) segment.Struct {
	if f.IsGroup() {
		return s
	}
	p, _ := f.Ptr(s)
	return p.Struct()
}

// members writes the members of an object, prefix in front of their names.
func (w *encoder) members(p *plan, s segment.Struct, prefix string, indent int) {
	for _, f := range p.plain {
		if f.Has(s) {
			w.member(f, s, prefix, indent)
		}
	}
	f := p.active(s)
	if f == nil {
		return
	}
	if p.hasTag && w.Item() {
		w.name(prefix, p.tag)
		w.string([]byte(f.value))
		w.EndItem()
	}
	if f.flat != nil || p.shows(f) {
		w.member(f, s, prefix, indent)
	}
}

func (w *encoder) name(prefix, name string) {
	w.Buf = appendString(w.Buf, prefix+name)
	w.Buf = append(w.Buf, w.colon...)
}

func (w *encoder) member(f *fieldPlan, s segment.Struct, prefix string, indent int) {
	if f.flat != nil {
		w.members(f.flat, flattened(f, s), prefix+f.prefix, indent)
		return
	}
	if !w.Item() {
		return
	}
	if prefix == "" {
		w.Buf = append(w.Buf, f.key...)
		w.Buf = append(w.Buf, w.colon...)
	} else {
		w.name(prefix, f.name)
	}
	switch {
	case f.IsGroup():
		if w.Nest() {
			w.object(f.group, s, indent, true)
		}
		w.Unnest()
	case f.Type.Kind.IsPointer():
		p, isDefault := f.Ptr(s)
		around := w.Follow(isDefault)
		w.pointer(f.Type, p, f.form, indent, true)
		w.Return(around)
	default:
		w.scalar(f.Type, f.Bits(s))
	}
	if errors.Is(w.Err, ErrNoForm) {
		w.Err = &formError{f.Name, w.Err}
	}
	w.EndItem()
}

func (w *encoder) pointer(t *shape.Type, p segment.Ptr, form dataForm, indent int, prefixed bool) {
	switch t.Kind {
	case schema.Text:
		w.string(p.TextBytes())
	case schema.Data:
		w.data(p.Data(), form)
	case schema.ListType:
		w.list(t.Elem, p.List(), indent, prefixed)
	case schema.StructType:
		w.structure(t, p.Struct(), indent, prefixed)
	default:
		w.noForm(t, p)
	}
}

// noForm is for what JSON can't express.
func (w *encoder) noForm(t *shape.Type, p segment.Ptr) {
	switch {
	case !w.opaque:
		w.Fail(fmt.Errorf("%v %w", t.Kind, ErrNoForm))
	case p.IsNull():
		w.Buf = append(w.Buf, "null"...)
	case t.Node != nil:
		name := t.Node.DisplayName
		w.string([]byte("<" + name[strings.LastIndexByte(name, ':')+1:] + ">"))
	default:
		w.string([]byte("<AnyPointer>"))
	}
}

func (w *encoder) data(v []byte, form dataForm) {
	switch form {
	case asBase64:
		n := base64.StdEncoding.EncodedLen(len(v))
		w.Long(n)
		if w.Reserve(n) {
			w.Buf = append(w.Buf, '"')
			w.Buf = base64.StdEncoding.AppendEncode(w.Buf, v)
			w.Buf = append(w.Buf, '"')
		}
	case asHex:
		n := hex.EncodedLen(len(v))
		w.Long(n)
		if w.Reserve(n) {
			w.Buf = append(w.Buf, '"')
			w.Buf = hex.AppendEncode(w.Buf, v)
			w.Buf = append(w.Buf, '"')
		}
	default:
		w.Buf = append(w.Buf, '[')
		for i, c := range v {
			if !w.next(i) {
				return
			}
			w.Buf = strconv.AppendUint(w.Buf, uint64(c), 10)
		}
		w.Buf = append(w.Buf, ']')
	}
}

func (w *encoder) scalar(t *shape.Type, bits uint64) {
	switch t.Kind {
	case schema.Void:
		w.Buf = append(w.Buf, "null"...)
	case schema.Bool:
		w.Buf = strconv.AppendBool(w.Buf, bits&1 != 0)
	case schema.Int8, schema.Int16, schema.Int32:
		w.Buf = strconv.AppendInt(w.Buf, int64(bits), 10)
	case schema.Uint8, schema.Uint16, schema.Uint32:
		w.Buf = strconv.AppendUint(w.Buf, bits, 10)
	case schema.Int64:
		w.Buf = append(w.Buf, '"')
		w.Buf = strconv.AppendInt(w.Buf, int64(bits), 10)
		w.Buf = append(w.Buf, '"')
	case schema.Uint64:
		w.Buf = append(w.Buf, '"')
		w.Buf = strconv.AppendUint(w.Buf, bits, 10)
		w.Buf = append(w.Buf, '"')
	case schema.Float32:
		w.Buf = appendFloat(w.Buf, float64(math.Float32frombits(uint32(bits))))
	case schema.Float64:
		w.Buf = appendFloat(w.Buf, math.Float64frombits(bits))
	default:
		p, err := w.c.enum(t)
		if err != nil {
			w.Fail(err)
			return
		}
		w.enumerant(p, uint16(bits))
	}
}

func (w *encoder) enumerant(p *enumPlan, n uint16) {
	if int(n) < len(p.names) {
		w.Buf = append(w.Buf, p.names[n]...)
	} else {
		w.Buf = strconv.AppendUint(w.Buf, uint64(n), 10)
	}
}

func appendFloat(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	}
	return pretty.AppendFloat64(b, v)
}

// list writes a list of elements of type t.
func (w *encoder) list(t *shape.Type, l segment.List, indent int, prefixed bool) {
	if w.InDefault() {
		if !w.Nest() {
			return
		}
		defer w.Unnest()
	}
	n := l.Len()
	w.Buf = append(w.Buf, '[')
	inner := indent
	if n > 1 {
		inner++
	}
	switch t.Kind {
	case schema.StructType:
		w.Open(n, 2*(indent+1), false, prefixed)
		for s := range l.Structs().All() {
			if !w.Item() {
				break
			}
			w.structure(t, s, inner, false)
			w.EndItem()
		}
		w.Close()
	case schema.Text, schema.Data, schema.ListType, schema.InterfaceType, schema.AnyPointer:
		w.Open(n, 2*(indent+1), false, prefixed)
		for p := range l.Ptrs().All() {
			if !w.Item() {
				break
			}
			w.pointer(t, p, asArray, inner, false)
			w.EndItem()
		}
		w.Close()
	case schema.EnumType:
		p, err := w.c.enum(t)
		if err != nil {
			w.Fail(err)
			return
		}
		w.Open(n, 2*(indent+1), false, prefixed)
		for v := range segment.NumbersOf[uint16](l).All() {
			if !w.Item() {
				break
			}
			w.enumerant(p, v)
			w.EndItem()
		}
		w.Close()
	default:
		w.numbers(t, l)
	}
	w.Buf = append(w.Buf, ']')
}

// next writes the comma before element i of a list that never breaks, and
// reports whether there is room for more.
func (w *encoder) next(i int) bool {
	if i > 0 {
		w.Buf = append(w.Buf, w.Style.Delim...)
	}
	return w.Reserve(0)
}

// numbers writes a list whose elements are so short that it never breaks.
func (w *encoder) numbers(t *shape.Type, l segment.List) {
	switch t.Kind {
	case schema.Void:
		for i := range l.Len() {
			if !w.next(i) {
				return
			}
			w.scalar(t, 0)
		}
	case schema.Bool:
		for i, v := range l.Bools().Indexed() {
			if !w.next(i) {
				return
			}
			w.Buf = strconv.AppendBool(w.Buf, v)
		}
	case schema.Int8:
		numbers(w, t, segment.NumbersOf[int8](l))
	case schema.Int16:
		numbers(w, t, segment.NumbersOf[int16](l))
	case schema.Int32:
		numbers(w, t, segment.NumbersOf[int32](l))
	case schema.Int64:
		numbers(w, t, segment.NumbersOf[int64](l))
	case schema.Uint8:
		numbers(w, t, segment.NumbersOf[uint8](l))
	case schema.Uint16:
		numbers(w, t, segment.NumbersOf[uint16](l))
	case schema.Uint32, schema.Float32:
		numbers(w, t, segment.NumbersOf[uint32](l))
	case schema.Uint64, schema.Float64:
		numbers(w, t, segment.NumbersOf[uint64](l))
	}
}

func numbers[T segment.Number](w *encoder, t *shape.Type, l segment.Numbers[T]) {
	for i, v := range l.Indexed() {
		if !w.next(i) {
			return
		}
		w.scalar(t, uint64(v))
	}
}
