package rpcbench

import (
	"context"
	"errors"
	"net"
	"time"

	capnp "capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/flowcontrol"
	"capnproto.org/go/capnp/v3/rpc"

	"github.com/fairlead-go/fairlead/bench/rpc/schema/capnpgen"
)

const goCapnpModule = "capnproto.org/go/capnp/v3"

// errWrongPipeline says why go-capnp chains no calls. A test tells when it does.
var errWrongPipeline = errors.New("go-capnp 3.0.0-alpha.30 makes the third call on the object of the first: AnswerQueue counts what a pipelined call is based on from one too few")

// goCapnpWindow is the room for a stream: go-capnp has no limit of its own, and
// would keep all that is sent in memory.
const goCapnpWindow = 1 << 20

func goCapnpLibrary() library {
	return library{
		serve: func(l link) (string, error) {
			return listenAndServe(l, func(c net.Conn) {
				rpc.NewConn(rpc.NewStreamTransport(c), &rpc.Options{BootstrapClient: goCapnpBootstrap()})
			})
		},
		dial: func(ctx context.Context, l link) (caller, error) {
			c, err := dialConn(ctx, l)
			if err != nil {
				return nil, err
			}
			conn := rpc.NewConn(rpc.NewStreamTransport(c), nil)
			bench := capnpgen.Bench(conn.Bootstrap(ctx))
			if err := bench.Resolve(ctx); err != nil { // ctx must not end before
				return nil, err
			}
			return &goCapnp{ctx: context.Background(), conn: conn, bench: bench}, nil
		},
		local: func() (caller, error) {
			return &goCapnp{ctx: context.Background(), bench: capnpgen.Bench(goCapnpBootstrap())}, nil
		},
	}
}

func goCapnpBootstrap() capnp.Client {
	return capnp.Client(capnpgen.Bench_ServerToClient(goCapnpServer{}))
}

// goCapnpServer is the server.
type goCapnpServer struct{}

func (goCapnpServer) Add(_ context.Context, call capnpgen.Bench_add) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetSum(call.Args().A() + call.Args().B())
	return nil
}

func (goCapnpServer) Echo(_ context.Context, call capnpgen.Bench_echo) error {
	data, err := call.Args().Data()
	if err != nil {
		return err
	}
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetData(data)
}

func (goCapnpServer) Step(_ context.Context, call capnpgen.Bench_step) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetStep(capnpgen.Step_ServerToClient(goCapnpStep(call.Args().Value() + 1)))
}

func (goCapnpServer) Sink(_ context.Context, call capnpgen.Bench_sink) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetSink(capnpgen.Sink_ServerToClient(goCapnpSink{newSink(call.Args().Whole())}))
}

func (goCapnpServer) Sleeper(_ context.Context, call capnpgen.Bench_sleeper) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetSleeper(capnpgen.Sleeper_ServerToClient(goCapnpSleeper{}))
}

type goCapnpStep int64

func (s goCapnpStep) Step(_ context.Context, call capnpgen.Step_step) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	return res.SetStep(capnpgen.Step_ServerToClient(s + 1))
}

func (s goCapnpStep) Value(_ context.Context, call capnpgen.Step_value) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetValue(int64(s))
	return nil
}

type goCapnpSink struct{ *sink }

func (s goCapnpSink) Put(_ context.Context, call capnpgen.Sink_put) error {
	chunk, err := call.Args().Chunk()
	if err != nil {
		return err
	}
	s.put(chunk)
	return nil
}

func (s goCapnpSink) Done(_ context.Context, call capnpgen.Sink_done) error {
	res, err := call.AllocResults()
	if err != nil {
		return err
	}
	res.SetBytes(s.bytes)
	res.SetHash(uint64(s.hash))
	return nil
}

type goCapnpSleeper struct{}

func (goCapnpSleeper) Sleep(_ context.Context, call capnpgen.Sleeper_sleep) error {
	time.Sleep(time.Duration(call.Args().Micros()) * time.Microsecond)
	return nil
}

