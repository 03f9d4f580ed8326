package harness

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"
)

// The lengths of a run. A full run takes about 20 ms × 5 a contestant more
// than the figures say, for the calibration.
const (
	fullRounds  = 7
	fullRound   = 100 * time.Millisecond
	quickRounds = 3
	quickRound  = 20 * time.Millisecond
	// shortestRound is what a round shrinks to when time runs out.
	shortestRound = time.Millisecond
	// maxIterations keeps an empty piece of work from overflowing n.
	maxIterations = 1 << 30
)

// Measure runs a suite: it opens it, checks each selected case and measures
// it, and calls emit with the rows of one case at a time. started is when the
// program began, from which the budget of a quick run counts.
func Measure(ctx context.Context, s Suite, opt Options, started time.Time, head func(notes []string), emit func([]Row) error) (err error) {
	open, err := s.Open(ctx, opt)
	if err != nil {
		return fmt.Errorf("bench: suite %s: %w", s.Name, err)
	}
	if open.Close != nil {
		defer func() {
			if cerr := open.Close(); err == nil {
				err = cerr
			}
		}()
	}
	cases := selectCases(open.Cases, opt)
	if len(cases) == 0 {
		return fmt.Errorf("bench: suite %s: no case and contestant is selected", s.Name)
	}
	head(open.Notes)
	left := 0 // contestants still to be measured
	for i := range cases {
		left += len(cases[i].Contestants)
	}
	for i := range cases {
		c := &cases[i]
		if err := check(c); err != nil {
			return err
		}
		rows, err := measureCase(ctx, s.Name, c, plan(opt, started, left))
		if err != nil {
			return err
		}
		left -= len(c.Contestants)
		if err := emit(rows); err != nil {
			return err
		}
	}
	return nil
}

func selectCases(all []Case, opt Options) []Case {
	var cases []Case
	for _, c := range all {
		if !opt.WantsCase(c.Name) {
			continue
		}
		var ks []Contestant
		for _, k := range c.Contestants {
			if opt.WantsWho(k.Who) {
				ks = append(ks, k)
			}
		}
		if len(ks) > 0 {
			c.Contestants = ks
			cases = append(cases, c)
		}
	}
	return cases
}

type schedule struct {
	rounds int
	round  time.Duration
}

// plan chooses the rounds of the next case when left contestants remain.
func plan(opt Options, started time.Time, left int) schedule {
	p := schedule{fullRounds, fullRound}
	if opt.Quick {
		p = schedule{quickRounds, quickRound}
		// A tenth of the budget is kept back; calibration and the
		// collections between the rounds take about as long as two
		// rounds more.
		remain := QuickBudget*9/10 - time.Since(started)
		p.round = min(p.round, remain/time.Duration(max(left, 1)*(p.rounds+2)))
		p.round = max(p.round, shortestRound)
	}
	if opt.Rounds > 0 {
		p.rounds = opt.Rounds
	}
	if opt.Round > 0 {
		p.round = opt.Round
	}
	return p
}

