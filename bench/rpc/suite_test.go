package rpcbench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
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
			lib := floorLibrary()
			dial := lib.dial
			lib.dial = func(ctx context.Context, l link) (caller, error) {
				c, err := dial(ctx, l)
				return spoil(c), err
			}
			libraries[who] = lib
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
var faults = map[string]func(caller) caller{
	"miscounts": func(c caller) caller { return miscounts{c} },
	"flips":     func(c caller) caller { return flips{c} },
	"loses":     func(c caller) caller { return loses{c} },
	"breaks":    func(c caller) caller { return breaks{c} },
	"vanishes":  func(c caller) caller { return vanishes{c} },
}

// miscounts adds one too many.
type miscounts struct{ caller }

func (c miscounts) add(a, b int64) (int64, error) { return c.caller.add(a, b+1) }

func (c miscounts) addAll(pairs [][2]int64, sums []int64) error {
	err := c.caller.addAll(pairs, sums)
	sums[len(pairs)-1]++
	return err
}

func (c miscounts) chain(start int64, pipelined bool) (int64, error) {
	return c.caller.chain(start+1, pipelined)
}

// flips has a wrong bit in the middle of what comes back, and of what a stream
// sends.
type flips struct{ caller }

func flipped(data []byte) []byte {
	data = slices.Clone(data)
	data[len(data)/2] ^= 1
	return data
}

func (c flips) echo(data []byte, look func([]byte)) error {
	return c.caller.echo(data, func(got []byte) { look(flipped(got)) })
}

func (c flips) stream(n int, whole bool, chunk func(int) []byte) (bytes, hash uint64, err error) {
	return c.caller.stream(n, whole, func(i int) []byte { return flipped(chunk(i)) })
}

// loses sends one chunk too few, and gives back a byte too few.
type loses struct{ caller }

func (c loses) stream(n int, whole bool, chunk func(int) []byte) (bytes, hash uint64, err error) {
	return c.caller.stream(n-1, whole, chunk)
}

func (c loses) echo(data []byte, look func([]byte)) error {
	return c.caller.echo(data[1:], look)
}

var errBroken = errors.New("broken on purpose")

// breaks makes no call.
type breaks struct{ caller }

func (breaks) add(int64, int64) (int64, error)      { return 0, errBroken }
func (breaks) addAll([][2]int64, []int64) error     { return errBroken }
func (breaks) echo([]byte, func([]byte)) error      { return errBroken }
func (breaks) chain(int64, bool) (int64, error)     { return 0, errBroken }
func (breaks) sleeper() (func(uint32) error, error) { return nil, errBroken }
func (breaks) stream(int, bool, func(int) []byte) (bytes, hash uint64, err error) {
	return 0, 0, errBroken
}

// vanishes leaves in the middle of a run.
type vanishes struct{ caller }

