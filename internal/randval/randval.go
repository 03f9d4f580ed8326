// Package randval fills messages with random values of any schema, for tests
// that compare what two programs make of a message. It prefers the values that
// programs disagree on: the ends of ranges, denormals, NaN, text that is not
// UTF-8, unknown enumerants and members of unions, structs of older and newer
// senders.
package randval

import (
	"embed"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/internal/shape"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

//go:embed testdata
var schemas embed.FS

// Load gives the nodes of a schema of this package's testdata: "kinds", which has
// every kind of field, or "annotated", with JSON annotations. Each is a request
// that the capnp tool made of the .capnp file beside it.
func Load(name string) (*schema.Request, error) {
	b, err := schemas.ReadFile("testdata/" + name + ".request")
	if err != nil {
		return nil, fmt.Errorf("randval: %w", err)
	}
	msg, _, err := framing.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("randval: %s: %w", name, err)
	}
	defer msg.Release()
	return schema.ReadRequest(msg)
}

// Source gives the text of a schema that Load knows.
func Source(name string) ([]byte, error) { return schemas.ReadFile("testdata/" + name + ".capnp") }

// jsonValue is the struct Value of json.capnp: one of an unknown kind has no JSON.
const jsonValue schema.ID = 0xa3fa7845f919dd83

// Options says what values are like.
type Options struct {
	// Depth limits how deep structs and lists nest. Default 6.
	Depth int
	// Any also fills AnyPointer fields and selects them in unions, and
	// Capabilities those of interfaces. JSON can hold neither, and the capnp tool
	// can't read the latter.
	Any, Capabilities bool
	// Exact leaves out what a program of this very schema would not write: unknown
	// enumerants and discriminants, and structs of other sizes.
	Exact bool
}

// Filler fills structs of the types of one registry. It is for one goroutine.
type Filler struct {
	types *shape.Table
	rand  *rand.Rand
	o     Options
	left  int // objects that the message at hand may still have
}

// New returns a filler of the types in reg, which is as random as r.
func New(reg *schema.Registry, r *rand.Rand, o Options) *Filler {
	if o.Depth == 0 {
		o.Depth = 6
	}
	return &Filler{types: shape.NewTable(reg), rand: r, o: o}
}

// Message returns a new message whose root is a random struct of type id. The
// caller releases it.
func (f *Filler) Message(id schema.ID) (*segment.Message, error) {
	t, err := f.types.StructOf(id)
	if err != nil {
		return nil, err
	}
	sh, err := t.Struct()
	if err != nil {
		return nil, err
	}
	msg := segment.New(arena.Pool())
	f.left = 300
	if err := f.structure(t, msg.NewRoot(sh.Size), 0); err != nil {
		msg.Release()
		return nil, err
	}
	return msg, nil
}

// Fill sets fields of b, a struct or group of type id that is all zero.
func (f *Filler) Fill(id schema.ID, b segment.StructBuilder) error {
	t, err := f.types.StructOf(id)
	if err != nil {
		return err
	}
	f.left = 300
	return f.structure(t, b, 0)
}

func (f *Filler) chance(of int) bool { return f.rand.IntN(of) == 0 }

// size is that of a struct's sections as its sender might know them.
func (f *Filler) size(sz segment.Size) segment.Size {
	if f.o.Exact || !f.chance(12) {
		return sz
	}
	return segment.Size{
		DataWords: uint16(f.rand.IntN(int(sz.DataWords) + 2)),
		Ptrs:      uint16(f.rand.IntN(int(sz.Ptrs) + 2)),
	}
}

func (f *Filler) structure(t *shape.Type, b segment.StructBuilder, depth int) error {
	sh, err := t.Struct()
	if err != nil {
		return err
	}
	f.left--
	for _, field := range sh.Plain {
		if err := f.field(field, b, depth); err != nil {
			return err
		}
	}
	n := len(sh.Union)
	if n == 0 {
		return nil
	}
	if !f.o.Exact && f.chance(15) && t.Node.ID != jsonValue {
		b.SetUint16(sh.Tag, uint16(n+f.rand.IntN(65536-n)))
		return nil
	}
	member := sh.Union[f.rand.IntN(n)]
	if !f.may(member.Type) {
		return nil
	}
	b.SetUint16(sh.Tag, member.Discriminant)
	if b.Reader().Uint16(sh.Tag) != member.Discriminant {
		return nil // the struct is too short for it
	}
	return f.field(member, b, depth)
}

