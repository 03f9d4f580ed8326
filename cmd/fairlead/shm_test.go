package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/cmd/fairlead/internal/regions"
	"github.com/fairlead-go/fairlead/shm"
)

// shared makes a pipe in this process, of which one end has sent messages that wait.
func shared(t *testing.T) {
	t.Helper()
	folder, err := os.MkdirTemp("", "fl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	ln, err := shm.Listen(filepath.Join(folder, "s"), shm.Options{})
	if errors.Is(err, shm.ErrUnsupported) {
		t.Skip("SKIPPED:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	here, err := shm.Dial(ctx, ln.Path(), shm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	there, err := ln.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(here.Close(), there.Close(), ln.Close()); err != nil {
			t.Error(err)
		}
	})
	for range 3 {
		m := here.NewMessage(10_000)
		m.RootBuilder().SetData(make([]byte, 10_000))
		if err := here.Send(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShmLs(t *testing.T) {
	shared(t)
	pid := fmt.Sprint(os.Getpid())
	out, err := execute("", "shm", "ls", "--json", pid)
	if err != nil {
		t.Fatal(err)
	}
	var sent, waiting int
	for line := range strings.Lines(out) {
		var o struct {
			PID, Sent, Waiting, Held int
			Peer                     int `json:"peer_pid"`
			Kind                     string
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if o.PID != os.Getpid() || o.Peer != o.PID || o.Kind != "pipe" || o.Held != o.Sent {
			t.Errorf("%q", line)
		}
		sent, waiting = sent+o.Sent, waiting+o.Waiting
	}
	if strings.Count(out, "\n") != 2 || sent != 3 || waiting != 3 {
		t.Errorf("%q, want two ends, of which one has sent 3 messages that wait", out)
	}
	out, err = execute("", "shm", "ls", pid)
	if err != nil || !strings.Contains(out, "memory MB") || strings.Count(out, "\n") != 3 || strings.Contains(out, "oldest") {
		t.Errorf("%q, %v", out, err)
	}
	if out, err = execute("", "shm", "ls", "--json", "1"); err != nil || out != "" {
		t.Errorf("of a process that has none: %q, %v", out, err)
	}
}

func TestShmStat(t *testing.T) {
	shared(t)
	out, err := execute("", "shm", "stat", "--json", "-n", "2", "-i", "5ms", fmt.Sprint(os.Getpid()))
	if err != nil || strings.Count(out, "\n") != 4 {
		t.Fatalf("%q, %v, want two ends twice", out, err)
	}
	var first, last struct {
		OldestS  float64 `json:"oldest_s"`
		SentPerS float64 `json:"sent_per_s"`
		Sent     int
	}
	lines := strings.Split(out, "\n")
	for i := range 2 {
		if strings.Contains(lines[i], `"sent":3`) {
			if err := errors.Join(json.Unmarshal([]byte(lines[i]), &first), json.Unmarshal([]byte(lines[i+2]), &last)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if first.OldestS <= 0 || last.OldestS <= first.OldestS || last.SentPerS != 0 || last.Sent != 3 {
		t.Errorf("%+v and then %+v, want the oldest message to age", first, last)
	}
	if out, err = execute("", "shm", "stat", "-i", "1ms", fmt.Sprint(os.Getpid())); err != nil || !strings.Contains(out, "oldest s") {
		t.Errorf("%q, %v", out, err)
	}
}

func TestShmRefuses(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"shm ls x", `"x" is no number`},
		{"shm stat -n 0", "-n 0"},
		{"shm stat -i 0s", "--interval 0s"},
		{"top -i 1ms", "--interval 1ms"},
		{"top 0", `"0" is no number`},
	} {
		var misuse *usageError
		if _, err := execute("", strings.Fields(tc.args)...); !errors.As(err, &misuse) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.args, err, tc.want)
		}
	}
	if _, err := execute("", "top"); !errors.Is(err, errNoTerminal) {
		t.Errorf("top without a terminal: %v", err)
	}
}

func TestTopScreen(t *testing.T) {
	var rates []regions.Rate
	for i := range 5 {
		r := regions.Rate{Region: regions.Region{Owner: 100 + i, Command: "a\x1b[2Jb", Counters: shm.Counters{Bytes: 1 << 20}}, SentBytesPerS: float64(i) * 1e6, SentPerS: 10}
		rates = append(rates, r)
	}
	screen := string(topScreen(rates, time.Unix(0, 0), 60, 6))
	lines := strings.Split(screen, "\r\n")
	if len(lines) != 6 {
		t.Errorf("%d lines, want 5 and the end:\n%q", len(lines), screen)
	}
	if !strings.Contains(lines[0], "5 regions  50 messages/s  10.0 MB/s") {
		t.Errorf("the first line is %q", lines[0])
	}
	if !strings.Contains(lines[3], "104") || !strings.Contains(lines[4], "103") {
		t.Errorf("%q and %q, want the busiest first", lines[3], lines[4])
	}
	for _, l := range lines[:5] {
		if l = strings.TrimSuffix(strings.TrimPrefix(l, "\x1b[H"), "\x1b[K"); len([]rune(l)) > 60 || strings.Contains(l, "\x1b") {
			t.Errorf("%q is too wide, or controls the terminal", l)
		}
	}
}
