package schema

import "strconv"

// TypeKind tells what a Type is before its parameters.
type TypeKind uint8

// The kinds of types, numbered as the unions Type and Value in schema.capnp.
const (
	Void TypeKind = iota
	Bool
	Int8
	Int16
	Int32
	Int64
	Uint8
	Uint16
	Uint32
	Uint64
	Float32
	Float64
	Text
	Data
	ListType
	EnumType
	StructType
	InterfaceType
	AnyPointer
)

var typeNames = [...]string{
	"Void", "Bool", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
	"Text", "Data", "List", "enum", "struct", "interface", "AnyPointer",
}

// String names the kind as the schema language does.
func (k TypeKind) String() string {
	if int(k) < len(typeNames) {
		return typeNames[k]
	}
	return "type " + strconv.Itoa(int(k))
}

// IsPointer tells whether values of the kind lie in the pointer section.
func (k TypeKind) IsPointer() bool {
	return k == Text || k == Data || k == ListType || k >= StructType
}

// Bits gives the size of a value in the data section, 0 for Void and pointers.
func (k TypeKind) Bits() uint32 {
	switch k {
	case Bool:
		return 1
	case Int8, Uint8:
		return 8
	case Int16, Uint16, EnumType:
		return 16
	case Int32, Uint32, Float32:
		return 32
	case Int64, Uint64, Float64:
		return 64
	}
	return 0
}

// AnyKind tells which of the pointers that have no type of their own is meant.
type AnyKind uint8

// The kinds of AnyPointer.
const (
	// AnyAny is AnyPointer itself.
	AnyAny AnyKind = iota
	// AnyStruct, AnyList and AnyCapability hold any object of that sort.
	AnyStruct
	AnyList
	AnyCapability
	// AnyParam is the generic parameter Index of the node Scope.
	AnyParam
	// AnyMethodParam is the generic parameter Index of the method.
	AnyMethodParam
)

// Type is the type of a field, a constant, an annotation or a list's elements.
type Type struct {
	Kind TypeKind
	// Elem is the type of a list's elements.
	Elem *Type
	// ID is the node of an enum, a struct or an interface, and Brand what its
	// generic parameters are bound to.
	ID    ID
	Brand Brand
	// Any tells more of AnyPointer; Scope and Index name a generic parameter.
	Any   AnyKind
	Scope ID
	Index uint16
}

// Brand binds the generic parameters of a node and of the scopes around it,
// innermost first. A scope that binds nothing is left out.
type Brand []BrandScope

// BrandScope binds the parameters of one node.
type BrandScope struct {
	Scope ID
	// Inherit is set where the parameters are those of the scope that the type
	// is used in; else Bind has one type for each, nil where none is given.
	Inherit bool
	Bind    []*Type
}

// Bind gives t as it is seen through env, the brand of the type in which t
// stands: a generic parameter becomes what env binds it to, and one that env
// does not bind becomes AnyPointer. What env inherits stays a parameter, and so
// does a method's own. The result shares memory with t and env.
func (t Type) Bind(env Brand) Type {
	switch t.Kind {
	case ListType:
		if t.Elem.Kind.IsPointer() {
			elem := t.Elem.Bind(env)
			t.Elem = &elem
		}
	case EnumType, StructType, InterfaceType:
		t.Brand = t.Brand.Bind(env)
	case AnyPointer:
		if t.Any != AnyParam {
			break
		}
		scope := env.Scope(t.Scope)
		switch {
		case scope != nil && scope.Inherit:
		case scope != nil && int(t.Index) < len(scope.Bind) && scope.Bind[t.Index] != nil:
			return *scope.Bind[t.Index]
		default:
			return Type{Kind: AnyPointer}
		}
	}
	return t
}

// Bind gives b as it is seen through env. See [Type.Bind].
func (b Brand) Bind(env Brand) Brand {
	if len(b) == 0 {
		return nil
	}
	out := make(Brand, 0, len(b))
	for _, scope := range b {
		if scope.Inherit {
			if outer := env.Scope(scope.Scope); outer != nil {
				out = append(out, *outer)
			}
			continue
		}
		bound := BrandScope{Scope: scope.Scope, Bind: make([]*Type, len(scope.Bind))}
		for i, t := range scope.Bind {
			if t != nil {
				u := t.Bind(env)
				bound.Bind[i] = &u
			}
		}
		out = append(out, bound)
	}
	return out
}

// Scope gives what b says of the parameters of the node id, or nil.
func (b Brand) Scope(id ID) *BrandScope {
	for i := range b {
		if b[i].Scope == id {
			return &b[i]
		}
	}
	return nil
}
