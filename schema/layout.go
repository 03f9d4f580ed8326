package schema

import "github.com/fairlead-go/fairlead/segment"

// Where the fields of schema.capnp's structs lie. Fields of the data section
// are given by their byte offset, but flags by their bit; those whose names end
// in Ptr by their index in the pointer section. Members of one union share
// their places.
//
// The layout is that of schema.capnp in Cap'n Proto 0.9.2, to which version 1.0
// adds the two last fields of Node.

// struct Node
const (
	nodeID        = 0
	nodePrefixLen = 8
	nodeKind      = 12
	nodeScope     = 16
	nodeGenericAt = 288 // bit
	nodeStart     = 40
	nodeEnd       = 44

	nodeNamePtr        = 0
	nodeNestedPtr      = 1
	nodeAnnotationsPtr = 2
	nodeParamsPtr      = 5

	// Member struct.
	structDataWords          = 14
	structPtrs               = 24
	structListEncoding       = 26
	structIsGroupAt          = 224 // bit
	structDiscriminants      = 30
	structDiscriminantOffset = 32
	structFieldsPtr          = 3

	// Member enum.
	enumEnumerantsPtr = 3

	// Member interface.
	interfaceMethodsPtr = 3
	interfaceExtendsPtr = 4

	// Member const.
	constTypePtr  = 3
	constValuePtr = 4

	// Member annotation. The targets are twelve bits of one uint16.
	declaredTargets = 14
	declaredTypePtr = 3
)

// struct Node.Parameter, and struct Node.NestedNode
const (
	paramNamePtr = 0

	nestedID      = 0
	nestedNamePtr = 0
)

// struct Node.SourceInfo, and struct Member in it
const (
	sourceID         = 0
	sourceDocPtr     = 0
	sourceMembersPtr = 1

	memberDocPtr = 0
)

// struct Field
const (
	fieldCodeOrder      = 0
	fieldDiscriminant   = 2 // XOR NoDiscriminant
	fieldOffset         = 4
	fieldIsGroup        = 8 // 0: a slot, 1: a group
	fieldHasOrdinal     = 10
	fieldOrdinal        = 12
	fieldHasDefaultAt   = 128 // bit
	fieldGroup          = 16
	fieldNamePtr        = 0
	fieldAnnotationsPtr = 1
	fieldTypePtr        = 2
	fieldDefaultPtr     = 3
)

// struct Enumerant
const (
	enumerantCodeOrder      = 0
	enumerantNamePtr        = 0
	enumerantAnnotationsPtr = 1
)

// struct Superclass
const (
	superclassID       = 0
	superclassBrandPtr = 0
)

// struct Method
const (
	methodCodeOrder         = 0
	methodParams            = 8
	methodResults           = 16
	methodNamePtr           = 0
	methodAnnotationsPtr    = 1
	methodParamBrandPtr     = 2
	methodResultBrandPtr    = 3
	methodImplicitParamsPtr = 4
)

// struct Type
const (
	typeKind  = 0
	typeID    = 8 // enum, struct, interface
	typeAny   = 8 // 0: unconstrained, 1: a parameter, 2: a method's parameter
	typeIndex = 10
	typeScope = 16

	typeElemPtr  = 0 // list
	typeBrandPtr = 0 // enum, struct, interface
)

// What is at typeAny of an AnyPointer. At typeIndex stands, for the first, one
// of the four kinds from AnyAny to AnyCapability, and else the parameter's index.
const (
	anyUnconstrained = iota
	anyParam
	anyMethodParam
)

// struct Brand, and structs Scope and Binding in it
const (
	brandScopesPtr = 0

	scopeID      = 0
	scopeInherit = 8 // 0: bind, 1: inherit
	scopeBindPtr = 0

	bindingIsType  = 0 // 0: unbound, 1: a type
	bindingTypePtr = 0
)

// struct Value. The numbers share the places of their sizes.
const (
	valueKind  = 0
	valueBit   = 16 // bit
	value8     = 2
	value16    = 2
	value32    = 4
	value64    = 8
	valuePtrAt = 0
)

// struct Annotation
const (
	annotationID       = 0
	annotationValuePtr = 0
	annotationBrandPtr = 1
)

// struct CodeGeneratorRequest, and structs CapnpVersion, RequestedFile and
// Import
const (
	requestNodesPtr   = 0
	requestFilesPtr   = 1
	requestVersionPtr = 2
	requestSourcePtr  = 3

	versionMajor = 0
	versionMinor = 2
	versionMicro = 3

	fileID         = 0
	fileNamePtr    = 0
	fileImportsPtr = 1

	importID      = 0
	importNamePtr = 0
)

// The sizes of those structs.
var (
	paramSize      = segment.Size{Ptrs: 1}
	nestedSize     = segment.Size{DataWords: 1, Ptrs: 1}
	sourceSize     = segment.Size{DataWords: 1, Ptrs: 2}
	memberSize     = segment.Size{Ptrs: 1}
	fieldSize      = segment.Size{DataWords: 3, Ptrs: 4}
	enumerantSize  = segment.Size{DataWords: 1, Ptrs: 2}
	superclassSize = segment.Size{DataWords: 1, Ptrs: 1}
	methodSize     = segment.Size{DataWords: 3, Ptrs: 5}
	typeSize       = segment.Size{DataWords: 3, Ptrs: 1}
	brandSize      = segment.Size{Ptrs: 1}
	scopeSize      = segment.Size{DataWords: 2, Ptrs: 1}
	bindingSize    = segment.Size{DataWords: 1, Ptrs: 1}
	valueSize      = segment.Size{DataWords: 2, Ptrs: 1}
	annotationSize = segment.Size{DataWords: 1, Ptrs: 2}
	requestSize    = segment.Size{Ptrs: 4}
	versionSize    = segment.Size{DataWords: 1}
	fileSize       = segment.Size{DataWords: 1, Ptrs: 2}
	importSize     = segment.Size{DataWords: 1, Ptrs: 1}
)

// NodeSize is the size of the struct Node that [Node.Build] fills.
var NodeSize = segment.Size{DataWords: 6, Ptrs: 6}
