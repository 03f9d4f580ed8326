// Package schema is the model of Cap'n Proto schemas. Most programs need none of
// it: they use values through generated code (package codegen and "fairlead gen")
// or by name (package dynamic).
//
// A schema is a set of nodes ([Node]), each with an id of 64 bits that names it
// everywhere. Nodes come from the text of .capnp files (package
// schema/compile), from the CodeGeneratorRequest that a compiler hands to its
// plugins ([ReadRequest]), from generated code ([Unpack]), or from a peer
// ([ReadNode]); all of them meet in a [Registry], which checks what comes from
// outside before anything uses it:
//
//	req, err := schema.ReadRequest(msg)
//	reg := schema.NewRegistry()
//	err = reg.Add(req.Nodes...)
//	node, ok := reg.Node(id)
//
// The model follows schema.capnp of the Cap'n Proto distribution, whose names
// and numbers it keeps, but is made of Go values: a Node is read without a
// message, and may be kept and shared for as long as one likes.
//
// # Generics
//
// The type of a field may be a parameter of the struct that it stands in, or of
// a scope around that. What it is in a place where the struct is used, the brand
// there tells: [Type.Bind] puts the two together. A parameter that nothing is
// bound to is AnyPointer.
//
// # Versions
//
// [Compatible] tells how two versions of a schema differ, and whom each change
// breaks: those who read old data, programs that are not updated, peers in a
// call, or only the source of programs. A Registry keeps the newer of two
// versions of a node.
//
// # Untrusted schemas
//
// Reading takes memory in proportion to a message, within fixed limits
// ([MaxNodes], [MaxDepth]). What a Registry has accepted can be walked without
// further checks: fields lie within their struct, every group is reached by one
// path, lists have elements, scopes and superclasses come to an end. Names of
// members are identifiers, display names have no control characters. What still
// has to be looked at is whether a node that another refers to is there at all.
package schema
