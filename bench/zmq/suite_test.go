package zmqbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// TestMain makes this program a worker where it is asked to be, as the bench
// program does. Some workers exist here only, and do their work wrongly.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildArgument {
		for who, spoil := range faults {
			ends[who] = func(s setup) (end, string, error) {
				e, endpoint, err := openFloor(s)
				return spoil(e), endpoint, err
			}
		}
		if err := ServeChild(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("GORACE") == "" {
		// Else each worker of a race build takes a second to leave.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	goleak.VerifyTestMain(m)
}

// faults are the workers that do their work wrongly.
var faults = map[string]func(end) end{
	"flips":    func(e end) end { return flips{e} },
	"swaps":    func(e end) end { return &swaps{end: e} },
	"splits":   func(e end) end { return splits{e} },
	"breaks":   func(e end) end { return breaks{e} },
	"vanishes": func(e end) end { return vanishes{e} },
}

// flips sends a wrong bit in the last of many frames, and right greetings.
type flips struct{ end }

func (e flips) sendFrames(frames [][]byte) error {
	if last := frames[len(frames)-1]; len(frames) > 1 {
		last[len(last)-1] ^= 1
	}
	return e.end.sendFrames(frames)
}

// swaps sends two messages in the wrong order.
type swaps struct {
	end
	first [][]byte
}

func (e *swaps) sendFrames(frames [][]byte) error {
	if e.first == nil {
		e.first = frames
		return nil
	}
	err := e.end.sendFrames(frames)
	if len(e.first) > 0 {
		err = errors.Join(err, e.end.sendFrames(e.first))
		e.first = [][]byte{}
	}
	return err
}

// splits sends one frame as two.
type splits struct{ end }

func (e splits) sendFrames(frames [][]byte) error {
	half := len(frames[0]) / 2
	return e.end.sendFrames(append([][]byte{frames[0][:half], frames[0][half:]}, frames[1:]...))
}

var errBroken = errors.New("broken on purpose")

// breaks passes the check, but not a run.
type breaks struct{ end }

func (breaks) recv(int) error { return errBroken }

// vanishes leaves in the middle of a run.
type vanishes struct{ end }

func (vanishes) recv(int) error { os.Exit(3); return nil }

// require skips a test for want of a peer, or fails it where peers must be
// there.
func require(t *testing.T, missing string) {
	t.Helper()
	if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
		t.Errorf("required: %s", missing)
	} else {
		t.Skipf("SKIPPED IN PART: %s", missing)
	}
}

