package harness

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Base is the contestant that the tables and charts compare with.
const Base = "fairlead"

// WriteTable writes the rows of one case as a table with the contestants as
// columns and, where [Base] took part, the ratio of their leading figure to
// it: above 1 the contestant is slower.
func WriteTable(w io.Writer, rows []Row) error {
	if len(rows) == 0 {
		return nil
	}
	base := baseFigure(rows)
	columns := [][]string{{rows[0].Case, leadName(rows), "× " + Base, "MB/s", "allocs/op", "B/op", "min", "max"}}
	columns[0] = append(columns[0], latencyNames(rows)...)
	var reasons []string // of the missing, each with those it is the reason of
	missing := make(map[string][]string)
	for _, r := range rows {
		if r.Figures == nil {
			if missing[r.Missing] == nil {
				reasons = append(reasons, r.Missing)
			}
			missing[r.Missing] = append(missing[r.Missing], r.Who)
			column := []string{r.Who, "missing"}
			for len(column) < len(columns[0]) {
				column = append(column, "")
			}
			columns = append(columns, column)
			continue
		}
		f := r.Figures
		lead, _ := f.lead()
		column := []string{
			r.Who, number(lead), ratio(f, base), throughput(f.MBS),
			count(f.AllocsOp), count(f.BytesOp), number(f.Min), number(f.Max),
		}
		if len(columns[0]) > len(column) {
			column = append(column, count(f.P50us), count(f.P99us))
		}
		columns = append(columns, column)
	}
	var b strings.Builder
	for line := range columns[0] {
		for i, column := range columns {
			width := 0
			for _, cell := range column {
				width = max(width, utf8.RuneCountInString(cell))
			}
			pad := strings.Repeat(" ", width-utf8.RuneCountInString(column[line]))
			if i == 0 {
				b.WriteString(column[line] + pad)
			} else {
				b.WriteString("  " + pad + column[line])
			}
		}
		b.WriteByte('\n')
	}
	for _, why := range reasons {
		fmt.Fprintf(&b, "  missing: %s: %s\n", strings.Join(missing[why], ", "), why)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func baseFigure(rows []Row) *Figures {
	for _, r := range rows {
		if r.Who == Base {
			return r.Figures
		}
	}
	return nil
}

func leadName(rows []Row) string {
	for _, r := range rows {
		switch {
		case r.Figures == nil:
		case r.MsgsS != nil:
			return "msgs/s"
		case r.CallsS != nil:
			return "calls/s"
		}
	}
	return "ns/op"
}

func latencyNames(rows []Row) []string {
	for _, r := range rows {
		if r.Figures != nil && (r.P50us != nil || r.P99us != nil) {
			return []string{"p50 µs", "p99 µs"}
		}
	}
	return nil
}

// ratio tells how many times slower than base f is.
func ratio(f, base *Figures) string {
	if base == nil {
		return "–"
	}
	mine, more := f.lead()
	its, _ := base.lead()
	if more {
		mine, its = its, mine
	}
	if its == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", mine/its)
}

func throughput(mbs float64) string {
	if mbs == 0 {
		return "–"
	}
	return number(mbs)
}

func count(x *float64) string {
	if x == nil {
		return "–"
	}
	return number(*x)
}

// number writes x with about four significant digits, and thousands apart.
func number(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 1:
		return strings.TrimRight(fmt.Sprintf("%.3f", x), "0")
	case x < 100:
		return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", x), "0"), ".")
	case x < 1000:
		return fmt.Sprintf("%.1f", x)
	}
	digits := fmt.Sprintf("%.0f", x)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
