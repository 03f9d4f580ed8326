package shm_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// fillUp sends messages of so many bytes until there is no room for another, and has
// the peer give them back.
func fillUp(t *testing.T, a, b *shm.Pipe, bytes int) {
	t.Helper()
	var kept []*segment.Message
	for n := 0; ; n++ {
		msg := number(a, uint64(n), bytes)
		if a.Stats().Blocks == n {
			msg.Release() // it is in the heap
			break
		}
		if err := a.Send(soon(t), msg); err != nil {
			t.Fatalf("message %d of %d bytes: %v; %+v", n, bytes, err, a.Stats())
		}
		got, err := b.Recv(soon(t))
		if err != nil {
			t.Fatal(n, err)
		}
		kept = append(kept, got)
	}
	if s := a.Stats(); s.Copied != 0 || s.Lent == 0 || int64(s.Lent*bytes) < s.Bytes/3 {
		t.Fatalf("messages of %d bytes: %+v", bytes, s)
	}
	for n, msg := range kept {
		check(t, msg, uint64(n), bytes)
		msg.Release()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := b.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) { // gives all back when it sleeps
		t.Fatal(err)
	}
}

// TestMemoryOfAnotherSize has the regions cut into blocks of one size, all of which
// come back, before there are messages of others: what is free is of use to them.
func TestMemoryOfAnotherSize(t *testing.T) {
	a, b := pair(t, shm.Options{MaxBytes: 16 << 20}, shm.Options{})
	for _, bytes := range []int{100_000, 6 << 20, 20_000, 2 << 20, 13 << 20, 50_000, 30_000} {
		fillUp(t, a, b, bytes)
	}
}

// TestFullOfEachOther has two senders that each need a copy made, for which there is room
// once the other's message is gone: one is told, and then the other goes on.
func TestFullOfEachOther(t *testing.T) {
	const built = 1 << 20
	external := make([]byte, built/2)
	for range 10 {
		a, b := pair(t, shm.Options{MaxBytes: 256<<10 + 2*built + 64<<10, Wait: shm.Sleep}, shm.Options{})
		ctx := soon(t)
		sent := make(chan error, 2)
		var messages [2]*segment.Message
		for i := range messages {
			messages[i] = a.NewMessage(built - 64)
			root := messages[i].NewRoot(segment.Size{Ptrs: 2})
			root.NewData(0, built-1000)
			root.Ptr(1).SetExternalData(external, nil)
		}
		for _, m := range messages {
			go func() { sent <- a.Send(ctx, m) }()
		}
		one, other := <-sent, <-sent
		if one != nil {
			one, other = other, one
		}
		if one != nil || !errors.Is(other, shm.ErrFull) {
			t.Fatalf("%v and %v", one, other)
		}
		got, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
	}
}

// TestFullOfItself sends messages for whose copies there is no room while they
// themselves, or the Writer, have a block: to wait would be in vain.
func TestFullOfItself(t *testing.T) {
	a, b := pair(t, shm.Options{MaxBytes: tight}, shm.Options{})
	large := make([]byte, tight-10_000)
	msg := a.NewMessage(100)
	msg.RootBuilder().SetExternalData(large, nil)
	if err := a.Send(soon(t), msg); !errors.Is(err, shm.ErrFull) {
		t.Errorf("a message of the pipe: %v", err)
	}
	whole := a.NewMessage(1000) // a part of it is sent, and holds it
	data := whole.RootBuilder().NewData(1000)
	part := segment.New(arena.Pool())
	root := part.NewRoot(segment.Size{Ptrs: 2})
	root.Ptr(0).SetExternalData(data[8:992], whole.Release)
	root.Ptr(1).SetExternalData(large, nil)
	if err := a.Send(soon(t), part); !errors.Is(err, shm.ErrFull) {
		t.Errorf("a message that refers to part of another: %v", err)
	}
	w := a.Writer()
	defer w.Close()
	for _, external := range [][]byte{nil, large} {
		msg := w.NewMessage(100)
		fill(msg, 1, 70)
		if external != nil {
			msg.RootBuilder().SetExternalData(external, nil)
		}
		err := w.Send(soon(t), msg)
		if external != nil {
			if !errors.Is(err, shm.ErrFull) {
				t.Errorf("a message of a Writer: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Recv(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
	}
}

// TestFullOfWhatIsBehind sends messages at once of which the first needs the memory that
// those behind it have.
func TestFullOfWhatIsBehind(t *testing.T) {
	a, _ := pair(t, shm.Options{MaxBytes: tight}, shm.Options{})
	msgs := []*segment.Message{segment.New(arena.Pool()), a.NewMessage(1000)}
	msgs[0].NewRoot(segment.Size{Ptrs: 1}).SetExternalData(0, make([]byte, tight-10_000), nil)
	fill(msgs[1], 1, 70)
	if err := a.SendAll(soon(t), msgs); !errors.Is(err, shm.ErrFull) {
		t.Errorf("got %v, want ErrFull", err)
	}
	if s := a.Stats(); s.Blocks != 0 {
		t.Errorf("%d blocks are left", s.Blocks)
	}
}
