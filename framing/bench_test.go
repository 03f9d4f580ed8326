package framing_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

var benchSizes = []struct {
	name  string
	words int
}{{"96B", 12}, {"4K", 512}, {"64K", 8 << 10}, {"1M", 128 << 10}}

func BenchmarkEncode(b *testing.B) {
	for _, size := range benchSizes {
		for _, f := range formats[:2] {
			b.Run(fmt.Sprintf("%s/%v", size.name, f), func(b *testing.B) {
				msg := raw(b, 1, size.words)
				e := framing.NewEncoder(io.Discard, framing.EncoderOptions{Format: f})
				b.SetBytes(msg.SizeBytes())
				b.ReportAllocs()
				for b.Loop() {
					if err := e.Encode(msg); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range benchSizes {
		for _, f := range formats[:2] {
			b.Run(fmt.Sprintf("%s/%v", size.name, f), func(b *testing.B) {
				msg := raw(b, 1, size.words)
				d := framing.NewDecoder(&loop{b: encode(b, f, msg)}, framing.DecoderOptions{Format: f})
				b.SetBytes(msg.SizeBytes())
				b.ReportAllocs()
				for b.Loop() {
					m, err := d.Decode()
					if err != nil {
						b.Fatal(err)
					}
					m.Release()
				}
			})
		}
	}
}

func BenchmarkReadWrite(b *testing.B) {
	for _, size := range benchSizes {
		msg := raw(b, 1, size.words)
		stream := encode(b, framing.Binary, msg)
		b.Run("Write/"+size.name, func(b *testing.B) {
			b.SetBytes(msg.SizeBytes())
			for b.Loop() {
				if err := framing.Write(io.Discard, msg); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("Read/"+size.name, func(b *testing.B) {
			b.SetBytes(msg.SizeBytes())
			r := bytes.NewReader(stream)
			for b.Loop() {
				r.Reset(stream)
				m, err := framing.Read(r)
				if err != nil {
					b.Fatal(err)
				}
				m.Release()
			}
		})
		b.Run("Unmarshal/"+size.name, func(b *testing.B) {
			b.SetBytes(msg.SizeBytes())
			for b.Loop() {
				m, _, err := framing.Unmarshal(stream)
				if err != nil {
					b.Fatal(err)
				}
				m.Release()
			}
		})
	}
}

func BenchmarkPipePingPong(b *testing.B) {
	for _, network := range []string{"unix", "tcp", "tls"} {
		for _, size := range []int{64, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%d", network, size), func(b *testing.B) {
				x, y := pipes(b, network, framing.PipeOptions{})
				ctx := context.Background()
				go func() {
					for {
						m, err := y.Recv(ctx)
						if err != nil {
							return
						}
						if y.Send(ctx, m) != nil {
							return
						}
					}
				}()
				b.SetBytes(2 * int64(size))
				b.ReportAllocs()
				for b.Loop() {
					m := x.NewMessage(size + 64)
					m.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size)
					if err := x.Send(ctx, m); err != nil {
						b.Fatal(err)
					}
					got, err := x.Recv(ctx)
					if err != nil {
						b.Fatal(err)
					}
					got.Release()
				}
			})
		}
	}
}

// BenchmarkPipeStream sends one way, from one goroutine or from many.
func BenchmarkPipeStream(b *testing.B) {
	for _, senders := range []int{1, 16} {
		for _, manual := range []bool{false, true} {
			b.Run(fmt.Sprintf("senders %d/manual %v", senders, manual), func(b *testing.B) {
				x, y := pipes(b, "unix", framing.PipeOptions{ManualFlush: manual})
				ctx := context.Background()
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range b.N {
						m, err := y.Recv(ctx)
						if err != nil {
							b.Error(err)
							return
						}
						m.Release()
					}
				}()
				b.ReportAllocs()
				b.SetParallelism(senders)
				send := func() {
					m := x.NewMessage(0)
					m.NewRoot(segment.Size{DataWords: 8})
					if err := x.Send(ctx, m); err != nil {
						b.Error(err)
					}
				}
				b.ResetTimer()
				if senders == 1 {
					for range b.N {
						send()
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							send()
						}
					})
				}
				if err := x.Flush(); err != nil {
					b.Error(err)
				}
				<-done
				b.StopTimer()
				s := x.Stats()
				b.ReportMetric(float64(s.Sent)/float64(s.Writes), "msgs/write")
			})
		}
	}
}
