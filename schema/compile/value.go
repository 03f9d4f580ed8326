package compile

import (
	"fmt"
	"math"

	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile/syntax"
)

// valuer turns expressions into values. Types are given by nodes alone, so that
// it serves both the compiler and those who read values with a registry.
type valuer struct {
	node func(schema.ID) *schema.Node // nil if there is none
	fail func(syntax.Span, string)
	// constant gives the constant that an expression names, and embed the bytes of
	// a file. If there is none they report it. The value of a constant that is a
	// pointer is not needed where a value of type t is expected that is none.
	constant func(e *syntax.Expr, t schema.Type) (schema.Type, schema.Value, bool)
	embed    func(*syntax.Expr) ([]byte, bool)
	// words is how many 8-byte words values may still take, of limit in all.
	words *int64
	limit int64
}

func (v *valuer) failf(e *syntax.Expr, format string, args ...any) {
	v.fail(e.Span, fmt.Sprintf(format, args...))
}

func (v *valuer) mismatch(e *syntax.Expr, t schema.Type) {
	v.failf(e, "Type mismatch; expected %s.", v.typeName(t))
}

// typeName names a type in an error.
func (v *valuer) typeName(t schema.Type) string {
	switch t.Kind {
	case schema.ListType:
		return "List(" + v.typeName(*t.Elem) + ")"
	case schema.EnumType, schema.StructType, schema.InterfaceType:
		if n := v.node(t.ID); n != nil {
			return n.Name()
		}
	}
	return t.Kind.String()
}

// take charges for memory before it is used, for a few bytes of text can ask
// for a lot of it.
func (v *valuer) take(e *syntax.Expr, words int64) bool {
	if *v.words < 0 {
		return false
	}
	if *v.words -= words; *v.words < 0 {
		v.failf(e, "Values are too large: they take more than %d bytes.", v.limit*8)
		return false
	}
	return true
}

// literal is the value of an expression that is neither a list nor a tuple.
type literal struct {
	kind  schema.TypeKind // Void, Bool, Int64 (negative), Uint64, Float64, Text, Data, EnumType or that of value
	bits  uint64
	bytes string
	// A constant has its type and value.
	isConst bool
	typ     schema.Type
	value   schema.Value
}

// put evaluates an expression as a value of type t and stores it in to. It
// gives false if that failed, which has then been reported.
func (v *valuer) put(e *syntax.Expr, t schema.Type, to slot) bool {
	if t.Kind == schema.AnyPointer && (t.Any == schema.AnyParam || t.Any == schema.AnyMethodParam) {
		v.failf(e, "Cannot interpret value because the type is a generic type parameter which is not yet bound. "+
			"We don't know what type to expect here.")
		return false
	}
	switch e.Kind {
	case syntax.Bad:
		return false
	case syntax.List:
		if t.Kind == schema.ListType {
			return v.putList(e, *t.Elem, to)
		}
		v.mismatch(e, t)
		return false
	case syntax.Tuple:
		if t.Kind == schema.StructType {
			return v.putTuple(e, t, to)
		}
		v.mismatch(e, t)
		return false
	case syntax.Embed:
		return v.putEmbed(e, t, to)
	}
	lit, ok := v.literal(e, t)
	if !ok {
		return false
	}
	if v.matches(&lit, t) {
		return v.store(e, &lit, t, to)
	}
	if t.Kind == schema.StructType {
		if f, ft := v.firstField(t); f != nil && v.matches(&lit, ft) {
			s, ok := v.newStruct(e, t, to)
			return ok && v.store(e, &lit, ft, fieldSlot{s, f})
		}
	}
	v.mismatch(e, t)
	return false
}

// firstField gives the field that a value stands for which is given in the
// place of a struct, or nil.
func (v *valuer) firstField(t schema.Type) (*schema.Field, schema.Type) {
	n := v.node(t.ID)
	if n == nil || n.Struct == nil || len(n.Struct.Fields) == 0 || n.Struct.Fields[0].IsGroup() {
		return nil, schema.Type{}
	}
	f := &n.Struct.Fields[0]
	return f, f.Type.Bind(t.Brand)
}

