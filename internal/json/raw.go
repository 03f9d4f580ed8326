package json

import (
	"fmt"
	"math"

	"github.com/fairlead-go/fairlead/internal/pretty"
	"github.com/fairlead-go/fairlead/segment"
)

// The struct Value of json.capnp, which holds any JSON:
//
//	bits 0–15   which: null, boolean, number, string, array, object, call
//	bit 16      boolean
//	byte 8      number, a Float64
//	pointer 0   string, array of Value, object of Field, call
//
// Field has a name under pointer 0 and a Value under pointer 1, Call a function's
// name and a list of Value.
const (
	rawNull uint16 = iota
	rawBoolean
	rawNumber
	rawString
	rawArray
	rawObject
	rawCall
)

const (
	rawBoolBit   = 16
	rawNumberOff = 8
)

var (
	rawSize      = segment.Size{DataWords: 2, Ptrs: 1}
	rawFieldSize = segment.Size{Ptrs: 2}
)

// raw writes the JSON that a Value holds.
func (w *encoder) raw(s segment.Struct, indent int, prefixed bool) {
	switch which := s.Uint16(0); which {
	case rawNull:
		w.Buf = append(w.Buf, "null"...)
	case rawBoolean:
		if s.Bool(rawBoolBit) {
			w.Buf = append(w.Buf, "true"...)
		} else {
			w.Buf = append(w.Buf, "false"...)
		}
	case rawNumber:
		w.Buf = pretty.AppendFloat64(w.Buf, s.Float64(rawNumberOff))
	case rawString:
		w.string(s.TextBytes(0))
	case rawArray:
		w.rawList('[', s.Ptr(0).Structs(), ']', indent, prefixed)
	case rawObject:
		fields := s.Ptr(0).Structs()
		n := fields.Len()
		w.Buf = append(w.Buf, '{')
		w.Open(n, 2*(indent+1), false, prefixed)
		if n > 1 {
			indent++
		}
		for f := range fields.All() {
			if !w.Item() {
				break
			}
			w.string(f.TextBytes(0))
			w.Buf = append(w.Buf, w.colon...)
			w.raw(f.Struct(1), indent, true)
			w.EndItem()
		}
		w.Close()
		w.Buf = append(w.Buf, '}')
	case rawCall:
		call := s.Struct(0)
		name := call.TextBytes(0)
		w.Long(len(name))
		if w.Reserve(len(name)) {
			w.Buf = append(w.Buf, name...)
			w.rawList('(', call.Ptr(1).Structs(), ')', indent, true)
		}
	default:
		w.Fail(fmt.Errorf("a json.Value of the unknown kind %d %w", which, ErrNoForm))
	}
}

func (w *encoder) rawList(open byte, l segment.Structs[segment.Struct], end byte, indent int, prefixed bool) {
	n := l.Len()
	w.Buf = append(w.Buf, open)
	w.Open(n, 2*(indent+1), false, prefixed)
	if n > 1 {
		indent++
	}
	for s := range l.All() {
		if !w.Item() {
			break
		}
		w.raw(s, indent, false)
		w.EndItem()
	}
	w.Close()
	w.Buf = append(w.Buf, end)
}

// raw reads any JSON into a Value.
func (d *decoder) raw(b segment.StructBuilder) error {
	switch c := d.data[d.pos]; c {
	case 'n':
		d.pos += len("null")
		b.SetUint16(0, rawNull)
	case 't', 'f':
		b.SetUint16(0, rawBoolean)
		b.SetBool(rawBoolBit, c == 't')
		d.literal()
	case '"':
		b.SetUint16(0, rawString)
		return d.setText(b.Ptr(0))
	case '[':
		n := int(d.counts[d.next])
		if err := d.charge(8 + int64(n)*int64(rawSize.Words())*8); err != nil {
			return err
		}
		b.SetUint16(0, rawArray)
		l := segment.NewStructs[segment.StructBuilder](b.Ptr(0), rawSize, n)
		return d.items(func(i int) error { return d.raw(l.At(i)) })
	case '{':
		return d.rawObject(b)
	default:
		v := d.float()
		if math.IsInf(v, 0) {
			return fmt.Errorf("%w: a number beyond Float64", ErrValue)
		}
		b.SetUint16(0, rawNumber)
		b.SetFloat64(rawNumberOff, v)
	}
	return nil
}

func (d *decoder) rawObject(b segment.StructBuilder) error {
	n := int(d.counts[d.next])
	if err := d.charge(8 + int64(n)*int64(rawFieldSize.Words()+rawSize.Words())*8); err != nil {
		return err
	}
	b.SetUint16(0, rawObject)
	l := segment.NewStructs[segment.StructBuilder](b.Ptr(0), rawFieldSize, n)
	i := 0
	return d.members(func(name []byte) error {
		f := l.At(i)
		i++
		if err := d.charge(int64(len(name)) + 8); err != nil {
			return err
		}
		copy(f.Ptr(0).NewText(len(name)), name)
		return d.raw(f.NewStruct(1, rawSize))
	})
}
