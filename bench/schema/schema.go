// Package schema has the shapes of the benchmark messages in the languages of
// all contestants, and the code generated from them in its subfolders.
package schema

import _ "embed" // the C++ contestant compiles the schema at run time

//go:generate sh generate.sh

// Capnp is the source of bench.capnp.
//
//go:embed bench.capnp
var Capnp []byte