// literal evaluates an expression of which t is expected, which decides only
// what a name or a string stands for.
func (v *valuer) literal(e *syntax.Expr, t schema.Type) (literal, bool) {
	switch e.Kind {
	case syntax.Int:
		if !e.Neg {
			return literal{kind: schema.Uint64, bits: e.Bits}, true
		}
		if e.Bits > 1<<63 {
			v.failf(e, "Integer is too big to be negative.")
			return literal{}, false
		}
		if e.Bits == 0 {
			return literal{kind: schema.Uint64}, true
		}
		return literal{kind: schema.Int64, bits: -e.Bits}, true
	case syntax.Float:
		return literal{kind: schema.Float64, bits: math.Float64bits(e.Float())}, true
	case syntax.String:
		if t.Kind == schema.Data {
			return literal{kind: schema.Data, bytes: e.Text}, true
		}
		return literal{kind: schema.Text, bytes: e.Text}, true
	case syntax.Data:
		if t.Kind != schema.Data {
			v.mismatch(e, t)
			return literal{}, false
		}
		return literal{kind: schema.Data, bytes: e.Text}, true
	case syntax.RelName:
		if lit, ok := v.word(e.Text, t); ok {
			return lit, true
		}
	}
	ct, cv, ok := v.constant(e, t)
	if !ok {
		return literal{}, false
	}
	lit := literal{kind: ct.Kind, bits: cv.Bits, isConst: true, typ: ct, value: cv}
	switch ct.Kind {
	case schema.Int8, schema.Int16, schema.Int32, schema.Int64:
		lit.kind = schema.Uint64
		if int64(lit.bits) < 0 {
			lit.kind = schema.Int64
		}
	case schema.Uint8, schema.Uint16, schema.Uint32, schema.Uint64:
		lit.kind = schema.Uint64
	case schema.Float32, schema.Float64:
		lit.kind, lit.bits = schema.Float64, math.Float64bits(cv.Float())
	}
	return lit, true
}

// word gives what a bare word stands for that is not the name of a constant.
func (v *valuer) word(name string, t schema.Type) (literal, bool) {
	if t.Kind == schema.EnumType {
		if n := v.node(t.ID); n != nil && n.Enum != nil {
			for i := range n.Enum.Enumerants {
				if n.Enum.Enumerants[i].Name == name {
					return literal{kind: schema.EnumType, bits: uint64(i), typ: t}, true
				}
			}
		}
		return literal{}, false
	}
	switch name {
	case "void":
		return literal{kind: schema.Void}, true
	case "true":
		return literal{kind: schema.Bool, bits: 1}, true
	case "false":
		return literal{kind: schema.Bool}, true
	case "nan":
		// The same bits everywhere; math.NaN has another payload.
		return literal{kind: schema.Float64, bits: 0x7ff8 << 48}, true
	case "inf":
		return literal{kind: schema.Float64, bits: math.Float64bits(math.Inf(1))}, true
	}
	return literal{}, false
}

// matches tells whether a literal can be a value of type t, its range aside.
func (v *valuer) matches(lit *literal, t schema.Type) bool {
	switch lit.kind {
	case schema.Int64, schema.Uint64:
		return t.Kind >= schema.Int8 && t.Kind <= schema.Float64
	case schema.Float64:
		return t.Kind == schema.Float32 || t.Kind == schema.Float64
	case schema.EnumType:
		return t.Kind == schema.EnumType && t.ID == lit.typ.ID
	case schema.StructType:
		return t.Kind == schema.AnyPointer && (t.Any == schema.AnyAny || t.Any == schema.AnyStruct) || sameType(lit.typ, t)
	case schema.ListType:
		return t.Kind == schema.AnyPointer && (t.Any == schema.AnyAny || t.Any == schema.AnyList) || sameType(lit.typ, t)
	case schema.AnyPointer:
		return t.Kind == schema.AnyPointer && t.Any == lit.typ.Any
	case schema.InterfaceType:
		return false
	}
	return t.Kind == lit.kind // Void, Bool, Text, Data
}

