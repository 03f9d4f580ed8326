package dynamic

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"

	"github.com/fairlead-go/fairlead/schema"
)

// class tells how a number was given.
type class uint8

const (
	notNumber class = iota
	signed
	unsigned
	floating
)

// number is a number that is to be set: an int64 or uint64 as bits, or f. A
// float32 has its own bits too, because a conversion may change those of a NaN.
type number struct {
	class class
	bits  uint64
	f     float64
}

// single marks the bits of a float32.
const single = 1 << 32

// numberOf takes a Go value of any numeric type.
func numberOf(v any) number {
	switch v := v.(type) {
	case int:
		return number{class: signed, bits: uint64(v)}
	case int8:
		return number{class: signed, bits: uint64(v)}
	case int16:
		return number{class: signed, bits: uint64(v)}
	case int32:
		return number{class: signed, bits: uint64(v)}
	case int64:
		return number{class: signed, bits: uint64(v)}
	case uint:
		return number{class: unsigned, bits: uint64(v)}
	case uint8:
		return number{class: unsigned, bits: uint64(v)}
	case uint16:
		return number{class: unsigned, bits: uint64(v)}
	case uint32:
		return number{class: unsigned, bits: uint64(v)}
	case uint64:
		return number{class: unsigned, bits: v}
	case float32:
		return number{class: floating, f: float64(v), bits: single | uint64(math.Float32bits(v))}
	case float64:
		return number{class: floating, f: v}
	case json.Number:
		return parseNumber(string(v))
	case Enum:
		return number{}
	}
	return reflectNumber(reflect.ValueOf(v))
}

// reflectNumber takes a number of a type that a program has named.
func reflectNumber(v reflect.Value) number {
	switch {
	case v.CanInt():
		return number{class: signed, bits: uint64(v.Int())}
	case v.CanUint():
		return number{class: unsigned, bits: v.Uint()}
	case v.CanFloat():
		return number{class: floating, f: v.Float()}
	}
	return number{}
}

func parseNumber(s string) number {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return number{class: signed, bits: uint64(i)}
	}
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		return number{class: unsigned, bits: u}
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return number{class: floating, f: f}
	}
	return number{}
}

func (n number) String() string {
	switch n.class {
	case signed:
		return strconv.FormatInt(int64(n.bits), 10)
	case unsigned:
		return strconv.FormatUint(n.bits, 10)
	}
	return strconv.FormatFloat(n.f, 'g', -1, 64)
}

// intRange is what an integer type can hold.
type intRange struct {
	min int64
	max uint64
}

var intRanges = [...]intRange{
	schema.Int8:     {math.MinInt8, math.MaxInt8},
	schema.Int16:    {math.MinInt16, math.MaxInt16},
	schema.Int32:    {math.MinInt32, math.MaxInt32},
	schema.Int64:    {math.MinInt64, math.MaxInt64},
	schema.Uint8:    {0, math.MaxUint8},
	schema.Uint16:   {0, math.MaxUint16},
	schema.Uint32:   {0, math.MaxUint32},
	schema.Uint64:   {0, math.MaxUint64},
	schema.EnumType: {0, math.MaxUint16},
}

func (r *intRange) holds(v int64) bool { return v >= r.min && (v < 0 || uint64(v) <= r.max) }

// toInt gives the bits of an integer of a kind, or an error if it does not hold
// the number exactly.
func (n number) toInt(k schema.TypeKind) (uint64, *Error) {
	r := &intRanges[k]
	switch n.class {
	case signed:
		if r.holds(int64(n.bits)) {
			return n.bits, nil
		}
	case unsigned:
		if n.bits <= r.max {
			return n.bits, nil
		}
	case floating:
		return n.whole(k)
	}
	return 0, n.outside(k)
}

// whole is toInt for a float, which has to be a whole number.
func (n number) whole(k schema.TypeKind) (uint64, *Error) {
	const two63, two64 = 1 << 63, 1 << 64
	switch {
	case n.f != math.Trunc(n.f): // NaN too
		return 0, &Error{Kind: ErrType, Detail: n.String() + " is not a whole number, which " + describe(k) + " takes"}
	case n.f >= -two63 && n.f < two63:
		return number{class: signed, bits: uint64(int64(n.f))}.toInt(k)
	case n.f >= two63 && n.f < two64:
		return number{class: unsigned, bits: uint64(n.f)}.toInt(k)
	}
	return 0, n.outside(k)
}

//go:noinline
func (n number) outside(k schema.TypeKind) *Error {
	r := intRanges[k]
	return &Error{Kind: ErrRange, Detail: n.String() + " is out of range for " + describe(k) + ", which goes from " +
		strconv.FormatInt(r.min, 10) + " to " + strconv.FormatUint(r.max, 10)}
}

// toFloat gives the bits of a float of a kind. A float64 is rounded for a
// Float32 that can come near it; an integer has to be exact.
func (n number) toFloat(k schema.TypeKind) (uint64, *Error) {
	f := n.f
	switch n.class {
	case signed:
		f = float64(int64(n.bits))
		if f >= 1<<63 || int64(f) != int64(n.bits) || k == schema.Float32 && float64(float32(f)) != f {
			return 0, n.inexact(k)
		}
	case unsigned:
		f = float64(n.bits)
		if f >= 1<<64 || uint64(f) != n.bits || k == schema.Float32 && float64(float32(f)) != f {
			return 0, n.inexact(k)
		}
	}
	if n.class == floating && n.bits != 0 && k == schema.Float32 {
		return n.bits &^ single, nil
	}
	if k == schema.Float64 {
		return math.Float64bits(f), nil
	}
	g := float32(f)
	if math.IsInf(float64(g), 0) && !math.IsInf(f, 0) {
		return 0, &Error{Kind: ErrRange, Detail: n.String() + " is out of range for a Float32, which goes up to 3.4028235e+38"}
	}
	return uint64(math.Float32bits(g)), nil
}

func (n number) inexact(k schema.TypeKind) *Error {
	return &Error{Kind: ErrRange, Detail: n.String() + " is out of range for " + describe(k) + ", which cannot hold it exactly"}
}

// plural counts things.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}

// describeValue names a Go value's type as the user of a map thinks of it.
func describeValue(v any) string {
	if v == nil {
		return "nil"
	}
	if _, ok := v.(bool); ok {
		return "a bool"
	}
	return "a value of type " + reflect.TypeOf(v).String()
}
