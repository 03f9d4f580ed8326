// Package text prints values in the text form of Cap'n Proto, byte for byte as
// `capnp decode` and `capnp eval` do.
//
//	( name = "Alice",
//	  phones = [(number = "555-1212", type = mobile)] )
//
// All fields of the data section are printed, pointers where they are not null,
// the member of a union in its place among the other fields. What a message holds
// beyond its schema is not: an unknown member of a union is left out, an unknown
// enumerant is its number in parentheses, a capability is <external capability>,
// and what has no type is <opaque pointer>.
package text

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/fairlead-go/fairlead/internal/pretty"
	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

const (
	// maxItem is the longest item of a list or record that stays in one line, and
	// maxRecord how long a record's items may be together.
	maxItem   = 24
	maxRecord = 64

	// maxBytes is the limit of what one call prints.
	maxBytes = 1 << 30
)

// Options says how values are printed. The zero value is the tool's default.
type Options struct {
	// Short prints everything in one line.
	Short bool
	// MaxBytes limits the output of one call. Default 1 GiB.
	MaxBytes int
}

// Printer prints values of the types of one registry. It is safe for concurrent
// use, as far as the messages are.
type Printer struct {
	types *shape.Table
	pool  sync.Pool // of *printer
}

// New returns a printer of the types in reg, each as it is when it is
// first met.
func New(reg *schema.Registry) *Printer {
	return &Printer{types: shape.NewTable(reg)}
}

// AppendStruct appends the struct or group s, whose node typ.ID names.
//
// The error is one of the schema, of a limit, or the first fault of the message;
// what was printed up to there is appended nevertheless. What can't be read is
// printed as its default.
func (p *Printer) AppendStruct(dst []byte, typ schema.Type, s segment.Struct, o Options) ([]byte, error) {
	t, err := p.types.Of(typ)
	if err != nil {
		return dst, fmt.Errorf("text: %w", err)
	}
	return p.print(dst, s.Message(), o, func(w *printer) { w.structure(t, s, 1, false) })
}

// AppendList appends a list of type typ. See AppendStruct for the error.
func (p *Printer) AppendList(dst []byte, typ schema.Type, l segment.List, o Options) ([]byte, error) {
	t, err := p.types.Of(typ)
	if err != nil {
		return dst, fmt.Errorf("text: %w", err)
	}
	if t.Kind != schema.ListType {
		return dst, fmt.Errorf("text: %v is not a list", t.Kind)
	}
	return p.print(dst, l.Message(), o, func(w *printer) { w.list(t.Elem, l, 1, false) })
}

// AppendValue appends a value of type typ, such as a constant, as `capnp eval`
// prints it. See AppendStruct for the error.
func (p *Printer) AppendValue(dst []byte, typ schema.Type, v schema.Value, o Options) ([]byte, error) {
	t, err := p.types.Of(typ)
	if err != nil {
		return dst, fmt.Errorf("text: %w", err)
	}
	return p.print(dst, v.Ptr.Message(), o, func(w *printer) {
		switch {
		case t.Kind.IsPointer():
			w.pointer(t, v.Ptr, 1, false)
		case t.Kind == schema.Float32: // which the tool takes for a Float64 here
			w.Buf = pretty.AppendFloat64(w.Buf, float64(float32frombits(v.Bits)))
		default:
			w.scalar(t, v.Bits)
		}
	})
}

func (p *Printer) print(dst []byte, msg *segment.Message, o Options, value func(*printer)) ([]byte, error) {
	w, _ := p.pool.Get().(*printer)
	if w == nil {
		w = new(printer)
	}
	defer p.pool.Put(w)
	most := o.MaxBytes
	if most <= 0 {
		most = maxBytes
	}
	w.Start(dst, pretty.Style{Short: o.Short, Delim: ", ", Item: maxItem, Total: maxRecord}, most)
	value(w)
	dst, err := w.Finish()
	if err == nil && msg != nil {
		err = msg.Err()
	}
	if err != nil {
		return dst, fmt.Errorf("text: %w", err)
	}
	return dst, nil
}

// printer prints one value.
type printer struct {
	pretty.Writer
}

// structure prints a struct or group at depth, counted from 1; prefixed says that
// something stands before it in its line.
func (w *printer) structure(t *shape.Type, s segment.Struct, depth int, prefixed bool) {
	sh, err := t.Struct()
	if err != nil {
		w.Fail(err)
		return
	}
	if w.InDefault() {
		if !w.Nest() {
			return
		}
		defer w.Unnest()
	}
	member := sh.Active(s)
	if member != nil && member.Discriminant == 0 && !member.Has(s) {
		member = nil
	}
	w.Buf = append(w.Buf, '(')
	w.Open(0, 2*depth, true, prefixed)
	for _, f := range sh.Plain {
		if member != nil && member.Index < f.Index {
			w.field(member, s, depth)
			member = nil
		}
		if f.Has(s) {
			w.field(f, s, depth)
		}
	}
	if member != nil {
		w.field(member, s, depth)
	}
	w.Close()
	w.Buf = append(w.Buf, ')')
}

func (w *printer) field(f *shape.Field, s segment.Struct, depth int) {
	if !w.Item() {
		return
	}
	w.Buf = append(w.Buf, f.Name...)
	w.Buf = append(w.Buf, " = "...)
	switch {
	case f.IsGroup():
		if w.Nest() {
			w.structure(f.Type, s, depth+1, true)
		}
		w.Unnest()
	case f.Type.Kind.IsPointer():
		p, isDefault := f.Ptr(s)
		around := w.Follow(isDefault)
		w.pointer(f.Type, p, depth+1, true)
		w.Return(around)
	default:
		w.scalar(f.Type, f.Bits(s))
	}
	w.EndItem()
}

func (w *printer) pointer(t *shape.Type, p segment.Ptr, depth int, prefixed bool) {
	switch t.Kind {
	case schema.Text:
		w.quoted(p.TextBytes(), false)
	case schema.Data:
		w.quoted(p.Data(), true)
	case schema.ListType:
		w.list(t.Elem, p.List(), depth, prefixed)
	case schema.StructType:
		w.structure(t, p.Struct(), depth, prefixed)
	case schema.InterfaceType:
		w.Buf = append(w.Buf, "<external capability>"...)
	default:
		w.Buf = append(w.Buf, "<opaque pointer>"...)
	}
}

func (w *printer) scalar(t *shape.Type, bits uint64) {
	w.Buf = appendScalar(w.Buf, t, bits)
}

func appendScalar(b []byte, t *shape.Type, bits uint64) []byte {
	switch t.Kind {
	case schema.Void:
		return append(b, "void"...)
	case schema.Bool:
		return strconv.AppendBool(b, bits&1 != 0)
	case schema.Int8, schema.Int16, schema.Int32, schema.Int64:
		return strconv.AppendInt(b, int64(bits), 10)
	case schema.Uint8, schema.Uint16, schema.Uint32, schema.Uint64:
		return strconv.AppendUint(b, bits, 10)
	case schema.Float32:
		return pretty.AppendFloat32(b, float32frombits(bits))
	case schema.Float64:
		return pretty.AppendFloat64(b, float64frombits(bits))
	}
	if e := t.Enumerant(uint16(bits)); e != nil {
		return append(b, e.Name...)
	}
	b = append(b, '(')
	b = strconv.AppendUint(b, bits&0xffff, 10)
	return append(b, ')')
}
