package schema

import (
	"slices"

	"github.com/fairlead-go/fairlead/segment"
)

// Build writes n as a struct Node of schema.capnp into s, which is new and has
// [NodeSize]. Doc comments are no part of it. Faults, such as memory that has
// run out, are kept in the message.
//
// What is written is what the capnp tool writes for the same declaration. Where
// there are none, enumerants, methods, superclasses and implicit parameters are
// an empty list, as are the nested nodes of what has a name; the brand of an
// annotation is an empty struct. Everything else is null.
func (n *Node) Build(s segment.StructBuilder) {
	s.SetUint64(nodeID, uint64(n.ID))
	s.SetText(nodeNamePtr, n.DisplayName)
	s.SetUint32(nodePrefixLen, uint32(n.PrefixLen))
	s.SetUint64(nodeScope, uint64(n.Scope))
	s.SetBool(nodeGenericAt, n.Generic)
	s.SetUint16(nodeKind, uint16(n.Kind))
	s.SetUint32(nodeStart, n.Start)
	s.SetUint32(nodeEnd, n.End)
	if len(n.Params) > 0 {
		buildList(s, nodeParamsPtr, paramSize, n.Params, buildParam)
	}
	if len(n.Nested) > 0 || n.named() {
		buildList(s, nodeNestedPtr, nestedSize, n.Nested, func(s segment.StructBuilder, e *Nested) {
			s.SetText(nestedNamePtr, e.Name)
			s.SetUint64(nestedID, uint64(e.ID))
		})
	}
	buildAnnotations(s, nodeAnnotationsPtr, n.Annotations)
	switch n.Kind {
	case KindStruct:
		buildStruct(s, n.Struct)
	case KindEnum:
		buildList(s, enumEnumerantsPtr, enumerantSize, n.Enum.Enumerants, func(s segment.StructBuilder, e *Enumerant) {
			s.SetText(enumerantNamePtr, e.Name)
			s.SetUint16(enumerantCodeOrder, e.CodeOrder)
			buildAnnotations(s, enumerantAnnotationsPtr, e.Annotations)
		})
	case KindInterface:
		buildList(s, interfaceMethodsPtr, methodSize, n.Interface.Methods, buildMethod)
		buildList(s, interfaceExtendsPtr, superclassSize, n.Interface.Extends, func(s segment.StructBuilder, e *Superclass) {
			s.SetUint64(superclassID, uint64(e.ID))
			buildBrand(s, superclassBrandPtr, e.Brand)
		})
	case KindConst:
		buildType(s.NewStruct(constTypePtr, typeSize), &n.Const.Type)
		buildValue(s.NewStruct(constValuePtr, valueSize), n.Const.Value)
	case KindAnnotation:
		buildType(s.NewStruct(declaredTypePtr, typeSize), &n.Declared.Type)
		s.SetUint16(declaredTargets, uint16(n.Declared.Targets&TargetAny))
	}
}

// named tells whether a schema can refer to n by a name: not to a group, nor to
// the struct of a method's parameters or results.
func (n *Node) named() bool {
	return n.Kind != KindStruct || n.Scope != 0 && !n.Struct.IsGroup
}

// buildList builds a list of structs of size sz, even if it is empty.
func buildList[T any](s segment.StructBuilder, ptr uint16, sz segment.Size, from []T, build func(segment.StructBuilder, *T)) {
	l := segment.NewStructs[segment.StructBuilder](s.Ptr(ptr), sz, len(from))
	for i := range from {
		build(l.At(i), &from[i])
	}
}

func buildParam(s segment.StructBuilder, name *string) { s.SetText(paramNamePtr, *name) }

func buildAnnotations(s segment.StructBuilder, ptr uint16, from []Annotation) {
	if len(from) == 0 {
		return
	}
	buildList(s, ptr, annotationSize, from, func(s segment.StructBuilder, e *Annotation) {
		s.SetUint64(annotationID, uint64(e.ID))
		buildScopes(s.NewStruct(annotationBrandPtr, brandSize), e.Brand)
		buildValue(s.NewStruct(annotationValuePtr, valueSize), e.Value)
	})
}

func buildStruct(s segment.StructBuilder, d *Struct) {
	s.SetUint16(structDataWords, d.DataWords)
	s.SetUint16(structPtrs, d.Ptrs)
	s.SetUint16(structListEncoding, d.ListEncoding)
	s.SetBool(structIsGroupAt, d.IsGroup)
	s.SetUint16(structDiscriminants, d.Discriminants)
	s.SetUint32(structDiscriminantOffset, d.DiscriminantOffset)
	if len(d.Fields) > 0 {
		buildList(s, structFieldsPtr, fieldSize, d.Fields, buildField)
	}
}

func buildField(s segment.StructBuilder, f *Field) {
	s.SetText(fieldNamePtr, f.Name)
	s.SetUint16(fieldCodeOrder, f.CodeOrder)
	s.SetUint16(fieldDiscriminant, f.Discriminant^NoDiscriminant)
	buildAnnotations(s, fieldAnnotationsPtr, f.Annotations)
	if f.HasOrdinal {
		s.SetUint16(fieldHasOrdinal, 1)
		s.SetUint16(fieldOrdinal, f.Ordinal)
	}
	if f.IsGroup() {
		s.SetUint16(fieldIsGroup, 1)
		s.SetUint64(fieldGroup, uint64(f.Group))
		return
	}
	s.SetUint32(fieldOffset, f.Offset)
	s.SetBool(fieldHasDefaultAt, f.HasDefault)
	buildType(s.NewStruct(fieldTypePtr, typeSize), &f.Type)
	buildValue(s.NewStruct(fieldDefaultPtr, valueSize), f.Default)
}

