package rpcbench

import (
	_ "embed" // the C++ program is compiled at run time

	"github.com/fairlead-go/fairlead/bench/cpp"
	"github.com/fairlead-go/fairlead/bench/rpc/schema"
)

//go:embed rpc.c++
var cppSource []byte

// cppProgram is the contestant on libcapnp-rpc.
var cppProgram = cpp.Program{
	Name:    "rpc",
	Source:  cppSource,
	Schemas: map[string][]byte{"calls.capnp": schema.Capnp},
	// Debian has libkj-tls with the others, but libssl's own files apart.
	Links: [][]string{
		{"-l:libcapnp-rpc.a", "-l:libcapnp.a", "-l:libkj-tls.a", "-l:libkj-async.a", "-l:libkj.a", "-lssl", "-lcrypto", "-lpthread"},
		{"-lcapnp-rpc", "-lcapnp", "-lkj-tls", "-lkj-async", "-lkj", "-lpthread"},
	},
}
