package reference

import "math"

// random is the state of the benchmark's generator, a 128-bit xorshift. It is
// a value: a function that draws many numbers keeps it in registers.
type random struct {
	x, y, z, w uint32 // w is the number drawn last
}

// seeded is the state that every run starts with.
func seeded() random {
	return random{0x1d2acd47, 0x58ca3e14, 0xf563f232, 0x0bc76199}
}

// next draws a number, which is the w of the state it returns.
func (r random) next() random {
	t := r.x ^ r.x<<11
	return random{r.y, r.z, r.w, r.w ^ r.w>>19 ^ (t ^ t>>8)}
}

// real is the number drawn last as a fraction of limit.
func (r random) real(limit float64) float64 {
	return float64(r.w) * limit / math.MaxUint32
}
