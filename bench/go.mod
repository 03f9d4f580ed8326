module github.com/fairlead-go/fairlead/bench

go 1.26.0

require (
	capnproto.org/go/capnp/v3 v3.0.0-alpha.30
	github.com/go-zeromq/zmq4 v0.17.0
	github.com/google/flatbuffers v25.12.19+incompatible
	github.com/pebbe/zmq4 v1.4.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sys v0.49.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require (
	github.com/edsrzf/mmap-go v1.2.0 // indirect
	github.com/go-zeromq/goczmq/v4 v4.2.2 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
)

require (
	github.com/fairlead-go/fairlead v0.0.0
	golang.org/x/sync v0.24.0 // indirect
	zenhack.net/go/util v0.0.0-20230414204917-531d38494cf5 // indirect
)

replace github.com/fairlead-go/fairlead => ../

replace zenhack.net/go/util => ./standin/zenhack-util

tool (
	capnproto.org/go/capnp/v3/capnpc-go
	google.golang.org/protobuf/cmd/protoc-gen-go
)
