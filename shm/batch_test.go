package shm_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// TestWriterAndReader sends messages of many sizes by a Writer, and receives them
// by Readers and by Recv.
func TestWriterAndReader(t *testing.T) {
	size := func(n uint64) int { return int(n*n) % 3000 * int(n%2) }
	const all = 20_000
	for _, how := range []string{"recv", "reader", "both"} {
		t.Run(how, func(t *testing.T) {
			ctx := soon(t)
			a, b := pair(t, shm.Options{}, shm.Options{})
			done := make(chan error)
			go func() {
				w := a.Writer()
				msg := segment.New(arena.Pool())
				defer msg.Release()
				for n := range uint64(all) {
					msg.Reset()
					fill(msg, n, size(n))
					send := w.Add
					if n%100 == 99 {
						send = w.Send
					}
					if err := send(ctx, msg); err != nil {
						done <- err
						return
					}
				}
				err := w.Flush(ctx)
				if e := w.Close(); err == nil {
					err = e
				}
				if s := a.Stats(); s.Sent != all {
					t.Errorf("%d messages sent, want %d", s.Sent, all)
				}
				if e := a.Close(); err == nil {
					err = e
				}
				done <- err
			}()
			r := b.Reader()
			for n := range uint64(all) {
				if how == "recv" || how == "both" && n/10%2 == 1 {
					got, err := b.Recv(ctx)
					if err != nil {
						t.Fatal(n, err)
					}
					check(t, got, n, size(n))
					got.Release()
					continue
				}
				got, err := r.Next(ctx)
				if err != nil {
					t.Fatal(n, err)
				}
				check(t, got, n, size(n))
				if how == "both" && n%10 == 9 {
					r.Close()
				}
			}
			if _, err := b.Recv(ctx); err != io.EOF {
				t.Errorf("Recv after the end: %v, want EOF", err)
			}
			r.Close()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if s := b.Stats(); s.Held != 0 || s.Received != all {
				t.Errorf("%+v", s)
			}
		})
	}
}

// BenchmarkPacked is one way, in blocks of many.
func BenchmarkPacked(b *testing.B) {
	for _, size := range []int{24, 56} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := child(b, "read", shm.Options{})
			msg := segment.New(arena.Pool())
			defer msg.Release()
			w := p.Writer()
			var i uint64
			m := newMeter()
			b.ReportAllocs()
			for b.Loop() {
				i++
				m.tick()
				msg.Reset()
				root := msg.NewRoot(segment.Size{DataWords: uint16(size/8 - 1)})
				root.SetUint64(0, i)
				if err := w.Add(background, msg); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Flush(background); err != nil {
				b.Error(err)
			}
			m.report(b)
		})
	}
}

// read is the other process of it.
func read(p *shm.Pipe) error {
	r := p.Reader()
	defer r.Close()
	var sum uint64
	for {
		got, err := r.Next(background)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		sum += got.Root().Struct().Uint64(0)
	}
}
