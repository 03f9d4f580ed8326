// Package codegen makes Go source from Cap'n Proto schemas: one Go file for one
// schema file, by [Generate]. Programs run it as "fairlead gen", mostly from a
// line such as
//
//	//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen addressbook.capnp
//
// # What is generated
//
// A struct Person becomes two types, Person to read it and PersonBuilder to
// build it, which are package segment's Struct and StructBuilder under names of
// their own, so that they cost what these do. Their methods know where the
// fields lie:
//
//	Name() string, NameBytes() []byte   a text, copied and as it lies in the message
//	HasName() bool                      whether a pointer is not null
//	SetName(v)                          sets a field; structs and lists are copied
//	NewPhones(n), NewAddress()          a new list or struct in place of the old
//	Phones(), Address()                 of the builder: what is there, to be edited; a null
//	                                    struct is made, a default is copied
//	MatrixAt(i), NewMatrixAt(i, n)      an element of a list of lists
//	SetExternalImage(v, release)        data that stays where it is
//	RootPerson(msg), NewRootPerson(msg) the root of a message
//	NewPerson(p)                        a struct under any pointer
//	Reader()                            what a builder has built, for reading
//
// A group is a pair of types too, whose methods the struct's method for the
// group leads to. A union has a type and constants that tell its members
// (PersonWhich, PersonEmail) and Which methods; setting a member selects it.
// A group that is a union's member is cleared when it is selected, by NewX or
// by the first X, since its fields lie where others did. A getter of a member
// that is not selected reads what lies there, so ask Which first.
//
// Enums have String and a Parse function. Constants are Go's where Go has such,
// and functions for objects. The constant Schema carries the schema to programs
// that want to look at it. Generic parameters become AnyPointer, which is
// segment's Ptr: Person(p.Struct()) reads one and NewPerson(p) makes one.
//
// An interface becomes a client, a Go interface for those who serve it, and for
// each method a type for the call and one for its answer; see package rpc.
//
// # Names
//
// The Go name of a declaration is the names of all that it stands in, and then
// its own: Person.PhoneNumber.Type becomes PersonPhoneNumberType and its value
// mobile PersonPhoneNumberTypeMobile. A group that is a member of a union has
// Group behind it, as the name without it is that of the constant. The first
// letter becomes a capital one, and words such as id and url are written ID and
// URL, by a list that does not change.
//
// The whole path and not the shortest name that is still unique, for two
// reasons. A name that depends on its neighbours changes when one is added: the
// second Type in a file would rename the first, in programs that had nothing to
// do with it. And whoever generates code may not know the neighbours: of a file
// that is imported, a request from the capnp tool has only the declarations
// that are used, so the code for the importing file could not tell under which
// name the code for the imported one has them. Who wants another name gives it
// in the schema: $Go.name("Phone") on PhoneNumber makes that its whole Go name,
// and the Type inside becomes PhoneType, in every file.
//
// Names that would collide get an underscore behind them. Where it is one of
// two fields, that is the one with the higher ordinal, so that a field that is
// added never renames another; of two declarations it is the one that is nested
// deeper, and then the one that comes later. Fields called which and reader
// always have one, and so do methods that rpc.Client has.
//
// # Packages
//
// The annotations of go.capnp that users of go-capnp have in their schemas say
// where the code lies: $Go.package and $Go.import. $Go.name, $Go.doc, $Go.tag
// and $Go.notag work as there, but that $Go.name is the whole name of a type.
// [Options] come before annotations. Several files can make up a package; the
// constant Schema then has the file's name in front, if the request shows it.
package codegen
