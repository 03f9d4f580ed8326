package shm

import (
	"context"
	"testing"
	"time"
)

// What a peer holds that has closed stays as it is: its blocks are free for us, but
// nothing is built there any more, nor made ready.
func TestHeldByClosedPeer(t *testing.T) {
	a, b := attached(t)
	const n = 200
	msg := b.NewMessage(0)
	for i, d := 0, msg.RootBuilder().NewData(n); i < n; i++ {
		d[i] = 7
	}
	if err := b.Send(context.Background(), msg); err != nil {
		t.Fatal(err)
	}
	got, err := a.Recv(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if n := a.Stats().Held; n != 1 {
		t.Errorf("the closed end holds %d messages, want 1", n)
	}
	for !b.drained.Load() || b.Stats().Lent > 0 { // until b has taken everything back
		time.Sleep(time.Millisecond)
	}
	b.out.prepare()
	msg = b.NewMessage(0)
	defer msg.Release()
	msg.RootBuilder().NewData(n)
	d := got.Root().Data()
	if len(d) != n {
		t.Fatalf("%d bytes, want %d", len(d), n)
	}
	for i, v := range d {
		if v != 7 {
			t.Fatalf("byte %d is %d, want 7", i, v)
		}
	}
}
