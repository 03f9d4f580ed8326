package shm_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

func TestSizes(t *testing.T) {
	for _, bytes := range []int{0, 8, 16, 24, 32, 100, 256, 1000, 4096, 70_000, 250_000, 1 << 20, 5 << 20, 20 << 20} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			ctx := soon(t)
			limits := segment.Limits{TraversalWords: 1 << 30}
			a, b := pair(t, shm.Options{}, shm.Options{Limits: limits})
			for n := range uint64(3) {
				if err := a.Send(ctx, number(a, n, bytes)); err != nil {
					t.Fatal(err)
				}
				got, err := b.Recv(ctx)
				if err != nil {
					t.Fatal(err)
				}
				check(t, got, n, bytes)
				got.Release()
			}
			if s := a.Stats(); s.Copied != 0 {
				t.Errorf("%d messages were copied", s.Copied)
			}
		})
	}
}

func TestPingPong(t *testing.T) {
	ctx := soon(t)
	for _, w := range []shm.Wait{shm.Adaptive, shm.Spin, shm.Sleep} {
		for _, bytes := range []int{0, 300} {
			t.Run(fmt.Sprint(w, bytes), func(t *testing.T) {
				a, b := pair(t, shm.Options{Wait: w}, shm.Options{Wait: w})
				done := make(chan error)
				go func() { done <- echo(b) }()
				rounds := uint64(1000)
				if w == shm.Spin {
					rounds = 20 // where others work too, each may take some milliseconds
				}
				for n := range rounds {
					if err := a.Send(ctx, number(a, n, bytes)); err != nil {
						t.Fatal(err)
					}
					got, err := a.Recv(ctx)
					if err != nil {
						t.Fatal(err)
					}
					check(t, got, n, bytes)
					got.Release()
				}
				if err := a.Close(); err != nil {
					t.Error(err)
				}
				if err := <-done; err != nil {
					t.Error(err)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				if s := b.Stats(); s.Lent != 0 || s.Blocks != 0 || s.Held != 0 {
					t.Errorf("blocks are left: %+v", s)
				}
			})
		}
	}
}

// echo builds each message again and sends it back, until the end.
func echo(p *shm.Pipe) error {
	for {
		got, err := p.Recv(background)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		msg := p.NewMessage(int(got.SizeBytes()))
		msg.RootBuilder().Set(got.Root())
		got.Release()
		if err := p.Send(background, msg); err != nil && !errors.Is(err, shm.ErrDisconnected) {
			return err
		}
	}
}

func TestStream(t *testing.T) {
	ctx := soon(t)
	for _, bytes := range []int{0, 200, 5000} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			a, b := pair(t, shm.Options{}, shm.Options{})
			const n = 20_000
			done := make(chan error)
			go func() {
				for i := range uint64(n) {
					if err := a.Send(ctx, number(a, i, bytes)); err != nil {
						done <- err
						return
					}
				}
				done <- a.Close()
			}()
			for i := range uint64(n) {
				got, err := b.Recv(ctx)
				if err != nil {
					t.Fatal(i, err)
				}
				check(t, got, i, bytes)
				got.Release()
			}
			if _, err := b.Recv(ctx); err != io.EOF {
				t.Errorf("Recv after the end: %v, want EOF", err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestForeignArena(t *testing.T) {
	ctx := soon(t)
	a, b := pair(t, shm.Options{}, shm.Options{})
	for n := range uint64(3) {
		msg := segment.New(arena.Pool())
		fill(msg, n, 10_000) // several segments
		if err := a.Send(ctx, msg); err != nil {
			t.Fatal(err)
		}
		got, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, n, 10_000)
		got.Release()
	}
	if s := a.Stats(); s.Copied != 3 {
		t.Errorf("%d messages were copied, want 3", s.Copied)
	}
}

func TestManySegments(t *testing.T) {
	ctx := soon(t)
	for _, segments := range []int{2, 6, 7, 100} {
		t.Run(fmt.Sprint(segments), func(t *testing.T) {
			a, b := pair(t, shm.Options{}, shm.Options{})
			msg := a.NewMessage(0)
			list := msg.RootBuilder().NewPtrs(segments)
			for i := range segments {
				list.At(i).SetExternalData([]byte{byte(i), 1, 2, 3, 4, 5, 6, 7}, nil)
			}
			want := msg.Segments()
			if err := a.Send(ctx, msg); err != nil {
				t.Fatal(err)
			}
			got, err := b.Recv(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if got.Segments() != want {
				t.Errorf("%d segments, want %d", got.Segments(), want)
			}
			for i := range segments {
				if d := got.Root().Ptrs().At(i).Data(); len(d) != 8 || d[0] != byte(i) {
					t.Errorf("element %d is %v", i, d)
				}
			}
			got.Release()
		})
	}
}

func TestListenAndDial(t *testing.T) {
	ctx := soon(t)
	ln, path := listen(t, shm.Options{})
	for range 3 {
		b, err := shm.Dial(ctx, path, shm.Options{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := ln.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Send(ctx, number(b, 7, 100)); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		got, err := a.Recv(ctx) // sent before the close
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, 7, 100)
		if _, err := a.Recv(ctx); err != io.EOF {
			t.Errorf("Recv after the peer's close: %v, want EOF", err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		check(t, got, 7, 100) // still there
		got.Release()
	}
}

// TestDirtyMemory builds small messages in memory that large ones were built in, and
// data that is not cleared first.
func TestDirtyMemory(t *testing.T) {
	ctx := soon(t)
	a, b := pair(t, shm.Options{}, shm.Options{})
	for _, bytes := range []int{1, 13, 4096, 60_000, 1 << 20, 6 << 20} {
		for n := range byte(4) {
			msg := a.NewMessage(bytes + 100)
			root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 3})
			data := root.Ptr(0).NewDirtyData(bytes)
			for i := range data {
				data[i] = n + 1
			}
			clean := root.NewData(1, 10+bytes/10)
			for i, c := range clean {
				if c != 0 {
					t.Fatalf("%d bytes: byte %d is %d and not clear", bytes, i, c)
				}
			}
			root.SetText(2, "text")
			if err := a.Send(ctx, msg); err != nil {
				t.Fatal(err)
			}
			got, err := b.Recv(ctx)
			if err != nil {
				t.Fatal(err)
			}
			r := got.Root().Struct()
			if d := r.Data(0); len(d) != bytes || d[0] != n+1 || d[bytes-1] != n+1 || r.Text(2) != "text" || r.Uint64(0) != 0 {
				t.Errorf("%d bytes received, want %d; text %q", len(d), bytes, r.Text(2))
			}
			if d := r.Data(1); !slices.Equal(d, make([]byte, len(d))) {
				t.Errorf("%d bytes: what was not written is not zero", bytes)
			}
			got.Release()
		}
	}
	if s := a.Stats(); s.Copied != 0 {
		t.Errorf("%d messages were copied", s.Copied)
	}
}

// TestOptions sends a few messages with each option.
func TestOptions(t *testing.T) {
	for name, o := range map[string]shm.Options{
		"huge pages":   {HugePages: true},
		"little":       {MaxBytes: 256 << 10},
		"manual flush": {ManualFlush: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := soon(t)
			a, b := pair(t, o, o)
			for n := range uint64(10) {
				if err := a.Send(ctx, number(a, n, 10_000)); err != nil {
					t.Fatal(err)
				}
			}
			if err := a.Flush(); err != nil {
				t.Fatal(err)
			}
			for n := range uint64(10) {
				got, err := b.Recv(ctx)
				if err != nil {
					t.Fatal(err)
				}
				check(t, got, n, 10_000)
				got.Release()
			}
		})
	}
}