// goCapnp is the client.
type goCapnp struct {
	ctx   context.Context
	conn  *rpc.Conn
	bench capnpgen.Bench
}

func (c *goCapnp) close() error {
	c.bench.Release()
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

func (c *goCapnp) start(a, b int64) (capnpgen.Bench_add_Results_Future, capnp.ReleaseFunc) {
	return c.bench.Add(c.ctx, func(p capnpgen.Bench_add_Params) error {
		p.SetA(a)
		p.SetB(b)
		return nil
	})
}

func (c *goCapnp) add(a, b int64) (int64, error) {
	f, release := c.start(a, b)
	defer release()
	res, err := f.Struct()
	if err != nil {
		return 0, err
	}
	return res.Sum(), nil
}

func (c *goCapnp) addAll(pairs [][2]int64, sums []int64) error {
	var futures [inFlight]capnpgen.Bench_add_Results_Future
	for i, p := range pairs {
		f, release := c.start(p[0], p[1])
		defer release()
		futures[i] = f
	}
	for i := range pairs {
		res, err := futures[i].Struct()
		if err != nil {
			return err
		}
		sums[i] = res.Sum()
	}
	return nil
}

func (c *goCapnp) echo(data []byte, look func([]byte)) error {
	f, release := c.bench.Echo(c.ctx, func(p capnpgen.Bench_echo_Params) error { return p.SetData(data) })
	defer release()
	res, err := f.Struct()
	if err != nil {
		return err
	}
	got, err := res.Data()
	if err != nil {
		return err
	}
	look(got)
	return nil
}

func (c *goCapnp) chain(start int64, pipelined bool) (int64, error) {
	first, release := c.bench.Step(c.ctx, func(p capnpgen.Bench_step_Params) error {
		p.SetValue(start)
		return nil
	})
	defer release()
	step := first.Step()
	if !pipelined {
		res, err := first.Struct()
		if err != nil {
			return 0, err
		}
		step = res.Step()
	}
	second, release := step.Step(c.ctx, nil)
	defer release()
	step = second.Step()
	if !pipelined {
		res, err := second.Struct()
		if err != nil {
			return 0, err
		}
		step = res.Step()
	}
	third, release := step.Value(c.ctx, nil)
	defer release()
	res, err := third.Struct()
	if err != nil {
		return 0, err
	}
	return res.Value(), nil
}

func (c *goCapnp) stream(n int, whole bool, chunk func(int) []byte) (bytes, hash uint64, err error) {
	opened, release := c.bench.Sink(c.ctx, func(p capnpgen.Bench_sink_Params) error {
		p.SetWhole(whole)
		return nil
	})
	defer release()
	res, err := opened.Struct()
	if err != nil {
		return 0, 0, err
	}
	to := res.Sink()
	to.SetFlowLimiter(flowcontrol.NewFixedLimiter(goCapnpWindow))
	for i := range n {
		data := chunk(i)
		if err := to.Put(c.ctx, func(p capnpgen.Sink_put_Params) error { return p.SetChunk(data) }); err != nil {
			return 0, 0, err
		}
	}
	if err := to.WaitStreaming(); err != nil {
		return 0, 0, err
	}
	f, release := to.Done(c.ctx, nil)
	defer release()
	total, err := f.Struct()
	if err != nil {
		return 0, 0, err
	}
	return total.Bytes(), total.Hash(), nil
}

func (c *goCapnp) sleeper() (func(uint32) error, error) {
	f, release := c.bench.Sleeper(c.ctx, nil)
	defer release()
	res, err := f.Struct()
	if err != nil {
		return nil, err
	}
	s := res.Sleeper().AddRef()
	return func(micros uint32) error {
		f, release := s.Sleep(c.ctx, func(p capnpgen.Sleeper_sleep_Params) error {
			p.SetMicros(micros)
			return nil
		})
		defer release()
		_, err := f.Struct()
		return err
	}, nil
}
