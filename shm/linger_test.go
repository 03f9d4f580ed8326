package shm

import (
	"context"
	"testing"
)

// Who needs a large block waits a moment for one that comes back, and for no other.
func TestLinger(t *testing.T) {
	const size = maxClass + 1
	large := &block{mem: make([]byte, size), class: -1}
	for _, test := range []struct {
		name  string
		n     int
		still bool
		has   []*block
		comes int // with which call of collect
		calls int
	}{
		{name: "comes at once", n: size, comes: 1, calls: 1},
		{name: "comes soon", n: size, comes: 20, calls: 20},
		{name: "is there", n: size, has: []*block{large}},
		{name: "small", n: lazyBytes, comes: 1},
		{name: "asleep", n: size, still: true, comes: 1},
	} {
		s := store{spins: !test.still, large: test.has}
		calls := 0
		s.linger(test.n, func() {
			if calls++; calls == test.comes {
				s.large = append(s.large, large)
			}
		})
		if calls != test.calls {
			t.Errorf("%s: looked %d times, want %d", test.name, calls, test.calls)
		}
	}
	s := store{spins: true, large: []*block{{mem: make([]byte, 4*size), class: -1}}}
	calls := 0
	s.linger(size, func() { calls++ }) // one that is much too large is not taken
	if calls == 0 {
		t.Error("did not look")
	}
	before := calls
	s.linger(size, func() { calls++ })
	if calls != before {
		t.Error("looked again, though nothing has come back since it was in vain")
	}
	small := &block{region: &region{}, holds: 1}
	s.drop(small)
	s.linger(size, func() { calls++ })
	if calls == before {
		t.Error("did not look after something had come back")
	}
}

// Large messages and their answers go round in one region, though their leases come
// back with the answers, which the sender of the next has received only.
func TestLargeMessagesGoRound(t *testing.T) {
	a, b := attached(t)
	a.out.store.spins = true
	ctx := context.Background()
	pass := func(from, to *Pipe, bytes int) {
		t.Helper()
		msg := from.NewMessage(bytes)
		msg.RootBuilder().NewDirtyData(bytes - 8)
		if err := from.Send(ctx, msg); err != nil {
			t.Fatal(err)
		}
		got, err := to.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
	}
	const size = 8 << 20
	pass(a, b, size)
	before := a.Stats().Bytes
	for range 20 {
		pass(b, a, 200)
		pass(a, b, size)
	}
	if now := a.Stats().Bytes; now != before {
		t.Errorf("%d bytes of memory, and %d after the first message", now, before)
	}
}
