package pretty

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// tree is a value to lay out: a leaf, or a list of its items.
type tree struct {
	leaf   string
	items  []tree
	list   bool
	record bool
}

func randomTree(r *rand.Rand, depth int) tree {
	if depth == 0 || r.IntN(3) == 0 {
		n := r.IntN(12)
		if r.IntN(8) == 0 {
			n = 20 + r.IntN(40)
		}
		return tree{leaf: strings.Repeat("x", n)}
	}
	t := tree{list: true, record: r.IntN(2) == 0}
	for range r.IntN(5) {
		t.items = append(t.items, randomTree(r, depth-1))
	}
	return t
}

// naive lays out a tree by building the text of each item first. A record's items
// have a prefix.
func naive(t tree, s Style, indent int, prefixed bool) string {
	if !t.list {
		return t.leaf
	}
	inner := indent
	if !s.Alone || len(t.items) > 1 {
		inner += 2
	}
	var items []string
	longest, total := 0, 0
	for _, item := range t.items {
		text := naive(item, s, inner, t.record)
		if t.record {
			text = "k = " + text
		}
		items = append(items, text)
		longest, total = max(longest, len(text)), total+len(text)
	}
	breaks := longest > s.Item || t.record && s.Total > 0 && total > s.Total
	if s.Short || s.Alone && len(items) <= 1 || !breaks {
		return "[" + strings.Join(items, s.Delim) + "]"
	}
	line := "\n" + strings.Repeat(" ", indent)
	first := " "
	if prefixed {
		first = line
	}
	return "[" + first + strings.Join(items, ","+line) + " ]"
}

func write(w *Writer, t tree, indent int, prefixed bool) {
	if !t.list {
		w.Long(len(t.leaf))
		w.Buf = append(w.Buf, t.leaf...)
		return
	}
	inner := indent
	if !w.Style.Alone || len(t.items) > 1 {
		inner += 2
	}
	w.Buf = append(w.Buf, '[')
	w.Open(len(t.items), indent, t.record, prefixed)
	for _, item := range t.items {
		if !w.Item() {
			break
		}
		if t.record {
			w.Buf = append(w.Buf, "k = "...)
		}
		write(w, item, inner, t.record)
		w.EndItem()
	}
	w.Close()
	w.Buf = append(w.Buf, ']')
}

func TestSameAsNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	styles := []Style{
		{Delim: ", ", Item: 24, Total: 64},
		{Delim: ", ", Item: 50, Alone: true},
		{Delim: ",", Short: true},
	}
	var w Writer
	broken := 0
	for range 20000 {
		tr := randomTree(r, 1+r.IntN(6))
		for _, s := range styles {
			w.Start(append(w.Buf[:0], "before"...), s, math.MaxInt)
			write(&w, tr, 2, false)
			want := "before" + naive(tr, s, 2, false)
			if string(w.Buf) != want || w.Err != nil {
				t.Fatalf("%+v\n--- got\n%s\n--- want\n%s\n%v", s, w.Buf, want, w.Err)
			}
			if strings.Contains(want, "\n") {
				broken++
			}
		}
	}
	if broken < 1000 {
		t.Errorf("only %d layouts had several lines", broken)
	}
}

func TestMax(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		tr := randomTree(r, 6)
		s := Style{Delim: ", ", Item: 24, Total: 64}
		whole := naive(tr, s, 2, false)
		limit := r.IntN(len(whole) + 1)
		w := Writer{Style: s, Max: limit}
		write(&w, tr, 2, false)
		if w.Err == nil && string(w.Buf) != whole {
			t.Fatalf("limit %d: %q without an error", limit, w.Buf)
		}
		if w.Err != nil && (!errors.Is(w.Err, ErrTooLong) || len(w.Buf) > limit+200) {
			t.Fatalf("limit %d: %d bytes, %v", limit, len(w.Buf), w.Err)
		}
	}
}

func TestFloats(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{0, "0"},
		{math.Copysign(0, -1), "-0"},
		{1, "1"},
		{-1.5, "-1.5"},
		{0.1, "0.1"},
		{1e14, "100000000000000"},
		{1e15, "1e15"},
		{1e-4, "0.0001"},
		{1e-5, "1e-05"},
		{1.0 / 3, "0.33333333333333331"},
		{math.MaxFloat64, "1.7976931348623157e308"},
		{5e-324, "4.94065645841247e-324"},
		{-math.MaxFloat64, "-1.7976931348623157e308"},
		{math.Inf(1), "inf"},
		{math.Inf(-1), "-inf"},
		{math.NaN(), "nan"},
		{999999999999999, "999999999999999"},
		{1e22, "1e22"},
		{-2.5e-10, "-2.5e-10"},
		{9007199254740993, "9007199254740992"},
	} {
		if got := string(AppendFloat64([]byte("+"), c.v)); got != "+"+c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
	for _, c := range []struct {
		v    float32
		want string
	}{
		{0, "0"},
		{float32(math.Copysign(0, -1)), "-0"},
		{0.1, "0.1"},
		{1e6, "1e06"},
		{100000, "100000"},
		{16777216, "16777216"},
		{1e-40, "9.9999461e-41"},
		{math.MaxFloat32, "3.4028235e38"},
		{1.0 / 3, "0.33333334"},
		{float32(math.Inf(-1)), "-inf"},
		{float32(math.NaN()), "nan"},
		{1e-5, "1e-05"},
	} {
		if got := string(AppendFloat32([]byte("+"), c.v)); got != "+"+c.want {
			t.Errorf("%v: %q, want %q", c.v, got, c.want)
		}
	}
}

func TestFailStops(t *testing.T) {
	w := Writer{Max: 100, Style: Style{Delim: ", ", Item: 24}}
	w.Open(2, 2, false, false)
	first := errors.New("first")
	w.Fail(first)
	w.Fail(errors.New("second"))
	if w.Item() || !errors.Is(w.Err, first) {
		t.Errorf("%v", w.Err)
	}
	if !bytes.Equal(w.Buf, nil) {
		t.Errorf("%q", w.Buf)
	}
}