// may tells whether fields of type t are filled.
func (f *Filler) may(t *shape.Type) bool {
	switch {
	case t.Kind == schema.InterfaceType, t.Kind == schema.AnyPointer && t.Any == schema.AnyCapability:
		return f.o.Capabilities
	case t.Kind == schema.AnyPointer:
		return f.o.Any
	case t.Kind == schema.ListType:
		return f.may(t.Elem)
	}
	return true
}

func (f *Filler) field(field *shape.Field, b segment.StructBuilder, depth int) error {
	switch {
	case field.IsGroup():
		return f.structure(field.Type, b, depth)
	case field.Type.Kind.IsPointer():
		if f.chance(4) || !f.may(field.Type) || field.At >= uint32(b.Size().Ptrs) || f.left <= 0 {
			return nil
		}
		return f.pointer(field.Type, b.Ptr(uint16(field.At)), depth)
	}
	if !f.chance(5) {
		field.SetBits(b, f.bits(field.Type))
	}
	return nil
}

func (f *Filler) pointer(t *shape.Type, p segment.PtrBuilder, depth int) error {
	switch t.Kind {
	case schema.Text:
		p.SetText(f.text())
	case schema.Data:
		p.SetData(f.data())
	case schema.ListType:
		return f.list(t.Elem, p, depth+1)
	case schema.StructType:
		if depth >= f.o.Depth || f.left <= 0 {
			return nil
		}
		sh, err := t.Struct()
		if err != nil {
			return err
		}
		return f.structure(t, p.NewStruct(f.size(sh.Size)), depth+1)
	case schema.InterfaceType:
		p.SetCapability(f.rand.Uint32N(4))
	default:
		f.anything(t.Any, p)
	}
	return nil
}

func (f *Filler) anything(kind schema.AnyKind, p segment.PtrBuilder) {
	if kind == schema.AnyAny {
		kind = []schema.AnyKind{schema.AnyStruct, schema.AnyList, schema.AnyCapability, schema.AnyAny}[f.rand.IntN(4)]
	}
	switch kind {
	case schema.AnyStruct:
		p.NewStruct(segment.Size{DataWords: uint16(f.rand.IntN(3)), Ptrs: uint16(f.rand.IntN(3))})
	case schema.AnyList:
		p.NewList(segment.ElemSize(f.rand.IntN(int(segment.Composite))), f.length())
	case schema.AnyCapability:
		p.SetCapability(f.rand.Uint32N(4))
	default:
		p.SetText(f.text())
	}
}

func (f *Filler) length() int {
	switch f.rand.IntN(8) {
	case 0:
		return 0
	case 1, 2:
		return 1
	case 3:
		return 5 + f.rand.IntN(40)
	}
	return 1 + f.rand.IntN(5)
}

