package shm

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
)

// publishAs makes a publisher at a path of the test.
func publishAs(t testing.TB, path string, o PublisherOptions) *Publisher {
	t.Helper()
	needSharedMemory(t)
	p, err := NewPublisher(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func newPath(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "p")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "s")
}

// TestPublisherReplaced replaces a publisher several times. Who subscribes misses what
// is published while it is on its way, and nothing else, and is told how much.
func TestPublisherReplaced(t *testing.T) {
	path := newPath(t)
	o := PublisherOptions{AllowBlock: true, Replace: true}
	p := publishAs(t, path, o)
	var restarts []Restart
	s, err := Subscribe(briefly(t), path, SubscriberOptions{
		Policy: Block, Reconnect: true, OnRestart: func(r Restart) { restarts = append(restarts, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plain, err := Subscribe(briefly(t), path, SubscriberOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	last := uint64(0)
	var held []*segment.Message
	var replaced []*Publisher
	all := 0
	for round := range 5 {
		publish(t, p, last+1, last+11)
		old := p
		p = publishAs(t, path, o)
		select {
		case <-old.Replaced():
		case <-time.After(time.Minute):
			t.Fatal("the publisher does not learn that it was replaced")
		}
		if err := old.Publish(briefly(t), numbered(old.NewMessage(0), 1)); !errors.Is(err, ErrReplaced) {
			t.Errorf("publishing after that: %v", err)
		}
		// What is lost: it is published before the subscriber comes.
		missed := uint64(3 * round)
		publish(t, p, last+11, last+11+missed)
		shared := 0
		for n := last + 1; n <= last+10; n++ { // of the old one
			msg, err := s.Recv(briefly(t))
			if err != nil {
				t.Fatalf("message %d: %v", n, err)
			}
			if err := checkNumbered(msg, n); err != nil {
				t.Error(err)
			}
			held = append(held, msg)
			if msg.Trust() == segment.Shared { // and not copied
				shared++
				all++
			}
		}
		if len(restarts) != round {
			t.Fatalf("%d restarts in round %d", len(restarts), round)
		}
		last += 11 + missed
		received := make(chan error)
		go func() {
			msg, err := s.Next(briefly(t))
			if err == nil {
				err = checkNumbered(msg, last)
			}
			received <- err
		}()
		for p.Stats().Subscribers == 0 {
			time.Sleep(100 * time.Microsecond)
		}
		publish(t, p, last, last+1)
		if err := <-received; err != nil {
			t.Fatal(err)
		}
		want := Restart{Missed: missed, Exact: true}
		got := restarts[len(restarts)-1]
		if !errors.Is(got.Ended, ErrReplaced) || got.Missed != want.Missed || got.Exact != want.Exact || len(restarts) != round+1 {
			t.Errorf("round %d: %+v, want %+v", round, got, want)
		}
		if round == 0 {
			receive(t, plain, 1, 11)
			if _, err := plain.Recv(briefly(t)); !errors.Is(err, ErrReplaced) {
				t.Errorf("a subscriber that does not reconnect: %v", err)
			}
		}
		// It learns that who went on is gone, and what that still holds.
		awaitStats(t, old, func(st PublisherStats) bool {
			return st.Out == shared && st.Blocks == shared && st.Leaving == 1 && (st.Subscribers == 0 || round == 0)
		})
		replaced = append(replaced, old)
	}
	if st := s.Stats(); st.Restarts != 5 || st.Lost != 3*(0+1+2+3+4) || st.Received != 55 || st.Held != all {
		t.Errorf("%+v", st)
	}
	// What was received of old publishers is as it was.
	for i, msg := range held {
		if err := checkNumbered(msg, msg.Root().Struct().Uint64(0)); err != nil {
			t.Errorf("held message %d: %v", i, err)
		}
		msg.Release()
	}
	s.Done()
	if st := s.Stats(); st.Held != 0 || len(s.old) != 0 {
		t.Errorf("after all was released: %+v, %d old publishers", st, len(s.old))
	}
	for _, old := range replaced {
		awaitStats(t, old, func(st PublisherStats) bool { return st.Out == 0 && st.Blocks == 0 && st.Leaving == 0 })
	}
}

// The memory of an old publisher is not written to while somebody may read it, and its
// mapping goes with the last message.
func TestReplacedPublisherKeepsMessages(t *testing.T) {
	path := newPath(t)
	p := publishAs(t, path, PublisherOptions{})
	s, err := Subscribe(briefly(t), path, SubscriberOptions{Reconnect: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	publish(t, p, 1, 2)
	msg, err := s.Recv(briefly(t))
	if err != nil {
		t.Fatal(err)
	}
	old := s.feed.Load()
	next := publishAs(t, path, PublisherOptions{Replace: true, History: 1})
	publish(t, next, 2, 3)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := s.Recv(ctx)
		done <- err
	}()
	for next.Stats().Subscribers == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	for range 100 {
		m := numbered(p.NewMessage(0), 77)
		m.NewRoot(segment.Size{Ptrs: 1}).SetData(0, make([]byte, 3000))
		m.Release()
	}
	if err := checkNumbered(msg, 1); err != nil {
		t.Error(err)
	}
	if n := usesOf(old); n != 1 {
		t.Errorf("%d uses of the old memory, want that of the message", n)
	}
	msg.Release()
	if n := usesOf(old); n != 0 {
		t.Errorf("%d uses of the old memory are left", n)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestReconnect ends publishers in other ways: nobody knows what was missed then.
func TestReconnect(t *testing.T) {
	path := newPath(t)
	p := publishAs(t, path, PublisherOptions{})
	var restarts []Restart
	s, err := Subscribe(briefly(t), path, SubscriberOptions{
		History: 2, Reconnect: true, OnRestart: func(r Restart) { restarts = append(restarts, r) },
	})
	if err != nil {
		t.Fatal(err)
	}
	publish(t, p, 1, 4)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	receive(t, s, 1, 4)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for range 2 { // nobody is there
		if _, err := s.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a publisher: %v", err)
		}
	}
	p = publishAs(t, path, PublisherOptions{History: 2})
	publish(t, p, 1, 7)
	receive(t, s, 5, 7) // the history
	if len(restarts) != 1 || restarts[0].Ended != io.EOF || restarts[0].Missed != 4 || restarts[0].Exact {
		t.Errorf("%+v", restarts)
	}
	if st := s.Stats(); st.Lost != 4 || st.Received != 5 || st.Restarts != 1 {
		t.Errorf("%+v", st)
	}
	// Close ends the wait for the next.
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := s.Recv(context.Background())
		done <- err
	}()
	time.Sleep(5 * time.Millisecond)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("a Recv that Close ended: %v", err)
	}
}

// A publisher that does not answer, and one that waits for a subscriber, do not keep
// the next from its place.
func TestReplaceStubbornPublisher(t *testing.T) {
	path := newPath(t)
	p := publishAs(t, path, PublisherOptions{AllowBlock: true})
	s, err := Subscribe(briefly(t), path, SubscriberOptions{Policy: Block, Depth: 1, Reconnect: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	published := make(chan error)
	go func() {
		publish(t, p, 1, 2)
		published <- p.Publish(context.Background(), numbered(p.NewMessage(0), 2)) // waits
	}()
	for p.Stats().Published == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	next := publishAs(t, path, PublisherOptions{Replace: true, History: 1, AllowBlock: true})
	receive(t, s, 1, 2)
	received := make(chan error)
	go func() {
		msg, err := s.Recv(briefly(t))
		if err == nil {
			err = checkNumbered(msg, 3)
			msg.Release()
		}
		received <- err
	}()
	if err := <-published; !errors.Is(err, ErrReplaced) {
		t.Errorf("a Publish that waited: %v", err)
	}
	for next.Stats().Subscribers == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	publish(t, next, 3, 4)
	if err := <-received; err != nil {
		t.Error(err)
	}
	if st := s.Stats(); st.Lost != 0 {
		t.Errorf("%+v", st) // what was refused was not published
	}
	// One that says nothing.
	silent := newPath(t)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: silent})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if err := os.Chmod(silent, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewPublisher(silent, PublisherOptions{}); !errors.Is(err, ErrInUse) {
		t.Errorf("without Replace: %v", err)
	}
	last := publishAs(t, silent, PublisherOptions{Replace: true})
	if last.before != 0 || last.number != 0 {
		t.Errorf("it goes on from %d of %d", last.number, last.before)
	}
}

// A process that dies after it has taken a path, and before it could tell the one that
// was there, has replaced it all the same: nobody can find that any more.
func TestReplacedByOneThatDied(t *testing.T) {
	path := newPath(t)
	needSharedMemory(t)
	dieThere := func() {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path + ".new"})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetUnlinkOnClose(false)
		if err := errors.Join(os.Chmod(path+".new", 0o600), os.Rename(path+".new", path), ln.Close(), conn.Close()); err != nil {
			t.Fatal(err)
		}
	}
	ln, err := Listen(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dieThere()
	if _, err := ln.Accept(briefly(t)); !errors.Is(err, ErrReplaced) {
		t.Errorf("Accept: %v", err)
	}
	p := publishAs(t, path, PublisherOptions{})
	dieThere()
	select {
	case <-p.Replaced():
	case <-time.After(time.Minute):
		t.Fatal("the publisher does not learn that it was replaced")
	}
	if err := p.Publish(briefly(t), numbered(p.NewMessage(0), 1)); !errors.Is(err, ErrReplaced) {
		t.Errorf("Publish: %v", err)
	}
	// The next takes over what is left.
	next := publishAs(t, path, PublisherOptions{})
	publish(t, next, 1, 2)
}
