package reference

import (
	"strings"
	"time"

	"github.com/fairlead-go/fairlead/bench/harness"
)

// published are the times of an iteration that the C++ programs are known to
// take on a machine of the kind that Fairlead is developed on, with the floor's
// there. The floors were not measured in the same run: they are reckoned from
// one of both, in which the C++ programs took 2.98 and 5.71, 1.48 and 2.82, and
// 1.96 and 4.03 times as long as the floor, by the least of 80 rounds.
var published = map[string]struct{ cpp, floor time.Duration }{
	"carsales/bytes/reuse":  {20_000, 6_550},
	"carsales/packed/reuse": {38_800, 6_550},
	"catrank/bytes/reuse":   {241_000, 160_000},
	"catrank/packed/reuse":  {448_000, 160_000},
	"eval/bytes/reuse":      {2_800, 1_370},
	"eval/packed/reuse":     {5_200, 1_370},
}

// scaling tells how scaled comes to its figures.
var scaling = strings.Split(scaledName+`: for machines without a C++ compiler: times of the C++ programs on another machine
(20.0, 241 and 2.8 µs an iteration, packed 38.8, 448 and 5.2), multiplied by how long the floor takes here,
anew in each round, and divided by how long it takes there (6.55, 160 and 1.37 µs)`, "\n")

// scaled stands in for the C++ program where that cannot be built.
func (c referenceCase) scaled() (harness.Contestant, bool) {
	p, ok := published[c.name]
	if !ok {
		return harness.Contestant{}, false
	}
	floor := c.floor()
	return harness.Contestant{
		Who:   scaledName,
		Check: floor.Check,
		Run: func(n int) (harness.Sample, error) {
			s, err := floor.Run(n)
			s.Elapsed = time.Duration(float64(s.Elapsed) * float64(p.cpp) / float64(p.floor))
			s.Counted = false
			return s, err
		},
	}, true
}
