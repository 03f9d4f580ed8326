#!/bin/sh
# Regenerates the rivals' Go code from the schemas of this folder. It needs
# capnp, protoc and flatc; the Go plug-ins come from this module's go.mod.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go build -o "$work/capnpc-go" capnproto.org/go/capnp/v3/capnpc-go
go build -o "$work/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
PATH="$work:$PATH"

# The schema stays free of Go's annotations, because the C++ compiler of the
# same run must read them without go.capnp at hand.
std=$(go list -m -f '{{.Dir}}' capnproto.org/go/capnp/v3)/std
{
	cat bench.capnp
	echo 'using Go = import "/go.capnp";'
	echo '$Go.package("capnpgen");'
	echo '$Go.import("github.com/fairlead-go/fairlead/bench/schema/capnpgen");'
} >"$work/bench.capnp"
mkdir -p capnpgen protogen
capnp compile --src-prefix="$work" -I"$std" -ogo:capnpgen "$work/bench.capnp"
protoc --go_out=protogen --go_opt=paths=source_relative bench.proto
rm -rf flatgen
flatc --go -o . bench.fbs
gofmt -w capnpgen protogen flatgen
