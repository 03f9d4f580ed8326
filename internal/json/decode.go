package json

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// ErrValue is matched by the error of JSON that does not fit its type.
var ErrValue = errors.New("wrong value")

// ErrTooLarge is matched by the error of JSON whose message would be too large.
var ErrTooLarge = errors.New("message too large")

// DecodeOptions says how values are read. The zero value is useful.
type DecodeOptions struct {
	// MaxBytes limits how much memory of the message one call takes: a short text
	// can ask for much. Default segment.DefaultMessageBytes, which is what a
	// reader with default limits accepts.
	MaxBytes int64
	// Strict refuses names that the struct does not have; they are passed over
	// otherwise, as the tool does.
	Strict bool
}

// DecodeStruct reads an object into b, a struct or group of type typ and of its
// full size. What the object does not have stays as it is. data is one JSON
// value, which is not kept.
//
// An error of the text is an *Error; b may be filled in part then. Errors of the
// message's memory stay in the message.
func (c *Codec) DecodeStruct(data []byte, typ schema.Type, b segment.StructBuilder, o DecodeOptions) error {
	return c.decode(data, typ, o, func(d *decoder, t *shape.Type) error {
		sh, err := t.Struct()
		if err != nil {
			return err
		}
		if sz := b.Size(); b.Message() != nil && (sz.DataWords < sh.Size.DataWords || sz.Ptrs < sh.Size.Ptrs) {
			return fmt.Errorf("a struct of size %v cannot hold a %s", sz, sh.Node.DisplayName)
		}
		return d.structure(t, b)
	})
}

// DecodePtr reads a value of a pointer type into p. See DecodeStruct.
func (c *Codec) DecodePtr(data []byte, typ schema.Type, p segment.PtrBuilder, o DecodeOptions) error {
	return c.decode(data, typ, o, func(d *decoder, t *shape.Type) error {
		if !t.Kind.IsPointer() {
			return fmt.Errorf("%v is not a pointer", t.Kind)
		}
		return d.pointer(t, asArray, p)
	})
}

func (c *Codec) decode(data []byte, typ schema.Type, o DecodeOptions, value func(*decoder, *shape.Type) error) error {
	t, err := c.types.Of(typ)
	if err != nil {
		return fmt.Errorf("json: %w", err)
	}
	s := scanner{data: data}
	if !s.document() {
		return errorAt(data, s.pos, "", s.err)
	}
	d := &decoder{c: c, data: data, counts: s.counts, strict: o.Strict, left: segment.DefaultMessageBytes}
	if o.MaxBytes > 0 {
		d.left = o.MaxBytes
	}
	d.space()
	if err := value(d, t); err != nil {
		return errorAt(data, d.pos, d.where(), err)
	}
	return nil
}

// decoder reads one document, whose syntax was checked.
type decoder struct {
	c       *Codec
	data    []byte
	pos     int
	counts  []uint32 // of the items of arrays and objects
	next    int      // index of the count of the next of them
	left    int64    // bytes that the message may still take
	strict  bool
	path    []step
	scratch []byte
}

// step is a part of the path to a value: a member's name, or else an index.
type step struct {
	name  string
	index int
}

func (d *decoder) where() string {
	var b []byte
	for _, s := range d.path {
		switch {
		case s.name == "":
			b = append(b, '[')
			b = strconv.AppendInt(b, int64(s.index), 10)
			b = append(b, ']')
		case len(b) > 0:
			b = append(b, '.')
			fallthrough
		default:
			b = append(b, s.name...)
		}
	}
	return string(b)
}

func (d *decoder) space() { d.pos = skipSpace(d.data, d.pos) }

// charge counts bytes that the message is about to take.
func (d *decoder) charge(n int64) error {
	if d.left -= n; d.left < 0 {
		return fmt.Errorf("%w: it takes more than the limit", ErrTooLarge)
	}
	return nil
}

func (d *decoder) wrong(t *shape.Type) error {
	return fmt.Errorf("%w: %s for %v", ErrValue, d.kind(), t.Kind)
}

// kind names what stands at pos.
func (d *decoder) kind() string {
	switch d.data[d.pos] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// text reads the string at pos, up to the next value that is read.
func (d *decoder) text() []byte {
	start := d.pos + 1
	escaped := false
	i := start
	for ; d.data[i] != '"'; i++ {
		if d.data[i] == '\\' {
			escaped = true
			i++
		}
	}
	d.pos = i + 1
	if !escaped {
		return d.data[start:i]
	}
	d.scratch = unescape(d.scratch[:0], d.data[start:i])
	return d.scratch
}

// literal reads the number or the word at pos.
func (d *decoder) literal() []byte {
	start := d.pos
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ',', ']', '}', ' ', '\n', '\r', '\t':
			return d.data[start:d.pos]
		}
		d.pos++
	}
	return d.data[start:]
}

