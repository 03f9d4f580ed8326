package oracle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/fairlead-go/fairlead/segment"
)

// KindOf sorts a fault of ours as the peer's are sorted.
func KindOf(err error) Kind {
	var limit *segment.LimitError
	switch {
	case err == nil:
		return OK
	case errors.As(err, &limit) && limit.Limit == "Depth":
		return Nesting
	case errors.As(err, &limit) && limit.Limit == "TraversalWords":
		return Limit
	case errors.Is(err, segment.ErrMalformed), errors.Is(err, segment.ErrLimit):
		return Malformed
	}
	return Internal
}

// defaults holds a message for each pointer field that has a default.
type defaults struct {
	structs map[string]*Struct
	msgs    map[*byte]*segment.Message
}

var loadDefaults = sync.OnceValues(func() (*defaults, error) {
	structs, err := Layout()
	if err != nil {
		return nil, err
	}
	d := &defaults{structs: structs, msgs: make(map[*byte]*segment.Message)}
	for _, s := range structs {
		for i := range s.Fields {
			b := s.Fields[i].Default
			if b == nil {
				continue
			}
			m, err := segment.FromSegments([][]byte{b})
			if err != nil {
				return nil, fmt.Errorf("oracle: default of %s.%s: %w", s.Name, s.Fields[i].Name, err)
			}
			if err := m.Verify(); err != nil {
				return nil, fmt.Errorf("oracle: default of %s.%s: %w", s.Name, s.Fields[i].Name, err)
			}
			d.msgs[&b[0]] = m
		}
	}
	return d, nil
})

// A Walker dumps messages with package segment, as the peer does with libcapnp.
// It reads as generated code does, by the offsets of the schema's layout. One
// goroutine may use it at a time.
type Walker struct {
	defs *defaults
	msg  *segment.Message
	out  []byte
	// first is the kind of the message's first fault.
	first Kind
	err   error
}

// NewWalker returns a walker for test.capnp.
func NewWalker() (*Walker, error) {
	d, err := loadDefaults()
	if err != nil {
		return nil, err
	}
	return &Walker{defs: d}, nil
}

// Dump returns the dump of m read as t, and the first fault. The bytes are
// valid until the next call. It takes the faults off the message one by one, so
// that each shows where it was met.
func (w *Walker) Dump(m *segment.Message, t Type) ([]byte, Kind, error) {
	w.msg, w.out, w.first, w.err = m, w.out[:0], OK, nil
	if m.Err() != nil {
		w.note(m.Err())
	}
	root := m.Root()
	switch {
	case t == AnyRoot:
		w.any(root)
	default:
		w.structure(w.defs.structs[t.String()], root)
	}
	w.out = append(w.out, '\n')
	w.msg = nil
	return w.out, w.first, w.err
}

func (w *Walker) note(err error) Kind {
	k := KindOf(err)
	if w.first == OK {
		w.first, w.err = k, err
	}
	return k
}

// failed prints the mark of a fault, if there was one since it last looked.
func (w *Walker) failed() bool {
	err := w.msg.Err()
	if err == nil {
		return false
	}
	w.msg.ClearErr()
	w.out = append(w.out, '!')
	w.out = append(w.out, w.note(err).String()...)
	return true
}

func (w *Walker) structure(s *Struct, p segment.Ptr) {
	v := p.Struct()
	if w.failed() {
		return
	}
	w.structValue(s, v)
}

func (w *Walker) structValue(s *Struct, v segment.Struct) {
	w.out = append(w.out, "{\n"...)
	w.fields(s, v)
	w.out = append(w.out, '}')
}

func (w *Walker) fields(s *Struct, v segment.Struct) {
	which := -1
	if s.Discriminant >= 0 {
		which = int(v.Uint16(uint32(s.Discriminant) * 2))
		w.out = append(w.out, '?')
		w.out = strconv.AppendInt(w.out, int64(which), 10)
		w.out = append(w.out, '\n')
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.When >= 0 && f.When != which {
			continue
		}
		switch {
		case f.Group != nil:
			w.out = append(w.out, f.Name...)
			w.out = append(w.out, "(\n"...)
			w.fields(f.Group, v)
			w.out = append(w.out, ")\n"...)
		case f.Type.IsPointer():
			w.pointer(f, v)
		default:
			w.scalar(f, v)
		}
	}
}

func (w *Walker) pointer(f *Field, v segment.Struct) {
	p := v.Ptr(uint16(f.Offset))
	if !v.Has(uint16(f.Offset)) {
		if f.Default == nil {
			return
		}
		w.out = append(w.out, f.Name...)
		w.out = append(w.out, '~')
		old := w.msg
		w.msg = w.defs.msgs[&f.Default[0]]
		w.value(f.Type, w.msg.Root())
		w.msg = old
		w.out = append(w.out, '\n')
		return
	}
	w.out = append(w.out, f.Name...)
	w.out = append(w.out, ':')
	w.value(f.Type, p)
	w.out = append(w.out, '\n')
}

