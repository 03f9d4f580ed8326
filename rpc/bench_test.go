package rpc_test

import (
	"context"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/rpc"
)

func add(_ context.Context, c *rpc.Call) error {
	c.NewResults(size).SetUint64(0, c.Params().Uint64(0)+1)
	return nil
}

// benchVats connects two vats of this process over a unix socket.
func benchVats(b *testing.B, h handler) rpc.Client {
	x, y := unixPair(b)
	server := rpc.NewConn(framing.NewPipe(y, framing.PipeOptions{}), rpc.ConnOptions{
		Bootstrap: rpc.Serve(rpc.Server{Interface: 1, Dispatch: h}),
	})
	client := rpc.NewConn(framing.NewPipe(x, framing.PipeOptions{}), rpc.ConnOptions{})
	boot := client.Bootstrap()
	b.Cleanup(func() {
		boot.Release()
		client.Close()
		server.Close()
	})
	benchCall(b, boot)
	b.ReportAllocs()
	b.ResetTimer()
	return boot
}

func benchCall(b *testing.B, to rpc.Client) {
	f := call(context.Background(), to, 1)
	if _, err := f.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	f.Release()
}

func BenchmarkOne(b *testing.B) {
	to := benchVats(b, add)
	for b.Loop() {
		benchCall(b, to)
	}
}

func Benchmark64Goroutines(b *testing.B) {
	to := benchVats(b, add)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			benchCall(b, to)
		}
	})
}

func Benchmark64Futures(b *testing.B) {
	to := benchVats(b, add)
	var all [64]rpc.Future
	for i := 0; i < b.N; i += len(all) {
		for k := range all {
			all[k] = call(context.Background(), to, 1)
		}
		for _, f := range all {
			if _, err := f.Wait(context.Background()); err != nil {
				b.Fatal(err)
			}
			f.Release()
		}
	}
}

func BenchmarkChainOf3(b *testing.B) {
	var self rpc.Client
	to := benchVats(b, func(_ context.Context, c *rpc.Call) error {
		rpc.SetClient(c.NewResults(size).Ptr(0), self.Retain())
		return nil
	})
	self = rpc.Serve(rpc.Server{Interface: 1, Dispatch: add})
	self = rpc.Serve(rpc.Server{Interface: 1, Dispatch: func(_ context.Context, c *rpc.Call) error {
		rpc.SetClient(c.NewResults(size).Ptr(0), self.Retain())
		return nil
	}})
	for b.Loop() {
		f := call(context.Background(), to, 1)
		g := call(context.Background(), f.Client(0), 1)
		benchCall(b, g.Client(0))
		g.Release()
		f.Release()
	}
}

func BenchmarkEcho1MiB(b *testing.B) {
	to := benchVats(b, func(_ context.Context, c *rpc.Call) error {
		c.NewResults(size).SetData(0, c.Params().Data(0))
		return nil
	})
	b.SetBytes(2 << 20)
	for b.Loop() {
		r := to.NewCall(context.Background(), echo, size)
		r.Params().NewData(0, 1<<20)
		f := r.Send()
		if _, err := f.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
		f.Release()
	}
}

func BenchmarkInProcess(b *testing.B) {
	to := rpc.Serve(rpc.Server{Interface: 1, Dispatch: add})
	defer to.Release()
	b.ReportAllocs()
	for b.Loop() {
		benchCall(b, to)
	}
}