// TestEveryContestant runs each case a handful of times, with the comparison
// that precedes all timing.
func TestEveryContestant(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a C program and starts many processes")
	}
	opt := harness.Options{
		Case:   regexp.MustCompile(`^tcp/.*/(64|1M)|^ipc/.*/1K|^curve/.*/64K`),
		Rounds: 1,
		Round:  time.Nanosecond,
	}
	seen := make(map[string]int)
	var missing string
	var notes []string
	err := harness.Measure(t.Context(), Suite(), opt, time.Now(), func(n []string) { notes = n }, func(rows []harness.Row) error {
		for _, r := range rows {
			if r.Figures == nil {
				if r.Who == "libzmq" {
					missing = r.Missing
				}
				continue
			}
			seen[r.Who]++
			if r.MsgsS == nil || *r.MsgsS <= 0 || r.MBS <= 0 && *r.MsgsS > 1000 { // less may be no megabyte
				t.Errorf("%s: %s: no messages in %+v", r.Case, r.Who, *r.Figures)
			}
			asked := strings.Contains(r.Case, "/reqrep/")
			if timed := r.P50us != nil && r.P99us != nil; timed != asked {
				t.Errorf("%s: %s: latencies %v, want %v", r.Case, r.Who, timed, asked)
			}
			if counted := r.AllocsOp != nil; counted != (r.Who != "libzmq") {
				t.Errorf("%s: %s: allocations counted %v", r.Case, r.Who, counted)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const inAll = 21
	for who, want := range map[string]int{"fairlead": inAll, "fairlead-frames": inAll, "libzmq": inAll, "go-zeromq": inAll - 1, "floor": inAll} {
		if seen[who] != want && (who != "libzmq" || missing == "") {
			t.Errorf("%s is in %d cases, want %d", who, seen[who], want)
		}
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "libzmq: ") || !strings.Contains(all, "go-zeromq: "+goZeroMQModule) {
		t.Errorf("the notes lack a contestant:\n%s", all)
	}
	if missing != "" {
		require(t, missing)
	}
}

func TestCases(t *testing.T) {
	var want []string
	for _, transport := range []string{"tcp", "ipc"} {
		for _, p := range []string{"pushpull", "reqrep"} {
			for _, size := range []string{"64", "1K", "64K", "1M"} {
				want = append(want, transport+"/"+p+"/"+size+"/1", transport+"/"+p+"/"+size+"/4")
			}
		}
		for _, size := range []string{"64", "1K", "64K", "1M"} {
			want = append(want, transport+"/pubsub4/"+size)
		}
	}
	for _, size := range []string{"64", "1K", "64K", "1M"} {
		want = append(want, "curve/pushpull/"+size+"/1")
	}
	var got []string
	for _, w := range workloads() {
		got = append(got, w.name)
		if err := w.check(); err != nil {
			t.Errorf("%s: %v", w.name, err)
		}
		// The check sends no more than what a publisher may be ahead, and what
		// no socket drops.
		if n := w.checkMessages(); n > w.window() {
			t.Errorf("%s: the check has %d messages, the window %d", w.name, n, w.window())
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("cases %s\nwant %s", got, want)
	}
}

// faulty makes a contestant of this program's own.
func faulty(t *testing.T, who string, p pattern) harness.Case {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &rival{who: who, program: self, args: []string{ChildArgument, who}}
	t.Cleanup(r.leave)
	w := workload{shape: shape{64, 4}, pattern: p, transport: "tcp"}
	return harness.Case{
		Name:        "case",
		Unit:        harness.Messages,
		Want:        harness.Answer{Values: w.model(), Size: w.size * w.checkMessages()},
		Contestants: []harness.Contestant{r.contestant("case", w)},
	}
}

func TestFaultsAreFound(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no pipes are inherited here")
	}
	tests := []struct {
		name, who string
		patterns  []pattern
		want      string // part of the error
	}{
		{"a wrong bit", "flips", []pattern{pushPull, pubSub}, "values hash to"},
		{"a wrong bit on each way", "flips", []pattern{reqRep}, "hash"},
		{"the wrong order", "swaps", []pattern{pushPull}, "values hash to"},
		{"a frame too many", "splits", []pattern{pushPull}, "values hash to"},
		{"an error in a run", "breaks", []pattern{pushPull, reqRep, pubSub}, errBroken.Error()},
		{"a process that is gone", "vanishes", []pattern{pushPull, reqRep, pubSub}, "exit status 3"},
	}
	for _, tt := range tests {
		for _, p := range tt.patterns {
			t.Run(tt.name+"/"+p.name, func(t *testing.T) {
				suite := harness.Suite{Open: func(context.Context, harness.Options) (*harness.Opened, error) {
					return &harness.Opened{Cases: []harness.Case{faulty(t, tt.who, p)}}, nil
				}}
				err := harness.Measure(t.Context(), suite, harness.Options{Rounds: 1, Round: time.Nanosecond}, time.Now(), func([]string) {}, func([]harness.Row) error { return nil })
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
			})
		}
	}
}

// TestAllocationsOfBothSides compares with what is known of two of them.
func TestAllocationsOfBothSides(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who         string
		least, most float64
	}{{"floor", 0, 0.1}, {"go-zeromq", 10, 100}} {
		t.Run(tt.who, func(t *testing.T) {
			r := &rival{who: tt.who, program: self, args: []string{ChildArgument, tt.who}}
			defer r.leave()
			k := r.contestant("case", workload{shape: shape{64, 1}, pattern: pushPull, transport: "tcp"})
			const n = 1000
			if _, err := k.Run(n); err != nil { // warm
				t.Fatal(err)
			}
			s, err := k.Run(n)
			if err != nil {
				t.Fatal(err)
			}
			if perOp := float64(s.Allocs) / n; !s.Counted || perOp < tt.least || perOp > tt.most {
				t.Errorf("%.2f allocations a message, want %v to %v", perOp, tt.least, tt.most)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	all, err := rivals(t.Context(), harness.Options{})
	if err != nil {
		t.Fatal(err)
	}
	why := make(map[string]string)
	for _, r := range all {
		for _, w := range []workload{{}, {curve: true}} {
			if k := r.contestant("case", w); k.Missing != "" {
				why[r.who] = k.Missing
			}
		}
	}
	want := map[string]string{"libzmq": "gcc is not installed", "go-zeromq": "no CURVE"}
	if pebbeMissing != "" {
		want["pebbe"] = "-tags pebbe"
	}
	for who, reason := range want {
		if !strings.Contains(why[who], reason) {
			t.Errorf("%s is missing for %q, want %q", who, why[who], reason)
		}
	}
	if len(why) != len(want) {
		t.Errorf("missing %v", why)
	}
}

func TestServeChildRefuses(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"no arguments", "", "want a rival"},
		{"no such rival", "nobody pull 64 1 null tcp://127.0.0.1:0", `"nobody"`},
		{"no such role", "floor pair 64 1 null tcp://127.0.0.1:0", `"pair"`},
		{"no size", "floor pull x 1 null tcp://127.0.0.1:0", `"x"`},
		{"no number of frames", "floor pull 64 x null tcp://127.0.0.1:0", `"x"`},
		{"an uneven split", "floor pull 64 3 null tcp://127.0.0.1:0", "3 frames"},
		{"too many frames", "floor pull 64 8 null tcp://127.0.0.1:0", "8 frames"},
		{"nobody there", "floor push 64 1 null ipc:///nonexistent/socket", "floor: open push"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := ServeChild(strings.Fields(tt.args), strings.NewReader(""), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
