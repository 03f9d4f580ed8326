package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// counters are those of an end, as somebody who looks on reads them.
func countersOf(t *testing.T, p *Pipe) Counters {
	t.Helper()
	page := make([]byte, CountersBytes)
	for i := range CountersBytes / 8 {
		binary.NativeEndian.PutUint64(page[8*i:], p.own.w[i].Load())
	}
	c, err := ReadCounters(page)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOldestLoan(t *testing.T) {
	var l loans
	l.begin()
	if n := l.oldest(); n != 0 {
		t.Errorf("of none: %d", n)
	}
	end := func(x lease) { l.end(x, l.find(x)) }
	first, _ := l.lend()
	second, _ := l.lend()
	if n := l.oldest(); n != 1 {
		t.Errorf("of two: %d, want 1", n)
	}
	end(second)
	var last lease
	for range 3 * eldestEvery {
		x, _ := l.lend()
		if last != 0 {
			end(last)
		}
		last = x
		if n := l.oldest(); n != 1 {
			t.Fatalf("while the first is lent: %d, want 1", n)
		}
	}
	end(first)
	if n := l.oldest(); n != 2+3*eldestEvery {
		t.Errorf("of the last alone: %d, want %d", n, 2+3*eldestEvery)
	}
	end(last)
	next, _ := l.lend()
	if n := l.oldest(); n != 3+3*eldestEvery {
		t.Errorf("of the first after none: %d, want %d", n, 3+3*eldestEvery)
	}
	end(next)
	if n := l.oldest(); n != 0 {
		t.Errorf("of none again: %d", n)
	}
	// With two or more lent, it is behind by less than eldestEvery.
	var all []lease
	for i := range uint64(10 * eldestEvery) {
		x, ln := l.lend()
		if all = append(all, x); len(all) > 3 {
			end(all[0])
			all = all[1:]
		}
		if n := l.oldest(); n > ln.number || i > 3 && n+eldestEvery+3 < ln.number {
			t.Fatalf("the oldest is %d when the last is %d", n, ln.number)
		}
	}
}

func TestReadCountersRefuses(t *testing.T) {
	good := make([]byte, CountersBytes)
	for i, w := range header(firstRegionBytes) {
		binary.NativeEndian.PutUint64(good[8*i:], w)
	}
	if _, err := ReadCounters(good); err != nil {
		t.Fatal(err)
	}
	for i := range headerWords {
		bad := append([]byte(nil), good...)
		bad[8*i+3] ^= 0x40
		if c, err := ReadCounters(bad); err == nil {
			t.Errorf("word %d of the header is wrong: %+v", i, c)
		}
	}
	if _, err := ReadCounters(good[:CountersBytes-1]); err == nil || !strings.Contains(err.Error(), "want") {
		t.Errorf("cut short: %v", err)
	}
	wild := append([]byte(nil), good...)
	for i := atCounters; i < len(wild); i++ {
		wild[i] = 0xff
	}
	if c, err := ReadCounters(wild); err != nil || c.Sent != math.MaxUint64 || c.PID != -1 {
		t.Errorf("wild counters: %+v, %v", c, err)
	}
}

// attached are both ends of a pipe.
func attached(t *testing.T) (a, b *Pipe) {
	t.Helper()
	ours, theirs, err := Pair()
	if err != nil {
		if errors.Is(err, ErrUnsupported) {
			t.Skip("SKIPPED:", err)
		}
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		var err error
		b, err = Attach(context.Background(), theirs, Options{})
		done <- err
	}()
	a, err = Attach(context.Background(), ours, Options{})
	if err = errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.Close(), b.Close()); err != nil {
			t.Error(err)
		}
	})
	return a, b
}

func TestCounters(t *testing.T) {
	a, b := attached(t)
	c := countersOf(t, a)
	if c.PID != os.Getpid() || c.PeerPID != os.Getpid() || time.Since(c.Since) > time.Hour || c.Sent != 0 || c.Publisher {
		t.Errorf("of a new pipe: %+v", c)
	}
	ctx := context.Background()
	send := func(bytes int) {
		t.Helper()
		m := a.NewMessage(bytes)
		m.RootBuilder().SetData(make([]byte, bytes))
		if err := a.Send(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	send(8) // in the slot
	send(1000)
	send(5000)
	if c = countersOf(t, a); c.Sent != 3 || c.Slots != 3 || c.SentBytes < 6008 || c.Lent != 2 || c.Blocks < 2 || c.Bytes < firstRegionBytes || c.Oldest != 1 || c.Taken != 0 {
		t.Errorf("after three messages: %+v", c)
	}
	for i := range 3 {
		m, err := b.Recv(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if c := countersOf(t, b); c.Received != uint64(i+1) {
			t.Errorf("after message %d: %+v", i+1, c)
		}
		m.Release()
	}
	if c = countersOf(t, b); c.ReceivedBytes < 6008 || c.Sent != 0 {
		t.Errorf("the receiver's: %+v", c)
	}
	if s := b.Stats(); s.Received != 3 {
		t.Errorf("%+v", s)
	}
}

func TestPublisherCounters(t *testing.T) {
	p, err := NewPublisher(filepath.Join(t.TempDir(), "p"), PublisherOptions{})
	if err != nil {
		if errors.Is(err, ErrUnsupported) {
			t.Skip("SKIPPED:", err)
		}
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 3 {
		m := p.NewMessage(1000)
		m.RootBuilder().SetData(make([]byte, 1000))
		if err := p.Publish(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	c, err := ReadCounters(p.shared.Bytes()[:CountersBytes])
	if err != nil || !c.Publisher || c.PID != os.Getpid() || c.Sent != 3 || c.SentBytes < 3000 || c.Peers != 0 || c.Bytes < pubRegionBytes {
		t.Errorf("%+v, %v", c, err)
	}
}
