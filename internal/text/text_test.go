package text

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/internal/pretty"
	"github.com/fairlead-go/fairlead/internal/randval"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

func of(kind schema.TypeKind) schema.Type { return schema.Type{Kind: kind} }

func listOf(t schema.Type) schema.Type { return schema.Type{Kind: schema.ListType, Elem: &t} }

func newMessage(t testing.TB) *segment.Message {
	m := segment.New(arena.Pool())
	t.Cleanup(m.Release)
	return m
}

func TestScalars(t *testing.T) {
	p := New(schema.NewRegistry())
	for _, c := range []struct {
		name string
		kind schema.TypeKind
		bits uint64
		want string
	}{
		{"void", schema.Void, 0, "void"},
		{"bool", schema.Bool, 1, "true"},
		{"least int8", schema.Int8, uint64(math.MaxUint64 - 127), "-128"},
		{"most uint64", schema.Uint64, math.MaxUint64, "18446744073709551615"},
		{"negative zero", schema.Float64, 1 << 63, "-0"},
		{"tenth", schema.Float64, math.Float64bits(0.1), "0.1"},
		{"seventeen digits", schema.Float64, math.Float64bits(1.0 / 3), "0.33333333333333331"},
		{"large exponent", schema.Float64, math.Float64bits(1e15), "1e15"},
		{"small exponent", schema.Float64, math.Float64bits(0.00001), "1e-05"},
		{"denormal", schema.Float64, 1, "4.94065645841247e-324"},
		{"infinite", schema.Float64, math.Float64bits(math.Inf(-1)), "-inf"},
		{"nan", schema.Float64, math.Float64bits(math.NaN()), "nan"},
		{"no digits of an integer lost", schema.Float64, math.Float64bits(123456789012345), "123456789012345"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := p.AppendValue([]byte("x"), of(c.kind), schema.Value{Kind: c.kind, Bits: c.bits}, Options{})
			if err != nil || string(got) != "x"+c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

// TestLineLengths has the lengths at which lists and records break, as the tool's.
func TestLineLengths(t *testing.T) {
	p := New(schema.NewRegistry())
	for _, c := range []struct {
		name  string
		texts []string
		want  string
	}{
		{"24 bytes", []string{"a", strings.Repeat("x", 22)}, `["a", "` + strings.Repeat("x", 22) + `"]`},
		{"25 bytes", []string{"a", strings.Repeat("x", 23)}, `[ "a",` + "\n" + `  "` + strings.Repeat("x", 23) + `" ]`},
		{"one item", []string{strings.Repeat("x", 23)}, `[ "` + strings.Repeat("x", 23) + `" ]`},
		{"escapes count", []string{strings.Repeat("\n", 12), "b"}, `[ "` + strings.Repeat(`\n`, 12) + `",` + "\n" + `  "b" ]`},
		{
			"many short",
			[]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"},
			`["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"]`,
		},
		{"none", nil, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMessage(t)
			l := m.RootBuilder().NewPtrs(len(c.texts))
			for i, s := range c.texts {
				l.At(i).SetText(s)
			}
			got, err := p.AppendList(nil, listOf(of(schema.Text)), m.Root().List(), Options{})
			if err != nil || string(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s\n%v", got, c.want, err)
			}
		})
	}
}

func TestEscapes(t *testing.T) {
	p := New(schema.NewRegistry())
	const in = "\x00\a\b\t\n\v\f\r\x1b\"'\\\x7f\x80é?"
	for _, c := range []struct {
		name string
		kind schema.TypeKind
		set  func(segment.PtrBuilder)
		want string
	}{
		{
			"text", schema.Text, func(b segment.PtrBuilder) { b.SetText(in) },
			`"\000\a\b\t\n\v\f\r\033\"\'\\\177` + "\x80é" + `?"`,
		},
		{
			"data", schema.Data, func(b segment.PtrBuilder) { b.SetData([]byte(in)) },
			`"\000\a\b\t\n\v\f\r\033\"\'\\\177\200\303\251?"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMessage(t)
			c.set(m.RootBuilder())
			got, err := p.AppendValue(nil, of(c.kind), schema.Value{Kind: c.kind, Ptr: m.Root()}, Options{})
			if err != nil || string(got) != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	reg, named := load(t, "kinds")
	m := newMessage(t)
	n := named["Opaque"]
	b := m.NewRoot(segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs})
	for i := range n.Struct.Fields {
		f := &n.Struct.Fields[i]
		switch {
		case f.Name == "service" || f.Name == "capability" || f.Name == "any":
			b.Ptr(uint16(f.Offset)).SetCapability(3)
		case f.Name == "services":
			b.Ptr(uint16(f.Offset)).NewPtrs(2).At(0).SetCapability(0)
		case f.Name == "b":
			b.SetUint16(n.Struct.DiscriminantOffset*2, f.Discriminant)
		}
	}
	const want = "(any = <opaque pointer>, service = <external capability>, services = [<external capability>, <external capability>], " +
		"b = <external capability>, capability = <opaque pointer>)"
	got, err := New(reg).AppendStruct(nil, structType(n), b.Reader(), Options{Short: true})
	if err != nil || string(got) != want {
		t.Errorf("got\n%s\nwant\n%s\n%v", got, want, err)
	}
}

// node makes a struct for schemas that no compiler makes.
func node(id schema.ID, dataWords, ptrs uint16, discriminants uint16, fields ...schema.Field) *schema.Node {
	return &schema.Node{
		ID: id, DisplayName: "test.capnp:T", PrefixLen: len("test.capnp:"), Kind: schema.KindStruct,
		Struct: &schema.Struct{
			DataWords: dataWords, Ptrs: ptrs, ListEncoding: 7, Discriminants: discriminants, Fields: fields,
		},
	}
}

// TestDefaultWithoutEnd prints a struct whose default contains its own default.
func TestDefaultWithoutEnd(t *testing.T) {
	const id schema.ID = 0xf000000000000001
	def, err := schema.NewValue(schema.StructType, func(p segment.PtrBuilder) {
		p.NewStruct(segment.Size{DataWords: 1, Ptrs: 1}).SetUint16(0, 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	reg := schema.NewRegistry()
	err = reg.Add(node(id, 1, 1, 2,
		schema.Field{Name: "none", Discriminant: 0, HasOrdinal: true},
		schema.Field{
			Name: "more", Discriminant: 1, CodeOrder: 1, Ordinal: 1, HasOrdinal: true,
			Type: schema.Type{Kind: schema.StructType, ID: id}, Default: def, HasDefault: true,
		},
	))
	if err != nil {
		t.Fatal(err)
	}
	m := newMessage(t)
	s := m.NewRoot(segment.Size{DataWords: 1, Ptrs: 1})
	s.SetUint16(0, 1)
	got, err := New(reg).AppendStruct(nil, schema.Type{Kind: schema.StructType, ID: id}, s.Reader(), Options{})
	if !errors.Is(err, pretty.ErrTooDeep) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestLimits(t *testing.T) {
	p := New(schema.NewRegistry())
	m := newMessage(t)
	m.RootBuilder().NewBools(1 << 16)
	l := m.Root().List()
	got, err := p.AppendList([]byte("before"), listOf(of(schema.Bool)), l, Options{MaxBytes: 1000})
	if !errors.Is(err, pretty.ErrTooLong) || len(got) > 1100 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err = p.AppendList(nil, listOf(of(schema.Bool)), l, Options{MaxBytes: 1 << 20}); err != nil || len(got) != 7<<16 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	t.Run("split", func(t *testing.T) { // breaking the lines is within the limit too
		m := newMessage(t)
		l := m.RootBuilder().NewPtrs(300)
		for i := range l.Len() {
			l.At(i).SetText("x")
		}
		l.At(299).SetText(strings.Repeat("x", 30))
		got, err := p.AppendList(nil, listOf(of(schema.Text)), m.Root().List(), Options{MaxBytes: 1600})
		if !errors.Is(err, pretty.ErrTooLong) || len(got) > 1700 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
	t.Run("traversal", func(t *testing.T) {
		m := newMessage(t)
		for e := range m.RootBuilder().NewPtrs(2).All() {
			e.NewPtrs(100)
		}
		segs, err := m.ToSegments()
		if err != nil {
			t.Fatal(err)
		}
		r, err := segment.Open(segs, segment.Options{Limits: segment.Limits{TraversalWords: 50}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Release()
		if _, err := p.AppendList(nil, listOf(listOf(of(schema.Text))), r.Root().List(), Options{}); !errors.Is(err, segment.ErrLimit) {
			t.Errorf("%v", err)
		}
	})
}

// TestWrongTypes has types that do not fit what is printed, or have no node.
func TestWrongTypes(t *testing.T) {
	reg, _ := load(t, "kinds")
	p := New(reg)
	if _, err := p.AppendStruct(nil, of(schema.Text), segment.Struct{}, Options{}); err == nil {
		t.Error("Text as a struct")
	}
	if _, err := p.AppendStruct(nil, schema.Type{Kind: schema.StructType, ID: 1 << 63}, segment.Struct{}, Options{}); err == nil {
		t.Error("an unknown struct")
	}
	if _, err := p.AppendList(nil, of(schema.Text), segment.List{}, Options{}); err == nil {
		t.Error("Text as a list")
	}
	unknown := schema.Type{Kind: schema.EnumType, ID: 1 << 63}
	if got, err := p.AppendValue(nil, unknown, schema.Value{Kind: schema.EnumType, Bits: 7}, Options{}); err != nil || string(got) != "(7)" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestConcurrent(t *testing.T) {
	reg, named := load(t, "kinds")
	n := named["Everything"]
	fill := randval.New(reg, rand.New(rand.NewPCG(1, 2)), randval.Options{Any: true, Capabilities: true})
	m, err := fill.Message(n.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if err := m.Verify(); err != nil {
		t.Fatal(err)
	}
	p := New(reg)
	var wg sync.WaitGroup
	out := make([]string, 4)
	for i := range out {
		wg.Go(func() {
			b, err := p.AppendStruct(nil, structType(n), m.Root().Struct(), Options{})
			if err != nil {
				t.Error(err)
			}
			out[i] = string(b)
		})
	}
	wg.Wait()
	for _, s := range out[1:] {
		if s != out[0] {
			t.Error("two goroutines printed different texts")
		}
	}
}

// TestAllocations pins what printing into a buffer allocates.
func TestAllocations(t *testing.T) {
	reg, named := load(t, "kinds")
	n := named["Everything"]
	m, err := randval.New(reg, rand.New(rand.NewPCG(1, 2)), randval.Options{}).Message(n.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	p := New(reg)
	var b []byte
	got := testing.AllocsPerRun(100, func() {
		var err error
		if b, err = p.AppendStruct(b[:0], structType(n), m.Root().Struct(), Options{}); err != nil {
			t.Fatal(err)
		}
	})
	if got > 8 {
		t.Errorf("%v allocations for %d bytes", got, len(b))
	}
}

func BenchmarkPretty(b *testing.B) { benchmark(b, Options{}) }
func BenchmarkShort(b *testing.B)  { benchmark(b, Options{Short: true}) }

func benchmark(b *testing.B, o Options) {
	reg, named := load(b, "kinds")
	n := named["Everything"]
	m, err := randval.New(reg, rand.New(rand.NewPCG(1, 2)), randval.Options{}).Message(n.ID)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Release()
	if err := m.Verify(); err != nil {
		b.Fatal(err)
	}
	p := New(reg)
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		if out, err = p.AppendStruct(out[:0], structType(n), m.Root().Struct(), o); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(out)))
}
