package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// childVariable makes the test program a child of contestants.
const childVariable = "FAIRLEAD_BENCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := Serve(os.Stdin, os.Stdout, "test 1", childCases()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// fake is a contestant whose clock is its own: each iteration takes perOp.
type fake struct {
	who    string
	perOp  time.Duration
	answer Answer
	ran    *[]string
	allocs uint64
}

func (f fake) contestant() Contestant {
	return Contestant{
		Who:   f.who,
		Check: func() (Answer, error) { return f.answer, nil },
		Run: func(n int) (Sample, error) {
			if f.ran != nil {
				*f.ran = append(*f.ran, f.who)
			}
			return Sample{
				Elapsed: time.Duration(n) * f.perOp,
				Counted: true, Allocs: f.allocs * uint64(n), AllocBytes: 8 * f.allocs * uint64(n),
				P50: f.perOp, P99: 2 * f.perOp,
			}, nil
		},
	}
}

func suiteOf(cases ...Case) Suite {
	return Suite{Name: "test", Open: func(context.Context, Options) (*Opened, error) {
		return &Opened{Cases: cases, Notes: []string{"note"}}, nil
	}}
}

func measure(t *testing.T, s Suite, opt Options) ([]Row, error) {
	t.Helper()
	var rows []Row
	err := Measure(t.Context(), s, opt, time.Now(), func([]string) {}, func(r []Row) error {
		rows = append(rows, r...)
		return nil
	})
	return rows, err
}

func TestMeasureReports(t *testing.T) {
	tests := []struct {
		name string
		c    Case
		want Figures
	}{
		{
			"operations",
			Case{Name: "a", Bytes: 1000, Contestants: []Contestant{fake{who: "x", perOp: 2 * time.Microsecond, allocs: 3}.contestant()}},
			Figures{NsOp: new(2000.0), MBS: 500, AllocsOp: new(3.0), BytesOp: new(24.0), P50us: new(2.0), P99us: new(4.0), Rounds: 5, Min: 2000, Max: 2000},
		},
		{
			"messages",
			Case{Name: "a", Unit: Messages, Contestants: []Contestant{fake{who: "x", perOp: 4 * time.Microsecond}.contestant()}},
			Figures{MsgsS: new(250000.0), AllocsOp: new(0.0), BytesOp: new(0.0), P50us: new(4.0), P99us: new(8.0), Rounds: 5, Min: 250000, Max: 250000},
		},
		{
			"calls",
			Case{Name: "a", Unit: Calls, Contestants: []Contestant{fake{who: "x", perOp: time.Millisecond}.contestant()}},
			Figures{CallsS: new(1000.0), AllocsOp: new(0.0), BytesOp: new(0.0), P50us: new(1000.0), P99us: new(2000.0), Rounds: 5, Min: 1000, Max: 1000},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rows, err := measure(t, suiteOf(tt.c), Options{Rounds: 5, Round: 10 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 || rows[0].Suite != "test" || rows[0].Case != "a" || rows[0].Who != "x" {
				t.Fatalf("rows = %+v", rows)
			}
			if !reflect.DeepEqual(*rows[0].Figures, tt.want) {
				t.Errorf("figures = %s, want %s", show(rows[0].Figures), show(&tt.want))
			}
		})
	}
}

func show(f *Figures) string {
	b, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestContestantsTakeTurns(t *testing.T) {
	var ran []string
	c := Case{Name: "a", Contestants: []Contestant{
		fake{who: "A", perOp: time.Second, ran: &ran}.contestant(),
		Absent("M", "not installed"),
		fake{who: "B", perOp: time.Second, ran: &ran}.contestant(),
	}}
	rows, err := measure(t, suiteOf(c), Options{Rounds: 3, Round: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	// The first runs calibrate.
	if got := strings.Join(ran, ""); got != "AAABBB"+"ABABAB" {
		t.Errorf("order of runs = %s", got)
	}
	if len(rows) != 3 || rows[1].Missing != "not installed" || rows[1].Figures != nil {
		t.Errorf("rows = %+v", rows)
	}
}

func TestAlike(t *testing.T) {
	last := make(map[string]int)
	counting := func(who string, perOp time.Duration) Contestant {
		k := fake{who: who, perOp: perOp}.contestant()
		run := k.Run
		k.Run = func(n int) (Sample, error) {
			last[who] = n
			return run(n)
		}
		return k
	}
	for _, alike := range []bool{false, true} {
		c := Case{Name: "c", Alike: alike, Contestants: []Contestant{
			counting("fast", time.Microsecond), Absent("none", "why"), counting("slow", 10*time.Microsecond),
		}}
		if _, err := measure(t, suiteOf(c), Options{Rounds: 3, Round: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"fast": 1000, "slow": 100}
		if alike {
			want["fast"] = 100
		}
		if !reflect.DeepEqual(last, want) {
			t.Errorf("alike %t: iterations %v, want %v", alike, last, want)
		}
	}
}

func TestWrongAnswersStopTheRun(t *testing.T) {
	good := Answer{Values: 7, Bytes: 8, Size: 96}
	tests := []struct {
		name   string
		second Answer
		want   string // part of the error; empty for none
	}{
		{"same", good, ""},
		{"no bytes to compare", Answer{Values: 7}, ""},
		{"other values", Answer{Values: 6, Bytes: 8}, "values"},
		{"other bytes", Answer{Values: 7, Bytes: 9, Size: 97}, "97 encoded bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Case{Name: "a", Want: Answer{Values: 7}, Contestants: []Contestant{
				fake{who: "A", perOp: time.Second, answer: good}.contestant(),
				fake{who: "B", perOp: time.Second, answer: tt.second}.contestant(),
			}}
			_, err := measure(t, suiteOf(c), Options{Rounds: 1, Round: time.Millisecond})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "B")):
				t.Errorf("error %v, want one about B's %s", err, tt.want)
			}
		})
	}
}