func (vanishes) add(int64, int64) (int64, error) { os.Exit(3); return 0, nil }

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
		t.Skip("compiles a C++ program and starts many processes")
	}
	opt := harness.Options{Rounds: 1, Round: time.Nanosecond}
	seen := make(map[string][]string)
	var missing string
	var notes []string
	err := harness.Measure(t.Context(), Suite(), opt, time.Now(), func(n []string) { notes = n }, func(rows []harness.Row) error {
		for _, r := range rows {
			if r.Figures == nil {
				if r.Who == "capnp-c++" && strings.Contains(r.Missing, "cannot be built") {
					missing = r.Missing
				}
				continue
			}
			seen[r.Who] = append(seen[r.Who], r.Case)
			if r.CallsS == nil || *r.CallsS <= 0 {
				t.Errorf("%s: %s: no calls in %+v", r.Case, r.Who, *r.Figures)
			}
			timed := r.P50us != nil && r.P99us != nil
			if want := !regexp.MustCompile("futures|stream").MatchString(r.Case); timed != want {
				t.Errorf("%s: %s: latencies %v, want %v", r.Case, r.Who, timed, want)
			}
			if counted := r.AllocsOp != nil; counted != (r.Who != "capnp-c++") {
				t.Errorf("%s: %s: allocations counted %v", r.Case, r.Who, counted)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for who, want := range map[string]int{
		"fairlead": len(transports) * len(works), "fairlead-spin": len(works), "go-capnp": 4 * (len(works) - 1), "grpc": 4 * (len(works) - 2),
		"capnp-c++": 4 * len(works), "floor": 3 * len(works),
	} {
		if len(seen[who]) != want && (who != "capnp-c++" || missing == "") {
			t.Errorf("%s is in %d cases, want %d: %q", who, len(seen[who]), want, seen[who])
		}
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "go-capnp: "+goCapnpModule) || !strings.Contains(all, "grpc: "+grpcModule) {
		t.Errorf("the notes lack a contestant:\n%s", all)
	}
	if missing != "" {
		require(t, missing)
	}
}

func TestCases(t *testing.T) {
	for _, name := range []string{"unix/add/seq", "tls/add/64", "zmq+ipc/echo4K/seq", "shm/echo1M/seq", "inproc/chain3/pipelined", "tcp/chain3/awaited", "unix/stream64K"} {
		transport, w, err := parseCase(name)
		if err != nil || transport+"/"+w.name != name || !slices.Contains(transports, transport) {
			t.Errorf("%s is the case %s of %s, %v", name, w.name, transport, err)
		}
	}
	models := make(map[uint64]string)
	for _, w := range works {
		if w.kind == addSeq || w.kind == echo || w.kind == stream || w.pipelined {
			if other, ok := models[w.model()]; ok {
				t.Errorf("%s and %s have the same results", w.name, other)
			}
			models[w.model()] = w.name
		}
	}
}

// faulty makes a contestant of this program's own.
func faulty(t *testing.T, who string, w work) harness.Case {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &rival{who: who, program: self, args: []string{ChildArgument, who}, over: []string{"tcp"}}
	t.Cleanup(r.leave)
	return harness.Case{
		Name:        "case",
		Unit:        harness.Calls,
		Want:        harness.Answer{Values: w.model()},
		Contestants: []harness.Contestant{r.contestant("tcp", w)},
	}
}

func TestFaultsAreFound(t *testing.T) {
	tests := []struct {
		name, who string
		works     []string
		want      string // part of the error
	}{
		{"a wrong number", "miscounts", []string{"add/seq", "add/64", "add/futures64", "add/beside4", "chain3/pipelined", "chain3/awaited"}, "gives"},
		{"a wrong bit", "flips", []string{"echo4K/seq", "echo1M/seq", "stream64K"}, "values hash to"},
		{"too little", "loses", []string{"echo4K/seq", "stream64K"}, "bytes"},
		{"an error", "breaks", []string{"add/seq", "add/64", "add/futures64", "add/beside4", "echo4K/seq", "chain3/awaited", "stream64K"}, errBroken.Error()},
		{"a process that is gone", "vanishes", []string{"add/seq", "add/64", "add/beside4"}, "exit status 3"},
	}
	for _, tt := range tests {
		for _, name := range tt.works {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				_, w, err := parseCase("tcp/" + name)
				if err != nil {
					t.Fatal(err)
				}
				suite := harness.Suite{Open: func(context.Context, harness.Options) (*harness.Opened, error) {
					return &harness.Opened{Cases: []harness.Case{faulty(t, tt.who, w)}}, nil
				}}
				err = harness.Measure(t.Context(), suite, harness.Options{Rounds: 1, Round: time.Nanosecond}, time.Now(), func([]string) {}, func([]harness.Row) error { return nil })
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
	}{{"floor", 0, 0.2}, {"grpc", 50, 300}} {
		t.Run(tt.who, func(t *testing.T) {
			r := &rival{who: tt.who, program: self, args: []string{ChildArgument, tt.who}, over: []string{"tcp"}}
			defer r.leave()
			k := r.contestant("tcp", works[0])
			const n = 500
			if _, err := k.Run(n); err != nil { // warm
				t.Fatal(err)
			}
			s, err := k.Run(n)
			if err != nil {
				t.Fatal(err)
			}
			if perCall := float64(s.Allocs) / n; !s.Counted || perCall < tt.least || perCall > tt.most {
				t.Errorf("%.2f allocations a call, want %v to %v", perCall, tt.least, tt.most)
			}
		})
	}
}

// TestGoCapnpChains tells when go-capnp can chain calls, and so should be in
// those cases.
func TestGoCapnpChains(t *testing.T) {
	c, err := goCapnpLibrary().local()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if v, err := c.chain(1, false); err != nil || v != 1+chainAdds {
		t.Errorf("awaited calls give %d, %v, want %d", v, err, 1+chainAdds)
	}
	if v, err := c.chain(1, true); err != nil || v == 1+chainAdds {
		t.Errorf("pipelined calls give %d, %v: is the fault gone, of which errWrongPipeline tells?", v, err)
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
		if r.missing != "" {
			why[r.who] = r.contestant("tcp", works[0]).Missing
		}
	}
	if len(why) != 1 || !strings.Contains(why["capnp-c++"], "g++ is not installed") {
		t.Errorf("missing %v", why)
	}
}

func TestServeChildRefuses(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no arguments", nil, "want a contestant"},
		{"no such contestant", []string{"nobody", "client", "tcp/add/seq", dir, "127.0.0.1:1"}, `"nobody"`},
		{"no such case", []string{"floor", "client", "tcp/add", dir, "127.0.0.1:1"}, `"tcp/add"`},
		{"no such side", []string{"floor", "both", "tcp/add/seq", dir, "127.0.0.1:1"}, `"both"`},
		{"no server in process", []string{"go-capnp", "server", "inproc/add/seq", dir, "-"}, `"server"`},
		{"no such transport", []string{"floor", "client", "pigeon/add/seq", dir, "x"}, "pigeon"},
		{"no certificate", []string{"floor", "server", "tls/add/seq", dir, "-"}, "cert.pem"},
		{"nobody there", []string{"floor", "client", "unix/add/seq", dir, dir + "/socket"}, "floor: dial"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := ServeChild(tt.args, strings.NewReader(""), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
