package framing_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/segment"
)

// loop delivers the same bytes without end.
type loop struct {
	b  []byte
	at int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.b[l.at:])
	l.at = (l.at + n) % len(l.b)
	return n, nil
}

// pinned fails if f allocates in the long run. A collection may empty a pool in
// the middle, which is less than once in a hundred runs.
func pinned(t *testing.T, f func()) {
	t.Helper()
	for range 100 {
		f()
	}
	if n := testing.AllocsPerRun(1000, f); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNoAllocations(t *testing.T) {
	if raceEnabled || arena.Pool().Debugging() {
		t.Skip("the race detector makes pools forget, and in debug mode nothing is used again")
	}
	sizes := map[string][]int{"small": {12}, "segments": {12, 3, 4}, "large": {1 << 15}}
	for name, words := range sizes {
		msg := raw(t, 1, words...)
		for _, f := range formats[:2] {
			t.Run("encode/"+name+"/"+f.String(), func(t *testing.T) {
				e := framing.NewEncoder(io.Discard, framing.EncoderOptions{Format: f})
				pinned(t, func() {
					if err := e.Encode(msg); err != nil {
						t.Fatal(err)
					}
				})
			})
			t.Run("decode/"+name+"/"+f.String(), func(t *testing.T) {
				d := framing.NewDecoder(&loop{b: encode(t, f, msg)}, framing.DecoderOptions{Format: f})
				pinned(t, func() {
					m, err := d.Decode()
					if err != nil {
						t.Fatal(err)
					}
					m.Release()
				})
			})
		}
		t.Run("Write/"+name, func(t *testing.T) {
			pinned(t, func() {
				if err := framing.Write(io.Discard, msg); err != nil {
					t.Fatal(err)
				}
			})
		})
		stream := encode(t, framing.Binary, msg)
		t.Run("Read/"+name, func(t *testing.T) {
			r := bytes.NewReader(stream)
			pinned(t, func() {
				r.Reset(stream)
				m, err := framing.Read(r)
				if err != nil {
					t.Fatal(err)
				}
				m.Release()
			})
		})
		t.Run("Unmarshal/"+name, func(t *testing.T) {
			pinned(t, func() {
				m, _, err := framing.Unmarshal(stream)
				if err != nil {
					t.Fatal(err)
				}
				m.Release()
			})
		})
		t.Run("Append/"+name, func(t *testing.T) {
			dst := make([]byte, 0, len(stream))
			pinned(t, func() {
				if _, err := framing.Append(dst, msg, framing.Binary); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestPipeDoesNotAllocate(t *testing.T) {
	if raceEnabled || arena.Pool().Debugging() {
		t.Skip("the race detector makes pools forget, and in debug mode nothing is used again")
	}
	cancellable, cancel := context.WithCancel(t.Context())
	defer cancel()
	contexts := map[string]context.Context{"background": context.Background(), "cancellable": cancellable}
	for name, ctx := range contexts {
		for _, size := range []int{100, 200_000} {
			t.Run(name, func(t *testing.T) {
				a, b := pipes(t, "tcp", framing.PipeOptions{})
				go func() { // echoes
					for {
						m, err := b.Recv(ctx)
						if err != nil {
							return
						}
						if b.Send(ctx, m) != nil {
							return
						}
					}
				}()
				body := make([]byte, size)
				pinned(t, func() {
					m := a.NewMessage(size + 100)
					m.NewRoot(segment.Size{Ptrs: 1}).SetData(0, body)
					if err := a.Send(ctx, m); err != nil {
						t.Fatal(err)
					}
					got, err := a.Recv(ctx)
					if err != nil {
						t.Fatal(err)
					}
					if len(got.Root().Struct().Data(0)) != size {
						t.Fatal("another message came back")
					}
					got.Release()
				})
			})
		}
	}
}
