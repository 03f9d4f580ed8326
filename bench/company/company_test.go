package company

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes this program a worker that greets, where it is asked to be.
func TestMain(m *testing.M) {
	if os.Getenv("BENCH_COMPANY_WORKER") != "" {
		err := ServeWorker(os.Stdin, os.Stdout, "nowhere", &greeter{}, "hello", "fail")
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// greeter counts, and knows two words.
type greeter struct {
	times []int64
	junk  [][]byte
}

var errGreeter = errors.New("failed as it was asked to")

func (g *greeter) Prepare(n int) { g.times, g.junk = make([]int64, n), make([][]byte, n) }

func (g *greeter) Run(n int) error {
	for i := range n {
		g.times[i] = int64(n - i)
		g.junk[i] = make([]byte, 1000)
	}
	return nil
}

func (g *greeter) Check(n int) (uint64, error) { return 1<<63 | uint64(n), nil }
func (g *greeter) Times() []int64              { return g.times }

func (g *greeter) Greet(word string) error {
	if word == "fail" {
		return errGreeter
	}
	return nil
}

func start(t *testing.T) *Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "BENCH_COMPANY_WORKER=1")
	p, err := Start("greeter", cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	if answer, err := p.Expect("open"); err != nil || !strings.HasPrefix(answer, "nowhere go") {
		t.Fatalf("answer %q, %v", answer, err)
	}
	return p
}

func TestTurn(t *testing.T) {
	all := []*Process{start(t), start(t)}
	reports, _, err := Turn(all, "check", 7)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range reports {
		if r.Hash != 1<<63|7 || r.End < r.Begin {
			t.Errorf("report %d: %+v", i, r)
		}
	}
	const n = 100
	reports, sample, err := Turn(all, "run", n)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range reports {
		if r.P50 != n/2+1 || r.P99 != n || r.Begin == 0 || r.End < r.Begin {
			t.Errorf("report %d: %+v", i, r)
		}
	}
	if !sample.Counted || sample.Allocs < 2*n || sample.AllocBytes < 2*n*1000 || sample.Allocs > 4*n {
		t.Errorf("%d allocations of %d bytes in all, want little more than %d", sample.Allocs, sample.AllocBytes, 2*n)
	}
}

func TestWords(t *testing.T) {
	p := start(t)
	if err := p.Tell("hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Expect("ok"); err != nil {
		t.Fatal(err)
	}
	if err := p.Tell("fail"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Expect("ok"); err == nil || !strings.Contains(err.Error(), errGreeter.Error()) {
		t.Errorf("error %v, want what the worker said before it ended", err)
	}
}

func TestOutOfTurn(t *testing.T) {
	for _, command := range []string{"go", "end", "nonsense"} {
		t.Run(command, func(t *testing.T) {
			p := start(t)
			if err := p.Tell(command); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Expect("ok"); err == nil || !strings.Contains(err.Error(), "out of turn") {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("another answer", func(t *testing.T) {
		p := start(t)
		if err := p.Tell("hello"); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Expect("ready"); err == nil || !strings.Contains(err.Error(), `want "ready"`) {
			t.Errorf("error %v", err)
		}
	})
}
