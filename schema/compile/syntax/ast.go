package syntax

import "github.com/fairlead-go/fairlead/schema"

// Span is a range of bytes of a source: from Start up to End, which lies after
// its last byte. The zero Span stands for nothing, or for the start of a file.
type Span struct {
	Start, End uint32
}

// Name is an identifier and where it stands. Text shares the memory of the
// source; strings.Clone it where it outlives the File.
type Name struct {
	Text string
	Span Span
}

// Number is a number after an @: an id or an ordinal. Its Span is that of the
// digits, without the @.
type Number struct {
	Value uint64
	Span  Span
}

// IsSet tells whether the source has the number at all.
func (n Number) IsSet() bool { return n.Span.End != 0 }

// File is a schema's source and what it declares. It is not changed after
// [Parse] has returned it, so that many goroutines may read it.
type File struct {
	Name string
	// Text is the source as it was given.
	Text string
	// ID is not set if the source has none.
	ID          Number
	Doc         string // the doc comment of the id
	Annotations []Annotation
	Decls       []*Decl
	// Value is what [ParseValue] has read; nil in schemas.
	Value *Expr

	lines lineTable
}

// DeclKind tells what a Decl declares.
type DeclKind uint8

// The kinds of declarations.
const (
	Using DeclKind = iota + 1
	Const
	Enum
	Enumerant
	Struct
	Field
	Union
	Group
	Interface
	Method
	AnnotationDecl
)

// Decl is a statement that declares something. Which fields are used depends on
// Kind; the others are zero.
type Decl struct {
	Kind DeclKind
	// Span is the whole statement, up to and with its semicolon or closing brace.
	Span Span
	// Name is empty for an unnamed union; its Span is then that of the word union.
	// A using without a name has the last name of its target.
	Name Name
	// ID is the number of a const, enum, struct, interface or annotation, if it
	// has one.
	ID Number
	// Ordinal is the number of an enumerant, field or method, and of a union that
	// has one (written @N!).
	Ordinal Number
	// Params are the generic parameters of a struct or an interface, or the
	// implicit ones of a method.
	Params      []Name
	Annotations []Annotation
	// Members are the statements in the braces, in the order of the source.
	Members []*Decl

	// Type is the type of a const, field or annotation, and what a using refers to.
	Type *Expr
	// Value is the value of a const and the default of a field, nil without one.
	Value *Expr
	// Extends are an interface's superclasses.
	Extends []*Expr
	// Targets is what an annotation may be put on.
	Targets schema.Target
	// Args are a method's parameters; Results is nil where the source has no ->.
	Args, Results *ParamList

	// Doc is the doc comment: lines that each end in a newline, or "".
	Doc string
}

// ParamList is the parameters or the results of a method.
type ParamList struct {
	Span Span
	// Type is a struct that stands for the list, which then has no Params; nil if
	// the list is written out. Stream is set, and Type nil, for the results of a
	// streaming method: the word stream.
	Type   *Expr
	Stream bool
	Params []Param
}

// Param is one parameter or result of a method.
type Param struct {
	Span        Span
	Name        Name
	Type        *Expr
	Value       *Expr // the default, nil without one
	Annotations []Annotation
}

// Annotation is the use of an annotation: $name or $name(value).
type Annotation struct {
	Span Span
	// Name is the annotation itself: a name, a member of something, or an import.
	Name *Expr
	// Value is nil if none is given. It is a tuple if several values are given or
	// the one that is has a name.
	Value *Expr
}

// ExprKind tells what an Expr is.
type ExprKind uint8

// The kinds of expressions.
const (
	// Bad stands where an error has been reported: whoever meets it says nothing
	// more.
	Bad ExprKind = iota
	// Int is an integer, of the value Bits; with Neg, it is minus Bits.
	Int
	// Float is a floating-point number; Neg is already part of it. So is -inf; inf
	// and nan are names.
	Float
	// String is one or more string literals; Text is what they say.
	String
	// Data is a data literal; Text holds its bytes.
	Data
	// RelName is a name to be looked up from the scope it stands in: Text.
	RelName
	// AbsName is a name to be looked up in the file's scope, written .Name.
	AbsName
	// Member is the member Text of Base, written Base.Text.
	Member
	// Apply is Base(Args).
	Apply
	// List is [Args].
	List
	// Tuple is (Args). A single value in parentheses without a name is not a
	// tuple but that value.
	Tuple
	// Import is import "Text".
	Import
	// Embed is embed "Text".
	Embed
)

// Expr is a type or a value: both share one grammar, and only names tell them
// apart.
type Expr struct {
	Kind ExprKind
	Neg  bool
	Span Span
	// Bits is an integer's magnitude or a float's IEEE 754 bits.
	Bits uint64
	// Text is a name, a string, the bytes of a data literal, or a path. Names and
	// plain strings share the memory of the source.
	Text string
	// TextSpan is where the name or the path alone stands, within Span.
	TextSpan Span
	Base     *Expr
	Args     []Arg
}

// Arg is an item of a list, a tuple or an application.
type Arg struct {
	// Name is empty if the source gives none, as always in lists.
	Name  Name
	Value *Expr
}

// Float gives the number of a Float or an Int as a float; 0 for other kinds.
func (e *Expr) Float() float64 { return e.float() }
