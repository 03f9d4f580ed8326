package reference

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/bench/schema/eval"
)

func TestRandom(t *testing.T) {
	r := seeded()
	var got []uint32
	for range 5 {
		r = r.next()
		got = append(got, r.w)
	}
	want := []uint32{0x40ccd553, 0x49ff79c0, 0xa3e7e0af, 0x931c96e3, 0xb55caf9e}
	if !slices.Equal(got, want) {
		t.Errorf("drew %#x, want %#x", got, want)
	}
	for _, tt := range []struct {
		w     uint32
		limit float64
		want  float64
	}{{0, 20, 0}, {math.MaxUint32, 20, 20}, {1 << 31, 30, 30 * (1 << 31) / float64(math.MaxUint32)}} {
		if got := (random{w: tt.w}).real(tt.limit); got != tt.want {
			t.Errorf("%d as a fraction of %v = %v, want %v", tt.w, tt.limit, got, tt.want)
		}
	}
}

func TestCompute(t *testing.T) {
	const least, most = math.MinInt32, math.MaxInt32
	tests := []struct {
		name string
		op   eval.Operation
		a, b int32
		want int32
	}{
		{"sum", eval.OperationAdd, 3, 4, 7},
		{"sum wraps", eval.OperationAdd, most, 1, least},
		{"difference", eval.OperationSubtract, 3, 4, -1},
		{"difference wraps", eval.OperationSubtract, least, 1, most},
		{"product", eval.OperationMultiply, -3, 4, -12},
		{"product wraps", eval.OperationMultiply, 1 << 30, 4, 0},
		{"quotient towards zero", eval.OperationDivide, -7, 2, -3},
		{"quotient by zero", eval.OperationDivide, 7, 0, most},
		{"quotient that overflows", eval.OperationDivide, least, -1, most},
		{"quotient by -1", eval.OperationDivide, most, -1, -most},
		{"rest has the sign of a", eval.OperationModulus, -7, 2, -1},
		{"rest by zero", eval.OperationModulus, 7, 0, most},
		{"rest that overflows", eval.OperationModulus, least, -1, most},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := compute(tt.op, tt.a, tt.b); got != tt.want {
				t.Errorf("%v of %d and %d = %d, want %d", tt.op, tt.a, tt.b, got, tt.want)
			}
		})
	}
}

// TestPets compares with the library's search, on texts of parts that nearly
// match.
func TestPets(t *testing.T) {
	parts := []string{" ", "cat", "dog", "c", "t", "d", "g", " cat ", " dog ", "cot ", "dag ", "\x00", "ä", "\xe3at "}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var s strings.Builder
		for range rng.IntN(12) {
			s.WriteString(parts[rng.IntN(len(parts))])
		}
		cat, dog := pets([]byte(s.String()))
		if wantCat, wantDog := strings.Contains(s.String(), " cat "), strings.Contains(s.String(), " dog "); cat != wantCat || dog != wantDog {
			t.Fatalf("in %q: cat %t, dog %t, want %t, %t", s.String(), cat, dog, wantCat, wantDog)
		}
	}
}

func TestOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	near := func(x float64, n int) float64 { return math.Float64frombits(math.Float64bits(x) + uint64(n)) }
	draws := map[string]func() float64{
		"ranks":        func() float64 { return float64(1+rng.IntN(1000)) * []float64{1, 10000, 1 / 10000.0}[rng.IntN(3)] },
		"near":         func() float64 { return near(1000, rng.IntN(2000)) },
		"near and low": func() float64 { return near(-1000, rng.IntN(2000)) },
		"any":          func() float64 { return rng.NormFloat64() },
		"extreme":      func() float64 { return []float64{0, math.Inf(1), math.Inf(-1), 1e300, -1e300, 1e-300}[rng.IntN(6)] },
	}
	var o order
	for name, draw := range draws {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{0, 1, 2, 999, 1024, 3000} {
				o.reset(n)
				scores := make([]float64, n)
				for i := range scores {
					scores[i] = draw()
					o.add(scores[i])
				}
				o.sort()
				got := make([]float64, n)
				used := make(map[int]bool)
				for i := range got {
					got[i] = scores[o.index(i)]
					used[o.index(i)] = true
				}
				slices.SortFunc(scores, func(a, b float64) int { return cmp.Compare(b, a) })
				if !slices.Equal(got, scores) || len(used) != n {
					t.Errorf("%d scores: the order is %v, want %v", n, got, scores)
				}
			}
		})
	}
}

// TestSentence draws until the longest snippet has nearly come.
func TestSentence(t *testing.T) {
	var p ranking
	p.restart()
	longest := 0
	for range 20_000 {
		snippet, cat, dog, r := sentence(&p.snippet, p.random)
		p.random = r
		longest = max(longest, len(snippet))
		if gotCat, gotDog := strings.Contains(string(snippet), " cat "), strings.Contains(string(snippet), " dog "); gotCat != cat || gotDog != dog {
			t.Fatalf("%q: cat %t, dog %t, want %t, %t", snippet, gotCat, gotDog, cat, dog)
		}
		for word := range strings.FieldsSeq(string(snippet)) {
			if len(word) > 6 {
				t.Fatalf("%q has the word %q", snippet, word)
			}
		}
	}
	if longest < 190 || longest > snippetRoom-8 {
		t.Errorf("the longest of the snippets has %d bytes, and there is room for %d", longest, snippetRoom-8)
	}
}
