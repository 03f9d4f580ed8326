package rpcbench

import (
	"context"
	"crypto/tls"
	"strings"
	"time"

	"github.com/fairlead-go/fairlead"
	"github.com/fairlead-go/fairlead/bench/rpc/schema/fairleadgen"
	"github.com/fairlead-go/fairlead/rpc"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// fairleadLibrary is Fairlead's. wait is how the ends of shared memory wait.
func fairleadLibrary(wait shm.Wait) library {
	return library{
		serve: func(l link) (string, error) {
			options, err := fairleadOptions(l, wait, serverTLS)
			if err != nil {
				return "", err
			}
			url := l.transport + "://127.0.0.1:0"
			switch l.transport {
			case "unix", "shm", "zmq+ipc":
				url = l.transport + "://" + l.socketPath()
			}
			ln, err := fairlead.Listen(url, options)
			if err != nil {
				return "", err
			}
			go ln.ServeRPC(context.Background(), fairleadgen.ServeBench(fairleadServer{}).Client)
			return strings.TrimPrefix(ln.URL(), l.transport+"://"), nil
		},
		dial: func(ctx context.Context, l link) (caller, error) {
			options, err := fairleadOptions(l, wait, clientTLS)
			if err != nil {
				return nil, err
			}
			conn, err := fairlead.DialRPC(ctx, l.transport+"://"+l.endpoint, options)
			if err != nil {
				return nil, err
			}
			return &fairleadCaller{ctx: context.Background(), bench: fairleadgen.NewBench(conn.Bootstrap()), conn: conn}, nil
		},
		local: func() (caller, error) {
			return &fairleadCaller{ctx: context.Background(), bench: fairleadgen.ServeBench(fairleadServer{})}, nil
		},
	}
}

// fairleadOptions are those of one side.
func fairleadOptions(l link, wait shm.Wait, secure func(dir string) (*tls.Config, error)) (o fairlead.Options, err error) {
	o.SHM.Wait = wait
	if l.transport == "tls" {
		o.TLS, err = secure(l.dir)
	}
	return o, err
}

// fairleadServer is the server.
type fairleadServer struct{}

func (fairleadServer) Add(_ context.Context, call fairleadgen.BenchAddCall) error {
	p := call.Params()
	call.Results().SetSum(p.A() + p.B())
	return nil
}

// Echo gives back the data where they arrived.
func (fairleadServer) Echo(_ context.Context, call fairleadgen.BenchEchoCall) error {
	data := call.Params().Data()
	if len(data) < fairleadCopied {
		call.Results().SetData(data)
		return nil
	}
	params := call.Call.Params().Message().Retain()
	call.Results().SetExternalData(data, params.Release)
	return nil
}

func (fairleadServer) Step(_ context.Context, call fairleadgen.BenchStepCall) error {
	call.Results().SetStep(fairleadgen.ServeStep(fairleadStep(call.Params().Value() + 1)))
	return nil
}

func (fairleadServer) Sink(_ context.Context, call fairleadgen.BenchSinkCall) error {
	call.Results().SetSink(fairleadgen.ServeSink(fairleadSink{newSink(call.Params().Whole())}))
	return nil
}

func (fairleadServer) Sleeper(_ context.Context, call fairleadgen.BenchSleeperCall) error {
	call.Results().SetSleeper(fairleadgen.ServeSleeper(fairleadSleeper{}))
	return nil
}

type fairleadStep int64

func (s fairleadStep) Step(_ context.Context, call fairleadgen.StepStepCall) error {
	call.Results().SetStep(fairleadgen.ServeStep(s + 1))
	return nil
}

func (s fairleadStep) Value(_ context.Context, call fairleadgen.StepValueCall) error {
	call.Results().SetValue(int64(s))
	return nil
}

type fairleadSink struct{ *sink }

func (s fairleadSink) Put(_ context.Context, call fairleadgen.SinkPutCall) error {
	s.put(call.Params().Chunk())
	return nil
}

func (s fairleadSink) Done(_ context.Context, call fairleadgen.SinkDoneCall) error {
	res := call.Results()
	res.SetBytes(s.bytes)
	res.SetHash(uint64(s.hash))
	return nil
}

type fairleadSleeper struct{}

func (fairleadSleeper) Sleep(_ context.Context, call fairleadgen.SleeperSleepCall) error {
	time.Sleep(time.Duration(call.Params().Micros()) * time.Microsecond)
	return nil
}

// fairleadCopied is up to how many bytes data is copied, which then is less work
// than to refer to it.
const fairleadCopied = 16 << 10

// fairleadCaller is the client.
type fairleadCaller struct {
	ctx   context.Context
	bench fairleadgen.Bench
	conn  *rpc.Conn        // nil in the process
	held  *segment.Message // of the connection's memory, with a copy of
	from  *byte            // what begins here
	end   func()           // releases it
}

func (c *fairleadCaller) close() error {
	c.bench.Release()
	c.held.Release()
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

// payload gives data in memory of the connection, where they are put once for as many
// calls as send the same, and who releases them after a call.
func (c *fairleadCaller) payload(data []byte) ([]byte, func()) {
	if c.conn == nil {
		return data, nil
	}
	if c.from != &data[0] {
		c.held.Release()
		c.held, c.from = c.conn.NewMessage(len(data)+64), &data[0]
		c.end = c.held.Release
		copy(c.held.RootBuilder().NewData(len(data)), data)
	}
	return c.held.Retain().Root().Data(), c.end
}

func (c *fairleadCaller) start(a, b int64) fairleadgen.BenchAddFuture {
	return c.bench.Add(c.ctx, func(p fairleadgen.BenchAddParamsBuilder) {
		p.SetA(a)
		p.SetB(b)
	})
}

func (c *fairleadCaller) add(a, b int64) (int64, error) {
	f := c.start(a, b)
	defer f.Release()
	res, err := f.Wait(c.ctx)
	return res.Sum(), err
}

func (c *fairleadCaller) addAll(pairs [][2]int64, sums []int64) error {
	var futures [inFlight]fairleadgen.BenchAddFuture
	for i, p := range pairs {
		futures[i] = c.start(p[0], p[1])
	}
	var first error
	for i, f := range futures[:len(pairs)] {
		res, err := f.Wait(c.ctx)
		if first == nil {
			first = err
		}
		sums[i] = res.Sum()
		f.Release()
	}
	return first
}

func (c *fairleadCaller) echo(data []byte, look func([]byte)) error {
	f := c.bench.Echo(c.ctx, func(p fairleadgen.BenchEchoParamsBuilder) {
		if len(data) < fairleadCopied {
			p.SetData(data)
		} else {
			p.SetExternalData(c.payload(data))
		}
	})
	defer f.Release()
	res, err := f.Wait(c.ctx)
	if err != nil {
		return err
	}
	look(res.Data())
	return nil
}

func (c *fairleadCaller) chain(start int64, pipelined bool) (int64, error) {
	first := c.bench.Step(c.ctx, func(p fairleadgen.BenchStepParamsBuilder) { p.SetValue(start) })
	defer first.Release()
	step := first.Step()
	if !pipelined {
		res, err := first.Wait(c.ctx)
		if err != nil {
			return 0, err
		}
		step = res.Step()
	}
	second := step.Step(c.ctx, nil)
	defer second.Release()
	step = second.Step()
	if !pipelined {
		res, err := second.Wait(c.ctx)
		if err != nil {
			return 0, err
		}
		step = res.Step()
	}
	third := step.Value(c.ctx, nil)
	defer third.Release()
	res, err := third.Wait(c.ctx)
	return res.Value(), err
}

func (c *fairleadCaller) stream(n int, whole bool, chunk func(int) []byte) (bytes, hash uint64, err error) {
	opened := c.bench.Sink(c.ctx, func(p fairleadgen.BenchSinkParamsBuilder) { p.SetWhole(whole) })
	defer opened.Release()
	to := opened.Sink()
	for i := range n {
		data := chunk(i)
		if err := to.Put(c.ctx, func(p fairleadgen.SinkPutParamsBuilder) { p.SetExternalChunk(data, nil) }); err != nil {
			return 0, 0, err
		}
	}
	if err := to.WaitStreaming(c.ctx); err != nil {
		return 0, 0, err
	}
	f := to.Done(c.ctx, nil)
	defer f.Release()
	res, err := f.Wait(c.ctx)
	return res.Bytes(), res.Hash(), err
}

func (c *fairleadCaller) sleeper() (func(uint32) error, error) {
	opened := c.bench.Sleeper(c.ctx, nil)
	defer opened.Release()
	s := opened.Sleeper().Retain()
	return func(micros uint32) error {
		f := s.Sleep(c.ctx, func(p fairleadgen.SleeperSleepParamsBuilder) { p.SetMicros(micros) })
		defer f.Release()
		_, err := f.Wait(c.ctx)
		return err
	}, nil
}
