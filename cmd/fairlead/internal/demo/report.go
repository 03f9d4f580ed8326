package demo

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// topDirs is how many folders the report names.
	topDirs = 12
	// maxSkipsShown is how many skipped files the table names; --json names all.
	maxSkipsShown = 40
)

// Result is what one transport did. As JSON it is one object, for --json.
type Result struct {
	Transport string    `json:"transport"`
	Files     int       `json:"files"`  // that arrived and compared equal
	Bytes     int64     `json:"bytes"`  // their content
	MsgsPerS  float64   `json:"msgs_s"` // files a second; each has an answer besides
	MBPerS    float64   `json:"mb_s"`   // 10^6 bytes of content a second
	P50us     float64   `json:"p50_us"` // from sending a file to its answer, queues included
	P99us     float64   `json:"p99_us"`
	Copied    uint64    `json:"copied"` // messages that were copied to be sent or received, both sides
	Skipped   []Skipped `json:"skipped"`

	AllocsPerMsg float64             `json:"-"` // both sides, the opening of the file included
	Dirs         map[string]*DirStat `json:"-"`
}

// Skipped is a file that was left out. Path is quoted where it is not plain text.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// DirStat is what arrived of the files that lie directly in one folder.
type DirStat struct {
	Files, Lines, Bytes int64
}

func newResult(transport string) *Result {
	return &Result{Transport: transport, Skipped: []Skipped{}, Dirs: map[string]*DirStat{}}
}

func (r *Result) skip(path, reason string) {
	r.Skipped = append(r.Skipped, Skipped{Path: printable(path), Reason: reason})
}

func (r *Result) add(dir string, size, lines int64) {
	d := r.Dirs[dir]
	if d == nil {
		d = new(DirStat)
		r.Dirs[dir] = d
	}
	d.Files++
	d.Lines += lines
	d.Bytes += size
	r.Files++
	r.Bytes += size
}

// finish works out the rates. times is in any order and is sorted.
func (r *Result) finish(elapsed time.Duration, times []time.Duration, copied, allocated uint64) {
	slices.Sort(times)
	slices.SortStableFunc(r.Skipped, func(a, b Skipped) int { return cmp.Compare(a.Path, b.Path) })
	r.P50us, r.P99us = micros(percentile(times, 50)), micros(percentile(times, 99))
	r.Copied = copied
	if s := elapsed.Seconds(); s > 0 {
		r.MsgsPerS = round(float64(r.Files) / s)
		r.MBPerS = round(float64(r.Bytes) / 1e6 / s)
	}
	if r.Files > 0 {
		r.AllocsPerMsg = float64(allocated) / float64(r.Files)
	}
}

// copiesPerMsg is 0 where no file arrived, though greeting and figures were sent.
func (r *Result) copiesPerMsg() float64 {
	if r.Files == 0 {
		return 0
	}
	return float64(r.Copied) / float64(r.Files)
}

// percentile is the smallest value that at least p of 100 of the sorted values
// do not exceed; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max((len(sorted)*p+99)/100, 1)-1]
}

func micros(d time.Duration) float64 { return round(float64(d) / float64(time.Microsecond)) }

func round(f float64) float64 { return math.Round(f*10) / 10 }

// printable gives a path as it is where a terminal and JSON can show it, and
// quoted otherwise, so that no two names look alike and none can control the
// terminal.
func printable(path string) string {
	plain := utf8.ValidString(path) && !slices.ContainsFunc([]rune(path), func(r rune) bool { return !unicode.IsPrint(r) || r == '"' })
	if plain {
		return path
	}
	return strconv.Quote(path)
}

func writeJSON(w io.Writer, r *Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// writeTable prints the transports, what was skipped, and the largest folders of
// the last transport.
func writeTable(w io.Writer, results []*Result) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "transport\tfiles\tMB\tmsg/s\tMB/s\tp50 µs\tp99 µs\tcopies/msg\tallocs/msg\tskipped\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%s\t%d\t%.1f\t%.0f\t%.1f\t%.1f\t%.1f\t%.2f\t%.1f\t%d\t\n", r.Transport, r.Files, float64(r.Bytes)/1e6,
			r.MsgsPerS, r.MBPerS, r.P50us, r.P99us, r.copiesPerMsg(), r.AllocsPerMsg, len(r.Skipped))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if len(results) == 0 {
		return nil
	}
	if err := writeSkips(w, results); err != nil {
		return err
	}
	return writeDirs(w, results[len(results)-1].Dirs)
}

// writeSkips names each skipped file once, whichever transports skipped it.
func writeSkips(w io.Writer, results []*Result) error {
	var all []Skipped
	seen := map[Skipped]bool{}
	for _, r := range results {
		for _, s := range r.Skipped {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nskipped:\n")
	for _, s := range all[:min(len(all), maxSkipsShown)] {
		fmt.Fprintf(w, "  %s: %s\n", s.Path, s.Reason)
	}
	var err error
	if rest := len(all) - maxSkipsShown; rest > 0 {
		_, err = fmt.Fprintf(w, "  and %d more, which --json lists\n", rest)
	}
	return err
}

func writeDirs(w io.Writer, dirs map[string]*DirStat) error {
	names := make([]string, 0, len(dirs))
	for name := range dirs {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(dirs[b].Lines, dirs[a].Lines), cmp.Compare(a, b))
	})
	if len(names) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nlargest folders by lines:\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "lines\tfiles\tkB\t  folder")
	for _, name := range names[:min(len(names), topDirs)] {
		d := dirs[name]
		fmt.Fprintf(tw, "%d\t%d\t%.1f\t  %s\n", d.Lines, d.Files, float64(d.Bytes)/1e3, printable(filepath.ToSlash(name)))
	}
	return tw.Flush()
}