// skip passes over the value at pos.
func (d *decoder) skip() {
	depth := 0
	for {
		switch d.data[d.pos] {
		case '"':
			for d.pos++; d.data[d.pos] != '"'; d.pos++ {
				if d.data[d.pos] == '\\' {
					d.pos++
				}
			}
			d.pos++
		case '[', '{':
			d.next++
			depth++
			d.pos++
		case ']', '}':
			depth--
			d.pos++
		case ',', ':', ' ', '\n', '\r', '\t':
			d.pos++
			continue
		default:
			for d.pos < len(d.data) && !ends[d.data[d.pos]] {
				d.pos++
			}
		}
		if depth == 0 {
			return
		}
	}
}

// ends has the bytes that end a number or a word.
var ends = [256]bool{',': true, ':': true, ']': true, '}': true, ' ': true, '\n': true, '\r': true, '\t': true}

// items runs f for each item of the array at pos.
func (d *decoder) items(f func(i int) error) error {
	d.pos++
	d.space()
	d.next++
	d.path = append(d.path, step{})
	for i := 0; d.data[d.pos] != ']'; i++ {
		d.path[len(d.path)-1].index = i
		if err := f(i); err != nil {
			return err
		}
		d.comma()
	}
	d.path = d.path[:len(d.path)-1]
	d.pos++
	return nil
}

// comma passes over what stands behind an item or a member.
func (d *decoder) comma() {
	d.space()
	if d.data[d.pos] == ',' {
		d.pos++
		d.space()
	}
}

// members runs f for each member of the object at pos, whose value is then at pos.
func (d *decoder) members(f func(name []byte) error) error {
	d.pos++
	d.next++
	d.space()
	for d.data[d.pos] != '}' {
		name := d.text()
		d.space()
		d.pos++ // the colon
		d.space()
		if err := f(name); err != nil {
			return err
		}
		d.comma()
	}
	d.pos++
	return nil
}

func (d *decoder) structure(t *shape.Type, b segment.StructBuilder) error {
	if t.Node.ID == valueID {
		return d.raw(b)
	}
	p, err := d.c.plan(t)
	if err != nil {
		return err
	}
	return d.object(p, b)
}

func (d *decoder) pointer(t *shape.Type, form dataForm, p segment.PtrBuilder) error {
	c := d.data[d.pos]
	switch t.Kind {
	case schema.Text:
		if c != '"' {
			return d.wrong(t)
		}
		return d.setText(p)
	case schema.Data:
		return d.setData(t, form, p)
	case schema.ListType:
		if c != '[' {
			return d.wrong(t)
		}
		return d.list(t.Elem, p)
	case schema.StructType:
		if c != '{' && t.Node.ID != valueID {
			return d.wrong(t)
		}
		sh, err := t.Struct()
		if err != nil {
			return err
		}
		if err := d.charge(int64(sh.Size.Words()) * 8); err != nil {
			return err
		}
		return d.structure(t, p.NewStruct(sh.Size))
	}
	return fmt.Errorf("%v %w", t.Kind, ErrNoForm)
}

func (d *decoder) setText(p segment.PtrBuilder) error {
	s := d.text()
	if err := d.charge(int64(len(s)) + 8); err != nil {
		return err
	}
	copy(p.NewText(len(s)), s)
	return nil
}

func (d *decoder) list(t *shape.Type, p segment.PtrBuilder) error {
	n := int(d.counts[d.next])
	switch t.Kind {
	case schema.StructType:
		sh, err := t.Struct()
		if err != nil {
			return err
		}
		if err := d.charge(8 + int64(n)*int64(sh.Size.Words())*8); err != nil {
			return err
		}
		l := segment.NewStructs[segment.StructBuilder](p, sh.Size, n)
		return d.items(func(i int) error {
			if d.data[d.pos] != '{' && t.Node.ID != valueID {
				return d.wrong(t)
			}
			return d.structure(t, l.At(i))
		})
	case schema.Text, schema.Data, schema.ListType, schema.InterfaceType, schema.AnyPointer:
		if err := d.charge(int64(n) * 8); err != nil {
			return err
		}
		l := p.NewPtrs(n)
		return d.items(func(i int) error { return d.pointer(t, asArray, l.At(i)) })
	}
	if err := d.charge(int64(n)*int64(t.Kind.Bits())/8 + 8); err != nil {
		return err
	}
	switch t.Kind {
	case schema.Void:
		p.NewList(segment.Void, n)
		return d.items(func(int) error { d.skip(); return nil })
	case schema.Bool:
		l := p.NewBools(n)
		return d.items(func(i int) error {
			bits, err := d.bits(t)
			l.Set(i, bits != 0)
			return err
		})
	case schema.Int8, schema.Uint8:
		return readNumbers[uint8](d, t, p, n)
	case schema.Int16, schema.Uint16, schema.EnumType:
		return readNumbers[uint16](d, t, p, n)
	case schema.Int32, schema.Uint32, schema.Float32:
		return readNumbers[uint32](d, t, p, n)
	default:
		return readNumbers[uint64](d, t, p, n)
	}
}

func readNumbers[T uint8 | uint16 | uint32 | uint64](d *decoder, t *shape.Type, p segment.PtrBuilder, n int) error {
	l := segment.NewNumbers[T](p, n)
	return d.items(func(i int) error {
		bits, err := d.bits(t)
		l.Set(i, T(bits))
		return err
	})
}
