// Package persistent is the generated code of the standard schema
// persistent.capnp: the interface Persistent, by whose method save a client gets a
// reference to an object that outlives its connection. Interfaces that extend it
// need it; package rpc/sturdy is what programs save and restore with.
//
// The schema is the Cap'n Proto project's, under the MIT License, and so are its
// comments here: see schema/compile/std/capnp/persistent.capnp.
package persistent

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen --package persistent -o persistent.capnp.go ../../schema/compile/std/capnp/persistent.capnp
