// Package harness measures contestants side by side. A [Suite] has cases, a
// case has contestants, and a contestant can do its work n times in a row and
// say how long that took. The harness checks every contestant's result before
// anything is timed, chooses n for each, lets them take turns (A B C A B C …)
// so that a slow minute of the machine hits all of them alike, and reports the
// median, the least and the most of the rounds.
//
// A contestant works in this process ([Local]) or in a child process that
// speaks the protocol of [Child]. One that cannot take part says why, and is
// reported as missing.
package harness

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Suite is a named set of cases.
type Suite struct {
	Name string
	// Open prepares the contestants that opt asks for. The context ends
	// what is prepared, such as a compiler's run.
	Open func(ctx context.Context, opt Options) (*Opened, error)
}

// Opened is a suite whose contestants are ready.
type Opened struct {
	Cases []Case
	// Notes are printed above the tables: versions of the contestants, and
	// what each of them is allowed to do.
	Notes []string
	// Close ends child processes and removes temporary files. May be nil.
	Close func() error
}

// Unit is what a case counts.
type Unit int

// The units. Operations are reported as ns_op, messages as msgs_s, calls as
// calls_s.
const (
	Operations Unit = iota
	Messages
	Calls
)

// Case is one piece of work that all its contestants do.
type Case struct {
	Name string
	Unit Unit
	// Bytes is the payload of one operation, for MB/s (10^6 bytes); 0 where
	// a throughput says nothing.
	Bytes int
	// Alike has all contestants do the same number of operations, for work
	// that differs from one operation to the next: the number that takes the
	// slowest a round.
	Alike bool
	// Want is the answer that every contestant's Check must give. Where
	// Want.Bytes is 0, the contestants that give one must agree.
	Want        Answer
	Contestants []Contestant
}

// Answer is what a contestant's work came to.
type Answer struct {
	// Values is a hash over every value of the result.
	Values uint64
	// Bytes is a hash over the encoded result; 0 if its format or layout
	// is not comparable.
	Bytes uint64
	// Size is the length of the encoded result in bytes, 0 if it has none.
	Size int
}

// Contestant does a case's work in one way.
type Contestant struct {
	Who string
	// Missing says why it cannot take part; empty if it can.
	Missing string
	// Check does the work once and tells the result.
	Check func() (Answer, error)
	// Run does the work n times and tells what that took.
	Run func(n int) (Sample, error)
}

// Sample is the outcome of one run of a contestant.
type Sample struct {
	Elapsed time.Duration
	// Counted tells that Allocs and AllocBytes, both totals of the run,
	// were counted.
	Counted            bool
	Allocs, AllocBytes uint64
	// P50 and P99 are latencies; zero if the case has none.
	P50, P99 time.Duration
}

// Options are the wishes of the command line.
type Options struct {
	// Quick asks for short rounds, and for the end of the suite, with its
	// preparations, within [QuickBudget].
	Quick bool
	// Case selects cases by name; nil selects all.
	Case *regexp.Regexp
	// Who selects contestants by name; empty selects all.
	Who []string
	// Rounds and Round override the number and the length of the rounds
	// where they are not zero.
	Rounds int
	Round  time.Duration
}

// QuickBudget is the time that a quick run of a suite may take in all.
const QuickBudget = 60 * time.Second

// WantsCase tells whether the options select the named case.
func (o Options) WantsCase(name string) bool {
	return o.Case == nil || o.Case.MatchString(name)
}

// WantsWho tells whether the options select the named contestant.
func (o Options) WantsWho(who string) bool {
	return len(o.Who) == 0 || slices.Contains(o.Who, who)
}

// Row is one line of the result: a contestant's figures in a case. Its
// encoding as JSON is what `--json` prints.
type Row struct {
	Suite string `json:"suite"`
	Case  string `json:"case"`
	Who   string `json:"who"`
	// Missing says why there are no figures.
	Missing string `json:"missing,omitempty"`
	*Figures
}

// Figures are medians over the rounds, but for Min and Max, which are the
// extremes of the leading figure (ns_op, msgs_s or calls_s).
type Figures struct {
	NsOp   *float64 `json:"ns_op,omitempty"`
	MsgsS  *float64 `json:"msgs_s,omitempty"`
	CallsS *float64 `json:"calls_s,omitempty"`
	MBS    float64  `json:"mb_s"`
	P50us  *float64 `json:"p50_us,omitempty"`
	P99us  *float64 `json:"p99_us,omitempty"`
	// AllocsOp and BytesOp are null where nobody counted.
	AllocsOp *float64 `json:"allocs_op"`
	BytesOp  *float64 `json:"bytes_op"`
	Rounds   int      `json:"rounds"`
	Min      float64  `json:"min"`
	Max      float64  `json:"max"`
}

// lead returns the leading figure, and whether more of it is better.
func (f *Figures) lead() (value float64, more bool) {
	switch {
	case f.MsgsS != nil:
		return *f.MsgsS, true
	case f.CallsS != nil:
		return *f.CallsS, true
	default:
		return *f.NsOp, false
	}
}

// check compares what the contestants of c came to.
func check(c *Case) error {
	want := c.Want
	first := "the model"
	for i := range c.Contestants {
		k := &c.Contestants[i]
		if k.Missing != "" {
			continue
		}
		got, err := k.Check()
		if err != nil {
			return fmt.Errorf("bench: %s: %s: %w", c.Name, k.Who, err)
		}
		if got.Values != want.Values {
			return fmt.Errorf("bench: %s: %s: values hash to %016x, those of the model to %016x", c.Name, k.Who, got.Values, want.Values)
		}
		if got.Bytes == 0 {
			continue
		}
		if want.Bytes == 0 {
			want.Bytes, want.Size, first = got.Bytes, got.Size, k.Who
		}
		if got.Bytes != want.Bytes {
			return fmt.Errorf("bench: %s: %s: %d encoded bytes hash to %016x, the %d of %s to %016x", c.Name, k.Who, got.Size, got.Bytes, want.Size, first, want.Bytes)
		}
	}
	return nil
}

func round2(x float64) float64 {
	return math.Round(x*100) / 100
}

// round4 is for microseconds, of which the shortest latencies are a fraction.
func round4(x float64) float64 {
	return math.Round(x*1e4) / 1e4
}

// median returns the middle of xs, which it sorts.
func median(xs []float64) float64 {
	slices.Sort(xs)
	n := len(xs)
	if n%2 == 1 {
		return xs[n/2]
	}
	return (xs[n/2-1] + xs[n/2]) / 2
}

// SplitList splits a list of names at commas; the empty text is an empty list.
func SplitList(s string) []string {
	var out []string
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}
