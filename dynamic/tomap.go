package dynamic

import (
	"runtime"

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
func (s Struct) Map() map[string]any { return s.MapWith(MapOptions{}) }

// MapWith is [Struct.Map] with options.
func (s Struct) MapWith(o MapOptions) map[string]any {
	if s.typ == nil {
		return nil
	}
	m := mapper{root: s.root, opt: o}
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
	m := mapper{root: l.root}
	return m.slice(l)
}

// Slice is [List.Slice].
func (l ListBuilder) Slice() []any { return l.Reader().Slice() }

// mapper copies values to maps.
type mapper struct {
	root *root
	opt  MapOptions
}

func (m *mapper) structMap(t *Type, s segment.Struct) map[string]any {
	if t.err != nil {
		m.root.fail(t.err)
		return nil
	}
	out := make(map[string]any, len(t.fields))
	for _, f := range t.fields {
		if len(f.choices) > 0 && !f.selected(s) {
			continue
		}
		if f.kind.IsPointer() || f.group {
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

// ptrField adds a pointer or a group.
func (m *mapper) ptrField(out map[string]any, f *Field, s segment.Struct) {
	if f.group {
		g := m.structMap(f.Type(), s)
		if len(g) > 0 || len(f.choices) > 0 || !m.opt.OmitDefaults {
			out[f.name] = g
		}
		return
	}
	if !s.Has(uint16(f.off)) && !m.opt.NullPointers {
		if len(f.choices) > 0 {
			out[f.name] = nil // tells which member is set
		}
		return
	}
	switch f.kind {
	case schema.Text:
		out[f.name] = string(f.textBytes(s))
	case schema.Data:
		out[f.name] = append([]byte{}, f.data(s)...)
	case schema.StructType:
		to := f.structOf(m.root, s)
		if to.s.Message() == nil && !s.Has(uint16(f.off)) {
			out[f.name] = nil
			return
		}
		out[f.name] = m.structMap(to.typ, to.s)
	case schema.ListType:
		out[f.name] = m.slice(readList(m.root, f.Type(), f.ptr(s)))
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
	msg := segment.New(keepers{})
	msg.RootBuilder().Set(p)
	r := &root{msg: msg}
	if msg.CapTable() != nil {
		// Nobody else gives up the capabilities that the copy holds.
		runtime.AddCleanup(r, func(m *segment.Message) { m.Release() }, msg)
	}
	return Any{r, t, msg.Root()}
}

func (m *mapper) slice(l List) []any {
	out := make([]any, l.n)
	if l.typ == nil {
		return out
	}
	for i := range out {
		switch t := l.typ.elem; t.kind {
		case schema.StructType:
			e := l.Struct(i)
			out[i] = m.structMap(e.typ, e.s)
		case schema.ListType:
			if e := l.l.At(i); !e.IsNull() {
				out[i] = m.slice(readList(l.root, t, e))
			}
		case schema.Text:
			if e := l.l.At(i); !e.IsNull() {
				out[i] = e.Text()
			}
		case schema.Data:
			if e := l.l.At(i); !e.IsNull() {
				out[i] = append([]byte{}, e.Data()...)
			}
		case schema.InterfaceType, schema.AnyPointer:
			out[i] = m.ptr(t, l.l.At(i))
		default:
			out[i] = boxScalar(t, t.kind, l.bits(i))
		}
	}
	return out
}
