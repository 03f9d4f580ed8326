package shm

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"
)

// mapped is how many mappings of shared memory this process has.
func mapped(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(maps, []byte(RegionName))
}

// TestReaderKeepsAndGivesUp has a Reader that is in the midst of a stream hold regions
// for the next message, and give them up when it waits, and when it is closed though
// the pipe was before.
func TestReaderKeepsAndGivesUp(t *testing.T) {
	before := mapped(t)
	ours, theirs, err := Pair()
	if errors.Is(err, ErrUnsupported) {
		t.Skip("SKIPPED:", err)
	}
	must(t, err)
	ctx := within(t, 20*time.Second)
	far := make(chan *Pipe)
	go func() {
		p, err := Attach(ctx, theirs, Options{})
		if err != nil {
			t.Error(err)
		}
		far <- p
	}()
	a, err := Attach(ctx, ours, Options{})
	must(t, err)
	b := <-far
	w, r := a.Writer(), b.Reader()

	send := func(n int) {
		for range n {
			msg := w.NewMessage(1 << 20)
			msg.RootBuilder().NewDirtyData(1<<20 - 8)
			must(t, w.Send(ctx, msg))
		}
	}
	take := func(n int) {
		for range n {
			if _, err := r.Next(ctx); err != nil {
				t.Fatal(err)
			}
			r.Done()
		}
	}
	send(30)
	take(30)
	kept := 0
	for _, s := range r.got.kept {
		if s != nil {
			kept++
		}
	}
	if kept == 0 || !r.got.stays {
		t.Errorf("%d regions are kept in a stream, %v", kept, r.got.stays)
	}
	waited := make(chan error)
	go func() {
		_, err := r.Next(ctx)
		r.Done()
		waited <- err
	}()
	for b.Stats().Held != 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond) // until it waits
	}
	send(1)
	must(t, <-waited)

	send(3)
	take(3)
	must(t, a.Close())
	must(t, b.Close())
	if mapped(t) == before {
		t.Error("nothing is mapped, of which the Reader and the Writer hold some")
	}
	must(t, w.Close())
	r.Close()
	if now := mapped(t); now != before {
		t.Errorf("%d regions are mapped, %d before", now, before)
	}
}
