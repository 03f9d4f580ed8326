package schema

import (
	"bytes"
	"fmt"
	"math"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/segment"
)

// Value is a value of a schema: a default, a constant, or what an annotation
// says.
type Value struct {
	Kind TypeKind
	// Bits holds a Bool (0 or 1), an integer (sign-extended), the IEEE 754 bits
	// of a float, or an enum's number.
	Bits uint64
	// Ptr refers to the object of a pointer kind; it is null for the default
	// default and for interfaces. It belongs to a private message of its own that
	// is never released, so that many goroutines may read it.
	Ptr segment.Ptr
}

// Float gives a Float32 or Float64.
func (v Value) Float() float64 {
	if v.Kind == Float32 {
		return float64(math.Float32frombits(uint32(v.Bits)))
	}
	return math.Float64frombits(v.Bits)
}

// NewValue makes a value of a pointer kind out of what build sets its pointer to;
// null is a value too. The object is kept in a message of its own, in canonical
// form: its structs may be shorter than their types say, and what is missing
// reads as zero. An object that is not of the kind, or holds a capability, is an
// error that matches [ErrInvalid].
func NewValue(kind TypeKind, build func(segment.PtrBuilder)) (Value, error) {
	if !kind.IsPointer() {
		panic(fmt.Sprintf("schema: NewValue of a %v, which is not a pointer", kind))
	}
	p, err := keep(kind, build)
	if err != nil {
		return Value{}, invalidf("value: %w", err)
	}
	return Value{Kind: kind, Ptr: p}, nil
}

// keep puts what build makes into a message of its own.
func keep(kind TypeKind, build func(segment.PtrBuilder)) (segment.Ptr, error) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	build(msg.RootBuilder())
	flat, err := msg.Canonical()
	if err != nil || msg.Root().IsNull() {
		return segment.Ptr{}, err
	}
	// A copy, for the memory of a canonical message is larger than the message.
	own, err := segment.FromSegments([][]byte{bytes.Clone(flat)})
	if err != nil {
		return segment.Ptr{}, err
	}
	if err := own.Verify(); err != nil {
		return segment.Ptr{}, err
	}
	p := own.Root()
	if !fits(kind, p) {
		return segment.Ptr{}, fmt.Errorf("a %v does not hold %v", p.Kind(), kind)
	}
	return p, nil
}

// fits tells whether p refers to an object that a pointer of the kind can.
func fits(kind TypeKind, p segment.Ptr) bool {
	switch kind {
	case Text:
		l := p.List()
		return p.Kind() == segment.KindList && l.ElemSize() == segment.Byte && p.TextBytes() != nil
	case Data:
		return p.Kind() == segment.KindList && p.List().ElemSize() == segment.Byte
	case ListType:
		return p.Kind() == segment.KindList
	case StructType:
		return p.Kind() == segment.KindStruct
	case InterfaceType:
		return false
	}
	return true
}

// canonicalPtr gives what p refers to as canonical bytes.
func canonicalPtr(p segment.Ptr) ([]byte, error) {
	msg := segment.New(arena.Pool())
	defer msg.Release()
	msg.RootBuilder().Set(p)
	return msg.Canonical()
}
