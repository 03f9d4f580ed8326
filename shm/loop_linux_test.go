package shm

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-go/fairlead/internal/mem"
)

var (
	loopMessages = flag.Uint64("loop.messages", 10_000, "how many messages the closed loop passes")
	loopMutants  = flag.Bool("loop.mutants", false, "show that the closed loop finds lost wake-ups that are built in; needs the go tool")
)

// loopHang is after how long without a message the loop hangs. No machine is so
// busy that it does not pass one in this time.
const loopHang = 10 * time.Second

// TestClosedLoop passes one message at a time to and fro between two ends that
// sleep, each after a time by chance. An open stream would heal a wake-up that is
// lost by the next message; here everything stands still. A long run is
//
//	go test ./shm -run '^TestClosedLoop$' -loop.messages 10000000 -timeout 1h
func TestClosedLoop(t *testing.T) {
	for _, tt := range []struct {
		name  string
		bytes int // 0 goes in a slot, the rest by reference
		share uint64
	}{{"in a slot", 0, 2}, {"by reference", 300, 2}} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := ends(t, Options{Wait: Sleep}, Options{Wait: Sleep})
			closedLoop(t, a, b, *loopMessages/tt.share, tt.bytes)
		})
	}
}

// closedLoop passes n messages, half of them each way.
//
// What loses wake-ups does so while one end publishes and the other one goes to sleep,
// in the same tenth of a microsecond. For that both have to be awake, which they are
// not by themselves: who sleeps takes so long to wake that the other one sleeps too. So
// an end that has sent mostly looks for the reply until it is there, and now and then
// only for a time by chance, and an end that has received waits as long as the other one may need to come to
// sleep. It has the other's sleeping word at hand when it publishes, as it has where
// messages follow closely: to fetch it would take as long as the publishing store does.
func closedLoop(t *testing.T, a, b *Pipe, n uint64, bytes int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var passed atomic.Uint64
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		last, since := uint64(0), time.Now()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			if now := passed.Load(); now != last {
				last, since = now, time.Now()
			} else if time.Since(since) > loopHang {
				t.Errorf("nothing moves after message %d", last)
				cancel()
			}
		}
	}()
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, p := range []*Pipe{a, b} {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(n, uint64(i)))
			for k := uint64(1); k <= n/2; k++ {
				if i == 0 {
					if errs[i] = hesitate(ctx, p, random, k, bytes); errs[i] != nil {
						return
					}
				}
				looks := 20_000
				if random.IntN(4) == 0 {
					looks = random.IntN(200)
				}
				for range looks {
					if p.Buffered() {
						break
					}
				}
				if errs[i] = recvNumber(ctx, p, k, bytes); errs[i] != nil {
					return
				}
				passed.Add(1)
				if i == 1 {
					if errs[i] = hesitate(ctx, p, random, k, bytes); errs[i] != nil {
						return
					}
				}
			}
		})
	}
	wg.Wait()
	cancel()
	<-watched
	for _, err := range errs {
		if err != nil && !t.Failed() {
			t.Error(err)
		}
	}
}

// hesitate sends a message after a time by chance.
func hesitate(ctx context.Context, p *Pipe, random *rand.Rand, k uint64, bytes int) error {
	for range random.IntN(200) {
		mem.Pause(1)
	}
	_ = p.peer.receiveSleep.Load()
	return sendNumber(ctx, p, k, bytes)
}

// mutants are faults that lose wake-ups, in the package's own words.
var mutants = []struct {
	name, file string
	from       string // a regular expression that matches once
	to         string
}{
	{"no look after arming", "nap.go", `return !w\.ready\(\)\n`, "return true\n"},
	{"published by a plain store", "send.go", `line\[0\]\.Swap\(`, "line[0].SetPlain("},
}

// TestMutants builds the package with each of the mutants, and wants the closed
// loop to hang.
func TestMutants(t *testing.T) {
	if !*loopMutants {
		t.Skip("compiles the package several times; asked for by -loop.mutants")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("SKIPPED: the go tool is not installed")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			source, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			re := regexp.MustCompile(m.from)
			if n := len(re.FindAll(source, -1)); n != 1 {
				t.Fatalf("%q occurs %d times in %s, want once", m.from, n, m.file)
			}
			mutant := filepath.Join(dir, m.file)
			if err := os.WriteFile(mutant, re.ReplaceAllLiteral(source, []byte(m.to)), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay := filepath.Join(dir, "overlay.json")
			text := fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(here, m.file), mutant)
			if err := os.WriteFile(overlay, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), goTool, "test", "-overlay", overlay, "-vet=off",
				"-run", "^TestClosedLoop$",
				"-loop.messages", "4000000", "-timeout", "10m", ".").CombinedOutput()
			if err == nil || !strings.Contains(string(out), "nothing moves after message") {
				t.Errorf("the mutant was not found: %v\n%s", err, out)
			}
			t.Log(regexp.MustCompile(`nothing moves after message \d+`).FindString(string(out)))
		})
	}
}
