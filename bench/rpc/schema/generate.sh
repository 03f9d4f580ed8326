#!/bin/sh
# Regenerates the code of calls.capnp and calls.proto: go-capnp's and gRPC's. It
# needs capnp and protoc; the Go plug-ins come from go.mod, but that of gRPC, which
# is a module of its own.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

go build -o "$work/capnpc-go" capnproto.org/go/capnp/v3/capnpc-go
go build -o "$work/protoc-gen-go" google.golang.org/protobuf/cmd/protoc-gen-go
GOBIN="$work" go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PATH="$work:$PATH"

# The schema stays free of Go's annotations, because the C++ compiler of the
# same run must read it without go.capnp at hand.
std=$(go list -m -f '{{.Dir}}' capnproto.org/go/capnp/v3)/std
{
	cat calls.capnp
	echo 'using Go = import "/go.capnp";'
	echo '$Go.package("capnpgen");'
	echo '$Go.import("github.com/fairlead-go/fairlead/bench/rpc/schema/capnpgen");'
} >"$work/calls.capnp"
mkdir -p capnpgen fairleadgen grpcgen
capnp compile --src-prefix="$work" -I"$std" -ogo:capnpgen "$work/calls.capnp"
protoc --go_out=grpcgen --go_opt=paths=source_relative \
	--go-grpc_out=grpcgen --go-grpc_opt=paths=source_relative calls.proto
gofmt -w capnpgen grpcgen
