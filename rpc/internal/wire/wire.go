// Package wire has the messages of Cap'n Proto's RPC protocol.
package wire

//go:generate go run github.com/fairlead-go/fairlead/cmd/fairlead gen --package wire rpc.capnp
