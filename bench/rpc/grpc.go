package rpcbench

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/fairlead-go/fairlead/bench/rpc/schema/grpcgen"
)

const grpcModule = "google.golang.org/grpc"

// errNoFutures and errNoPromises say what gRPC-Go can't do.
var (
	errNoFutures  = errors.New("gRPC-Go has no futures: a call waits")
	errNoPromises = errors.New("gRPC has no objects and no promises: nothing can be called before it is there")
)

func grpcLibrary() library {
	return library{
		serve: func(l link) (string, error) {
			if l.transport != "tls" {
				ln, err := listen(l)
				if err != nil {
					return "", err
				}
				serveGRPC(ln, insecure.NewCredentials())
				return ln.Addr().String(), nil
			}
			config, err := serverTLS(l.dir)
			if err != nil {
				return "", err
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return "", err
			}
			serveGRPC(ln, credentials.NewTLS(config))
			return ln.Addr().String(), nil
		},
		dial: func(_ context.Context, l link) (caller, error) {
			switch l.transport {
			case "unix":
				return dialGRPC("unix://"+l.socketPath(), insecure.NewCredentials())
			case "tls":
				config, err := clientTLS(l.dir)
				if err != nil {
					return nil, err
				}
				return dialGRPC(l.endpoint, credentials.NewTLS(config))
			}
			return dialGRPC(l.endpoint, insecure.NewCredentials())
		},
		local: func() (caller, error) {
			ln := bufconn.Listen(1 << 20)
			serveGRPC(ln, insecure.NewCredentials())
			return dialGRPC("passthrough:local", insecure.NewCredentials(),
				grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return ln.DialContext(ctx) }))
		},
	}
}

func serveGRPC(ln net.Listener, c credentials.TransportCredentials) {
	s := grpc.NewServer(grpc.Creds(c))
	grpcgen.RegisterBenchServer(s, grpcServer{})
	go s.Serve(ln)
}

func dialGRPC(target string, c credentials.TransportCredentials, options ...grpc.DialOption) (caller, error) {
	conn, err := grpc.NewClient(target, append(options, grpc.WithTransportCredentials(c))...)
	if err != nil {
		return nil, err
	}
	return &grpcCaller{ctx: context.Background(), conn: conn, bench: grpcgen.NewBenchClient(conn)}, nil
}

// grpcServer is the server.
type grpcServer struct {
	grpcgen.UnimplementedBenchServer
}

func (grpcServer) Add(_ context.Context, p *grpcgen.Pair) (*grpcgen.Number, error) {
	return &grpcgen.Number{Value: p.GetA() + p.GetB()}, nil
}

func (grpcServer) Echo(_ context.Context, b *grpcgen.Blob) (*grpcgen.Blob, error) { return b, nil }

func (grpcServer) Step(_ context.Context, n *grpcgen.Number) (*grpcgen.Number, error) {
	return &grpcgen.Number{Value: n.GetValue() + 1}, nil
}

func (grpcServer) Sink(s grpcgen.Bench_SinkServer) error {
	var to *sink
	for {
		c, err := s.Recv()
		switch {
		case errors.Is(err, io.EOF) && to != nil:
			return s.SendAndClose(&grpcgen.Total{Bytes: to.bytes, Hash: uint64(to.hash)})
		case err != nil:
			return err
		case to == nil:
			to = newSink(c.GetWhole())
		}
		to.put(c.GetData())
	}
}

func (grpcServer) Sleep(_ context.Context, n *grpcgen.Number) (*grpcgen.Nothing, error) {
	time.Sleep(time.Duration(n.GetValue()) * time.Microsecond)
	return &grpcgen.Nothing{}, nil
}

// grpcCaller is the client.
type grpcCaller struct {
	ctx   context.Context
	conn  *grpc.ClientConn
	bench grpcgen.BenchClient
}

func (c *grpcCaller) close() error { return c.conn.Close() }

func (c *grpcCaller) add(a, b int64) (int64, error) {
	n, err := c.bench.Add(c.ctx, &grpcgen.Pair{A: a, B: b})
	if err != nil {
		return 0, err
	}
	return n.GetValue(), nil
}

func (c *grpcCaller) addAll([][2]int64, []int64) error { return errNoFutures }

func (c *grpcCaller) echo(data []byte, look func([]byte)) error {
	b, err := c.bench.Echo(c.ctx, &grpcgen.Blob{Data: data})
	if err != nil {
		return err
	}
	look(b.GetData())
	return nil
}

// chain gives the number of one step to the next, and last to one that adds
// nothing, which is as much work as to read the last object.
func (c *grpcCaller) chain(start int64, pipelined bool) (int64, error) {
	if pipelined {
		return 0, errNoPromises
	}
	n := &grpcgen.Number{Value: start}
	for range chainAdds {
		var err error
		if n, err = c.bench.Step(c.ctx, n); err != nil {
			return 0, err
		}
	}
	return c.add(n.GetValue(), 0)
}

func (c *grpcCaller) stream(n int, whole bool, chunk func(int) []byte) (bytes, hash uint64, err error) {
	s, err := c.bench.Sink(c.ctx)
	if err != nil {
		return 0, 0, err
	}
	for i := range n {
		if err := s.Send(&grpcgen.Chunk{Data: chunk(i), Whole: whole}); err != nil {
			break // CloseAndRecv tells why
		}
	}
	total, err := s.CloseAndRecv()
	if err != nil {
		return 0, 0, err
	}
	return total.GetBytes(), total.GetHash(), nil
}

func (c *grpcCaller) sleeper() (func(uint32) error, error) {
	return func(micros uint32) error {
		_, err := c.bench.Sleep(c.ctx, &grpcgen.Number{Value: int64(micros)})
		return err
	}, nil
}
