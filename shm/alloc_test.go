package shm_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// TestNoAllocations pins that a message costs no allocation, whichever way it goes.
func TestNoAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop what they have")
	}
	for _, bytes := range []int{0, 500, 100_000} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			a, b := pair(t, shm.Options{}, shm.Options{})
			n := testing.AllocsPerRun(2000, func() {
				if err := a.Send(background, number(a, 1, bytes)); err != nil {
					t.Fatal(err)
				}
				got, err := b.Recv(background)
				if err != nil {
					t.Fatal(err)
				}
				got.Release()
			})
			if n != 0 {
				t.Errorf("%v allocations a message", n)
			}
		})
		t.Run(fmt.Sprintf("writer/%d", bytes), func(t *testing.T) {
			a, b := pair(t, shm.Options{}, shm.Options{})
			w, r := a.Writer(), b.Reader()
			defer r.Close()
			msg := segment.NewSized(arena.Pool(), bytes+100)
			defer msg.Release()
			n := testing.AllocsPerRun(2000, func() {
				msg.Reset()
				fill(msg, 1, bytes)
				if err := w.Send(background, msg); err != nil {
					t.Fatal(err)
				}
				if _, err := r.Next(background); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if err := w.Add(background, msg); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Flush(background); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					if _, err := r.Next(background); err != nil {
						t.Fatal(err)
					}
				}
				r.Done()
			})
			if n != 0 {
				t.Errorf("%v allocations a round", n)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoAllocationsAsleep is the same where both sides sleep for each message.
func TestNoAllocationsAsleep(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools drop what they have")
	}
	a, b := pair(t, shm.Options{Wait: shm.Sleep}, shm.Options{Wait: shm.Sleep})
	done := make(chan error)
	go func() { done <- echo(b) }()
	n := testing.AllocsPerRun(500, func() {
		if err := a.Send(background, number(a, 1, 200)); err != nil {
			t.Fatal(err)
		}
		got, err := a.Recv(background)
		if err != nil {
			t.Fatal(err)
		}
		got.Release()
	})
	if n != 0 {
		t.Errorf("%v allocations a round trip", n)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