// store stores a literal that matches t.
func (v *valuer) store(e *syntax.Expr, lit *literal, t schema.Type, to slot) bool {
	switch {
	case lit.isConst && t.Kind.IsPointer():
		if lit.value.Ptr.IsNull() {
			to.ptr().Clear()
			return true
		}
		words, err := lit.value.Ptr.TotalWords()
		if err != nil {
			v.failf(e, "Constant is malformed: %v.", err)
			return false
		}
		if !v.take(e, words) {
			return false
		}
		to.copy(lit.value.Ptr)
	case t.Kind == schema.Text:
		if !v.take(e, int64(len(lit.bytes))/8+1) {
			return false
		}
		to.ptr().SetText(lit.bytes)
	case t.Kind == schema.Data:
		if !v.take(e, int64(len(lit.bytes)+7)/8) {
			return false
		}
		to.ptr().SetData([]byte(lit.bytes))
	default:
		return v.storeNumber(e, lit, t, to)
	}
	return true
}

func (v *valuer) storeNumber(e *syntax.Expr, lit *literal, t schema.Type, to slot) bool {
	bits := lit.bits
	isInt := lit.kind == schema.Int64 || lit.kind == schema.Uint64
	ok := true
	switch {
	case t.Kind == schema.Float32 || t.Kind == schema.Float64:
		f := math.Float64frombits(bits)
		if lit.kind == schema.Int64 {
			f = float64(int64(bits))
		} else if isInt {
			f = float64(bits)
		}
		bits = math.Float64bits(f)
		if t.Kind == schema.Float32 {
			bits = uint64(math.Float32bits(float32(f)))
		}
	case isInt:
		lo, hi := intRange(t.Kind)
		if lit.kind == schema.Int64 {
			ok = int64(bits) >= lo
		} else {
			ok = bits <= hi
		}
		if !ok {
			v.failf(e, "Integer value out of range.")
		}
	}
	to.bits(t.Kind, bits)
	return ok
}

// intRange gives the smallest and the largest integer of a type.
func intRange(k schema.TypeKind) (lo int64, hi uint64) {
	bits := k.Bits()
	if k >= schema.Uint8 {
		return 0, math.MaxUint64 >> (64 - bits)
	}
	return -1 << (bits - 1), 1<<(bits-1) - 1
}

// sameType tells whether two types are the same, with what they are bound to.
func sameType(a, b schema.Type) bool {
	steps := 1 << 16
	return sameTypeIn(&steps, a, b)
}

// sameTypeIn gives up on types of more than steps parts, whose parts may be
// shared so often that comparing would never end.
func sameTypeIn(steps *int, a, b schema.Type) bool {
	if *steps--; *steps < 0 || a.Kind != b.Kind || a.ID != b.ID || a.Any != b.Any || a.Scope != b.Scope || a.Index != b.Index {
		return false
	}
	if a.Kind == schema.ListType {
		return sameTypeIn(steps, *a.Elem, *b.Elem)
	}
	return sameBrand(steps, a.Brand, b.Brand) && sameBrand(steps, b.Brand, a.Brand)
}

// sameBrand tells whether b binds all that a does in the same way. What is
// bound to AnyPointer is not bound.
func sameBrand(steps *int, a, b schema.Brand) bool {
	anything := schema.Type{Kind: schema.AnyPointer}
	for _, s := range a {
		other := b.Scope(s.Scope)
		if s.Inherit || other != nil && other.Inherit {
			if other == nil || s.Inherit != other.Inherit {
				return false
			}
			continue
		}
		for i, t := range s.Bind {
			x, y := anything, anything
			if t != nil {
				x = *t
			}
			if other != nil && i < len(other.Bind) && other.Bind[i] != nil {
				y = *other.Bind[i]
			}
			if !sameTypeIn(steps, x, y) {
				return false
			}
		}
	}
	return true
}
