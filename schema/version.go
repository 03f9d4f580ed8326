package schema

import "fmt"

// difference compares two versions of one node as far as the wire is concerned:
// whether one has all that the other has, in the same places. Names,
// annotations, constants and the defaults of pointers do not matter.
type difference struct {
	node func(ID) *Node // the other nodes, or nil

	newer, older bool   // the new version has something more, the old one has
	broken       string // why neither can take the other's place, "" if one can
}

// step says that the new version has got something, or lost it.
func (d *difference) step(more, less bool) {
	d.newer = d.newer || more
	d.older = d.older || less
}

func (d *difference) brokenf(format string, args ...any) {
	if d.broken == "" {
		d.broken = fmt.Sprintf(format, args...)
	}
}

func (d *difference) compare(old, new *Node) {
	if old.Kind != new.Kind {
		d.brokenf("kind %v became %v", old.Kind, new.Kind)
		return
	}
	d.step(len(new.Params) > len(old.Params), len(new.Params) < len(old.Params))
	switch old.Kind {
	case KindStruct:
		d.structs(old, new)
	case KindEnum:
		a, b := len(old.Enum.Enumerants), len(new.Enum.Enumerants)
		d.step(b > a, b < a)
	case KindInterface:
		d.interfaces(old.Interface, new.Interface)
	}
}

func (d *difference) structs(old, new *Node) {
	a, b := old.Struct, new.Struct
	d.step(b.DataWords > a.DataWords, b.DataWords < a.DataWords)
	d.step(b.Ptrs > a.Ptrs, b.Ptrs < a.Ptrs)
	d.step(b.Discriminants > a.Discriminants, b.Discriminants < a.Discriminants)
	d.step(len(b.Fields) > len(a.Fields), len(b.Fields) < len(a.Fields))
	if a.Discriminants > 0 && b.Discriminants > 0 && a.DiscriminantOffset != b.DiscriminantOffset {
		d.brokenf("the discriminant moved from %d to %d × 16 bits", a.DiscriminantOffset, b.DiscriminantOffset)
	}
	if a.IsGroup != b.IsGroup {
		d.brokenf("a struct became a group, or a group a struct")
	} else if a.IsGroup && old.Scope != new.Scope {
		d.brokenf("a group moved from %v to %v", old.Scope, new.Scope)
	}
	for i := range min(len(a.Fields), len(b.Fields)) {
		d.fields(&a.Fields[i], &b.Fields[i])
	}
}

// discriminantOf gives 0 for a field in no union: a field may become the first
// member of a new one.
func discriminantOf(f *Field) uint16 {
	if f.InUnion() {
		return f.Discriminant
	}
	return 0
}

func (d *difference) fields(a, b *Field) {
	if discriminantOf(a) != discriminantOf(b) {
		d.brokenf("field %s: the discriminant changed from %d to %d", a.Name, a.Discriminant, b.Discriminant)
	}
	switch {
	case a.IsGroup() && b.IsGroup():
		if a.Group != b.Group {
			d.brokenf("field %s: the group %v became %v", a.Name, a.Group, b.Group)
		}
		return
	case a.IsGroup():
		d.step(false, true)
		if first := d.firstSlot(a); first != nil {
			d.slots(b.Name, first, b)
		}
		return
	case b.IsGroup():
		d.step(true, false)
		if first := d.firstSlot(b); first != nil {
			d.slots(a.Name, a, first)
		}
		return
	}
	d.slots(a.Name, a, b)
}

// firstSlot gives the first slot in a group, or nil if that is not known.
func (d *difference) firstSlot(f *Field) *Field {
	for range MaxDepth {
		n := d.node(f.Group)
		if n == nil || n.Struct == nil || len(n.Struct.Fields) == 0 {
			return nil
		}
		if f = &n.Struct.Fields[0]; !f.IsGroup() {
			return f
		}
	}
	return nil
}

func (d *difference) slots(name string, a, b *Field) {
	switch relate(&a.Type, &b.Type) {
	case typeWider:
		d.step(true, false)
	case typeNarrower:
		d.step(false, true)
	case typeOther, typeOtherNode:
		d.brokenf("field %s: the type changed", name)
		return
	}
	if a.Offset != b.Offset {
		d.brokenf("field %s: the offset changed from %d to %d", name, a.Offset, b.Offset)
	}
	if a.Default.Kind == b.Default.Kind && !a.Default.Kind.IsPointer() && a.Default.Bits != b.Default.Bits {
		d.brokenf("field %s: the default changed", name)
	}
}

func (d *difference) interfaces(a, b *Interface) {
	d.step(len(b.Methods) > len(a.Methods), len(b.Methods) < len(a.Methods))
	for i := range min(len(a.Methods), len(b.Methods)) {
		if a.Methods[i].Params != b.Methods[i].Params || a.Methods[i].Results != b.Methods[i].Results {
			d.brokenf("method %s: the parameters or results are another struct", a.Methods[i].Name)
		}
	}
	was, is := map[ID]bool{}, map[ID]bool{}
	for _, s := range a.Extends {
		was[s.ID] = true
	}
	for _, s := range b.Extends {
		is[s.ID] = true
		d.step(!was[s.ID], false)
	}
	for _, s := range a.Extends {
		d.step(false, !is[s.ID])
	}
}

// relation is how the type of a field changed.
type relation uint8

const (
	typeSame relation = iota
	typeWider
	typeNarrower
	typeOtherNode // of the same kind, but another enum, struct or interface
	typeOther     // something else
)

// relate compares the types that a field had and has, on the wire.
func relate(a, b *Type) relation {
	if a.Kind == b.Kind {
		switch a.Kind {
		case ListType:
			return relateElems(a.Elem, b.Elem)
		case EnumType, StructType, InterfaceType:
			if a.ID != b.ID {
				return typeOtherNode
			}
		case AnyPointer:
			return relateAny(a.Any, b.Any)
		}
		return typeSame
	}
	switch {
	case b.Kind == AnyPointer && a.Kind.IsPointer() || b.Kind == Data && a.fitsData():
		return typeWider
	case a.Kind == AnyPointer && b.Kind.IsPointer() || a.Kind == Data && b.fitsData():
		return typeNarrower
	}
	return typeOther
}

// relateElems compares the types of a list's elements: here a type may also
// become a struct whose first field has it, if only bits don't.
func relateElems(a, b *Type) relation {
	r := relate(a, b)
	switch {
	case r != typeOther || a.Kind == Bool || b.Kind == Bool:
	case b.Kind == StructType:
		return typeWider
	case a.Kind == StructType:
		return typeNarrower
	}
	return r
}

// relateAny compares kinds of AnyPointer. A generic parameter may be anything.
func relateAny(a, b AnyKind) relation {
	narrow := func(k AnyKind) bool { return k == AnyStruct || k == AnyList || k == AnyCapability }
	switch {
	case a == b || !narrow(a) && !narrow(b):
		return typeSame
	case !narrow(b):
		return typeWider
	case !narrow(a):
		return typeNarrower
	}
	return typeOther
}

// fitsData tells whether what was written as t can be read as Data.
func (t *Type) fitsData() bool {
	return t.Kind == Text || t.Kind == ListType && (t.Elem.Kind == Int8 || t.Elem.Kind == Uint8)
}