// value prints what a pointer of a known type refers to.
func (w *Walker) value(t *FieldType, p segment.Ptr) {
	switch t.Kind {
	case KindText:
		b := p.TextBytes()
		if !w.failed() {
			w.out = append(w.out, 't')
			w.hex(b)
		}
	case KindData:
		b := p.Data()
		if !w.failed() {
			w.out = append(w.out, 'd')
			w.hex(b)
		}
	case KindStruct:
		w.structure(t.Struct, p)
	case KindAny:
		w.any(p)
	case KindList:
		w.list(t.Elem, p)
	}
}

func (w *Walker) open(n int) {
	w.out = append(w.out, '[')
	w.out = strconv.AppendInt(w.out, int64(n), 10)
}

func (w *Walker) list(elem *FieldType, p segment.Ptr) {
	switch elem.Kind {
	case KindVoid:
		l := p.List()
		if !w.failed() {
			w.open(l.Len())
			w.out = append(w.out, ']')
		}
	case KindBool:
		l := p.Bools()
		if !w.failed() {
			w.bools(l)
		}
	case KindI8:
		signed(w, segment.ReadNumbers[int8](p))
	case KindI16:
		signed(w, segment.ReadNumbers[int16](p))
	case KindI32:
		signed(w, segment.ReadNumbers[int32](p))
	case KindI64:
		signed(w, segment.ReadNumbers[int64](p))
	case KindU8:
		unsigned(w, segment.ReadNumbers[uint8](p))
	case KindU16, KindEnum:
		unsigned(w, segment.ReadNumbers[uint16](p))
	case KindU32:
		unsigned(w, segment.ReadNumbers[uint32](p))
	case KindU64:
		unsigned(w, segment.ReadNumbers[uint64](p))
	case KindF32:
		l := segment.ReadNumbers[float32](p)
		if w.failed() {
			return
		}
		w.open(l.Len())
		for v := range l.All() {
			w.out = append(w.out, ' ')
			w.bits(uint64(math.Float32bits(v)), 8)
		}
		w.out = append(w.out, ']')
	case KindF64:
		l := segment.ReadNumbers[float64](p)
		if w.failed() {
			return
		}
		w.open(l.Len())
		for v := range l.All() {
			w.out = append(w.out, ' ')
			w.bits(math.Float64bits(v), 16)
		}
		w.out = append(w.out, ']')
	case KindStruct:
		l := segment.ReadStructs[segment.Struct](p)
		if w.failed() {
			return
		}
		w.open(l.Len())
		w.out = append(w.out, '\n')
		for v := range l.All() {
			if w.tooLarge() {
				break
			}
			w.structValue(elem.Struct, v)
			w.out = append(w.out, '\n')
		}
		w.out = append(w.out, ']')
	default: // text, data, any, list
		l := p.Ptrs()
		if w.failed() {
			return
		}
		w.open(l.Len())
		w.out = append(w.out, '\n')
		for e := range l.All() {
			w.value(elem, e)
			w.out = append(w.out, '\n')
		}
		w.out = append(w.out, ']')
	}
}

// maxDump bounds a dump, as the peer's is bounded: a limit of ours that does not
// hold is then a difference, not a machine out of memory.
const maxDump = 64 << 20

func (w *Walker) tooLarge() bool {
	if len(w.out) <= maxDump {
		return false
	}
	w.note(errors.New("oracle: the dump is larger than 64 MiB"))
	return true
}

func (w *Walker) bools(l segment.Bools) {
	w.open(l.Len())
	for v := range l.All() {
		if v {
			w.out = append(w.out, " 1"...)
		} else {
			w.out = append(w.out, " 0"...)
		}
	}
	w.out = append(w.out, ']')
}

func signed[T int8 | int16 | int32 | int64](w *Walker, l segment.Numbers[T]) {
	if w.failed() {
		return
	}
	w.open(l.Len())
	for v := range l.All() {
		w.out = append(w.out, ' ')
		w.out = strconv.AppendInt(w.out, int64(v), 10)
	}
	w.out = append(w.out, ']')
}

func unsigned[T uint8 | uint16 | uint32 | uint64](w *Walker, l segment.Numbers[T]) {
	if w.failed() {
		return
	}
	w.open(l.Len())
	for v := range l.All() {
		w.out = append(w.out, ' ')
		w.out = strconv.AppendUint(w.out, uint64(v), 10)
	}
	w.out = append(w.out, ']')
}

