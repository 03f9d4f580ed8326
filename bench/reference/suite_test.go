package reference

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/bench/cpp"
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/segment"
)

// TestMain makes this program the server of a pipe where it is asked to be, as
// the bench program does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildArgument {
		if err := ServeChild(os.Args[2:], os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// totals are the bytes of n iterations with reuse, as the C++ library counts
// them. Those of 1,000 are the ones that it publishes.
var totals = []struct {
	name          string
	n             int
	object        int64
	bytes, packed int64
}{
	{"carsales", 10, 215_200, 145_520, 101_390},
	{"catrank", 10, 3_431_840, 2_289_840, 2_145_725},
	{"eval", 10, 17_520, 10_064, 3_114},
	{"carsales", 1000, 23_920_000, 12_053_600, 8_398_920},
	{"catrank", 1000, 414_480_000, 200_449_344, 187_781_681},
	{"eval", 1000, 2_328_000, 1_089_472, 338_011},
}

// total runs n iterations of a case and gives its bytes.
func total(t *testing.T, name string, n int) int64 {
	t.Helper()
	c, ok := caseNamed(name)
	if !ok {
		t.Fatalf("no case %s", name)
	}
	var p probe
	if _, err := c.runner()(n, &p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p.size
}

func TestTotals(t *testing.T) {
	for _, tt := range totals {
		modes := map[string]int64{"object": tt.object, "bytes": tt.bytes, "packed": tt.packed}
		if tt.n < 1000 {
			modes["pipe"], modes["pipe-packed"] = tt.bytes, tt.packed
		}
		for mode, want := range modes {
			t.Run(fmt.Sprintf("%s/%s/%d", tt.name, mode, tt.n), func(t *testing.T) {
				if got := total(t, tt.name+"/"+mode+"/reuse", tt.n); got != want {
					t.Errorf("%d bytes, want %d", got, want)
				}
			})
		}
	}
}

// TestTotalsWithoutReuse compares the modes with each other: how the memory is
// laid out is the library's choice, but the same in all of them.
func TestTotalsWithoutReuse(t *testing.T) {
	for _, p := range programs {
		for _, packed := range []string{"", "-packed"} {
			t.Run(p.name+packed, func(t *testing.T) {
				inMemory := total(t, p.name+"/"+strings.TrimPrefix("bytes"+packed, "bytes-")+"/noreuse", 10)
				if piped := total(t, p.name+"/pipe"+packed+"/noreuse", 10); piped != inMemory {
					t.Errorf("%d bytes through a pipe, %d in memory", piped, inMemory)
				}
			})
		}
	}
}

// TestPeerTotals asks the C++ program for the same totals.
func TestPeerTotals(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a C++ program")
	}
	program, err := buildPeer(t.Context())
	if errors.Is(err, cpp.ErrMissing) {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatalf("required: %v", err)
		}
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	var commands, want strings.Builder
	for _, tt := range totals {
		fmt.Fprintf(&commands, "total x %s/object/reuse %d\n", tt.name, tt.n)
		fmt.Fprintf(&want, "ok %d\n", tt.object)
		fmt.Fprintf(&commands, "total x %[1]s/bytes/reuse %[2]d\ntotal x %[1]s/packed/reuse %[2]d\n", tt.name, tt.n)
		fmt.Fprintf(&want, "ok %d\nok %d\n", tt.bytes, tt.packed)
		if tt.n >= 1000 {
			continue
		}
		fmt.Fprintf(&commands, "total x %[1]s/pipe/reuse %[2]d\ntotal x %[1]s/pipe-packed/reuse %[2]d\n", tt.name, tt.n)
		fmt.Fprintf(&want, "ok %d\nok %d\n", tt.bytes, tt.packed)
	}
	commands.WriteString("total x nothing 1\nrun x eval/bytes/reuse 0\n")
	cmd := exec.Command(program)
	cmd.Stdin = strings.NewReader(commands.String())
	got, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	refusals, ok := strings.CutPrefix(string(got), want.String())
	if !ok {
		t.Errorf("the commands\n%sgot the answers\n%swant\n%s", commands.String(), got, want.String())
	} else if strings.Count(refusals, "no such") != 2 {
		t.Errorf("bad commands got the answers %q", refusals)
	}
}

// TestEveryContestant runs each case a handful of times, with the comparison
// of results that precedes all timing, children included.
func TestEveryContestant(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a C++ program")
	}
	opt := harness.Options{Rounds: 1, Round: time.Nanosecond}
	seen := make(map[string]int)
	var missing string
	var notes []string
	err := harness.Measure(t.Context(), Suite(), opt, time.Now(), func(n []string) { notes = n }, func(rows []harness.Row) error {
		for _, r := range rows {
			seen[r.Who]++
			if r.Figures == nil {
				missing = r.Missing
			} else if r.Max <= 0 {
				t.Errorf("%s: %s: no time in %+v", r.Case, r.Who, *r.Figures)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{"fairlead": 30, peerName: 30, peerO3Name: 30, "floor": 30, scaledName: 6} {
		if seen[who] != want {
			t.Errorf("%s is in %d cases, want %d", who, seen[who], want)
		}
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, peerName+":") || !strings.Contains(all, scaledName+":") {
		t.Errorf("the notes lack a contestant:\n%s", all)
	}
	if missing != "" {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Errorf("required: %s", missing)
		} else {
			t.Skipf("SKIPPED IN PART: the C++ program was not compared: %s", missing)
		}
	}
}

func TestCases(t *testing.T) {
	var names []string
	for _, c := range allCases() {
		names = append(names, c.name)
	}
	got := strings.Join(names, " ")
	var want []string
	for _, p := range []string{"carsales", "catrank", "eval"} {
		for _, m := range []string{"object", "bytes", "packed", "pipe", "pipe-packed"} {
			want = append(want, p+"/"+m+"/reuse", p+"/"+m+"/noreuse")
		}
	}
	if got != strings.Join(want, " ") {
		t.Errorf("cases %s\nwant %s", got, strings.Join(want, " "))
	}
}

// TestReuseAllocates pins that messages built in kept memory cost no garbage.
func TestReuseAllocates(t *testing.T) {
	for _, p := range programs {
		for _, mode := range []string{"object", "bytes", "packed"} {
			t.Run(p.name+"/"+mode, func(t *testing.T) {
				c, _ := caseNamed(p.name + "/" + mode + "/reuse")
				run := c.runner()
				const n = 50
				if _, err := run(n, nil); err != nil { // warm
					t.Fatal(err)
				}
				s, err := run(n, nil)
				if err != nil {
					t.Fatal(err)
				}
				// A collection in between empties the pools of the runtime.
				if perOp := float64(s.Allocs) / n; perOp > 1 {
					t.Errorf("%.1f allocations an iteration", perOp)
				}
			})
		}
	}
}

// liar expects something else than it asks for.
type liar struct{ program }

func (l liar) accept(response *segment.Message, expected uint64) bool {
	return l.program.accept(response, expected+1)
}

func TestWrongAnswer(t *testing.T) {
	for _, p := range programs {
		for _, mode := range []string{"object", "bytes", "packed", "pipe"} {
			t.Run(p.name+"/"+mode, func(t *testing.T) {
				c, _ := caseNamed(p.name + "/" + mode + "/reuse")
				c.program = func() program { return liar{p.new()} }
				if _, err := c.runner()(3, nil); !errors.Is(err, errAnswer) {
					t.Errorf("error %v, want %v", err, errAnswer)
				}
			})
		}
	}
}

func TestServeChildRefuses(t *testing.T) {
	tests := []struct {
		name, args, in string
		want           string
	}{
		{"no arguments", "", "", "want a case and a number"},
		{"no such case", "eval/pipe/never 1", "", "eval/pipe/never"},
		{"not a pipe", "eval/bytes/reuse 1", "", "eval/bytes/reuse"},
		{"no number", "eval/pipe/reuse x", "", `"x"`},
		{"too small a number", "eval/pipe/reuse 0", "", `"0"`},
		{"no request", "eval/pipe/reuse 1", "", "EOF"},
		{"half a request", "eval/pipe/reuse 1", "\x00\x00\x00\x00\x09\x00\x00\x00", "unexpected EOF"},
		{"not a request", "eval/pipe/reuse 1", "\x00\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00", "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, report strings.Builder
			err := ServeChild(strings.Fields(tt.args), strings.NewReader(tt.in), &out, &report)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if report.Len() > 0 {
				t.Errorf("reported %q", report.String())
			}
		})
	}
}
