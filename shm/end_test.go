package shm_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/shm"
)

// TestContexts ends calls that wait, and looks that the pipe works on.
func TestContexts(t *testing.T) {
	for _, how := range []shm.Wait{shm.Adaptive, shm.Spin, shm.Sleep} {
		t.Run(how.String(), func(t *testing.T) {
			a, b := pair(t, shm.Options{Wait: how}, shm.Options{})
			ended, cancel := context.WithCancel(background)
			cancel()
			if _, err := a.Recv(ended); !errors.Is(err, context.Canceled) {
				t.Errorf("Recv with an ended context: %v", err)
			}
			if err := a.Send(ended, number(a, 1, 100)); !errors.Is(err, context.Canceled) {
				t.Errorf("Send with an ended context: %v", err)
			}
			short, cancel := context.WithTimeout(background, 2*time.Millisecond)
			defer cancel()
			if _, err := a.Recv(short); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Recv past the deadline: %v", err)
			}
			short, cancel = context.WithTimeout(background, 20*time.Millisecond)
			defer cancel()
			var sent uint64
			var err error
			for ; err == nil; sent++ { // until the ring is full
				err = a.Send(short, number(a, sent, 100))
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Send past the deadline: %v", err)
			}
			for n := range sent - 1 {
				got, err := b.Recv(soon(t))
				if err != nil {
					t.Fatal(err)
				}
				check(t, got, n, 100)
				got.Release()
			}
			if err := b.Send(soon(t), number(b, 5, 0)); err != nil {
				t.Fatal(err)
			}
			got, err := a.Recv(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			check(t, got, 5, 0)
			got.Release()
			if s := a.Stats(); s.Lent > 15 || s.Blocks > 15 { // so many may wait for a message to go with
				t.Errorf("messages are still lent: %+v", s)
			}
		})
	}
}

// TestCloseWakes closes an end under calls of its own, and under calls of the peer.
func TestCloseWakes(t *testing.T) {
	for _, how := range []shm.Wait{shm.Adaptive, shm.Spin, shm.Sleep} {
		for _, ours := range []bool{true, false} {
			name := how.String() + "/by the peer"
			if ours {
				name = how.String() + "/by us"
			}
			t.Run(name, func(t *testing.T) {
				a, b := pair(t, shm.Options{Wait: how}, shm.Options{})
				calls := make(chan error, 4)
				for range 2 {
					go func() {
						_, err := a.Recv(background)
						calls <- err
					}()
					go func() {
						var err error
						for err == nil {
							err = a.Send(background, number(a, 1, 100))
						}
						calls <- err
					}()
				}
				time.Sleep(2 * time.Millisecond)
				closing := b
				if ours {
					closing = a
				}
				if err := closing.Close(); err != nil {
					t.Fatal(err)
				}
				for range 4 {
					err := <-calls
					if ours && !errors.Is(err, shm.ErrClosed) || !ours && err != io.EOF && !errors.Is(err, shm.ErrDisconnected) {
						t.Errorf("a call ended with %v", err)
					}
				}
			})
		}
	}
}

// TestUseAfterClose keeps messages beyond the pipes they came from.
func TestUseAfterClose(t *testing.T) {
	a, b := pair(t, shm.Options{}, shm.Options{})
	if err := a.Send(background, number(a, 1, 1000)); err != nil {
		t.Fatal(err)
	}
	got, err := b.Recv(background)
	if err != nil {
		t.Fatal(err)
	}
	built := number(b, 2, 1000)
	for _, p := range []*shm.Pipe{a, b} {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	check(t, got, 1, 1000)
	check(t, built, 2, 1000)
	fill(built, 3, 2000)
	if err := b.Send(background, built.Retain()); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Send after Close: %v", err)
	}
	if s := b.Stats(); s.Held != 1 || s.Blocks == 0 {
		t.Errorf("held after Close: %+v", s)
	}
	got.Release()
	built.Release()
	if s := b.Stats(); s.Held != 0 || s.Blocks != 0 {
		t.Errorf("not given back: %+v", s)
	}
	msg := b.NewMessage(100)
	fill(msg, 1, 1)
	if err := msg.Err(); err != nil {
		t.Errorf("building after Close: %v", err)
	}
	if err := b.Send(background, msg); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Send of what was built after Close: %v", err)
	}
	if _, err := b.Recv(background); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Recv after Close: %v", err)
	}
	if err := b.Flush(); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Flush after Close: %v", err)
	}
}

// TestKilled kills the other process while it holds messages and has sent some.
func TestKilled(t *testing.T) {
	needs(t)
	ctx := soon(t)
	ours, theirs, err := shm.Pair()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), echoEnv+"=hold")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := shm.Attach(ctx, ours, shm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for n := range uint64(10) {
		if err := p.Send(ctx, number(p, n, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	first, err := p.Recv(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for p.Stats().Waiting > 0 { // until it has taken all, and so answered
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	check(t, first, 0, 500)
	first.Release()
	for n := uint64(1); n < 10; n++ { // what it had sent is there
		msg, err := p.Recv(ctx)
		if err != nil {
			t.Fatal(n, err)
		}
		check(t, msg, n, 500)
		msg.Release()
	}
	if _, err := p.Recv(ctx); !errors.Is(err, shm.ErrDisconnected) {
		t.Errorf("Recv at the end: %v", err)
	}
	for p.Stats().Lent > 0 { // until the end is noticed
		time.Sleep(time.Millisecond)
	}
	if err := p.Send(ctx, number(p, 1, 1)); !errors.Is(err, shm.ErrDisconnected) {
		t.Errorf("Send after the end: %v", err)
	}
	if s := p.Stats(); s.Blocks != 0 {
		t.Errorf("blocks are left: %+v", s)
	}
}

// hold is the other process: it keeps what it receives, and answers.
func hold(p *shm.Pipe) error {
	for n := range uint64(10) {
		if _, err := p.Recv(background); err != nil {
			return err
		}
		if err := p.Send(background, number(p, n, 500)); err != nil {
			return err
		}
	}
	_, err := p.Recv(background)
	return err
}