func (w *Walker) scalar(f *Field, v segment.Struct) {
	at := uint32(f.Offset)
	var raw uint64
	switch f.Type.Kind {
	case KindVoid:
		return
	case KindBool:
		if v.Bool(at) {
			raw = 1
		}
	case KindI8, KindU8:
		raw = uint64(v.Uint8(at))
	case KindI16, KindU16, KindEnum:
		raw = uint64(v.Uint16(at * 2))
	case KindI32, KindU32, KindF32:
		raw = uint64(v.Uint32(at * 4))
	case KindI64, KindU64, KindF64:
		raw = v.Uint64(at * 8)
	}
	raw ^= f.Bits
	if raw == 0 {
		return
	}
	w.out = append(w.out, f.Name...)
	w.out = append(w.out, '=')
	switch f.Type.Kind {
	case KindI8:
		w.out = strconv.AppendInt(w.out, int64(int8(raw)), 10)
	case KindI16:
		w.out = strconv.AppendInt(w.out, int64(int16(raw)), 10)
	case KindI32:
		w.out = strconv.AppendInt(w.out, int64(int32(raw)), 10)
	case KindI64:
		w.out = strconv.AppendInt(w.out, int64(raw), 10)
	case KindF32:
		w.bits(raw, 8)
	case KindF64:
		w.bits(raw, 16)
	default:
		w.out = strconv.AppendUint(w.out, raw, 10)
	}
	w.out = append(w.out, '\n')
}

const hexDigits = "0123456789abcdef"

func (w *Walker) bits(v uint64, digits int) {
	w.out = append(w.out, 'x')
	for i := digits - 1; i >= 0; i-- {
		w.out = append(w.out, hexDigits[v>>(4*i)&15])
	}
}

func (w *Walker) hex(b []byte) {
	for _, c := range b {
		w.out = append(w.out, hexDigits[c>>4], hexDigits[c&15])
	}
}

// any prints what a pointer refers to without a schema.
func (w *Walker) any(p segment.Ptr) {
	kind := p.Kind()
	if w.failed() {
		return
	}
	switch kind {
	case segment.KindNull:
		w.out = append(w.out, '~')
	case segment.KindCapability:
		w.out = append(w.out, "cap"...)
	case segment.KindStruct:
		v := p.Struct()
		if !w.failed() {
			w.anyStruct(v)
		}
	case segment.KindList:
		l := p.List()
		if !w.failed() {
			w.anyList(l)
		}
	case segment.KindInvalid:
		// A fault that the message does not tell is a fault of ours.
		w.out = append(w.out, "!silent"...)
		w.note(errors.New("oracle: an invalid pointer without a fault"))
	}
}

func (w *Walker) anyStruct(v segment.Struct) {
	data, ptrs := v.DataBytes(), v.Size().Ptrs
	w.out = append(w.out, 's')
	w.out = strconv.AppendInt(w.out, int64(len(data)), 10)
	w.out = append(w.out, ',')
	w.out = strconv.AppendInt(w.out, int64(ptrs), 10)
	w.out = append(w.out, ' ')
	w.hex(data)
	w.out = append(w.out, "(\n"...)
	for i := range ptrs {
		w.any(v.Ptr(i))
		w.out = append(w.out, '\n')
	}
	w.out = append(w.out, ')')
}

func (w *Walker) anyList(l segment.List) {
	switch l.ElemSize() {
	case segment.Void:
		w.out = append(w.out, 'v')
		w.open(l.Len())
		w.out = append(w.out, ']')
	case segment.Bit:
		w.out = append(w.out, 'b')
		w.bools(l.Bools())
	case segment.Byte:
		w.whole('1', l, func(b []byte) []byte {
			for v := range segment.NumbersOf[uint8](l).All() {
				b = append(b, v)
			}
			return b
		})
	case segment.TwoBytes:
		w.whole('2', l, func(b []byte) []byte {
			for v := range segment.NumbersOf[uint16](l).All() {
				b = binary.LittleEndian.AppendUint16(b, v)
			}
			return b
		})
	case segment.FourBytes:
		w.whole('4', l, func(b []byte) []byte {
			for v := range segment.NumbersOf[uint32](l).All() {
				b = binary.LittleEndian.AppendUint32(b, v)
			}
			return b
		})
	case segment.EightBytes:
		w.whole('8', l, func(b []byte) []byte {
			for v := range segment.NumbersOf[uint64](l).All() {
				b = binary.LittleEndian.AppendUint64(b, v)
			}
			return b
		})
	case segment.Pointer:
		w.out = append(w.out, 'p')
		w.open(l.Len())
		w.out = append(w.out, '\n')
		for p := range l.Ptrs().All() {
			w.any(p)
			w.out = append(w.out, '\n')
		}
		w.out = append(w.out, ']')
	case segment.Composite:
		structs := l.Structs()
		if w.failed() {
			return
		}
		w.out = append(w.out, 'c')
		w.open(l.Len())
		w.out = append(w.out, '\n')
		for v := range structs.All() {
			if w.tooLarge() {
				break
			}
			w.anyStruct(v)
			w.out = append(w.out, '\n')
		}
		w.out = append(w.out, ']')
	}
}

func (w *Walker) whole(code byte, l segment.List, read func([]byte) []byte) {
	w.out = append(w.out, code)
	w.open(l.Len())
	w.out = append(w.out, ' ')
	w.hex(read(nil))
	w.out = append(w.out, ']')
}
