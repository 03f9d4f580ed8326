package schema

import (
	"fmt"
	"strconv"
)

// ID is the id of a node: of a file, a type, a constant or an annotation. Bit
// 63 is set in every id that is valid; 0 stands for none.
type ID uint64

// String gives the id as a schema writes it, such as @0xa93fc509624c72d9.
func (id ID) String() string { return "@0x" + fmt.Sprintf("%016x", uint64(id)) }

// Kind tells what a Node declares.
type Kind uint8

// The kinds of nodes, numbered as the union of Node in schema.capnp.
const (
	KindFile Kind = iota
	KindStruct
	KindEnum
	KindInterface
	KindConst
	KindAnnotation
)

var kindNames = [...]string{"file", "struct", "enum", "interface", "const", "annotation"}

// String names the kind as the schema language does.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// Node is one declaration of a schema: what schema.capnp calls Node, as Go
// values. Exactly the member that Kind names is set of Struct, Enum, Interface,
// Const and Declared; a file has none.
//
// A Node is not changed once it is in a Registry, so that any number of
// goroutines may read it. Names, ids and types that refer to other nodes are
// resolved by the Registry.
type Node struct {
	ID ID
	// DisplayName is the file's name and the path to the declaration, such as
	// "addressbook.capnp:Person.PhoneNumber".
	DisplayName string
	// PrefixLen is how many bytes of DisplayName stand before the node's own name.
	PrefixLen int
	// Scope is the node that this one is declared in: 0 for a file, and for the
	// struct of a method's parameters or results.
	Scope ID
	// Params are the generic parameters; Generic is also set where only an
	// enclosing scope has some.
	Params  []string
	Generic bool
	// Nested lists the named declarations inside, in the order of the source.
	// Groups are not among them.
	Nested      []Nested
	Annotations []Annotation

	Kind      Kind
	Struct    *Struct
	Enum      *Enum
	Interface *Interface
	Const     *Const
	Declared  *AnnotationDecl

	// Doc is the doc comment: lines that each end in a newline, or "".
	Doc string
	// Start and End are the place in the source, in bytes; 0 if not known.
	Start, End uint32
}

// Name gives the node's own name, the end of its display name.
func (n *Node) Name() string {
	if n.PrefixLen < 0 || n.PrefixLen > len(n.DisplayName) {
		return n.DisplayName
	}
	return n.DisplayName[n.PrefixLen:]
}

// Nested names a declaration inside another.
type Nested struct {
	Name string
	ID   ID
}

// Struct is what a node of KindStruct declares; a group is one too, with the
// sizes of the struct that it is part of.
type Struct struct {
	DataWords, Ptrs uint16
	// ListEncoding is schema.capnp's ElementSize: 7, inline composite, in all
	// that today's compilers make.
	ListEncoding uint16
	IsGroup      bool
	// Discriminants is how many fields are members of the union, 0 without one.
	Discriminants uint16
	// DiscriminantOffset is where the 16 bits lie that tell which member is
	// set, in units of 16 bits.
	DiscriminantOffset uint32
	// Fields are ordered by ordinal; a group stands where its first field does.
	Fields []Field
}

// NoDiscriminant is the discriminant of a field that is in no union.
const NoDiscriminant = 0xffff

// Field is a slot of a struct, or a group in it.
type Field struct {
	Name string
	// CodeOrder is the field's place in the source.
	CodeOrder   uint16
	Annotations []Annotation
	// Discriminant is the value that selects the field in its union, or
	// NoDiscriminant.
	Discriminant uint16
	// Ordinal is the number after the @. A group has none, but a union may; then
	// HasOrdinal is set.
	Ordinal    uint16
	HasOrdinal bool

	// Group is the node of a group; 0 for a slot, which has what follows.
	Group ID
	// Offset of a slot counts the field's own size from the start of the data
	// section, or pointers from the start of the pointer section.
	Offset uint32
	Type   Type
	// Default is never missing: a zero of the type if the schema gives none.
	Default    Value
	HasDefault bool

	Doc string
}

// IsGroup tells whether the field is a group and not a slot.
func (f *Field) IsGroup() bool { return f.Group != 0 }

// InUnion tells whether the field is a member of its struct's union.
func (f *Field) InUnion() bool { return f.Discriminant != NoDiscriminant }

// Enum is what a node of KindEnum declares, ordered by ordinal: the number on
// the wire is the index.
type Enum struct {
	Enumerants []Enumerant
}

// Enumerant is a value of an enum.
type Enumerant struct {
	Name        string
	CodeOrder   uint16
	Annotations []Annotation
	Doc         string
}

// Interface is what a node of KindInterface declares, ordered by ordinal: the
// method's number on the wire is the index.
type Interface struct {
	Methods []Method
	Extends []Superclass
}

// Superclass is an interface that another one extends.
type Superclass struct {
	ID    ID
	Brand Brand
}

// Method is a method of an interface.
type Method struct {
	Name      string
	CodeOrder uint16
	// ImplicitParams are the method's own generic parameters.
	ImplicitParams []string
	Params         ID // the struct of the parameters
	ParamBrand     Brand
	Results        ID // the struct of the results; StreamResultID if it streams
	ResultBrand    Brand
	Annotations    []Annotation
	Doc            string
}

// StreamResultID is the struct StreamResult of /capnp/stream.capnp, which is
// the result of every streaming method.
const StreamResultID ID = 0x995f9a3377c0b16e

// Const is what a node of KindConst declares.
type Const struct {
	Type  Type
	Value Value
}

// Target is what an annotation may be put on.
type Target uint16

// The targets, as the bits of a set.
const (
	TargetFile Target = 1 << iota
	TargetConst
	TargetEnum
	TargetEnumerant
	TargetStruct
	TargetField
	TargetUnion
	TargetGroup
	TargetInterface
	TargetMethod
	TargetParam
	TargetAnnotation

	// TargetAny is the * of the schema language.
	TargetAny Target = 1<<iota - 1
)

// AnnotationDecl is what a node of KindAnnotation declares.
type AnnotationDecl struct {
	Type    Type
	Targets Target
}

// Annotation is an annotation put on a declaration.
type Annotation struct {
	ID    ID // the node of the annotation
	Brand Brand
	Value Value
}