func (f *Filler) list(t *shape.Type, p segment.PtrBuilder, depth int) error {
	n := f.length()
	switch t.Kind {
	case schema.StructType:
		sh, err := t.Struct()
		if err != nil {
			return err
		}
		if depth >= f.o.Depth || f.left <= 0 {
			n = 0
		}
		sz := f.size(sh.Size)
		l := segment.NewStructs[segment.StructBuilder](p, sz, n)
		for b := range l.All() {
			if err := f.structure(t, b, depth+1); err != nil {
				return err
			}
		}
	case schema.Void:
		p.NewList(segment.Void, n)
	case schema.Bool:
		l := p.NewBools(n)
		for i := range n {
			l.Set(i, f.chance(2))
		}
	case schema.Int8, schema.Uint8:
		numbers[uint8](f, t, p, n)
	case schema.Int16, schema.Uint16, schema.EnumType:
		numbers[uint16](f, t, p, n)
	case schema.Int32, schema.Uint32, schema.Float32:
		numbers[uint32](f, t, p, n)
	case schema.Int64, schema.Uint64, schema.Float64:
		numbers[uint64](f, t, p, n)
	default:
		if depth >= f.o.Depth {
			n = 0
		}
		for e := range p.NewPtrs(n).All() {
			f.left--
			if f.chance(8) || f.left <= 0 {
				continue
			}
			if err := f.pointer(t, e, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func numbers[T uint8 | uint16 | uint32 | uint64](f *Filler, t *shape.Type, p segment.PtrBuilder, n int) {
	l := segment.NewNumbers[T](p, n)
	for i := range n {
		l.Set(i, T(f.bits(t)))
	}
}

var doubles = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.1, 1e15, 1e16, 123456789012345678, 1e21, 1e22, 1e-5, 1e-4, 0.00001234,
	math.SmallestNonzeroFloat64, 2.2250738585072014e-308, 2.225073858507201e-308, math.MaxFloat64, -math.MaxFloat64,
	math.Inf(1), math.Inf(-1), math.NaN(), 5e-324, 1 << 53, 1<<53 + 2, math.Pi, 1e100, 100000, 1000000, 999999.9,
}

var floats = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0.1, 1e6, 1e7, 16777216, 1e-5, 1.17549435e-38, 1e-40, 1e-45,
	math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.Pi,
}

// bits gives a random value of a kind that is no pointer, as schema.Value has it.
func (f *Filler) bits(t *shape.Type) uint64 {
	switch t.Kind {
	case schema.EnumType:
		n := len(t.Node.Enum.Enumerants)
		if n == 0 || !f.o.Exact && f.chance(10) {
			if f.o.Exact {
				return 0
			}
			return uint64(f.rand.IntN(65536))
		}
		return uint64(f.rand.IntN(n))
	case schema.Float32:
		switch f.rand.IntN(4) {
		case 0:
			return uint64(f.rand.Uint32())
		case 1:
			return uint64(math.Float32bits(float32(f.rand.IntN(2000)-1000) / float32(int(1)<<f.rand.IntN(12))))
		case 2:
			return uint64(math.Float32bits(float32(f.rand.NormFloat64())))
		}
		return uint64(math.Float32bits(floats[f.rand.IntN(len(floats))]))
	case schema.Float64:
		switch f.rand.IntN(4) {
		case 0:
			return f.rand.Uint64()
		case 1:
			return math.Float64bits(float64(f.rand.IntN(200000)-100000) / math.Pow(10, float64(f.rand.IntN(12))))
		case 2:
			return math.Float64bits(f.rand.NormFloat64())
		}
		return math.Float64bits(doubles[f.rand.IntN(len(doubles))])
	}
	bits := t.Kind.Bits()
	switch f.rand.IntN(5) {
	case 0:
		return 1 << (bits - 1) // the least
	case 1:
		return 1<<(bits-1) - 1 // the most
	case 2:
		return math.MaxUint64
	case 3:
		return uint64(f.rand.IntN(200))
	}
	return f.rand.Uint64()
}

var pieces = []string{
	"a", "name", "hello world", " ", "\n", "\t", "\"", "'", "\\", "/", "\x00", "\x01", "\x1b", "\x1f", "\x7f", "\a\b\f\r\v",
	"é", "日本語", "😀", "\u2028", "\ufeff", "\xff", "\xc3", "\xed\xa0\x80", "\xf8", "{", "}", "(", ")", "[", "]", "#", "//", ",", ":",
	"$Params", "0123456789", "the quick brown fox jumps over the lazy dog",
}

func (f *Filler) text() string {
	var s []byte
	for range f.rand.IntN(6) {
		s = append(s, pieces[f.rand.IntN(len(pieces))]...)
	}
	if f.chance(10) { // near the lengths at which layouts break
		for range 18 + f.rand.IntN(40) {
			s = append(s, 'x')
		}
	}
	return string(s)
}

func (f *Filler) data() []byte {
	if f.chance(3) {
		return []byte(f.text())
	}
	b := make([]byte, f.rand.IntN(30))
	for i := range b {
		b[i] = byte(f.rand.Uint32())
	}
	return b
}
