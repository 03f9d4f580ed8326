package shm

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/mem"
	"github.com/fairlead-go/fairlead/segment"
)

// starving is room for the first region, a further one, and nothing else: for one
// message of starvingBytes.
const (
	starving      = 256<<10 + 1<<20
	starvingBytes = 700_000
)

func starvingMessage(n uint64) *segment.Message {
	msg := segment.NewSized(arena.Pool(), starvingBytes+64)
	root := msg.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	root.SetUint64(0, n)
	root.NewData(0, starvingBytes)[starvingBytes-1] = byte(n)
	return msg
}

// TestStarvedSenderSleeps has a sender that is short of memory sleep until there is
// some, however that comes back, and not look for it now and then.
func TestStarvedSenderSleeps(t *testing.T) {
	for name, freeBy := range map[string]func(built, held *segment.Message){
		"the peer releases": func(built, held *segment.Message) {
			held.Release()
			defer built.Release()
		},
		"a message that was built is released": func(built, held *segment.Message) {
			built.Release()
			defer held.Release()
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := ends(t, Options{MaxBytes: starving}, Options{})
			var held, built *segment.Message
			if name == "a message that was built is released" {
				built = a.NewMessage(starvingBytes)
				built.NewRoot(segment.Size{Ptrs: 1}).NewData(0, starvingBytes-100)
				held = segment.New(arena.Pool())
			} else {
				built = segment.New(arena.Pool())
				if err := a.Send(briefly(t), starvingMessage(1)); err != nil {
					t.Fatal(err)
				}
				var err error
				if held, err = b.Recv(briefly(t)); err != nil {
					t.Fatal(err)
				}
			}
			sent := make(chan error, 1)
			go func() { sent <- a.Send(briefly(t), starvingMessage(2)) }()
			sleeps := &a.out.wait.sleeps
			for sleeps.Load() == 0 { // the first is short
				time.Sleep(time.Millisecond)
			}
			for !sleep(a.own.sendSleep.Load()).asleep() {
				time.Sleep(time.Millisecond)
			}
			before := sleeps.Load()
			for range 5 {
				time.Sleep(longestWait)
				if n := sleeps.Load(); n != before {
					t.Errorf("it woke %d times and found nothing", n-before)
					before = n
				}
			}
			freeBy(built, held)
			if err := <-sent; err != nil {
				t.Fatal(err)
			}
			got, err := b.Recv(briefly(t))
			if err != nil {
				t.Fatal(err)
			}
			if n := got.Root().Struct().Uint64(0); n != 2 {
				t.Errorf("message %d, want 2", n)
			}
			got.Release()
		})
	}
}

// TestStarvedLoop passes messages for which there is memory only once the one before
// came back, and gives that back at a time by chance: before the sender asks for it,
// while it goes to sleep, or later. What is lost there is not healed by anything.
func TestStarvedLoop(t *testing.T) {
	a, b := ends(t, Options{MaxBytes: starving, Wait: Sleep}, Options{Wait: Sleep})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const messages = 1000
	done := make(chan error, 2)
	go func() {
		for n := range uint64(messages) {
			if err := a.Send(ctx, starvingMessage(n)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	go func() {
		random := rand.New(rand.NewPCG(5, 6))
		for range messages {
			msg, err := b.Recv(ctx)
			if err != nil {
				done <- err
				return
			}
			for range random.IntN(5000) {
				mem.Pause(1)
			}
			msg.Release()
			if random.IntN(3) == 0 { // a lease goes back with a message
				if err := b.Send(ctx, b.NewMessage(2000)); err != nil {
					done <- err
					return
				}
			}
		}
		done <- nil
	}()
	go func() {
		for {
			msg, err := a.Recv(ctx)
			if err != nil {
				return
			}
			msg.Release()
		}
	}()
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// TestLeaseInSlotWakes has the sender go to sleep after the peer has put the lease that
// it waits for into a slot, and before that is published: neither the request to hurry
// nor the look into the slots finds it.
func TestLeaseInSlotWakes(t *testing.T) {
	var a *Pipe
	sent := make(chan error, 1)
	var once atomic.Bool
	points = func(name string) {
		if name != "send.places" || a == nil || !once.CompareAndSwap(false, true) {
			return
		}
		go func() { sent <- a.Send(briefly(t), starvingMessage(2)) }()
		for a.out.wait.sleeps.Load() == 0 || !sleep(a.own.sendSleep.Load()).asleep() {
			time.Sleep(time.Millisecond)
		}
	}
	t.Cleanup(func() { points = nil })
	from, to := ends(t, Options{MaxBytes: starving}, Options{})
	if err := from.Send(briefly(t), starvingMessage(1)); err != nil {
		t.Fatal(err)
	}
	held, err := to.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	a = from
	held.Release()
	if err := to.Send(briefly(t), starvingMessage(3)); err != nil { // too large for a slot
		t.Fatal(err)
	}
	if !once.Load() {
		t.Fatal("the point was not passed")
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	msg, err := to.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	msg.Release()
}

// TestRegionAfterAnswer has a sender that needs a region while the peer has as many
// requests to answer as there may be. That passes.
func TestRegionAfterAnswer(t *testing.T) {
	a, b := ends(t, Options{}, Options{})
	unanswered := func(n int) {
		a.control.mu.Lock()
		a.control.unanswered = n
		a.control.mu.Unlock()
	}
	unanswered(maxUnanswered)
	sent := make(chan error, 1)
	go func() { sent <- a.Send(briefly(t), starvingMessage(1)) }()
	for a.out.wait.sleeps.Load() == 0 || !sleep(a.own.sendSleep.Load()).asleep() {
		select {
		case err := <-sent:
			t.Fatalf("it does not wait: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	var answer [controlBytes]byte
	binary.NativeEndian.PutUint64(answer[8:], controlAdd)
	unanswered(1)
	if err := a.answered(answer); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	msg, err := b.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	msg.Release()
}