// measureCase lets the contestants of c take turns.
func measureCase(ctx context.Context, suite string, c *Case, p schedule) ([]Row, error) {
	iterations := make([]int, len(c.Contestants))
	samples := make([][]Sample, len(c.Contestants))
	for i := range c.Contestants {
		k := &c.Contestants[i]
		if k.Missing != "" {
			continue
		}
		n, err := calibrate(k, p.round)
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %s: %w", c.Name, k.Who, err)
		}
		iterations[i] = n
	}
	if c.Alike {
		alike(iterations)
	}
	for range p.rounds {
		for i := range c.Contestants {
			k := &c.Contestants[i]
			if k.Missing != "" {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("bench: %s: %w", c.Name, err)
			}
			// One contestant's garbage must not be collected in the
			// next one's time.
			runtime.GC()
			s, err := k.Run(iterations[i])
			if err != nil {
				return nil, fmt.Errorf("bench: %s: %s: %w", c.Name, k.Who, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	rows := make([]Row, len(c.Contestants))
	for i := range c.Contestants {
		k := &c.Contestants[i]
		rows[i] = Row{Suite: suite, Case: c.Name, Who: k.Who, Missing: k.Missing}
		if k.Missing == "" {
			rows[i].Figures = summarise(c, samples[i], iterations[i])
		}
	}
	return rows, nil
}

// alike gives all contestants that have a number of iterations the least one.
func alike(iterations []int) {
	least := maxIterations
	for _, n := range iterations {
		if n > 0 {
			least = min(least, n)
		}
	}
	for i, n := range iterations {
		if n > 0 {
			iterations[i] = least
		}
	}
}

// coldRuns is how many first iterations are not believed where they are long.
const coldRuns = 2

// calibrate finds how many iterations take about as long as round. Its runs
// also warm up caches, pools and branch prediction.
func calibrate(k *Contestant, round time.Duration) (int, error) {
	n := 1
	for firsts := 0; ; {
		s, err := k.Run(n)
		if err != nil {
			return 0, err
		}
		if n == 1 && s.Elapsed >= round/4 && firsts < coldRuns {
			firsts++ // it may have taken memory that the next has
			continue
		}
		if s.Elapsed >= round/4 || n >= maxIterations {
			perOp := float64(s.Elapsed) / float64(n)
			want := float64(round) / max(perOp, 1e-3)
			return int(math.Max(1, math.Min(want, maxIterations))), nil
		}
		// Towards half a round at once where the time is long enough to
		// be believed, else by a factor of ten.
		grow := 10.0
		if s.Elapsed > 50*time.Microsecond {
			grow = min(grow, 1.2*float64(round)/2/float64(s.Elapsed))
		}
		n = min(int(math.Ceil(float64(n)*max(grow, 1.5))), maxIterations)
	}
}

func summarise(c *Case, samples []Sample, n int) *Figures {
	var leads, allocs, bytes, p50, p99, nanos []float64
	counted := true
	for _, s := range samples {
		ns := float64(s.Elapsed.Nanoseconds()) / float64(n)
		nanos = append(nanos, ns)
		if c.Unit == Operations {
			leads = append(leads, ns)
		} else {
			leads = append(leads, 1e9/ns)
		}
		counted = counted && s.Counted
		allocs = append(allocs, float64(s.Allocs)/float64(n))
		bytes = append(bytes, float64(s.AllocBytes)/float64(n))
		p50 = append(p50, float64(s.P50.Nanoseconds())/1e3)
		p99 = append(p99, float64(s.P99.Nanoseconds())/1e3)
	}
	f := &Figures{Rounds: len(samples)}
	lead := round2(median(leads)) // sorts
	f.Min, f.Max = round2(leads[0]), round2(leads[len(leads)-1])
	switch c.Unit {
	case Messages:
		f.MsgsS = &lead
	case Calls:
		f.CallsS = &lead
	default:
		f.NsOp = &lead
	}
	if c.Bytes > 0 {
		f.MBS = round2(float64(c.Bytes) / median(nanos) * 1e3)
	}
	if counted {
		a, b := round2(median(allocs)), round2(median(bytes))
		f.AllocsOp, f.BytesOp = &a, &b
	}
	if m := round4(median(p50)); m > 0 {
		f.P50us = &m
	}
	if m := round4(median(p99)); m > 0 {
		f.P99us = &m
	}
	return f
}

// Local makes a contestant of a function of this process. Its allocations are
// counted, those of all goroutines together.
func Local(who string, check func() (Answer, error), run func(n int)) Contestant {
	return Contestant{Who: who, Check: check, Run: func(n int) (Sample, error) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		run(n)
		elapsed := time.Since(start)
		runtime.ReadMemStats(&after)
		return Sample{
			Elapsed:    elapsed,
			Counted:    true,
			Allocs:     after.Mallocs - before.Mallocs,
			AllocBytes: after.TotalAlloc - before.TotalAlloc,
		}, nil
	}}
}

// Absent makes the missing contestant of a case.
func Absent(who, why string) Contestant {
	return Contestant{Who: who, Missing: why}
}
