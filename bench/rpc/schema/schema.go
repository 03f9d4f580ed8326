// Package schema has the interfaces of the RPC suite in the languages of its
// contestants, and the code generated from them in its subfolders.
package schema

import _ "embed" // the C++ contestant compiles the schema at run time

//go:generate sh generate.sh
//go:generate go -C ../../.. run ./cmd/fairlead gen --package fairleadgen -o bench/rpc/schema/fairleadgen/calls.capnp.go bench/rpc/schema/calls.capnp

// Capnp is the source of calls.capnp.
//
//go:embed calls.capnp
var Capnp []byte
