package shm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/segment"
	"github.com/fairlead-go/fairlead/shm"
)

// TestPoller receives from several clients, some of which send by Send, some by a
// Writer, and some large messages that need further regions.
func TestPoller(t *testing.T) {
	for _, how := range []shm.Wait{shm.Adaptive, shm.Sleep, shm.Spin} {
		t.Run(how.String(), func(t *testing.T) {
			ctx := soon(t)
			const clients = 5
			all := uint64(3000)
			if how == shm.Spin {
				all = 100 // where others work too, each may take some milliseconds
			}
			q := shm.NewPoller(how)
			defer q.Close()
			done := make(chan error, clients)
			which := map[*shm.Pipe]int{}
			for c := range clients {
				server, client := pair(t, shm.Options{}, shm.Options{})
				which[server] = c
				if err := q.Add(ctx, server); err != nil {
					t.Fatal(err)
				}
				go func() { done <- send(ctx, client, c, all) }()
			}
			next := [clients]uint64{}
			for ended := 0; ended < clients; {
				p, msg, err := q.Recv(ctx)
				c := which[p]
				if err == io.EOF {
					if next[c] != all {
						t.Errorf("client %d ended after %d messages, want %d", c, next[c], all)
					}
					ended++
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				check(t, msg, next[c], size(c, next[c]))
				next[c]++
				msg.Release()
			}
			for range clients {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if n := q.Pipes(); n != 0 {
				t.Errorf("%d pipes are left", n)
			}
		})
	}
}

func size(client int, n uint64) int {
	if client == 2 && n%100 == 0 {
		return 300_000 // more than the first region
	}
	return int(n) % 200
}

// send sends so many messages, sleeping now and then, and closes the pipe.
func send(ctx context.Context, p *shm.Pipe, client int, all uint64) error {
	w := p.Writer()
	for n := range all {
		if n%1000 == 99 {
			time.Sleep(time.Millisecond)
		}
		msg := number(p, n, size(client, n))
		var err error
		if client == 1 {
			err = w.Add(ctx, msg)
			if n%10 == 0 {
				err = errors.Join(err, w.Flush(ctx))
			}
			msg.Release()
		} else {
			err = p.Send(ctx, msg)
		}
		if err != nil {
			return fmt.Errorf("client %d, message %d: %w", client, n, err)
		}
	}
	return errors.Join(w.Flush(ctx), w.Close(), p.Close())
}

// TestPollerHandsOver takes a pipe from a Poller while it sleeps, and gives it back.
func TestPollerHandsOver(t *testing.T) {
	ctx := soon(t)
	q := shm.NewPoller(shm.Sleep)
	defer q.Close()
	server, client := pair(t, shm.Options{}, shm.Options{})
	other, quiet := pair(t, shm.Options{}, shm.Options{})
	if err := errors.Join(q.Add(ctx, server), q.Add(ctx, other)); err != nil {
		t.Fatal(err)
	}
	got := make(chan uint64)
	go func() {
		for {
			_, msg, err := q.Recv(ctx)
			if err != nil {
				close(got)
				return
			}
			got <- msg.Root().Struct().Uint64(0)
			msg.Release()
		}
	}()
	for n := uint64(0); n < 200; n += 2 {
		if err := client.Send(ctx, number(client, n, 0)); err != nil {
			t.Fatal(err)
		}
		if g := <-got; g != n {
			t.Fatalf("the Poller has %d, want %d", g, n)
		}
		q.Remove(server)
		direct := make(chan error)
		go func() {
			msg, err := server.Recv(ctx)
			if err == nil {
				if g := msg.Root().Struct().Uint64(0); g != n+1 {
					err = fmt.Errorf("Recv gives %d, want %d", g, n+1)
				}
				msg.Release()
			}
			direct <- err
		}()
		if n%4 == 0 {
			time.Sleep(100 * time.Microsecond) // it sleeps
		}
		if err := client.Send(ctx, number(client, n+1, 0)); err != nil {
			t.Fatal(err)
		}
		if err := <-direct; err != nil {
			t.Fatal(err)
		}
		if err := q.Add(ctx, server); err != nil {
			t.Fatal(err)
		}
	}
	if err := quiet.Send(ctx, number(quiet, 1000, 0)); err != nil {
		t.Fatal(err)
	}
	if g := <-got; g != 1000 {
		t.Errorf("the quiet pipe gives %d", g)
	}
	q.Close()
	if g, ok := <-got; ok {
		t.Errorf("after Close there is message %d", g)
	}
}

func TestPollerErrors(t *testing.T) {
	q := shm.NewPoller(shm.Adaptive)
	ctx, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	if _, _, err := q.Recv(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Recv of nothing: %v", err)
	}
	server, client := pair(t, shm.Options{}, shm.Options{Limits: segment.Limits{}})
	if err := q.Add(background, server); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil { // ours, while the Poller has it
		t.Fatal(err)
	}
	if p, _, err := q.Recv(soon(t)); p != server || !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Recv of a closed pipe: %p %v", p, err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	q.Close()
	if err := q.Add(background, client); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Add after Close: %v", err)
	}
	if _, _, err := q.Recv(background); !errors.Is(err, shm.ErrClosed) {
		t.Errorf("Recv after Close: %v", err)
	}
}