func buildMethod(s segment.StructBuilder, m *Method) {
	s.SetText(methodNamePtr, m.Name)
	s.SetUint16(methodCodeOrder, m.CodeOrder)
	buildList(s, methodImplicitParamsPtr, paramSize, m.ImplicitParams, buildParam)
	s.SetUint64(methodParams, uint64(m.Params))
	buildBrand(s, methodParamBrandPtr, m.ParamBrand)
	s.SetUint64(methodResults, uint64(m.Results))
	buildBrand(s, methodResultBrandPtr, m.ResultBrand)
	buildAnnotations(s, methodAnnotationsPtr, m.Annotations)
}

func buildType(s segment.StructBuilder, t *Type) {
	s.SetUint16(typeKind, uint16(t.Kind))
	switch t.Kind {
	case ListType:
		buildType(s.NewStruct(typeElemPtr, typeSize), t.Elem)
	case EnumType, StructType, InterfaceType:
		s.SetUint64(typeID, uint64(t.ID))
		buildBrand(s, typeBrandPtr, t.Brand)
	case AnyPointer:
		switch t.Any {
		case AnyParam:
			s.SetUint16(typeAny, anyParam)
			s.SetUint64(typeScope, uint64(t.Scope))
			s.SetUint16(typeIndex, t.Index)
		case AnyMethodParam:
			s.SetUint16(typeAny, anyMethodParam)
			s.SetUint16(typeIndex, t.Index)
		default:
			s.SetUint16(typeAny, anyUnconstrained)
			s.SetUint16(typeIndex, uint16(t.Any))
		}
	}
}

func buildBrand(s segment.StructBuilder, ptr uint16, b Brand) {
	if len(b) > 0 {
		buildScopes(s.NewStruct(ptr, brandSize), b)
	}
}

func buildScopes(s segment.StructBuilder, b Brand) {
	if len(b) == 0 {
		return
	}
	buildList(s, brandScopesPtr, scopeSize, b, func(s segment.StructBuilder, e *BrandScope) {
		s.SetUint64(scopeID, uint64(e.Scope))
		if e.Inherit {
			s.SetUint16(scopeInherit, 1)
			return
		}
		buildList(s, scopeBindPtr, bindingSize, e.Bind, func(s segment.StructBuilder, t **Type) {
			if *t != nil {
				s.SetUint16(bindingIsType, 1)
				buildType(s.NewStruct(bindingTypePtr, typeSize), *t)
			}
		})
	})
}

func buildValue(s segment.StructBuilder, v Value) {
	s.SetUint16(valueKind, uint16(v.Kind))
	switch v.Kind {
	case Void, InterfaceType:
	case Bool:
		s.SetBool(valueBit, v.Bits != 0)
	case Int8, Uint8:
		s.SetUint8(value8, uint8(v.Bits))
	case Int16, Uint16, EnumType:
		s.SetUint16(value16, uint16(v.Bits))
	case Int32, Uint32, Float32:
		s.SetUint32(value32, uint32(v.Bits))
	case Int64, Uint64, Float64:
		s.SetUint64(value64, v.Bits)
	default:
		s.Ptr(valuePtrAt).Set(v.Ptr)
	}
}

// buildSource writes the doc comments of n as a struct SourceInfo.
func (n *Node) buildSource(s segment.StructBuilder) {
	s.SetUint64(sourceID, uint64(n.ID))
	buildDoc(s, sourceDocPtr, n.Doc)
	docs := n.memberDocs()
	if len(docs) == 0 && n.Kind != KindEnum && n.Kind != KindInterface {
		return
	}
	buildList(s, sourceMembersPtr, memberSize, docs, func(s segment.StructBuilder, doc **string) {
		buildDoc(s, memberDocPtr, **doc)
	})
}

func buildDoc(s segment.StructBuilder, ptr uint16, doc string) {
	if doc != "" {
		s.SetText(ptr, doc)
	}
}

// documented tells whether n or a member of it has a doc comment.
func (n *Node) documented() bool {
	return n.Doc != "" || slices.ContainsFunc(n.memberDocs(), func(doc *string) bool { return *doc != "" })
}

// memberDocs gives the doc comments of n's members, to be read or set.
func (n *Node) memberDocs() []*string {
	var docs []*string
	switch {
	case n.Struct != nil:
		for i := range n.Struct.Fields {
			docs = append(docs, &n.Struct.Fields[i].Doc)
		}
	case n.Enum != nil:
		for i := range n.Enum.Enumerants {
			docs = append(docs, &n.Enum.Enumerants[i].Doc)
		}
	case n.Interface != nil:
		for i := range n.Interface.Methods {
			docs = append(docs, &n.Interface.Methods[i].Doc)
		}
	}
	return docs
}
