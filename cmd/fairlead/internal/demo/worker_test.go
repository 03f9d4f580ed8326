package demo

import (
	"bufio"
	"context"
	"encoding/hex"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/demo/wire"
	"github.com/fairlead-go/fairlead/segment"
)

// startWorker runs a worker in this process; stop ends it and gives its error.
func startWorker(t *testing.T, tr Transport, token []byte) (addr string, stop func() error) {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Worker(context.Background(), tr.Name, filepath.Join(t.TempDir(), "w"), inR, outW)
		_ = outW.Close()
		ended <- err
	}()
	if _, err := io.WriteString(inW, hex.EncodeToString(token)+"\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(outR).ReadString('\n')
	if err != nil {
		t.Fatalf("no address: %v; the worker: %v", err, <-ended)
	}
	return strings.TrimSpace(line), func() error {
		_ = inW.Close()
		return <-ended
	}
}

// TestWorkerAdmits tells connections with the token from others.
func TestWorkerAdmits(t *testing.T) {
	token := []byte("0123456789abcdef")
	for _, tr := range Transports {
		for _, tc := range []struct {
			name  string
			hello func(wire.MessageBuilder)
			want  bool
		}{
			{"the token", func(b wire.MessageBuilder) { b.SetHello(token) }, true},
			{"another token", func(b wire.MessageBuilder) { b.SetHello([]byte("0123456789abcdeF")) }, false},
			{"no token", func(b wire.MessageBuilder) { b.SetHello(nil) }, false},
			{"no hello", func(b wire.MessageBuilder) { b.NewFile().SetPath(token) }, false},
		} {
			t.Run(tr.Name+" "+tc.name, func(t *testing.T) {
				addr, stop := startWorker(t, tr, token)
				ctx := context.Background()
				pipe, err := tr.Dial(ctx, addr)
				if err != nil {
					t.Fatal(err)
				}
				hello, b := newMessage(pipe)
				tc.hello(b)
				stats, b := newMessage(pipe)
				b.NewStats()
				// A connection that was refused may break while we still send.
				if pipe.Send(ctx, hello) == nil && pipe.Send(ctx, stats) == nil {
					_ = pipe.Flush()
				}
				msg, err := pipe.Recv(ctx)
				if (err == nil) != tc.want {
					t.Errorf("Recv = %v; want an answer: %v", err, tc.want)
				}
				msg.Release()
				_ = pipe.Close()
				if err := stop(); err != nil {
					t.Errorf("the worker: %v", err)
				}
			})
		}
	}
}

// TestExamine gives the worker files that are not what they say.
func TestExamine(t *testing.T) {
	for _, tc := range []struct {
		name    string
		content string
		size    uint64
		lines   uint64
		want    bool
	}{
		{"right", "a\nb\n", 4, 2, true},
		{"wrong size", "a\nb\n", 5, 2, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			msg := segment.New(arena.Pool())
			defer msg.Release()
			b := wire.NewRootMessage(msg).NewFile()
			sum := sumOf(tc.content)
			b.SetSize(tc.size)
			b.SetSlot(7)
			b.SetID(9)
			b.SetHash(sum[:])
			b.SetContent([]byte(tc.content))
			a := examine(wire.RootMessage(msg).File(), msg)
			want := answer{slot: 7, id: 9, size: uint64(len(tc.content)), lines: tc.lines, hashOK: tc.want, hash: sum}
			if a != want {
				t.Errorf("answer = %+v; want %+v", a, want)
			}
		})
	}
}

func TestWorkerRefusesItsOrders(t *testing.T) {
	for name, tc := range map[string]struct{ transport, stdin string }{
		"unknown transport":        {"pigeon", "00\n"},
		"no token":                 {"unix", ""},
		"empty token":              {"unix", "\n"},
		"token not in hexadecimal": {"unix", "xyz\n"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Worker(context.Background(), tc.transport, filepath.Join(t.TempDir(), "w"), strings.NewReader(tc.stdin), io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), "demo: ") {
				t.Errorf("Worker = %v; want an error of this package", err)
			}
		})
	}
}
