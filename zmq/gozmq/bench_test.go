package gozmq_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/zmq/gozmq"
	"github.com/go-zeromq/zmq4"
)

// BenchmarkThroughput sends messages of one segment over tcp within a process,
// from a PUSH to a PULL of zmq4.
func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%d", size), func(b *testing.B) {
			push, pull := open(b, zmq4.NewPush), open(b, zmq4.NewPull)
			dial(b, push, listen(b, pull, "tcp"))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			sent := make(chan error, 1)
			go func() {
				for range b.N {
					msg := segment.NewSized(arena.Pool(), size)
					msg.NewRoot(segment.Size{DataWords: uint16(size/8 - 1)})
					if err := gozmq.Send(push, msg); err != nil {
						sent <- err
						return
					}
				}
				sent <- nil
			}()
			for range b.N {
				msg, err := gozmq.Recv(pull)
				if err != nil {
					b.Fatal(err)
				}
				msg.Release()
			}
			if err := <-sent; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// BenchmarkRoundTrip sends a message of 64 bytes from a REQ to a REP and back.
func BenchmarkRoundTrip(b *testing.B) {
	req, rep := open(b, zmq4.NewReq), open(b, zmq4.NewRep)
	dial(b, req, listen(b, rep, "tcp"))
	b.ReportAllocs()
	b.ResetTimer()
	served := make(chan error, 1)
	go func() {
		for range b.N {
			msg, err := gozmq.Recv(rep)
			if err == nil {
				err = gozmq.Send(rep, msg)
			}
			if err != nil {
				served <- err
				return
			}
		}
		served <- nil
	}()
	for range b.N {
		msg := segment.NewSized(arena.Pool(), 64)
		msg.NewRoot(segment.Size{DataWords: 7})
		if err := gozmq.Send(req, msg); err != nil {
			b.Fatal(err)
		}
		back, err := gozmq.Recv(req)
		if err != nil {
			b.Fatal(err)
		}
		back.Release()
	}
	if err := <-served; err != nil {
		b.Fatal(err)
	}
}
