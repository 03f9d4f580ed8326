package shm_test

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// Several goroutines receive what was sent packed: each message goes to one, and to each
// they come in their order.
func TestReceiversInOrder(t *testing.T) {
	const messages, receivers = 20_000, 4
	a, b := pair(t, shm.Options{}, shm.Options{})
	ctx := soon(t)
	var got [receivers][]uint64
	var all sync.WaitGroup
	for i := range receivers {
		all.Go(func() {
			for {
				m, err := b.Recv(ctx)
				if errors.Is(err, io.EOF) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = append(got[i], m.Root().Struct().Uint64(0))
				m.Release()
			}
		})
	}
	w := a.Writer()
	msg := segment.New(arena.Pool())
	defer msg.Release()
	for n := range uint64(messages) {
		msg.Reset()
		msg.NewRoot(segment.Size{DataWords: 1}).SetUint64(0, n)
		err := w.Add(ctx, msg)
		if err == nil && n%3 == 0 {
			err = w.Flush(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), a.Close()); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	var seen [messages]bool
	for i, numbers := range got {
		for k, n := range numbers {
			if seen[n] || k > 0 && n < numbers[k-1] {
				t.Fatalf("receiver %d was given %d after %d", i, n, numbers[max(0, k-1)])
			}
			seen[n] = true
		}
	}
	for n, ok := range seen {
		if !ok {
			t.Fatalf("nobody received %d", n)
		}
	}
}
