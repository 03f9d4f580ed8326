package shm_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// pattern are bytes of which each part tells where it is.
func pattern(b []byte) {
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)
	}
}

// referring builds a message of which one field is n and the other refers to data.
func referring(msg *segment.Message, n uint64, data []byte, release func()) *segment.Message {
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	root.SetUint64(0, n)
	if !root.Ptr(0).SetExternalData(data, release) {
		panic("the data was copied")
	}
	return msg
}

func receiveReferring(t *testing.T, p *shm.Pipe, n uint64, want []byte) *segment.Message {
	t.Helper()
	got, err := p.Recv(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	root := got.Root().Struct()
	if m := root.Uint64(0); m != n {
		t.Fatalf("message %d, want %d", m, n)
	}
	if b := root.Data(0); !bytes.Equal(b, want) {
		t.Fatalf("message %d has %d bytes, not the %d that it was to refer to; %v", n, len(b), len(want), got.Err())
	}
	return got
}

// A sender that is short of memory gets that which the peer has sent back, though all
// that is left to do for it is to release it here.
func TestShortOfWhatCameBack(t *testing.T) {
	near, far := pair(t, shm.Options{MaxBytes: 1 << 20, Wait: shm.Sleep}, shm.Options{})
	large := func(m *segment.Message) *segment.Message {
		root := m.NewRoot(segment.Size{Ptrs: 2})
		root.NewData(0, 100)
		root.NewData(1, 500_000)
		return m
	}
	receive := func(p *shm.Pipe) *segment.Message {
		m, err := p.Recv(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for range 20 {
		if err := near.Send(soon(t), large(near.NewMessage(64))); err != nil {
			t.Fatal(err)
		}
		if err := far.Send(soon(t), receive(far)); err != nil {
			t.Fatal(err)
		}
		back := receive(near)
		sent := make(chan error, 1)
		slept := near.Stats().Sleeps
		go func() { sent <- near.Send(soon(t), large(segment.New(arena.Pool()))) }()
		for near.Stats().Sleeps == slept && len(sent) == 0 {
			time.Sleep(time.Millisecond)
		}
		back.Release()
		receive(far).Release()
		if err := <-sent; err != nil {
			t.Fatalf("%v; %+v %+v", err, near.Stats(), far.Stats())
		}
	}
}

// What was sent back is right when it is received after the peer has closed, though the
// sender was short of memory then.
func TestSentBackBeforeClose(t *testing.T) {
	for range 50 {
		near, far := pair(t, shm.Options{MaxBytes: 1 << 20, Wait: shm.Sleep}, shm.Options{})
		large := func(m *segment.Message, n uint64) *segment.Message {
			root := m.NewRoot(segment.Size{DataWords: 1, Ptrs: 2})
			root.SetUint64(0, n)
			root.NewData(0, 100)
			pattern(root.NewData(1, 500_000))
			return m
		}
		if err := near.Send(soon(t), large(near.NewMessage(64), 1)); err != nil {
			t.Fatal(err)
		}
		m, err := far.Recv(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := far.Send(soon(t), m); err != nil {
			t.Fatal(err)
		}
		slept := near.Stats().Sleeps
		sent := make(chan error, 1)
		go func() {
			m := segment.New(arena.Pool())
			clear(large(m, 2).Root().Struct().Data(1))
			sent <- near.Send(soon(t), m)
		}()
		for near.Stats().Sleeps == slept {
			time.Sleep(100 * time.Microsecond)
		}
		if err := far.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-sent; err == nil {
			t.Error("more was sent than there is memory for")
		}
		back, err := near.Recv(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		want := make([]byte, 500_000)
		pattern(want)
		if root := back.Root().Struct(); root.Uint64(0) != 1 || !bytes.Equal(root.Data(1), want) {
			t.Errorf("message %d came back, or it was changed; %v", root.Uint64(0), back.Err())
		}
		back.Release()
	}
}

// settled has both ends give all back, and tells whether nothing is held.
func settled(t *testing.T, a, b *shm.Pipe) {
	t.Helper()
	var s, r shm.Stats
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		for _, p := range []*shm.Pipe{a, b} {
			ctx, cancel := timeout(t, time.Millisecond)
			if _, err := p.Recv(ctx); err == nil {
				t.Fatal("a message that nobody sent")
			}
			cancel()
		}
		if s, r = a.Stats(), b.Stats(); s.Lent+s.Blocks+s.Held+r.Lent+r.Blocks+r.Held == 0 {
			return
		}
	}
	t.Errorf("still held: %+v and %+v", s, r)
}

// TestPartOfABlock sends messages that refer to parts of one that stays: none of its
// bytes is copied.
func TestPartOfABlock(t *testing.T) {
	for _, size := range []int{3000, 90_000, 6 << 20} {
		a, b := pair(t, shm.Options{}, shm.Options{})
		whole := a.NewMessage(size + 64)
		data := whole.RootBuilder().NewData(size)
		pattern(data)
		var released atomic.Int64
		for n := range 40 {
			part := data[n*8 : size-n*16]
			whole.Retain()
			msg := referring(a.NewMessage(0), uint64(n), part, func() { released.Add(1); whole.Release() })
			if n%2 == 1 {
				msg.Release()
				whole.Retain()
				msg = referring(segment.New(arena.Pool()), uint64(n), part, func() { released.Add(1); whole.Release() })
			}
			if err := a.Send(soon(t), msg); err != nil {
				t.Fatal(err)
			}
			receiveReferring(t, b, uint64(n), part).Release()
		}
		if s := a.Stats(); s.Copied != 20 { // the small first segments of those that are in the heap
			t.Errorf("%d bytes: %+v", size, s)
		}
		if n := released.Load(); n != 60 {
			t.Errorf("released %d times, want 60", n)
		}
		whole.Release()
		settled(t, a, b)
	}
}

// TestSendBack sends parts of what was received back where they lie. The sender finds
// its own memory, which is not used for anything else before it is done with it.
func TestSendBack(t *testing.T) {
	for _, size := range []int{2000, 100_000, 5 << 20} {
		a, b := pair(t, shm.Options{MaxBytes: 16 << 20}, shm.Options{})
		var gone atomic.Int64
		for n := range uint64(20) {
			msg := a.NewMessage(size + 64)
			root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
			data := root.NewData(0, size)
			pattern(data)
			want := bytes.Clone(data[8 : size-16])
			if err := a.Send(soon(t), msg); err != nil {
				t.Fatal(err)
			}
			got, err := b.Recv(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			back := referring(b.NewMessage(0), n, got.Root().Struct().Data(0)[8:size-16], func() { gone.Add(1); got.Release() })
			if err := b.Send(soon(t), back); err != nil {
				t.Fatal(err)
			}
			mine := receiveReferring(t, a, n, want)
			if gone.Load() != int64(n) {
				t.Fatalf("message %d was given back while a part of it is on its way", n)
			}
			// All other memory is written meanwhile.
			for range 50 {
				other := a.NewMessage(size + 64)
				clear(other.RootBuilder().NewData(size))
				other.Release()
			}
			if d := mine.Root().Struct().Data(0); !bytes.Equal(d, want) {
				t.Fatalf("message %d changed while it was held", n)
			}
			mine.Release()
			settled(t, a, b)
			if gone.Load() != int64(n+1) {
				t.Fatalf("message %d was not given back", n)
			}
		}
		if s, r := a.Stats(), b.Stats(); s.Copied+r.Copied != 0 {
			t.Errorf("%d bytes: %+v and %+v", size, s, r)
		}
	}
}

// TestSendBackAndLeave has the peer close after it sent part of a message back, which
// is received only when all that the peer had was taken back.
func TestSendBackAndLeave(t *testing.T) {
	for _, size := range []int{2000, 5 << 20} {
		a, b := pair(t, shm.Options{}, shm.Options{})
		msg := a.NewMessage(size + 64)
		data := msg.NewRoot(segment.Size{Ptrs: 1}).NewData(0, size)
		pattern(data)
		want := bytes.Clone(data)
		if err := a.Send(soon(t), msg); err != nil {
			t.Fatal(err)
		}
		got, err := b.Recv(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		for n := range uint64(2) {
			got.Retain()
			if err := b.Send(soon(t), referring(b.NewMessage(0), n, got.Root().Struct().Data(0), got.Release)); err != nil {
				t.Fatal(err)
			}
		}
		got.Release()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		for a.Stats().Lent > 0 {
			time.Sleep(time.Millisecond)
		}
		first := receiveReferring(t, a, 0, want)
		second := receiveReferring(t, a, 1, want)
		first.Release()
		if d := second.Root().Struct().Data(0); !bytes.Equal(d, want) {
			t.Error("the second changed")
		}
		second.Release()
		if s := a.Stats(); s.Blocks != 0 || s.Held != 0 {
			t.Errorf("%+v", s)
		}
	}
}
