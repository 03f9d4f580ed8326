package dynamic

import (
	"runtime"
	"strings"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// MapOptions says what a map has in it. The zero value has all that a message
// says: numbers and enumerants always, and pointers that are not null.
type MapOptions struct {
	// OmitDefaults leaves out what has its default. Members of unions, which say
	// which of them is set, and elements of lists stay.
	OmitDefaults bool
	// NullPointers puts in pointers that are null too: as the default of the
	// field, which is "" for Text and an empty slice for a list, and nil for a
	// struct, a capability or an AnyPointer.
	NullPointers bool
}

// Map copies the struct and all below it to a map that does not need the message
// any more. Values are as [Struct.Get] gives them, but structs are maps and lists
// are []any; an AnyPointer is an [Any] in memory of its own. [Module.New] makes
// an equal struct of it.
//
// Short texts lie together in pieces of memory of at most 1 KiB, which stay as
// long as one text of them is in use.
func (s Struct) Map() map[string]any { return s.MapWith(MapOptions{}) }

// MapWith is [Struct.Map] with options.
func (s Struct) MapWith(o MapOptions) map[string]any {
	if s.typ == nil {
		return nil
	}
	m := mapperOf(s.msg)
	m.opt = o
	return m.structMap(s.typ, s.s)
}

// Map is [Struct.Map].
func (b StructBuilder) Map() map[string]any { return b.Reader().Map() }

// MapWith is [Struct.MapWith].
func (b StructBuilder) MapWith(o MapOptions) map[string]any { return b.Reader().MapWith(o) }

// Slice copies the list and all below it, as [Struct.Map] copies a struct.
func (l List) Slice() []any {
	if l.typ == nil {
		return nil
	}
	m := mapperOf(l.msg)
	return m.slice(l)
}

// Slice is [List.Slice].
func (l ListBuilder) Slice() []any { return l.Reader().Slice() }

// mapper copies values to maps and Go structs.
type mapper struct {
	msg   *segment.Message
	opt   MapOptions
	piece int             // how large the next piece of texts is
	texts strings.Builder // the piece that is being filled
}

const (
	shortText = 64 // bytes; longer ones have memory of their own
	minPiece  = 64
	maxPiece  = 1024
)

func mapperOf(msg *segment.Message) mapper {
	m := mapper{msg: msg, piece: minPiece}
	if msg != nil {
		// A quarter of a message is about what texts take in it.
		m.piece = int(min(max(msg.SizeBytes()/4, minPiece), maxPiece))
	}
	return m
}

// text copies a text.
func (m *mapper) text(b []byte) string {
	if len(b) > shortText {
		return string(b)
	}
	at := m.texts.Len()
	if m.texts.Cap()-at < len(b) {
		m.texts.Reset()
		m.texts.Grow(m.piece)
		m.piece = min(2*m.piece, maxPiece)
		at = 0
	}
	m.texts.Write(b)
	return m.texts.String()[at:]
}

// smallMap is up to how many elements the size of a new map does not matter.
const smallMap = 8

// room is how many fields the map of a struct gets.
func (m *mapper) room(t *Type, s segment.Struct) int {
	n := len(t.fields)
	if n <= smallMap {
		return n
	}
	n = 0
	for _, f := range t.fields {
		if f.selected(s) && (f.group || len(f.choices) > 0 || m.opt.NullPointers || !f.kind.IsPointer() || s.Has(uint16(f.off))) {
			n++
		}
	}
	return n
}

func (m *mapper) structMap(t *Type, s segment.Struct) map[string]any {
	if t.err != nil {
		fail(m.msg, t.err)
		return nil
	}
	out := make(map[string]any, m.room(t, s))
	for _, f := range t.fields {
		if len(f.choices) > 0 && !f.selected(s) {
			continue
		}
		switch f.kind {
		case schema.Text:
			if b := s.TextBytes(uint16(f.off)); b != nil {
				out[f.name] = m.text(b)
			} else {
				m.ptrField(out, f, s)
			}
			continue
		case schema.StructType:
			if !f.group {
				m.ptrField(out, f, s)
			} else if g := m.structMap(f.Type(), s); len(g) > 0 || len(f.choices) > 0 || !m.opt.OmitDefaults {
				out[f.name] = g
			}
			continue
		case schema.Data, schema.ListType, schema.InterfaceType, schema.AnyPointer:
			m.ptrField(out, f, s)
			continue
		}
		bits := f.bits(s)
		if m.opt.OmitDefaults && bits == f.flip && len(f.choices) == 0 {
			continue
		}
		if f.kind == schema.EnumType {
			out[f.name] = boxScalar(f.Type(), f.kind, bits)
		} else {
			out[f.name] = boxScalar(nil, f.kind, bits)
		}
	}
	return out
}

// ptrField adds a pointer.
func (m *mapper) ptrField(out map[string]any, f *Field, s segment.Struct) {
	if !s.Has(uint16(f.off)) && !m.opt.NullPointers {
		if len(f.choices) > 0 {
			out[f.name] = nil // tells which member is set
		}
		return
	}
	switch f.kind {
	case schema.Text:
		out[f.name] = m.text(f.textBytes(s))
	case schema.Data:
		out[f.name] = append([]byte{}, f.data(s)...)
	case schema.StructType:
		to := f.structOf(m.msg, s)
		if to.s.Message() == nil && !s.Has(uint16(f.off)) {
			out[f.name] = nil
			return
		}
		out[f.name] = m.structMap(to.typ, to.s)
	case schema.ListType:
		out[f.name] = m.slice(readList(m.msg, f.Type(), f.ptr(s)))
	default:
		out[f.name] = m.ptr(f.Type(), f.ptr(s))
	}
}

// ptr copies a capability or an AnyPointer.
func (m *mapper) ptr(t *Type, p segment.Ptr) any {
	if t.kind == schema.InterfaceType {
		return capability(p)
	}
	if p.IsNull() {
		return nil
	}
	msg := keep(p)
	if caps := msg.CapTable(); caps != nil {
		// Nobody else gives up the capabilities that the copy holds.
		runtime.AddCleanup(msg, segment.CapTable.Release, caps)
	}
	return Any{msg, t, msg.Root()}
}

func (m *mapper) slice(l List) []any {
	out := make([]any, l.Len())
	if l.typ == nil {
		return out
	}
	t := l.typ.elem
	if t.kind == schema.StructType {
		elems := segment.Structs[segment.Struct](l.l)
		for i := range out {
			out[i] = m.structMap(t, elems.At(i))
		}
		return out
	}
	if !t.kind.IsPointer() {
		for i := range out {
			out[i] = boxScalar(t, t.kind, l.bits(i))
		}
		return out
	}
	for i := range out {
		if e := l.l.At(i); !e.IsNull() {
			out[i] = m.box(t, e)
		}
	}
	return out
}

// box copies what a pointer that is not null refers to.
func (m *mapper) box(t *Type, p segment.Ptr) any {
	switch t.kind {
	case schema.Text:
		return m.text(p.TextBytes())
	case schema.Data:
		return append([]byte{}, p.Data()...)
	case schema.StructType:
		return m.structMap(t, p.Struct())
	case schema.ListType:
		return m.slice(readList(m.msg, t, p))
	}
	return m.ptr(t, p)
}
