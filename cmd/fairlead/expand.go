package main

import (
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// expandStruct copies a struct of type t out of a schema, where values are kept
// in canonical form, into one that has room for all fields of the type, as a
// program would have made it. So have the structs below it.
func expandStruct(reg *schema.Registry, t schema.Type, src segment.Struct, make func(segment.Size) segment.StructBuilder) {
	n, ok := reg.Node(t.ID)
	if !ok {
		return
	}
	dst := make(segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs})
	for i := range uint32(n.Struct.DataWords) {
		dst.SetUint64(8*i, src.Uint64(8*i))
	}
	expandFields(reg, n, t.Brand, src, dst)
}

func expandFields(reg *schema.Registry, n *schema.Node, brand schema.Brand, src segment.Struct, dst segment.StructBuilder) {
	for i := range n.Struct.Fields {
		f := &n.Struct.Fields[i]
		switch {
		case f.InUnion() && src.Uint16(2*n.Struct.DiscriminantOffset) != f.Discriminant:
		case f.IsGroup():
			if g, ok := reg.Node(f.Group); ok {
				expandFields(reg, g, brand, src, dst)
			}
		case f.Type.Kind.IsPointer():
			if p := src.Ptr(uint16(f.Offset)); !p.IsNull() {
				expandPtr(reg, f.Type.Bind(brand), p, dst.Ptr(uint16(f.Offset)))
			}
		}
	}
}

func expandPtr(reg *schema.Registry, t schema.Type, src segment.Ptr, dst segment.PtrBuilder) {
	switch {
	case t.Kind == schema.StructType:
		expandStruct(reg, t, src.Struct(), dst.NewStruct)
	case t.Kind == schema.ListType && t.Elem.Kind == schema.StructType:
		expandStructs(reg, *t.Elem, src.Structs(), dst)
	case t.Kind == schema.ListType && t.Elem.Kind.IsPointer():
		l := src.Ptrs()
		to := dst.NewPtrs(l.Len())
		for i, p := range l.Indexed() {
			if !p.IsNull() {
				expandPtr(reg, *t.Elem, p, to.At(i))
			}
		}
	default:
		dst.Set(src)
	}
}

func expandStructs(reg *schema.Registry, t schema.Type, src segment.Structs[segment.Struct], dst segment.PtrBuilder) {
	n, ok := reg.Node(t.ID)
	if !ok {
		return
	}
	size := segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs}
	l := segment.NewStructs[segment.StructBuilder](dst, size, src.Len())
	for i, s := range src.Indexed() {
		expandStruct(reg, t, s, func(segment.Size) segment.StructBuilder { return l.At(i) })
	}
}
