package schema

import (
	"errors"
	"fmt"
	"math"

	"github.com/fairlead-go/fairlead/segment"
)

// What a message may make its reader build. They bound memory: the largest of
// the things counted takes some 250 bytes.
const (
	// MaxNodes is how many nodes a request or a registry may hold.
	MaxNodes = 100_000
	// maxItems is how many nodes, members, types, annotations and so on a message
	// may hold together; a value that is an object counts as several, as it is
	// kept in a message of its own.
	maxItems     = 1 << 20
	itemsOfValue = 4
	// MaxDepth is how deep types, brands and scopes may nest.
	MaxDepth = 64
)

// ErrInvalid is matched by the errors that say that a schema is not valid:
// those of [ReadRequest], [ReadNode], [Unpack], [NewValue] and [Registry.Add].
var ErrInvalid = errors.New("schema: invalid")

// invalidf makes an error that matches ErrInvalid.
func invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrInvalid, fmt.Errorf(format, args...))
}

// ReadNode reads a struct Node of schema.capnp. The Node is a copy that does not
// need the message any more. What is read is well-formed, but only
// [Registry.Add] tells whether it makes sense.
func ReadNode(s segment.Struct) (*Node, error) {
	var r reader
	n := r.node(s)
	if r.err == nil && s.Message() != nil {
		r.err = s.Message().Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	return n, nil
}

// reader reads schema.capnp's structs. Its first error sticks, and what is read
// after it is of no use.
type reader struct {
	err   error
	items int
	where *Node // being read
}

// fail keeps the first error.
func (r *reader) fail(format string, args ...any) {
	if r.err != nil {
		return
	}
	err := fmt.Errorf(format, args...)
	if n := r.where; n != nil {
		err = fmt.Errorf("node %v (%q): %w", n.ID, n.DisplayName, err)
	}
	r.err = fmt.Errorf("%w: %w", ErrInvalid, err)
}

// take counts n items.
func (r *reader) take(n int) {
	if r.items += n; r.items > maxItems {
		r.fail("more than %d declarations, types and values", maxItems)
	}
}

// list reads a list of structs, which is empty after an error.
func (r *reader) list(s segment.Struct, ptr uint16) segment.Structs[segment.Struct] {
	l := s.Ptr(ptr).Structs()
	if r.take(l.Len()); r.err != nil {
		return segment.Structs[segment.Struct]{}
	}
	return l
}

// readList reads a list by its elements; it is nil if there are none.
func readList[T any](r *reader, s segment.Struct, ptr uint16, read func(segment.Struct) T) []T {
	l := r.list(s, ptr)
	if l.Len() == 0 {
		return nil
	}
	out := make([]T, 0, l.Len())
	for e := range l.All() {
		if r.err != nil {
			return nil
		}
		out = append(out, read(e))
	}
	return out
}

func (r *reader) node(s segment.Struct) *Node {
	n := &Node{
		ID:          ID(s.Uint64(nodeID)),
		DisplayName: s.Text(nodeNamePtr),
		Scope:       ID(s.Uint64(nodeScope)),
		Generic:     s.Bool(nodeGenericAt),
		Kind:        Kind(min(s.Uint16(nodeKind), math.MaxUint8)),
		Start:       s.Uint32(nodeStart),
		End:         s.Uint32(nodeEnd),
	}
	r.where = n
	prefix := s.Uint32(nodePrefixLen)
	if int64(prefix) > int64(len(n.DisplayName)) {
		r.fail("display name prefix of %d bytes is longer than the name", prefix)
		return nil
	}
	n.PrefixLen = int(prefix)
	n.Params = readList(r, s, nodeParamsPtr, readParam)
	n.Nested = readList(r, s, nodeNestedPtr, func(s segment.Struct) Nested {
		return Nested{Name: s.Text(nestedNamePtr), ID: ID(s.Uint64(nestedID))}
	})
	n.Annotations = r.annotations(s, nodeAnnotationsPtr)
	switch n.Kind {
	case KindFile:
	case KindStruct:
		n.Struct = &Struct{
			DataWords:          s.Uint16(structDataWords),
			Ptrs:               s.Uint16(structPtrs),
			ListEncoding:       s.Uint16(structListEncoding),
			IsGroup:            s.Bool(structIsGroupAt),
			Discriminants:      s.Uint16(structDiscriminants),
			DiscriminantOffset: s.Uint32(structDiscriminantOffset),
			Fields:             readList(r, s, structFieldsPtr, r.field),
		}
	case KindEnum:
		n.Enum = &Enum{Enumerants: readList(r, s, enumEnumerantsPtr, func(s segment.Struct) Enumerant {
			return Enumerant{
				Name:        s.Text(enumerantNamePtr),
				CodeOrder:   s.Uint16(enumerantCodeOrder),
				Annotations: r.annotations(s, enumerantAnnotationsPtr),
			}
		})}
	case KindInterface:
		n.Interface = &Interface{
			Methods: readList(r, s, interfaceMethodsPtr, r.method),
			Extends: readList(r, s, interfaceExtendsPtr, func(s segment.Struct) Superclass {
				return Superclass{ID: ID(s.Uint64(superclassID)), Brand: r.brand(s.Struct(superclassBrandPtr), 0)}
			}),
		}
	case KindConst:
		n.Const = &Const{Type: r.typ(s.Struct(constTypePtr), 0), Value: r.value(s.Struct(constValuePtr))}
	case KindAnnotation:
		n.Declared = &AnnotationDecl{
			Type:    r.typ(s.Struct(declaredTypePtr), 0),
			Targets: Target(s.Uint16(declaredTargets)) & TargetAny,
		}
	default:
		r.fail("kind %d is unknown", s.Uint16(nodeKind))
	}
	return n
}

func readParam(s segment.Struct) string { return s.Text(paramNamePtr) }

func (r *reader) annotations(s segment.Struct, ptr uint16) []Annotation {
	return readList(r, s, ptr, func(s segment.Struct) Annotation {
		return Annotation{
			ID:    ID(s.Uint64(annotationID)),
			Brand: r.brand(s.Struct(annotationBrandPtr), 0),
			Value: r.value(s.Struct(annotationValuePtr)),
		}
	})
}

func (r *reader) field(s segment.Struct) Field {
	f := Field{
		Name:         s.Text(fieldNamePtr),
		CodeOrder:    s.Uint16(fieldCodeOrder),
		Annotations:  r.annotations(s, fieldAnnotationsPtr),
		Discriminant: s.Uint16(fieldDiscriminant) ^ NoDiscriminant,
	}
	switch tag := s.Uint16(fieldHasOrdinal); tag {
	case 0:
	case 1:
		f.HasOrdinal, f.Ordinal = true, s.Uint16(fieldOrdinal)
	default:
		r.fail("field %q: ordinal of unknown kind %d", f.Name, tag)
	}
	switch tag := s.Uint16(fieldIsGroup); tag {
	case 0:
		f.Offset = s.Uint32(fieldOffset)
		f.Type = r.typ(s.Struct(fieldTypePtr), 0)
		f.Default = r.value(s.Struct(fieldDefaultPtr))
		f.HasDefault = s.Bool(fieldHasDefaultAt)
	case 1:
		// 0 would make it a slot.
		if f.Group = ID(s.Uint64(fieldGroup)); f.Group == 0 {
			r.fail("field %q: a group without an id", f.Name)
		}
	default:
		r.fail("field %q: field of unknown kind %d", f.Name, tag)
	}
	return f
}

func (r *reader) method(s segment.Struct) Method {
	return Method{
		Name:           s.Text(methodNamePtr),
		CodeOrder:      s.Uint16(methodCodeOrder),
		ImplicitParams: readList(r, s, methodImplicitParamsPtr, readParam),
		Params:         ID(s.Uint64(methodParams)),
		ParamBrand:     r.brand(s.Struct(methodParamBrandPtr), 0),
		Results:        ID(s.Uint64(methodResults)),
		ResultBrand:    r.brand(s.Struct(methodResultBrandPtr), 0),
		Annotations:    r.annotations(s, methodAnnotationsPtr),
	}
}

func (r *reader) typ(s segment.Struct, depth int) Type {
	kind := s.Uint16(typeKind)
	t := Type{Kind: TypeKind(kind)}
	switch {
	case depth > MaxDepth:
		r.fail("types nest deeper than %d", MaxDepth)
	case kind > uint16(AnyPointer):
		r.fail("type %d is unknown", kind)
	case t.Kind == ListType:
		r.take(1)
		elem := r.typ(s.Struct(typeElemPtr), depth+1)
		t.Elem = &elem
	case t.Kind == EnumType || t.Kind == StructType || t.Kind == InterfaceType:
		t.ID = ID(s.Uint64(typeID))
		t.Brand = r.brand(s.Struct(typeBrandPtr), depth)
	case t.Kind == AnyPointer:
		r.anyPointer(s, &t)
	}
	return t
}

func (r *reader) anyPointer(s segment.Struct, t *Type) {
	index := s.Uint16(typeIndex)
	switch tag := s.Uint16(typeAny); tag {
	case anyUnconstrained:
		if t.Any = AnyKind(index); index > uint16(AnyCapability) {
			r.fail("AnyPointer of unknown kind %d", index)
		}
	case anyParam:
		t.Any, t.Scope, t.Index = AnyParam, ID(s.Uint64(typeScope)), index
	case anyMethodParam:
		t.Any, t.Index = AnyMethodParam, index
	default:
		r.fail("AnyPointer with unknown constraint %d", tag)
	}
}

func (r *reader) brand(s segment.Struct, depth int) Brand {
	return readList(r, s, brandScopesPtr, func(s segment.Struct) BrandScope {
		b := BrandScope{Scope: ID(s.Uint64(scopeID))}
		switch tag := s.Uint16(scopeInherit); tag {
		case 0:
			b.Bind = readList(r, s, scopeBindPtr, func(s segment.Struct) *Type { return r.binding(s, depth+1) })
		case 1:
			b.Inherit = true
		default:
			r.fail("brand scope %v of unknown kind %d", b.Scope, tag)
		}
		return b
	})
}

func (r *reader) binding(s segment.Struct, depth int) *Type {
	switch tag := s.Uint16(bindingIsType); tag {
	case 0:
	case 1:
		t := r.typ(s.Struct(bindingTypePtr), depth)
		return &t
	default:
		r.fail("generic argument of unknown kind %d", tag)
	}
	return nil
}

func (r *reader) value(s segment.Struct) Value {
	kind := s.Uint16(valueKind)
	if kind > uint16(AnyPointer) {
		r.fail("value of unknown type %d", kind)
		return Value{}
	}
	v := Value{Kind: TypeKind(kind)}
	switch v.Kind {
	case Void, InterfaceType:
	case Bool:
		if s.Bool(valueBit) {
			v.Bits = 1
		}
	case Int8:
		v.Bits = uint64(s.Int8(value8))
	case Int16:
		v.Bits = uint64(s.Int16(value16))
	case Int32:
		v.Bits = uint64(s.Int32(value32))
	case Uint8:
		v.Bits = uint64(s.Uint8(value8))
	case Uint16, EnumType:
		v.Bits = uint64(s.Uint16(value16))
	case Uint32, Float32:
		v.Bits = uint64(s.Uint32(value32))
	case Int64, Uint64, Float64:
		v.Bits = s.Uint64(value64)
	default:
		src := s.Ptr(valuePtrAt)
		if src.IsNull() || r.err != nil {
			break
		}
		r.take(itemsOfValue)
		var err error
		if v.Ptr, err = keep(v.Kind, func(p segment.PtrBuilder) { p.Set(src) }); err != nil {
			r.fail("value: %w", err)
		}
	}
	return v
}
