// Package oracle asks the real libcapnp what it thinks of a message. Only tests
// import it.
//
// [Start] compiles a small C++ program against libcapnp (peer/helper.c++),
// keeps the result in the user's cache folder under the hash of its source, and
// runs it as a long-lived child. Requests go to its standard input and answers
// come from its standard output, many in flight, so that a million mutants of a
// message are minutes and not days. If libcapnp crashes or hangs over a request
// the child is started again, and that request alone is answered with [Crashed]
// or [Hung].
//
//	request  ┌────┬──────┬───────┬─────────┬───────┬─────┬───────┬───────┬───┬───┐
//	         │ op │ type │ flags │ nesting │ limit │ arg │ len A │ len B │ A │ B │
//	         │ u8 │  u8  │  u16  │   u32   │  u64  │ u32 │  u32  │  u32  │   │   │
//	         └────┴──────┴───────┴─────────┴───────┴─────┴───────┴───────┴───┴───┘
//	answer   ┌──────┬────────┬──────┬─────────────┬──────┬─────────┐
//	         │ size │ failed │ kind │ text length │ text │ payload │
//	         │ u32  │   u8   │  u8  │     u16     │      │         │
//	         └──────┴────────┴──────┴─────────────┴──────┴─────────┘
//
// Integers are little-endian; size counts what follows it.
//
// # The dump
//
// A walk prints a message as the struct of testdata/test.capnp that the request
// names, depth first, each pointer followed at most once and in the order below,
// so that two implementations with the same traversal limit run out of it at the
// same field. It is what the peer prints, and what a walker of ours has to.
//
//	value    = struct | list | "t" hex | "d" hex | any | "!" kind
//	struct   = "{" LF [ "?" discriminant LF ] { field } "}"
//	field    = name "=" scalar LF            a scalar that is not all zero bits
//	         | name ":" value LF             a pointer that is not null
//	         | name "~" value LF             a null pointer whose field has a default
//	         | name "(" LF [ "?" discriminant LF ] { field } ")" LF     a group
//	list     = "[" count { " " scalar } "]"                 of scalars
//	         | "[" count "]"                                of Void
//	         | "[" count LF { value LF } "]"                of anything else
//	scalar   = "0" | "1" | decimal | "x" hex                Bool, integer or enum, float's bits
//	any      = "~" | "cap"                                  null, a capability
//	         | "s" bytes "," pointers " " hex "(" LF { any LF } ")"      a struct
//	         | "v[" count "]" | "b[" count { " " bit } "]"   a list of Void, of Bool
//	         | size "[" count " " hex "]"                    of 1, 2, 4 or 8 bytes
//	         | "p[" count LF { any LF } "]"                  of pointers
//	         | "c[" count LF { any LF } "]"                  of structs
//
// Fields come in the schema's order (layout.txt lists it), a union's members
// only if selected, Void never. A scalar's test for zero and its printing are of
// the value, after the default was applied. An element of a list of pointers
// prints as its getter's value, whether it is null or not. A root that is read
// prints as one value and LF.
//
// A pointer that cannot be read prints "!" and the kind of its first fault, and
// the walk goes on with the next field, as a getter that returns the default
// does. A struct in a list is a level of nesting of its own, below the list: a
// list of structs that are too deep, and not empty, prints as a fault itself.
//
// The walk without a schema asks for a pointer's kind first and then for its
// target; libcapnp charges the landing pads of a far pointer both times.
package oracle
