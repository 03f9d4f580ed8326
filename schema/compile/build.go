package compile

import (
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
	"github.com/fairlead-go/fairlead/segment"
)

// slot is where a value goes: a field, an element of a list, a pointer or a
// variable. Which of its methods may be called depends on the value's type.
type slot interface {
	// bits stores a value that is no pointer, sign-extended if it is signed.
	bits(k schema.TypeKind, v uint64)
	ptr() segment.PtrBuilder
	newStruct(sz segment.Size) segment.StructBuilder
	// copy stores a copy of what src refers to.
	copy(src segment.Ptr)
}

// noSlot has the methods that a kind of slot does not need.
type noSlot struct{}

func (noSlot) bits(schema.TypeKind, uint64)                     {}
func (noSlot) ptr() (p segment.PtrBuilder)                      { return p }
func (noSlot) newStruct(segment.Size) (s segment.StructBuilder) { return s }
func (noSlot) copy(segment.Ptr)                                 {}

// bitsSlot is a variable for a value that is no pointer.
type bitsSlot struct {
	noSlot
	to *uint64
}

func (s bitsSlot) bits(_ schema.TypeKind, v uint64) { *s.to = v }

// ptrSlot is a pointer.
type ptrSlot struct {
	noSlot
	p segment.PtrBuilder
}

func (s ptrSlot) ptr() segment.PtrBuilder                         { return s.p }
func (s ptrSlot) newStruct(sz segment.Size) segment.StructBuilder { return s.p.NewStruct(sz) }
func (s ptrSlot) copy(src segment.Ptr)                            { s.p.Set(src) }

// structSlot is a struct that is there already.
type structSlot struct {
	noSlot
	s segment.StructBuilder
}

func (s structSlot) newStruct(segment.Size) segment.StructBuilder { return s.s }
func (s structSlot) copy(src segment.Ptr)                         { s.s.CopyFrom(src.Struct()) }

// elemSlot is an element of a list of what is no pointer.
type elemSlot struct {
	noSlot
	list *elems
	i    int
}

func (s elemSlot) bits(_ schema.TypeKind, v uint64) { s.list.set(s.i, v) }

// elems is a list of numbers or bits, of one of the sizes.
type elems struct {
	bools segment.BoolsBuilder
	n8    segment.NumbersBuilder[uint8]
	n16   segment.NumbersBuilder[uint16]
	n32   segment.NumbersBuilder[uint32]
	n64   segment.NumbersBuilder[uint64]
	width uint32
}

func newElems(p segment.PtrBuilder, k schema.TypeKind, n int) *elems {
	l := &elems{width: k.Bits()}
	switch l.width {
	case 0:
		p.NewList(segment.Void, n)
	case 1:
		l.bools = p.NewBools(n)
	case 8:
		l.n8 = segment.NewNumbers[uint8](p, n)
	case 16:
		l.n16 = segment.NewNumbers[uint16](p, n)
	case 32:
		l.n32 = segment.NewNumbers[uint32](p, n)
	case 64:
		l.n64 = segment.NewNumbers[uint64](p, n)
	}
	return l
}

func (l *elems) set(i int, v uint64) {
	switch l.width {
	case 1:
		l.bools.Set(i, v != 0)
	case 8:
		l.n8.Set(i, uint8(v))
	case 16:
		l.n16.Set(i, uint16(v))
	case 32:
		l.n32.Set(i, uint32(v))
	case 64:
		l.n64.Set(i, v)
	}
}

// fieldSlot is a field of a struct.
type fieldSlot struct {
	s segment.StructBuilder
	f *schema.Field
}

func (s fieldSlot) bits(k schema.TypeKind, v uint64) {
	off := s.f.Offset
	v ^= s.f.Default.Bits
	switch k.Bits() {
	case 1:
		s.s.SetBool(off, v != 0)
	case 8:
		s.s.SetUint8(off, uint8(v))
	case 16:
		s.s.SetUint16(off*2, uint16(v))
	case 32:
		s.s.SetUint32(off*4, uint32(v))
	case 64:
		s.s.SetUint64(off*8, v)
	}
}

func (s fieldSlot) ptr() segment.PtrBuilder {
	if s.f.Offset >= uint32(s.s.Size().Ptrs) {
		return segment.PtrBuilder{}
	}
	return s.s.Ptr(uint16(s.f.Offset))
}

func (s fieldSlot) newStruct(sz segment.Size) segment.StructBuilder { return s.ptr().NewStruct(sz) }
func (s fieldSlot) copy(src segment.Ptr)                            { s.ptr().Set(src) }

func structSize(n *schema.Struct) segment.Size {
	return segment.Size{DataWords: n.DataWords, Ptrs: n.Ptrs}
}

// newStruct makes an empty struct of type t.
func (v *valuer) newStruct(e *syntax.Expr, t schema.Type, to slot) (s segment.StructBuilder, ok bool) {
	n := v.node(t.ID)
	if n == nil || n.Struct == nil {
		v.failf(e, "Unknown struct %v.", t.ID)
		return s, false
	}
	sz := structSize(n.Struct)
	if !v.take(e, int64(sz.Words())) {
		return s, false
	}
	return to.newStruct(sz), true
}

