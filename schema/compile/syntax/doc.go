// Package syntax reads the text of Cap'n Proto schemas: it turns a .capnp file
// into declarations and expressions with their places in the source ([Parse]),
// the text form of values into expressions ([ParseValue]), and lays schemas out
// in one canonical way ([Format]).
//
// It knows the grammar alone. What names mean, which types fit and where the
// fields lie is the work of package compile.
//
// The source is not trusted: whatever it holds, parsing ends soon and in
// bounded memory, with errors that say where (see the limits below), and
// nothing in it makes the package panic.
//
// A parse error ends only the statement that it is in, so that one run reports
// all of a file. Where the capnp tool has a message for an error, the words are
// the same, so that a search finds them.
package syntax
