package json

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// bits reads a value of a kind that is no pointer, as schema.Value has it.
func (d *decoder) bits(t *shape.Type) (uint64, error) {
	c := d.data[d.pos]
	number := c == '-' || '0' <= c && c <= '9'
	switch t.Kind {
	case schema.Void:
		d.skip()
		return 0, nil
	case schema.Bool:
		switch c {
		case 't':
			d.pos += len("true")
			return 1, nil
		case 'f':
			d.pos += len("false")
			return 0, nil
		}
	case schema.Float32, schema.Float64:
		var v float64
		var err error
		switch {
		case c == 'n':
			d.pos += len("null")
			v = math.NaN()
		case c == '"':
			v, err = parseFloat(d)
		case number:
			v = d.float()
		default:
			return 0, d.wrong(t)
		}
		return floatBits(t.Kind, v), err
	case schema.EnumType:
		if c == '"' {
			return d.enumerant(t)
		} else if number {
			return d.integer(t, schema.Uint16)
		}
	default:
		if c == '"' || number {
			return d.integer(t, t.Kind)
		}
	}
	return 0, d.wrong(t)
}

func floatBits(kind schema.TypeKind, v float64) uint64 {
	switch {
	case kind == schema.Float32 && v != v:
		return 0x7fc00000
	case kind == schema.Float32:
		return uint64(math.Float32bits(float32(v)))
	case v != v:
		return 0x7ff8000000000000
	}
	return math.Float64bits(v)
}

// float reads the number at pos; one that is too large is infinite.
func (d *decoder) float() float64 {
	v, _ := strconv.ParseFloat(string(d.literal()), 64)
	return v
}

// parseFloat reads a string with what strtod takes for a number.
func parseFloat(d *decoder) (float64, error) {
	at := d.pos
	s := strings.TrimLeft(string(d.text()), " \t\n\v\f\r")
	digits := strings.TrimLeft(s, "+-")
	if hexadecimal(digits) && !strings.ContainsAny(digits, "pP") {
		s += "p0"
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(v, 0) || strings.Contains(s, "_") {
		d.pos = at
		return 0, fmt.Errorf("%w: %q is not a number", ErrValue, clip(s))
	}
	return v, nil
}

func hexadecimal(s string) bool { return len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x' }

// clip shortens what an error message quotes.
func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}

func (d *decoder) enumerant(t *shape.Type) (uint64, error) {
	p, err := d.c.enum(t)
	if err != nil {
		return 0, err
	}
	at := d.pos
	name := d.text()
	n, ok := p.values[string(name)]
	if !ok {
		d.pos = at
		return 0, fmt.Errorf("%w: %s has no enumerant %q", ErrValue, t.Node.DisplayName, clip(string(name)))
	}
	return uint64(n), nil
}

// integer reads an integer of the given kind from a number or a string.
func (d *decoder) integer(t *shape.Type, kind schema.TypeKind) (uint64, error) {
	at := d.pos
	quoted := d.data[d.pos] == '"'
	var b []byte
	if quoted {
		b = d.text()
	} else {
		b = d.literal()
	}
	if v, negative, ok := decimal(b); ok {
		if bits, ok := fit(v, negative, kind); ok {
			return bits, nil
		}
	}
	return d.oddInteger(t, kind, at, string(b), quoted)
}

// decimal reads a plain decimal number.
func decimal(b []byte) (v uint64, negative, ok bool) {
	if len(b) > 0 && b[0] == '-' {
		negative, b = true, b[1:]
	}
	if len(b) == 0 || len(b) > 19 {
		return 0, false, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, negative, true
}

// oddInteger reads what is no plain decimal number, or out of range.
func (d *decoder) oddInteger(t *shape.Type, kind schema.TypeKind, at int, s string, quoted bool) (uint64, error) {
	var bits uint64
	ok := false
	if !quoted && strings.ContainsAny(s, ".eE") {
		bits, ok = wholeFloat(s, kind)
	} else {
		bits, ok = parseInteger(strings.TrimLeft(s, " \t\n\v\f\r"), kind)
	}
	if !ok {
		d.pos = at
		return 0, fmt.Errorf("%w: %s for %v, which is %s", ErrValue, clip(s), t.Kind, limits(kind))
	}
	return bits, nil
}

// wholeFloat reads a number with a point or an exponent that is an integer.
func wholeFloat(s string, kind schema.TypeKind) (uint64, bool) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != math.Trunc(v) {
		return 0, false
	}
	n := int64(kind.Bits())
	if kind >= schema.Uint8 {
		return uint64(v), v >= 0 && v < math.Ldexp(1, int(n))
	}
	half := math.Ldexp(1, int(n)-1)
	return uint64(int64(v)), v >= -half && v < half
}

func parseInteger(s string, kind schema.TypeKind) (uint64, bool) {
	base := 10
	negative := strings.HasPrefix(s, "-")
	digits := s
	if negative || strings.HasPrefix(s, "+") {
		digits = s[1:]
	}
	if hexadecimal(digits) {
		base, digits = 16, digits[2:]
	}
	v, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return 0, false
	}
	return fit(v, negative, kind)
}

// fit gives the bits of an integer if it is in the range of its kind.
func fit(v uint64, negative bool, kind schema.TypeKind) (uint64, bool) {
	if kind >= schema.Uint8 {
		return v, (!negative || v == 0) && (kind == schema.Uint64 || v>>kind.Bits() == 0)
	}
	half := uint64(1) << (kind.Bits() - 1)
	if negative {
		return -v, v <= half
	}
	return v, v < half
}

func limits(kind schema.TypeKind) string {
	if kind >= schema.Uint8 {
		return fmt.Sprintf("0 to %d", ^uint64(0)>>(64-kind.Bits()))
	}
	half := int64(-1) << (kind.Bits() - 1)
	return fmt.Sprintf("%d to %d", half, -(half + 1))
}

// setData reads Data in the form that its annotation says.
func (d *decoder) setData(t *shape.Type, form dataForm, p segment.PtrBuilder) error {
	if form == asArray {
		if d.data[d.pos] != '[' {
			return d.wrong(t)
		}
		n := int(d.counts[d.next])
		if err := d.charge(int64(n)); err != nil {
			return err
		}
		b := p.NewData(n)
		return d.items(func(i int) error {
			if d.data[d.pos] == '"' {
				return d.wrong(t)
			}
			v, err := d.bits(&byteType)
			if b != nil {
				b[i] = byte(v)
			}
			return err
		})
	}
	if d.data[d.pos] != '"' {
		return d.wrong(t)
	}
	at := d.pos
	s := d.text()
	if err := d.charge(int64(len(s))); err != nil {
		return err
	}
	var b []byte
	var err error
	if form == asHex {
		b = make([]byte, hex.DecodedLen(len(s)))
		_, err = hex.Decode(b, s)
	} else {
		b, err = decodeBase64(s)
	}
	if err != nil {
		d.pos = at
		return fmt.Errorf("%w: %w", ErrValue, err)
	}
	p.SetData(b)
	return nil
}

var byteType = shape.Type{Kind: schema.Uint8}

// decodeBase64 reads base64 that may be broken into lines and lack its padding.
func decodeBase64(s []byte) ([]byte, error) {
	clean := make([]byte, 0, len(s))
	for _, c := range s {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			clean = append(clean, c)
		}
	}
	for n := 0; n < 2 && len(clean) > 0 && clean[len(clean)-1] == '='; n++ {
		clean = clean[:len(clean)-1]
	}
	b := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, err := base64.RawStdEncoding.Decode(b, clean)
	return b[:n], err
}
