package rpc

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxSites bounds how many places one report names.
	maxSites = 16
	// gathering is how long the finds of one collection are gathered for a report.
	gathering = 50 * time.Millisecond
)

// A site is where something was made.
type site struct {
	kind string
	at   stack
}

// A tally counts what was made at a site.
type tally struct{ made, released, dropped int }

// A holdings is everything in the process that is to be released.
type holdings struct {
	mu      sync.Mutex
	all     map[*held]bool
	sites   map[site]*tally
	dropped map[site]*find // and not reported yet
}

// A find is what was found at one site.
type find struct {
	n        int
	refs     int // that were not released
	retained map[stack]int
}

var registry = holdings{all: map[*held]bool{}, sites: map[site]*tally{}, dropped: map[site]*find{}}

// tally gives the counts of the site of h. The caller has the lock.
func (r *holdings) tally(h *held) *tally {
	s := site{h.kind, h.made}
	t := r.sites[s]
	if t == nil {
		t = new(tally)
		r.sites[s] = t
	}
	return t
}

func (r *holdings) add(h *held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all[h] = true
	if h.made != (stack{}) {
		r.tally(h).made++
	}
}

func (r *holdings) remove(h *held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if delete(r.all, h); h.made != (stack{}) {
		r.tally(h).released++
	}
}

// twice reports a second release.
func (r *holdings) twice(h *held) {
	slog.Error("rpc: released more often than retained", "kind", h.kind, "made", h.made.String(), "found", callers().String())
}

// collected is run when nobody can reach what h tells of any more. What it finds is
// reported soon, together.
func (r *holdings) collected(h *held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.all[h] {
		return
	}
	delete(r.all, h)
	if h.owned() <= 0 {
		return // a message was dropped that had it, which package arena finds
	}
	r.tally(h).dropped++
	if len(r.dropped) == 0 {
		time.AfterFunc(gathering, r.report)
	}
	h.findIn(r.dropped)
}

// findIn adds h to what was found at its site. The caller has the lock.
func (h *held) findIn(all map[site]*find) {
	s := site{h.kind, h.made}
	f := all[s]
	if f == nil {
		f = &find{retained: map[stack]int{}}
		all[s] = f
	}
	f.n++
	f.refs += int(h.owned())
	for at, n := range h.retained {
		f.retained[at] += n
	}
}

// report tells of what was dropped, one record a site.
func (r *holdings) report() {
	r.mu.Lock()
	found := r.dropped
	r.dropped = map[site]*find{}
	tallies := map[site]tally{}
	for s := range found {
		tallies[s] = *r.sites[s]
	}
	r.mu.Unlock()
	for s, f := range found {
		t := tallies[s]
		slog.Error("rpc: dropped without Release", "kind", s.kind, "count", f.n, "references", f.refs, "made", s.at.String(), "retained", f.where(s.at),
			"made_total", t.made, "released_total", t.released, "dropped_total", t.dropped)
	}
}

// where gives the places at which what was found was retained.
func (f *find) where(made stack) string {
	var b strings.Builder
	all := slices.SortedFunc(maps.Keys(f.retained), func(x, y stack) int { return cmp.Compare(f.retained[y], f.retained[x]) })
	for _, at := range all[:min(len(all), maxSites)] {
		if at == made && len(all) == 1 {
			continue // which is told as such
		}
		fmt.Fprintf(&b, "%d times at\n%s", f.retained[at], at)
	}
	return b.String()
}

// reportHeld tells of a connection that has ended with something held: here, which
// may yet be released, or by the peer. The table's sizes are those at the end.
func (c *Conn) reportHeld(imports, exports int, ours bool) {
	found := map[site]*find{}
	n := 0
	registry.mu.Lock()
	for h := range registry.all {
		if h.conn == c && h.owned() > 0 {
			h.findIn(found)
			n++
		}
	}
	registry.mu.Unlock()
	if n == 0 && imports == 0 && exports == 0 {
		return
	}
	report := slog.Info
	if ours && n > 0 { // the program has ended it, and could have released them before
		report = slog.Warn
	}
	report("rpc: a connection ended while something of it was held", c.peerAttr(), "held", n, "imports", imports, "exports", exports)
	sites := slices.SortedFunc(maps.Keys(found), func(x, y site) int { return cmp.Compare(found[y].n, found[x].n) })
	for _, s := range sites[:min(len(sites), maxSites)] {
		report("rpc: held when its connection ended", "kind", s.kind, "count", found[s].n, "references", found[s].refs, "made", s.at.String(), "retained", found[s].where(s.at))
	}
}

// A stack is program counters, turned into text only for a report.
type stack [24]uintptr

// callers gives the stack of whoever called the package, or of a goroutine of its
// own if nobody did.
func callers() (s stack) {
	var all [48]uintptr
	n := runtime.Callers(3, all[:])
	rest := all[:n]
	for len(rest) > 2 && strings.HasPrefix(runtime.FuncForPC(rest[0]-1).Name(), ourFrames) {
		rest = rest[1:]
	}
	if len(rest) <= 2 {
		rest = all[:n]
	}
	copy(s[:], rest)
	return s
}

const ourFrames = "github.com/fairlead-go/fairlead/rpc."

// String gives a line a function.
func (s stack) String() string {
	n := slices.Index(s[:], 0)
	if n < 0 {
		n = len(s)
	}
	if n == 0 {
		return ""
	}
	var b strings.Builder
	frames := runtime.CallersFrames(s[:n])
	for {
		f, more := frames.Next()
		fmt.Fprintf(&b, "\t%s %s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return b.String()
		}
	}
}
