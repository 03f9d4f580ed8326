package text

import (
	"math"
	"strconv"

	"github.com/fairlead-go/fairlead/internal/pretty"
	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

func float32frombits(bits uint64) float32 { return math.Float32frombits(uint32(bits)) }
func float64frombits(bits uint64) float64 { return math.Float64frombits(bits) }

// list prints a list of elements of type t.
func (w *printer) list(t *shape.Type, l segment.List, depth int, prefixed bool) {
	if w.InDefault() {
		if !w.Nest() {
			return
		}
		defer w.Unnest()
	}
	w.Buf = append(w.Buf, '[')
	switch t.Kind {
	case schema.EnumType:
		w.enums(t, segment.NumbersOf[uint16](l), depth, prefixed)
	case schema.StructType:
		w.Open(l.Len(), 2*depth, false, prefixed)
		for s := range l.Structs().All() {
			if !w.Item() {
				break
			}
			w.structure(t, s, depth+1, false)
			w.EndItem()
		}
		w.Close()
	case schema.Text, schema.Data, schema.ListType, schema.InterfaceType, schema.AnyPointer:
		w.Open(l.Len(), 2*depth, false, prefixed)
		for p := range l.Ptrs().All() {
			if !w.Item() {
				break
			}
			w.pointer(t, p, depth+1, false)
			w.EndItem()
		}
		w.Close()
	default:
		w.numbers(t, l)
	}
	w.Buf = append(w.Buf, ']')
}

func (w *printer) enums(t *shape.Type, l segment.Numbers[uint16], depth int, prefixed bool) {
	w.Open(l.Len(), 2*depth, false, prefixed)
	for n := range l.All() {
		if !w.Item() {
			break
		}
		w.Buf = appendScalar(w.Buf, t, uint64(n))
		w.EndItem()
	}
	w.Close()
}

// numbers prints a list whose elements are so short that it never breaks.
func (w *printer) numbers(t *shape.Type, l segment.List) {
	switch t.Kind {
	case schema.Void:
		for i := range l.Len() {
			if !w.next(i) {
				return
			}
			w.Buf = append(w.Buf, "void"...)
		}
	case schema.Bool:
		for i, v := range l.Bools().Indexed() {
			if !w.next(i) {
				return
			}
			w.Buf = strconv.AppendBool(w.Buf, v)
		}
	case schema.Int8:
		signed(w, segment.NumbersOf[int8](l))
	case schema.Int16:
		signed(w, segment.NumbersOf[int16](l))
	case schema.Int32:
		signed(w, segment.NumbersOf[int32](l))
	case schema.Int64:
		signed(w, segment.NumbersOf[int64](l))
	case schema.Uint8:
		unsigned(w, segment.NumbersOf[uint8](l))
	case schema.Uint16:
		unsigned(w, segment.NumbersOf[uint16](l))
	case schema.Uint32:
		unsigned(w, segment.NumbersOf[uint32](l))
	case schema.Uint64:
		unsigned(w, segment.NumbersOf[uint64](l))
	case schema.Float32:
		for i, v := range segment.NumbersOf[float32](l).Indexed() {
			if !w.next(i) {
				return
			}
			w.Buf = pretty.AppendFloat32(w.Buf, v)
		}
	case schema.Float64:
		for i, v := range segment.NumbersOf[float64](l).Indexed() {
			if !w.next(i) {
				return
			}
			w.Buf = pretty.AppendFloat64(w.Buf, v)
		}
	}
}

// next writes the comma before element i of a list that never breaks, and
// reports whether there is room for more.
func (w *printer) next(i int) bool {
	if i > 0 {
		w.Buf = append(w.Buf, ", "...)
	}
	return w.Reserve(0)
}

func signed[T int8 | int16 | int32 | int64](w *printer, l segment.Numbers[T]) {
	for i, v := range l.Indexed() {
		if !w.next(i) {
			return
		}
		w.Buf = strconv.AppendInt(w.Buf, int64(v), 10)
	}
}

func unsigned[T uint8 | uint16 | uint32 | uint64](w *printer, l segment.Numbers[T]) {
	for i, v := range l.Indexed() {
		if !w.next(i) {
			return
		}
		w.Buf = strconv.AppendUint(w.Buf, uint64(v), 10)
	}
}

// escapes has what the escape of a byte ends in, 0 for none, and octal for a
// number.
var escapes = func() (t [256]byte) {
	for c := range 0x20 {
		t[c] = octal
	}
	t[0x7f] = octal
	for c, e := range map[byte]byte{
		'\a': 'a', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v', '\'': '\'', '"': '"', '\\': '\\',
	} {
		t[c] = e
	}
	return t
}()

const octal = 1

// quoted prints Text, whose bytes from 0x80 on stay as they are, or Data, whose
// bytes are escaped.
func (w *printer) quoted(v []byte, data bool) {
	w.Long(len(v) + 2)
	if !w.Reserve(len(v) + 2) {
		return
	}
	b := append(w.Buf, '"')
	from := 0
	for i, c := range v {
		e := escapes[c]
		if e == 0 && (!data || c < 0x80) {
			continue
		}
		b = append(b, v[from:i]...)
		from = i + 1
		if e > octal {
			b = append(b, '\\', e)
		} else {
			b = append(b, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		}
	}
	b = append(b, v[from:]...)
	w.Buf = append(b, '"')
}
