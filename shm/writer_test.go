package shm_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// inParts builds a message of several segments: its hint is far too small.
func inParts(w *shm.Writer, n uint64, bytes int) *segment.Message {
	msg := w.NewMessage(32)
	fill(msg, n, bytes)
	return msg
}

// TestWritersMessage sends a Writer's own messages, of all shapes. The peer holds each
// while the next ones are built.
func TestWritersMessage(t *testing.T) {
	for _, bytes := range []int{0, 8, 40, 500, 4000, 70_000, 3 << 20, 5 << 20} {
		for _, parts := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d/%v", bytes, parts), func(t *testing.T) {
				ctx := soon(t)
				a, b := pair(t, shm.Options{}, shm.Options{})
				w := a.Writer()
				var held []*segment.Message
				count := uint64(20)
				if bytes > 1<<20 {
					count = 4
				}
				for n := range count {
					msg := w.NewMessage(bytes + 40)
					if parts {
						msg = inParts(w, n, bytes)
					} else {
						fill(msg, n, bytes)
					}
					if err := w.Send(ctx, msg); err != nil {
						t.Fatal(err)
					}
					got, err := b.Recv(ctx)
					if err != nil {
						t.Fatal(err)
					}
					held = append(held, got)
					if len(held) == 4 {
						for i, got := range held {
							check(t, got, n-3+uint64(i), bytes)
							got.Release()
						}
						held = held[:0]
					}
				}
				if s := a.Stats(); s.Copied != 0 || s.Sent != count {
					t.Errorf("%d messages sent, %d of them copied, want %d and none", s.Sent, s.Copied, count)
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				// What is given back last waits for a message, or until it is asked for.
				if s := a.Stats(); s.Blocks > 16 {
					t.Errorf("%d blocks are not free", s.Blocks)
				}
			})
		}
	}
}

// TestWritersMessageIsClean begins messages where others were, which were sent, given
// up, or too short.
func TestWritersMessageIsClean(t *testing.T) {
	for _, bytes := range []int{100, 1000, 10_000} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			ctx := soon(t)
			a, b := pair(t, shm.Options{}, shm.Options{})
			w, r := a.Writer(), b.Reader()
			defer r.Close()
			dirty := func() *segment.Message {
				msg := w.NewMessage(bytes + 40)
				root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
				data := root.NewData(0, bytes)
				for i := range data {
					data[i] = 0xff
				}
				return msg
			}
			for n := range uint64(60) {
				msg := dirty()
				switch n % 3 {
				case 0:
					if err := w.Send(ctx, msg); err != nil {
						t.Fatal(err)
					}
					if _, err := r.Next(ctx); err != nil {
						t.Fatal(err)
					}
					r.Done()
				case 1:
					msg = w.NewMessage(0)
					msg.NewRoot(segment.Size{DataWords: 1})
					if err := w.Send(ctx, msg); err != nil {
						t.Fatal(err)
					}
					if _, err := r.Next(ctx); err != nil {
						t.Fatal(err)
					}
				}
				msg = w.NewMessage(bytes + 40)
				got := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1}).NewData(0, bytes)
				for i, c := range got {
					if c != 0 {
						t.Fatalf("message %d: byte %d is %#x, want 0", n, i, c)
					}
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestWriterSendsAgain sends a message once more that could not be sent.
func TestWriterSendsAgain(t *testing.T) {
	ctx := soon(t)
	a, b := pair(t, shm.Options{}, shm.Options{})
	w := a.Writer()
	defer w.Close()
	over, cancel := context.WithCancel(ctx)
	cancel()
	msg := w.NewMessage(5000)
	fill(msg, 7, 4900)
	if err := w.Send(over, msg); !errors.Is(err, context.Canceled) {
		t.Fatalf("Send with a context that has ended: %v", err)
	}
	if err := w.Send(ctx, msg); err != nil {
		t.Fatal(err)
	}
	got, err := b.Recv(ctx)
	if err != nil {
		t.Fatal(err)
	}
	check(t, got, 7, 4900)
	got.Release()
}

// TestIdleWritersStarveNobody has Writers that have sent and send nothing further, in a
// pipe with little memory. Others still come to their turn.
func TestIdleWritersStarveNobody(t *testing.T) {
	ctx := soon(t)
	small := shm.Options{MaxBytes: 256 << 10}
	a, b := pair(t, small, small)
	r := b.Reader()
	defer r.Close()
	const size = 30_000
	var held []*segment.Message
	for range 6 { // all that there is room for
		if err := a.Send(ctx, number(a, 1, size)); err != nil {
			t.Fatal(err)
		}
		got, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, got)
	}
	for _, got := range held {
		got.Release()
	}
	if s := a.Stats(); s.Copied != 0 {
		t.Fatalf("%d messages found no room", s.Copied)
	}
	var writers []*shm.Writer
	for n := range uint64(40) {
		w := a.Writer()
		writers = append(writers, w)
		msg := w.NewMessage(size + 40)
		fill(msg, n, size)
		if err := w.Send(ctx, msg); err != nil {
			t.Fatal(n, err)
		}
		got, err := r.Next(ctx)
		if err != nil {
			t.Fatal(n, err)
		}
		check(t, got, n, size)
		r.Done()
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s := a.Stats(); s.Blocks != s.Lent {
		t.Errorf("%d blocks are not free, of which the peer has %d", s.Blocks, s.Lent)
	}
}
