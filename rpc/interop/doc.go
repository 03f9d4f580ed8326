// Package interop holds the tests of package rpc against the C++ reference,
// libcapnp-rpc: each side as the server and as the client of the same
// scenarios, over unix sockets and TCP. Of its own it has only the generated
// code of their schema.
//
// The peers are the programs of testdata/server.c++ and testdata/client.c++,
// which the tests compile. Where the compiler, the capnp tool or the library is
// not installed the tests are skipped; they fail if the environment has
// FAIRLEAD_REQUIRE_PEERS=1.
package interop

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen --package interop -o interop.capnp.go testdata/interop.capnp
