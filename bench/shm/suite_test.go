package shmbench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fairlead-go/fairlead/bench/company"
	"github.com/fairlead-go/fairlead/bench/harness"
	"github.com/fairlead-go/fairlead/segment"
)

// TestMain makes this program a worker where it is asked to be, as the bench
// program does. Some workers exist here only, and do their work wrongly.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildArgument {
		for who, spoil := range faults {
			ends[who] = func(s setup) (end, string, error) {
				e, endpoint, err := openSocket("unix")(s)
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
	"repeats":  func(e end) end { return repeats{e} },
	"breaks":   func(e end) end { return breaks{e} },
	"vanishes": func(e end) end { return vanishes{e} },
}

// flips sends a wrong bit in a check.
type flips struct{ end }

func (e flips) sendBytes(b []byte) error {
	b[len(b)-1] ^= 1
	return e.end.sendBytes(b)
}

// repeats sends the message of a check as the first of a run too, with the
// stamp that a check has.
type repeats struct{ end }

func (e repeats) send(n int) error {
	if err := e.end.sendBytes(shape{56}.message(0)); err != nil {
		return err
	}
	return e.end.send(n)
}

var errBroken = errors.New("broken on purpose")

// breaks passes the check, but not a run.
type breaks struct{ end }

func (breaks) recv(int) error { return errBroken }

// vanishes leaves in the middle of a run.
type vanishes struct{ end }

func (vanishes) recv(int) error { os.Exit(3); return nil }

// TestEveryContestant runs each case of two sizes a handful of times, with the
// comparison that precedes all timing.
func TestEveryContestant(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a C++ program and starts many processes")
	}
	opt := harness.Options{Case: regexp.MustCompile(`/(56|1M)$`), Rounds: 1, Round: time.Nanosecond}
	seen := make(map[string]int)
	missing := make(map[string]string)
	err := harness.Measure(t.Context(), Suite(), opt, time.Now(), func([]string) {}, func(rows []harness.Row) error {
		for _, r := range rows {
			if r.Figures == nil {
				missing[r.Who] = r.Missing
				continue
			}
			seen[r.Who]++
			if r.MsgsS == nil || *r.MsgsS <= 0 {
				t.Errorf("%s: %s: no messages in %+v", r.Case, r.Who, *r.Figures)
			}
			asked := strings.HasPrefix(r.Case, "rtt/")
			if timed := r.P50us != nil && r.P99us != nil; timed != asked {
				t.Errorf("%s: %s: latencies %v, want %v", r.Case, r.Who, timed, asked)
			}
			if counted := r.AllocsOp != nil; counted != (r.Who != "iceoryx") {
				t.Errorf("%s: %s: allocations counted %v", r.Case, r.Who, counted)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const inAll = 16
	want := map[string]int{
		"fairlead": inAll, "fairlead-messages": inAll, "fairlead-packed": 3, "fairlead-zmq": inAll - 4,
		"unix": inAll, "tcp": inAll, "pipe": inAll, "floor": inAll, "iceoryx": inAll - 4,
	}
	for _, r := range goRivals() {
		if r.missing != "" {
			want[r.who] = 0
		}
	}
	for who, n := range want {
		switch {
		case seen[who] == n:
		case who == "iceoryx" && seen[who] == 0:
			if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
				t.Errorf("required: %s", missing[who])
			} else {
				t.Skipf("SKIPPED IN PART: %s", missing[who])
			}
		default:
			t.Errorf("%s is in %d cases, want %d", who, seen[who], n)
		}
	}
}

// TestFew runs the cases that only few take part in.
func TestFew(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	opt := harness.Options{Case: regexp.MustCompile(`^(first|idle)$`), Rounds: 1, Round: time.Nanosecond}
	seen := make(map[string]bool)
	err := harness.Measure(t.Context(), Suite(), opt, time.Now(), func([]string) {}, func(rows []harness.Row) error {
		for _, r := range rows {
			if r.Figures == nil {
				continue
			}
			seen[r.Case+" "+r.Who] = true
			switch {
			case r.Case == "first" && (r.MsgsS == nil || r.P50us == nil || r.P99us == nil):
				t.Errorf("%s: %s: no times in %+v", r.Case, r.Who, *r.Figures)
			case r.Case == "idle" && (r.NsOp == nil || *r.NsOp >= 2e9):
				t.Errorf("%s: %s: %+v", r.Case, r.Who, *r.Figures)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"fairlead", "unix", "tcp"} {
		for _, c := range []string{"first", "idle"} {
			if missing := who == "fairlead" && fairleadMissing != "" || c == "idle" && restMissing != ""; seen[c+" "+who] == missing {
				t.Errorf("%s in case %s: %v", who, c, !missing)
			}
		}
	}
}

func TestCases(t *testing.T) {
	var want []string
	for _, pair := range []string{"rtt", "stream"} {
		for _, m := range []string{"spin", "adaptive", "sleep"} {
			for _, size := range []string{"56", "4K", "1M", "64M"} {
				want = append(want, pair+"/"+m+"/"+size)
			}
		}
	}
	for _, n := range []string{"pubsub1", "pubsub4"} {
		for _, size := range []string{"56", "4K", "1M", "64M"} {
			want = append(want, n+"/"+size)
		}
	}
	want = append(want, "first", "idle")
	var got []string
	for _, w := range workloads() {
		got = append(got, w.name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("cases %s\nwant %s", got, want)
	}
}

// TestMessageIsOne reads the bytes that all rivals carry as Cap'n Proto.
func TestMessageIsOne(t *testing.T) {
	for _, size := range sizes {
		s := shape{size.bytes}
		b := s.message(3)
		m, err := segment.FromSegments([][]byte{b})
		if err != nil {
			t.Fatal(err)
		}
		data := m.Root().Data()
		if len(data) != s.size-8 || binary.LittleEndian.Uint64(data[len(data)-8:]) != content(3, s.size/8-1) {
			t.Errorf("%s: %d bytes of data, fault %v", size.name, len(data), m.Err())
		}
		stamp(data, 7)
		if err := s.look(data, 7); err != nil {
			t.Errorf("%s: %v", size.name, err)
		}
		for _, k := range []uint64{6, 8} {
			if s.look(data, k) == nil {
				t.Errorf("%s: stamp 7 passes for %d", size.name, k)
			}
		}
		if s.look(data[:len(data)-8], 7) == nil {
			t.Errorf("%s: a shorter message passes", size.name)
		}
		m.Release()
	}
}

// faulty makes a contestant of this program's own.
func faulty(t *testing.T, who, name string) harness.Case {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &rival{who: who, program: self, args: []string{ChildArgument, who}, dir: t.TempDir()}
	t.Cleanup(r.leave)
	all := workloads()
	w := all[slices.IndexFunc(all, func(w workload) bool { return w.name == name })]
	return harness.Case{
		Name:        name,
		Unit:        harness.Messages,
		Want:        harness.Answer{Values: w.model(), Size: w.size * w.checkMessages()},
		Contestants: []harness.Contestant{r.contestant(w)},
	}
}

func TestFaultsAreFound(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a path is no unix socket here")
	}
	tests := []struct {
		name, who string
		cases     []string
		want      string // part of the error
	}{
		{"a wrong bit", "flips", []string{"stream/sleep/56", "pubsub4/56"}, "values hash to"},
		{"a wrong bit on each way", "flips", []string{"rtt/sleep/56"}, "hash"},
		{"a message too many", "repeats", []string{"rtt/sleep/56", "stream/sleep/56", "pubsub1/56"}, "stamped"},
		{"an error in a run", "breaks", []string{"rtt/sleep/56", "stream/sleep/56", "pubsub4/56"}, errBroken.Error()},
		{"a process that is gone", "vanishes", []string{"rtt/sleep/56", "stream/sleep/56", "pubsub4/56"}, "exit status 3"},
	}
	for _, tt := range tests {
		for _, name := range tt.cases {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				suite := harness.Suite{Open: func(context.Context, harness.Options) (*harness.Opened, error) {
					return &harness.Opened{Cases: []harness.Case{faulty(t, tt.who, name)}}, nil
				}}
				err := harness.Measure(t.Context(), suite, harness.Options{Rounds: 1, Round: time.Nanosecond}, time.Now(), func([]string) {}, func([]harness.Row) error { return nil })
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
			})
		}
	}
}

func TestMissing(t *testing.T) {
	for _, tt := range []struct {
		name, path, want string
	}{
		{"no compiler", t.TempDir(), "g++ is not installed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("PATH", tt.path)
			all, d, err := rivals(t.Context(), harness.Options{Who: []string{"iceoryx"}}, t.TempDir(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer d.stop()
			if len(all) != 1 || !strings.Contains(all[0].contestant(workload{}).Missing, tt.want) {
				t.Errorf("iceoryx is missing for %q, want %q", all[0].missing, tt.want)
			}
		})
	}
	t.Run("no daemon", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if err := (&daemon{dir: t.TempDir()}).start(nil); err == nil || !strings.Contains(err.Error(), "not installed") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a library", func(t *testing.T) {
		p := company.Program{File: "absent.c", Source: []byte("int main(void) { return 0; }"), Compiler: "gcc", Libs: []string{"-lnosuchlibrary"}}
		_, err := p.Build(t.Context())
		if !errors.Is(err, company.ErrMissing) {
			t.Errorf("error %v, want one that matches ErrMissing", err)
		}
		p.Source, p.Libs = []byte("int main(void) { return }"), nil
		if _, err = p.Build(t.Context()); err == nil || errors.Is(err, company.ErrMissing) && !strings.Contains(err.Error(), "not installed") {
			t.Errorf("error %v, want one of a faulty source", err)
		}
	})
}

func TestServeChildRefuses(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"no arguments", "", "want a rival"},
		{"no such rival", "nobody take 56 spin 1 /nonexistent/socket", `"nobody"`},
		{"no such role", "unix pull 56 spin 1 /nonexistent/socket", `"pull"`},
		{"no size", "unix take x spin 1 /nonexistent/socket", `"x"`},
		{"no whole words", "unix take 57 spin 1 /nonexistent/socket", "57 bytes"},
		{"no such mode", "unix take 56 dozing 1 /nonexistent/socket", `"dozing"`},
		{"too many receivers", "unix pub 56 spin 5 /nonexistent/socket", `"5"`},
		{"no such subscriber", "unix sub 56 spin 4 /nonexistent/socket 4", `"4"`},
		{"nobody there", "unix send 56 spin 1 /nonexistent/socket", "unix: open send"},
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
