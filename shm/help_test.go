package shm_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

var background = context.Background()

// soon is a context that ends when a test hangs.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(background, time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// pair gives the two ends of a pipe, closed when the test ends.
func pair(t testing.TB, o, other shm.Options) (*shm.Pipe, *shm.Pipe) {
	t.Helper()
	needs(t)
	ours, theirs, err := shm.Pair()
	if err != nil {
		t.Fatal(err)
	}
	type end struct {
		pipe *shm.Pipe
		err  error
	}
	far := make(chan end)
	go func() {
		p, err := shm.Attach(background, theirs, other)
		far <- end{p, err}
	}()
	a, err := shm.Attach(background, ours, o)
	b := <-far
	if err != nil || b.err != nil {
		t.Fatal(err, b.err)
	}
	t.Cleanup(func() {
		for _, p := range []*shm.Pipe{a, b.pipe} {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return a, b.pipe
}

func listen(t testing.TB, o shm.Options) (*shm.Listener, string) {
	t.Helper()
	needs(t)
	path := filepath.Join(t.TempDir(), "s", "socket")
	ln, err := shm.Listen(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
	})
	return ln, path
}

// number builds a message with a number and, if bytes is not 0, that much data
// made of it.
func number(p *shm.Pipe, n uint64, bytes int) *segment.Message {
	hint := 32
	if bytes > 0 {
		hint += bytes
	}
	msg := p.NewMessage(hint)
	fill(msg, n, bytes)
	return msg
}

func fill(msg *segment.Message, n uint64, bytes int) {
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	root.SetUint64(0, n)
	if bytes > 0 {
		data := root.NewData(0, bytes)
		for i := range data {
			data[i] = byte(n) + byte(i)
		}
	}
}

// check tells whether a message is as number made it.
func check(t testing.TB, msg *segment.Message, n uint64, bytes int) {
	t.Helper()
	root := msg.Root().Struct()
	if got := root.Uint64(0); got != n {
		t.Fatalf("received number %d, want %d", got, n)
	}
	data := root.Data(0)
	if len(data) != bytes {
		t.Fatalf("message %d has %d bytes, want %d; %v", n, len(data), bytes, msg.Err())
	}
	for i, c := range data {
		if c != byte(n)+byte(i) {
			t.Fatalf("message %d: byte %d is %d, want %d", n, i, c, byte(n)+byte(i))
		}
	}
	if err := msg.Err(); err != nil {
		t.Fatal(err)
	}
}

func timeout(t testing.TB, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}