func TestSelection(t *testing.T) {
	k := func(who string) Contestant { return fake{who: who, perOp: time.Second}.contestant() }
	s := suiteOf(
		Case{Name: "A/build", Contestants: []Contestant{k("fairlead"), k("floor")}},
		Case{Name: "A/read", Contestants: []Contestant{k("fairlead"), k("floor")}},
	)
	tests := []struct {
		name string
		opt  Options
		want string
	}{
		{"all", Options{}, "A/build:fairlead A/build:floor A/read:fairlead A/read:floor"},
		{"case", Options{Case: regexp.MustCompile("read$")}, "A/read:fairlead A/read:floor"},
		{"who", Options{Who: []string{"floor"}}, "A/build:floor A/read:floor"},
		{"nothing", Options{Who: []string{"nobody"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.opt.Rounds, tt.opt.Round = 1, time.Millisecond
			rows, err := measure(t, s, tt.opt)
			if tt.want == "" {
				if err == nil {
					t.Error("no error though nothing is selected")
				}
				return
			}
			var got []string
			for _, r := range rows {
				got = append(got, r.Case+":"+r.Who)
			}
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("rows = %v, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestQuickFitsItsBudget(t *testing.T) {
	const contestants = 2000
	p := plan(Options{Quick: true}, time.Now(), contestants)
	if p.rounds < 3 {
		t.Errorf("%d rounds, want at least 3", p.rounds)
	}
	if all := contestants * time.Duration(p.rounds+2) * p.round; all > QuickBudget {
		t.Errorf("%d contestants would take %v, the budget is %v", contestants, all, QuickBudget)
	}
	if p := plan(Options{Quick: true}, time.Now().Add(-2*QuickBudget), 1); p.round != shortestRound {
		t.Errorf("late round = %v, want %v", p.round, shortestRound)
	}
	if p := plan(Options{}, time.Now(), contestants); p.rounds < 5 {
		t.Errorf("%d rounds in a full run, want at least 5", p.rounds)
	}
}

func TestJSON(t *testing.T) {
	rows := []Row{
		{Suite: "encoding", Case: "A/build", Who: "fairlead", Figures: &Figures{
			NsOp: new(24.1), AllocsOp: new(0.0), BytesOp: new(0.0), Rounds: 5, Min: 23, Max: 26.2,
		}},
		{Suite: "encoding", Case: "A/build", Who: "capnp-c++", Figures: &Figures{NsOp: new(70.0), Rounds: 5, Min: 1, Max: 2}},
		{Suite: "encoding", Case: "A/build", Who: "libzmq", Missing: "not installed"},
	}
	want := []string{
		`{"suite":"encoding","case":"A/build","who":"fairlead","ns_op":24.1,"mb_s":0,"allocs_op":0,"bytes_op":0,"rounds":5,"min":23,"max":26.2}`,
		`{"suite":"encoding","case":"A/build","who":"capnp-c++","ns_op":70,"mb_s":0,"allocs_op":null,"bytes_op":null,"rounds":5,"min":1,"max":2}`,
		`{"suite":"encoding","case":"A/build","who":"libzmq","missing":"not installed"}`,
	}
	for i, r := range rows {
		got, err := json.Marshal(r)
		if err != nil || string(got) != want[i] {
			t.Errorf("row %d = %s, %v, want %s", i, got, err, want[i])
		}
	}
}

func exampleRows() []Row {
	f := func(ns float64) *Figures {
		return &Figures{NsOp: &ns, MBS: 12345.6, AllocsOp: new(0.0), BytesOp: new(0.0), Rounds: 5, Min: ns - 1, Max: ns + 1}
	}
	return []Row{
		{Suite: "s", Case: "A/build", Who: "fairlead", Figures: f(20)},
		{Suite: "s", Case: "A/build", Who: "capnp-c++", Figures: f(71)},
		{Suite: "s", Case: "A/build", Who: "r<&>", Missing: "no compiler"},
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := WriteTable(&b, exampleRows()); err != nil {
		t.Fatal(err)
	}
	want := `A/build     fairlead  capnp-c++     r<&>
ns/op             20         71  missing
× fairlead      1.00       3.55         
MB/s          12,346     12,346         
allocs/op          0          0         
B/op               0          0         
min               19         70         
max               21         72         
  missing: r<&>: no compiler

`
	if b.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", b.String(), want)
	}
}

func TestCharts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "charts")
	rows := exampleRows()
	rows = append(rows, Row{Suite: "s", Case: "B|x/1", Who: "fairlead", Figures: &Figures{MsgsS: new(9.0)}})
	paths, err := WriteCharts(dir, rows)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(dir, "s-A-build.svg"), filepath.Join(dir, "s-B-x-1.svg")}
	if !reflect.DeepEqual(paths, want) {
		t.Fatalf("paths = %v, want %v", paths, want)
	}
	svg, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"<svg ", "capnp-c++", "71 (3.55 ×)", "missing", "r&lt;&amp;&gt;", "shorter is better", "</svg>"} {
		if !bytes.Contains(svg, []byte(part)) {
			t.Errorf("the chart lacks %q", part)
		}
	}
}

func childCases() []Case {
	failing := Contestant{
		Who:   "failing",
		Check: func() (Answer, error) { return Answer{}, errors.New("broken\nin two lines") },
		Run:   func(int) (Sample, error) { return Sample{}, errors.New("broken") },
	}
	return []Case{{Name: "a", Contestants: []Contestant{
		fake{who: "x", perOp: 3 * time.Nanosecond, answer: Answer{Values: 1<<63 + 5, Bytes: 6, Size: 7}, allocs: 2}.contestant(),
		failing,
	}}}
}

func TestChild(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	child, err := StartChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := child.Version(); v != "test 1" || err != nil {
		t.Errorf("version = %q, %v", v, err)
	}
	k := child.Contestant("outer", "x", "a")
	if k.Who != "outer" {
		t.Errorf("who = %q", k.Who)
	}
	if a, err := k.Check(); a != (Answer{Values: 1<<63 + 5, Bytes: 6, Size: 7}) || err != nil {
		t.Errorf("check = %+v, %v", a, err)
	}
	if s, err := k.Run(10); s != (Sample{Elapsed: 30, Counted: true, Allocs: 20, AllocBytes: 160}) || err != nil {
		t.Errorf("run = %+v, %v", s, err)
	}
	broken := child.Contestant("failing", "failing", "a")
	if _, err := broken.Check(); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "broken in two lines") {
		t.Errorf("check of the failing one = %v", err)
	}
	if _, err := broken.Run(1); !errors.Is(err, errRefused) {
		t.Errorf("run of the failing one = %v", err)
	}
	if _, err := child.Contestant("x", "x", "unknown").Run(1); !errors.Is(err, errRefused) {
		t.Errorf("run of an unknown case = %v", err)
	}
	if err := child.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := k.Run(1); err == nil {
		t.Error("no error from a child that has left")
	}
}

func TestLocalCountsAllocations(t *testing.T) {
	var keep [][]byte
	k := Local("x", nil, func(n int) {
		for range n {
			keep = append(keep[:0], make([]byte, 4096))
		}
	})
	s, err := k.Run(100)
	if err != nil || !s.Counted || s.Allocs < 100 || s.AllocBytes < 100*4096 {
		t.Errorf("sample = %+v, %v; want at least 100 allocations of 4096 bytes", s, err)
	}
}
