package pretty

import (
	"math"
	"strconv"
)

// AppendFloat64 appends a number as the capnp tool prints it: with 15 digits if
// they give the number back, else with 17; the exponent without a plus sign;
// nan, inf, -inf.
func AppendFloat64(b []byte, v float64) []byte {
	if n := int64(v); float64(n) == v && n > -1e15 && n < 1e15 && (n != 0 || !math.Signbit(v)) {
		return strconv.AppendInt(b, n, 10)
	}
	start := len(b)
	b = strconv.AppendFloat(b, v, 'g', 15, 64)
	if special(b, start) {
		return appendSpecial(b[:start], v)
	}
	if back, _ := strconv.ParseFloat(string(b[start:]), 64); back != v {
		b = strconv.AppendFloat(b[:start], v, 'g', 17, 64)
	}
	return dropPlus(b, start)
}

// AppendFloat32 is AppendFloat64 for a Float32: with 6 digits, else with 8. As in
// the tool, denormals have 8 always, and 8 digits are one too few for some
// numbers.
func AppendFloat32(b []byte, f float32) []byte {
	const smallestNormal = 0x1p-126
	v := float64(f)
	start := len(b)
	b = strconv.AppendFloat(b, v, 'g', 6, 64)
	if special(b, start) {
		return appendSpecial(b[:start], v)
	}
	back, err := strconv.ParseFloat(string(b[start:]), 32)
	if err != nil || float32(back) != f || f != 0 && math.Abs(back) < smallestNormal {
		b = strconv.AppendFloat(b[:start], v, 'g', 8, 64)
	}
	return dropPlus(b, start)
}

// special tells whether b[start:] is not a number in digits.
func special(b []byte, start int) bool {
	switch b[start] {
	case 'N', '+':
		return true
	case '-':
		return b[start+1] == 'I'
	}
	return false
}

func appendSpecial(b []byte, v float64) []byte {
	switch {
	case v > 0:
		return append(b, "inf"...)
	case v < 0:
		return append(b, "-inf"...)
	}
	return append(b, "nan"...)
}

func dropPlus(b []byte, start int) []byte {
	for i := start + 1; i < len(b); i++ {
		if b[i] == '+' {
			return append(b[:i], b[i+1:]...)
		}
	}
	return b
}
