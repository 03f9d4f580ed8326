package harness

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The geometry of a chart, in pixels.
const (
	chartWidth  = 760
	chartLabels = 150 // room for the contestants' names
	chartValues = 190 // room for the figures behind the bars
	chartHead   = 52
	chartBar    = 22
	chartGap    = 8
)

// WriteCharts draws each case of rows as a bar chart into dir, which it makes
// if need be, and returns the files' paths. The bars are to scale, from zero.
func WriteCharts(dir string, rows []Row) ([]string, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	var paths []string
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Case == rows[0].Case {
			n++
		}
		name := rows[0].Suite + "-" + strings.NewReplacer("/", "-", "|", "-").Replace(rows[0].Case) + ".svg"
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(chart(rows[:n])), 0o666); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		paths = append(paths, path)
		rows = rows[n:]
	}
	return paths, nil
}

// chart draws the rows of one case.
func chart(rows []Row) string {
	most := 0.0
	for _, r := range rows {
		if r.Figures != nil {
			lead, _ := r.lead()
			most = max(most, lead)
		}
	}
	unit := leadName(rows)
	better := "shorter is better"
	if unit != "ns/op" {
		better = "longer is better"
	}
	base := baseFigure(rows)
	height := chartHead + len(rows)*(chartBar+chartGap) + chartGap
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="Helvetica, Arial, sans-serif" font-size="13">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<text x="12" y="22" font-size="16" font-weight="bold" fill="#222222">%s</text>`+"\n", escape(rows[0].Case))
	fmt.Fprintf(&b, `<text x="12" y="40" fill="#666666">%s</text>`+"\n", escape(unit+", median; "+better))
	for i, r := range rows {
		y := chartHead + i*(chartBar+chartGap)
		text := y + chartBar*3/4
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end" fill="#222222">%s</text>`+"\n", chartLabels-8, text, escape(r.Who))
		if r.Figures == nil {
			fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#999999">missing</text>`+"\n", chartLabels, text)
			continue
		}
		lead, _ := r.lead()
		width := 0.0
		if most > 0 {
			width = lead / most * (chartWidth - chartLabels - chartValues)
		}
		fill := "#9aa7b4"
		switch {
		case strings.HasPrefix(r.Who, Base):
			fill = "#1f6f8b"
		case r.Who == "floor":
			fill = "#d5dbe1"
		}
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", chartLabels, y, width, chartBar, fill)
		label := number(lead)
		if base != nil && r.Who != Base {
			label += " (" + ratio(r.Figures, base) + " ×)"
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#222222">%s</text>`+"\n", float64(chartLabels)+width+6, text, escape(label))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a strings.Builder does not fail
	}
	return b.String()
}