func (v *valuer) putList(e *syntax.Expr, elem schema.Type, to slot) bool {
	n := len(e.Args)
	var at func(i int) slot
	switch {
	case elem.Kind == schema.StructType:
		node := v.node(elem.ID)
		if node == nil || node.Struct == nil {
			v.failf(e, "Unknown struct %v.", elem.ID)
			return false
		}
		// Elements are charged for one by one, in newStruct; here for what they take
		// whether they are valid or not.
		sz := structSize(node.Struct)
		if !v.take(e, 1+int64(n)*int64(sz.Words())) {
			return false
		}
		list := segment.NewStructs[segment.StructBuilder](to.ptr(), sz, n)
		at = func(i int) slot { return structSlot{s: list.At(i)} }
	case elem.Kind.IsPointer():
		if !v.take(e, int64(n)) {
			return false
		}
		list := to.ptr().NewPtrs(n)
		at = func(i int) slot { return ptrSlot{p: list.At(i)} }
	default:
		if !v.take(e, (int64(n)*int64(elem.Kind.Bits())+63)/64) {
			return false
		}
		list := newElems(to.ptr(), elem.Kind, n)
		at = func(i int) slot { return elemSlot{list: list, i: i} }
	}
	ok := true
	for i, a := range e.Args {
		ok = v.put(a.Value, elem, at(i)) && ok
	}
	return ok
}

func (v *valuer) putTuple(e *syntax.Expr, t schema.Type, to slot) bool {
	s, ok := v.newStruct(e, t, to)
	return ok && v.fill(s, v.node(t.ID), t.Brand, e.Args)
}

// fill sets the fields of a struct, or of the group that n is, from a tuple.
func (v *valuer) fill(s segment.StructBuilder, n *schema.Node, brand schema.Brand, args []syntax.Arg) bool {
	ok := true
	for _, a := range args {
		if a.Name.Text == "" {
			v.failf(a.Value, "Missing field name.")
			ok = false
			continue
		}
		f := findField(n, a.Name.Text)
		if f == nil {
			v.fail(a.Name.Span, "Struct has no field named '"+a.Name.Text+"'.")
			ok = false
			continue
		}
		if f.IsGroup() {
			ok = v.putGroup(s, n, f, brand, a.Value) && ok
			continue
		}
		if v.put(a.Value, f.Type.Bind(brand), fieldSlot{s, f}) {
			selectMember(s, n, f)
		} else {
			ok = false
		}
	}
	return ok
}

func (v *valuer) putGroup(s segment.StructBuilder, n *schema.Node, f *schema.Field, brand schema.Brand, e *syntax.Expr) bool {
	group := v.node(f.Group)
	if group == nil || group.Struct == nil {
		v.failf(e, "Unknown group %v.", f.Group)
		return false
	}
	selectMember(s, n, f)
	v.clear(s, group)
	if e.Kind == syntax.Tuple {
		return v.fill(s, group, brand, e.Args)
	}
	if e.Kind == syntax.Bad {
		return false
	}
	// As for a struct, another value stands for the first field.
	if len(group.Struct.Fields) > 0 && !group.Struct.Fields[0].IsGroup() && e.Kind != syntax.List && e.Kind != syntax.Embed {
		first := &group.Struct.Fields[0]
		t := first.Type.Bind(brand)
		lit, ok := v.literal(e, t)
		if !ok {
			return false
		}
		if v.matches(&lit, t) {
			selectMember(s, group, first)
			return v.store(e, &lit, t, fieldSlot{s, first})
		}
	}
	v.failf(e, "Type mismatch; expected group.")
	return false
}

// clear sets the fields of a group to their defaults, as it becomes the member
// of a union: the memory may have been another member's.
func (v *valuer) clear(s segment.StructBuilder, group *schema.Node) {
	for i := range group.Struct.Fields {
		f := &group.Struct.Fields[i]
		if f.InUnion() && f.Discriminant != 0 {
			continue
		}
		selectMember(s, group, f)
		switch k := f.Type.Kind; {
		case f.IsGroup():
			if inner := v.node(f.Group); inner != nil && inner.Struct != nil {
				v.clear(s, inner)
			}
		case k.IsPointer():
			fieldSlot{s, f}.ptr().Clear()
		default:
			fieldSlot{s, f}.bits(k, f.Default.Bits)
		}
	}
}

// selectMember makes f the set member of its union, if it is in one.
func selectMember(s segment.StructBuilder, n *schema.Node, f *schema.Field) {
	if f.InUnion() {
		s.SetUint16(n.Struct.DiscriminantOffset*2, f.Discriminant)
	}
}

func findField(n *schema.Node, name string) *schema.Field {
	for i := range n.Struct.Fields {
		if n.Struct.Fields[i].Name == name {
			return &n.Struct.Fields[i]
		}
	}
	return nil
}

// putEmbed stores the contents of a file: as they are, or what they encode.
func (v *valuer) putEmbed(e *syntax.Expr, t schema.Type, to slot) bool {
	b, ok := v.embed(e)
	if !ok || !v.take(e, int64(len(b))/8+1) {
		return false
	}
	switch t.Kind {
	case schema.Text:
		to.ptr().SetText(string(b))
	case schema.Data:
		to.ptr().SetData(b)
	case schema.StructType:
		root, ok := v.unframe(e, b)
		if !ok {
			return false
		}
		to.copy(root)
	default:
		v.failf(e, "Embeds can only be used when Text, Data, or a struct is expected.")
		return false
	}
	return true
}

// unframe reads the first message in b, which is in the standard stream format.
func (v *valuer) unframe(e *syntax.Expr, b []byte) (segment.Ptr, bool) {
	msg, err := framing.NewSliceDecoder(b, framing.DecoderOptions{}).Decode()
	if err == nil {
		err = msg.Verify()
	}
	if err != nil || msg.Root().Kind() != segment.KindStruct {
		v.failf(e, "Embedded file is not a valid Cap'n Proto message.")
		return segment.Ptr{}, false
	}
	// An object may be referred to often and is then copied often.
	words, err := msg.Root().TotalWords()
	if err != nil || !v.take(e, words) {
		return segment.Ptr{}, false
	}
	return msg.Root(), true
}
