package dynamic

import (
	"bytes"
	"math"
	"strconv"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

// What is in this file reads one field of a struct, without regard to how the
// field was found. Faults come back as errors; handles make them stick.

// selected tells whether no union on the way to the field has another member
// set.
func (f *Field) selected(s segment.Struct) bool {
	for i := range f.choices {
		if c := &f.choices[i]; s.Uint16(c.off) != c.value {
			return false
		}
	}
	return true
}

// unselected is the fault of reading a member that is not set.
func (f *Field) unselected(s segment.Struct) *Error {
	for _, c := range f.choices {
		if is := s.Uint16(c.off); is != c.value {
			return &Error{Kind: ErrUnion, Detail: "the union has " + c.of.member(is)}
		}
	}
	return nil
}

// member names the member of the type's union that a discriminant stands for,
// or gives the number of one that the schema does not know.
func (t *Type) member(discriminant uint16) string {
	if int(discriminant) < len(t.union) && t.union[discriminant] != nil {
		return t.union[discriminant].name
	}
	return strconv.Itoa(int(discriminant))
}

// bits reads a number, an enumerant or a Bool; signed ones are not extended.
func (f *Field) bits(s segment.Struct) uint64 {
	switch f.width {
	case 8:
		return uint64(s.Uint8(f.off)) ^ f.flip
	case 16:
		return uint64(s.Uint16(f.off)) ^ f.flip
	case 32:
		return uint64(s.Uint32(f.off)) ^ f.flip
	case 64:
		return s.Uint64(f.off) ^ f.flip
	case 1:
		if s.Bool(f.off) {
			return f.flip ^ 1
		}
		return f.flip
	}
	return 0
}

// extend gives the value of a signed integer of a kind.
func extend(k schema.TypeKind, bits uint64) int64 {
	switch k {
	case schema.Int8:
		return int64(int8(bits))
	case schema.Int16:
		return int64(int16(bits))
	case schema.Int32:
		return int64(int32(bits))
	}
	return int64(bits)
}

func isSigned(k schema.TypeKind) bool { return k >= schema.Int8 && k <= schema.Int64 }

func isUnsigned(k schema.TypeKind) bool { return k >= schema.Uint8 && k <= schema.Uint64 }

// asInt gives an integer of any kind as an int64.
func asInt(k schema.TypeKind, bits uint64) (int64, *Error) {
	switch {
	case isSigned(k):
		return extend(k, bits), nil
	case !isUnsigned(k):
		return 0, errAccess(k, "Int reads integers")
	case bits > math.MaxInt64:
		return 0, &Error{Kind: ErrRange, Detail: strconv.FormatUint(bits, 10) + " is more than an int64 holds; use Uint"}
	}
	return int64(bits), nil
}

// asUint gives an integer of any kind as a uint64.
func asUint(k schema.TypeKind, bits uint64) (uint64, *Error) {
	switch {
	case isUnsigned(k):
		return bits, nil
	case !isSigned(k):
		return 0, errAccess(k, "Uint reads integers")
	}
	if v := extend(k, bits); v < 0 {
		return 0, &Error{Kind: ErrRange, Detail: strconv.FormatInt(v, 10) + " is less than 0; use Int"}
	}
	return bits, nil
}

func asFloat(k schema.TypeKind, bits uint64) (float64, *Error) {
	switch k {
	case schema.Float32:
		return float64(math.Float32frombits(uint32(bits))), nil
	case schema.Float64:
		return math.Float64frombits(bits), nil
	}
	return 0, errAccess(k, "Float reads Float32 and Float64")
}

func errAccess(k schema.TypeKind, what string) *Error {
	return &Error{Kind: ErrType, Detail: "is " + describe(k) + "; " + what}
}

// ptr gives the field's pointer, or its default in the place of null.
func (f *Field) ptr(s segment.Struct) segment.Ptr {
	if p := s.Ptr(uint16(f.off)); !p.IsNull() {
		return p
	}
	return f.def
}

func (f *Field) textBytes(s segment.Struct) []byte {
	if b := s.TextBytes(uint16(f.off)); b != nil {
		return b
	}
	return f.def.TextBytes()
}

// data gives the bytes of a Data field, nil where the pointer is null.
func (f *Field) data(s segment.Struct) []byte {
	if b := s.Data(uint16(f.off)); b != nil {
		return b
	}
	return f.def.Data()
}

// structOf gives the struct or group of a field.
func (f *Field) structOf(msg *segment.Message, s segment.Struct) Struct {
	if f.group {
		return Struct{msg, f.Type(), s}
	}
	to := s.Struct(uint16(f.off))
	if to.Message() == nil {
		to = f.def.Struct()
	}
	return Struct{msg, f.Type(), to}
}

// boxScalar gives bits of a kind as the Go value that it is in a map.
func boxScalar(t *Type, k schema.TypeKind, bits uint64) any {
	switch k {
	case schema.Bool:
		return bits != 0
	case schema.Int8:
		return int8(bits)
	case schema.Int16:
		return int16(bits)
	case schema.Int32:
		return int32(bits)
	case schema.Int64:
		return int64(bits)
	case schema.Uint8:
		return uint8(bits)
	case schema.Uint16:
		return uint16(bits)
	case schema.Uint32:
		return uint32(bits)
	case schema.Uint64:
		return bits
	case schema.Float32:
		return math.Float32frombits(uint32(bits))
	case schema.Float64:
		return math.Float64frombits(bits)
	case schema.EnumType:
		if bits < uint64(len(t.boxed)) {
			return t.boxed[bits]
		}
		return uint16(bits)
	}
	return nil // Void
}

// value reads the field as what [Struct.Get] gives.
func (f *Field) value(msg *segment.Message, s segment.Struct) any {
	switch f.kind {
	case schema.Text:
		return string(f.textBytes(s))
	case schema.Data:
		return bytes.Clone(f.data(s))
	case schema.StructType:
		return f.structOf(msg, s)
	case schema.ListType:
		return readList(msg, f.Type(), f.ptr(s))
	case schema.InterfaceType:
		return capability(f.ptr(s))
	case schema.AnyPointer:
		return Any{msg, f.Type(), f.ptr(s)}
	case schema.EnumType:
		return boxScalar(f.Type(), f.kind, f.bits(s))
	}
	return boxScalar(nil, f.kind, f.bits(s))
}

// capability gives the index of a capability, or nil for none.
func capability(p segment.Ptr) any {
	if i, ok := p.Capability(); ok {
		return Capability(i)
	}
	return nil
}

// Capability is a capability as a message holds it: an index into the table of
// capabilities that travels beside the message.
type Capability uint32

// CapabilitySetter is a value that a capability field can be set to beside a
// [Capability]: it makes p refer to itself. The clients of package rpc/dynrpc are.
type CapabilitySetter interface {
	SetCapability(p segment.PtrBuilder)
}
