package shm_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// tight is room for the first region, a further one, and nothing else.
const tight = 256<<10 + 1<<20

// heapMessage is like number, but not in the pipe's memory.
func heapMessage(n uint64, bytes int) *segment.Message {
	msg := segment.NewSized(arena.Pool(), bytes+64)
	fill(msg, n, bytes)
	return msg
}

// TestIdleReceiver has a receiver that gives back what it received and then does
// nothing with the pipe any more, in each way of not doing anything. The sender,
// which has room for one such message, gets the memory.
func TestIdleReceiver(t *testing.T) {
	const bytes = 700_000
	for _, spins := range []bool{false, true} {
		for _, how := range []shm.Wait{shm.Adaptive, shm.Spin, shm.Sleep} {
			t.Run(fmt.Sprintf("%v/spins %v", how, spins), func(t *testing.T) {
				ctx := soon(t)
				a, b := pair(t, shm.Options{MaxBytes: tight, Wait: how}, shm.Options{Wait: shm.Spin})
				receive := func(n uint64) error {
					got, err := b.Recv(ctx)
					if err == nil {
						check(t, got, n, bytes)
						got.Release()
					}
					return err
				}
				for n := uint64(0); n < 10; n += 2 {
					if err := a.Send(ctx, heapMessage(n, bytes)); err != nil {
						t.Fatal(err)
					}
					if err := receive(n); err != nil {
						t.Fatal(err)
					}
					second := make(chan error, 1)
					if spins {
						go func() { second <- receive(n + 1) }()
					}
					if err := a.Send(ctx, heapMessage(n+1, bytes)); err != nil {
						t.Fatal(err)
					}
					if !spins {
						second <- receive(n + 1)
					}
					if err := <-second; err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestLeasesInUnreadSlots has leases come back with messages that the sender, which
// waits for them, has not received.
func TestLeasesInUnreadSlots(t *testing.T) {
	const bytes = 100_000
	for _, how := range []shm.Wait{shm.Adaptive, shm.Sleep} {
		t.Run(how.String(), func(t *testing.T) {
			ctx := soon(t)
			a, b := pair(t, shm.Options{MaxBytes: tight, Wait: how}, shm.Options{Wait: how})
			const all = 200
			done := make(chan error)
			go func() {
				for n := range uint64(all) {
					got, err := b.Recv(ctx)
					if err == nil {
						got.Release() // goes back with the answer
						err = b.Send(ctx, number(b, n, 100))
					}
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			for n := range uint64(all) {
				if err := a.Send(ctx, heapMessage(n, bytes)); err != nil {
					t.Fatal(n, err)
				}
			}
			for n := range uint64(all) {
				got, err := a.Recv(ctx)
				if err != nil {
					t.Fatal(err)
				}
				check(t, got, n, 100)
				got.Release()
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
			if s := a.Stats(); s.Lent != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestUnflushedWait fills the ring under a receiver that sleeps and was not woken.
func TestUnflushedWait(t *testing.T) {
	ctx := soon(t)
	a, b := pair(t, shm.Options{ManualFlush: true}, shm.Options{Wait: shm.Sleep})
	const all = 5000
	done := make(chan error)
	go func() {
		for n := range uint64(all) {
			got, err := b.Recv(ctx)
			if err != nil {
				done <- err
				return
			}
			if g := got.Root().Struct().Uint64(0); g != n {
				done <- fmt.Errorf("received %d, want %d", g, n)
				return
			}
			got.Release()
		}
		done <- nil
	}()
	time.Sleep(time.Millisecond) // it sleeps
	for n := range uint64(all) {
		if err := a.Send(ctx, number(a, n, 40)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestManySenders has goroutines send messages of many segments that need most of
// the memory each.
func TestManySenders(t *testing.T) {
	ctx := soon(t)
	a, b := pair(t, shm.Options{MaxBytes: tight}, shm.Options{})
	const senders, each = 4, 50
	var done sync.WaitGroup
	for range senders {
		done.Go(func() {
			for range each {
				msg := segment.New(arena.Pool())
				list := msg.RootBuilder().NewPtrs(10)
				for i := range 10 {
					list.At(i).SetExternalData(make([]byte, 40_000), nil)
				}
				if err := a.Send(ctx, msg); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range senders * each {
		got, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(got.Root().Ptrs().At(9).Data()); n != 40_000 {
			t.Fatalf("the last element has %d bytes", n)
		}
		got.Release()
	}
	done.Wait()
}

// TestFullIsAnError sends what no waiting makes room for.
func TestFullIsAnError(t *testing.T) {
	ctx := soon(t)
	a, b := pair(t, shm.Options{MaxBytes: tight}, shm.Options{})
	if err := a.Send(ctx, heapMessage(1, 2<<20)); !errors.Is(err, shm.ErrFull) {
		t.Errorf("Send of more than MaxBytes: %v", err)
	}
	// What is built while nothing is free comes from the heap and goes later.
	var waiting []*segment.Message
	for n := range uint64(10) {
		waiting = append(waiting, number(a, n, 200_000))
	}
	done := make(chan error)
	go func() {
		for _, msg := range waiting {
			if err := a.Send(ctx, msg); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for n := range uint64(10) {
		got, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, n, 200_000)
		got.Release()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s := a.Stats(); s.Copied == 0 || s.Bytes > tight {
		t.Errorf("%+v", s)
	}
}

// TestLeasesAreBounded has a peer that keeps all it gets. The sender blocks, other
// pipes do not, and goes on when one comes back.
func TestLeasesAreBounded(t *testing.T) {
	a, b := pair(t, shm.Options{}, shm.Options{})
	var kept []*segment.Message
	for n := range uint64(1024) {
		if err := a.Send(soon(t), number(a, n, 100)); err != nil {
			t.Fatal(n, err)
		}
		got, err := b.Recv(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, got)
	}
	short, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	if err := a.Send(short, number(a, 1024, 100)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Send with all leases out: %v", err)
	}
	if err := a.Send(soon(t), number(a, 1025, 0)); err != nil { // it needs none
		t.Errorf("Send in the slot with all leases out: %v", err)
	}
	kept[500].Release()
	if err := a.Send(soon(t), number(a, 1026, 100)); err != nil {
		t.Errorf("Send after one has come back: %v", err)
	}
	for i, msg := range kept {
		if i != 500 {
			check(t, msg, uint64(i), 100)
			msg.Release()
		}
	}
}

// TestFanOut sends one message many times, and reads it meanwhile.
func TestFanOut(t *testing.T) {
	ctx := soon(t)
	a, b := pair(t, shm.Options{}, shm.Options{})
	msg := number(a, 7, 10_000)
	for range 20 {
		if err := a.Send(ctx, msg.Retain()); err != nil {
			t.Fatal(err)
		}
	}
	if s := a.Stats(); s.Copied != 0 || s.Lent != 20 || s.Blocks != 1 {
		t.Errorf("%+v", s)
	}
	for i := range 20 {
		got, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		check(t, got, 7, 10_000)
		got.Release()
		if i == 10 {
			check(t, msg, 7, 10_000)
			msg.Release()
		}
	}
	if s := b.Stats(); s.Held != 0 {
		t.Errorf("%+v", s)
	}
}

// TestLargeRegionsComeAndGo sends large messages of ever other sizes, of whose
// regions only a few have room.
func TestLargeRegionsComeAndGo(t *testing.T) {
	ctx := soon(t)
	const most = 40 << 20
	limits := segment.Limits{TraversalWords: segment.Unlimited}
	a, b := pair(t, shm.Options{MaxBytes: most}, shm.Options{MaxBytes: most, Limits: limits})
	done := make(chan error)
	const all = 40
	bytes := func(n uint64) int { return 5<<20 + int(n*7%13)<<20 }
	go func() {
		for n := range uint64(all) {
			msg := a.NewMessage(bytes(n) + 100)
			data := msg.NewRoot(segment.Size{Ptrs: 1}).Ptr(0).NewDirtyData(bytes(n))
			data[0], data[len(data)-1] = byte(n), byte(n)
			if err := a.Send(ctx, msg); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	var kept *segment.Message
	for n := range uint64(all) {
		got, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(n, err)
		}
		d := got.Root().Struct().Data(0)
		if len(d) != bytes(n) || d[0] != byte(n) || d[len(d)-1] != byte(n) {
			t.Fatalf("message %d has %d bytes, want %d", n, len(d), bytes(n))
		}
		kept.Release() // one behind
		kept = got
		if s := b.Stats(); s.PeerBytes > most {
			t.Fatalf("the peer's regions have %d bytes", s.PeerBytes)
		}
	}
	kept.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
