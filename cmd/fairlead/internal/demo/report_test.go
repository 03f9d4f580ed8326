package demo

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"
)

func sumOf(s string) [32]byte { return sha256.Sum256([]byte(s)) }

func TestPercentile(t *testing.T) {
	upTo := func(n int) (all []time.Duration) {
		for i := range n {
			all = append(all, time.Duration(i+1))
		}
		return all
	}
	for _, tc := range []struct {
		n, p int
		want time.Duration
	}{
		{0, 50, 0},
		{1, 50, 1},
		{1, 99, 1},
		{2, 50, 1},
		{3, 50, 2},
		{100, 50, 50},
		{100, 99, 99},
		{101, 99, 100},
		{1000, 99, 990},
	} {
		if got := percentile(upTo(tc.n), tc.p); got != tc.want {
			t.Errorf("percentile %d of 1…%d = %d; want %d", tc.p, tc.n, got, tc.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for path, want := range map[string]string{
		"plain/path with spaces": "plain/path with spaces",
		"grüße/日本":               "grüße/日本",
		"bad\xff":                `"bad\xff"`,
		"new\nline":              `"new\nline"`,
		"\x1b[31mred":            `"\x1b[31mred"`,
		`"quoted"`:               `"\"quoted\""`,
	} {
		if got := printable(path); got != want {
			t.Errorf("printable(%q) = %s; want %s", path, got, want)
		}
	}
}

func TestCopiesOfNoFiles(t *testing.T) {
	r := newResult("unix")
	r.finish(0, nil, 2, 100)
	if r.Copied != 2 || r.copiesPerMsg() != 0 {
		t.Errorf("%d copied, %v a message; want 2, and 0 of no messages", r.Copied, r.copiesPerMsg())
	}
}

func TestSkipsAreNamedOnce(t *testing.T) {
	a, b := newResult("a"), newResult("b")
	for i := range maxSkipsShown + 5 {
		a.skip(fmt.Sprintf("f%03d", i), "why")
		b.skip(fmt.Sprintf("f%03d", i), "why")
	}
	var out bytes.Buffer
	if err := writeSkips(&out, []*Result{a, b}); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "f000") != 1 || !strings.Contains(out.String(), "and 5 more") {
		t.Errorf("want each once, and the number of the others:\n%s", out.String())
	}
}
