package shm_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// BenchmarkAlone is what messages cost without another processor: one goroutine has
// both ends, and nobody waits.
func BenchmarkAlone(b *testing.B) {
	const burst = 16
	stamped := func(msg *segment.Message, i uint64, size int) {
		data := msg.RootBuilder().NewDirtyData(size - 8)
		data[0], data[len(data)-1] = byte(i), byte(i)
	}
	for _, tt := range []struct {
		kind string
		size int
	}{
		{"inline", 56},
		{"packed", 56},
		{"copied", 4096},
		{"messages", 56},
		{"messages", 4096},
		{"messages", 1 << 20},
		{"own", 56},
		{"own", 4096},
		{"own", 1 << 20},
	} {
		kind, size := tt.kind, tt.size
		b.Run(fmt.Sprintf("%s/%d", kind, size), func(b *testing.B) {
			from, to := pair(b, shm.Options{}, shm.Options{})
			w, r := from.Writer(), to.Reader()
			defer r.Close()
			msg := segment.NewSized(arena.Pool(), size)
			defer msg.Release()
			b.ReportAllocs()
			i := uint64(0)
			m := newMeter()
			for i < uint64(b.N) {
				for range burst {
					i++
					m.tick()
					var err error
					if kind == "messages" {
						out := from.NewMessage(size)
						stamped(out, i, size)
						err = from.Send(background, out)
					} else if kind == "own" {
						out := w.NewMessage(size)
						stamped(out, i, size)
						err = w.Send(background, out)
					} else {
						msg.Reset()
						stamped(msg, i, size)
						if kind == "packed" {
							err = w.Add(background, msg)
						} else {
							err = w.Send(background, msg)
						}
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				if kind == "packed" {
					if err := w.Flush(background); err != nil {
						b.Fatal(err)
					}
				}
				for range burst {
					if kind == "messages" {
						got, err := to.Recv(background)
						if err != nil {
							b.Fatal(err)
						}
						if len(got.Root().Data()) != size-8 {
							b.Fatal("a message is short")
						}
						got.Release()
						continue
					}
					got, err := r.Next(background)
					if err != nil {
						b.Fatal(err)
					}
					if len(got.Root().Data()) != size-8 {
						b.Fatal("a message is short")
					}
					r.Done()
				}
			}
			m.report(b)
		})
	}
}
