package zmq_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq"
)

// message makes a message of so many bytes in each of its segments.
func message(size, segments int) *segment.Message {
	if segments == 1 {
		m := segment.NewSized(arena.Pool(), size)
		m.RootBuilder().SetData(make([]byte, max(size-16, 0)))
		return m
	}
	segs := make([][]byte, segments)
	for i := range segs {
		segs[i] = make([]byte, size)
	}
	m, err := segment.FromSegments(segs)
	if err != nil {
		panic(err)
	}
	return m
}

func BenchmarkPushPull(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10, 1 << 20} {
		for _, frames := range []int{1, 4} {
			b.Run(fmt.Sprintf("%dB-%d", size, frames), func(b *testing.B) {
				ctx := context.Background()
				pull, push := open(b, zmq.Pull), open(b, zmq.Push)
				connect(b, push, bind(b, pull, "tcp://127.0.0.1:*"))
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range b.N {
						m, err := pull.RecvMessage(ctx)
						if err != nil {
							b.Error(err)
							return
						}
						m.Release()
					}
				}()
				msg := message(size, frames)
				b.ReportAllocs()
				b.SetBytes(int64(size * frames))
				b.ResetTimer()
				for range b.N {
					if err := push.SendMessage(ctx, msg.Retain()); err != nil {
						b.Fatal(err)
					}
				}
				<-done
				b.StopTimer()
				b.ReportMetric(float64(push.Stats().Writes)/float64(b.N), "writes/op")
				b.ReportMetric(float64(pull.Stats().Reads)/float64(b.N), "reads/op")
			})
		}
	}
}

func BenchmarkReqRep(b *testing.B) {
	ctx := context.Background()
	rep, req := open(b, zmq.Rep), open(b, zmq.Req)
	connect(b, req, bind(b, rep, "tcp://127.0.0.1:*"))
	go func() {
		for {
			m, err := rep.RecvMessage(ctx)
			if err != nil || rep.SendMessage(ctx, m) != nil {
				return
			}
		}
	}()
	msg := message(64, 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := req.SendMessage(ctx, msg.Retain()); err != nil {
			b.Fatal(err)
		}
		m, err := req.RecvMessage(ctx)
		if err != nil {
			b.Fatal(err)
		}
		m.Release()
	}
}
