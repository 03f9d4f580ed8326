package dynamic_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/fairlead-go/fairlead/dynamic"
)

type colour uint16

type goScalars struct {
	B   bool
	I8  int8
	I16 int16
	I32 int32
	I64 int64
	U8  uint8
	U16 uint16
	U32 uint32
	U64 uint64
	F32 float32
	F64 float64
	E   colour
}

type goAll struct {
	Scalars  *goScalars
	Text     string
	Data     []byte
	Lb       []bool
	Li8      []int8
	Numbers  []int64 `capnp:"li64"`
	Lf64     []float64
	Le       []string
	Lt       []string
	Ld       [][]byte
	Ls       []goScalars
	Ll       [][]int32
	Cap      any
	Child    *goAll
	Children []*goAll
	Choice   *goChoice
	Skipped  chan int `capnp:"-"`
	goEmbedded
}

type goEmbedded struct {
	Lu16 []uint16
	Lll  [][][]goScalars
}

type goChoice struct {
	Before  uint16
	Which   string `capnp:",which"`
	Nothing bool
	Flag    bool
	Text    string
	Numbers []int32
	Group   struct {
		X     int32
		Y     string
		Inner struct {
			Member string `capnp:",which"`
			P      uint8
			Q      string
		}
	}
	Plain struct {
		A int16
		B string
	}
}

// drawGo draws values without empty slices, which a nil slice stands for too.
func drawGo(t *rapid.T, depth int) goAll {
	small := func(name string) int { return rapid.IntRange(0, 2).Draw(t, name) }
	s := func() goScalars {
		return goScalars{
			rapid.Bool().Draw(t, "b"), rapid.Int8().Draw(t, "i8"), rapid.Int16().Draw(t, "i16"), rapid.Int32().Draw(t, "i32"), rapid.Int64().Draw(t, "i64"),
			rapid.Uint8().Draw(t, "u8"), rapid.Uint16().Draw(t, "u16"), rapid.Uint32().Draw(t, "u32"), rapid.Uint64().Draw(t, "u64"),
			rapid.Float32().Draw(t, "f32"), rapid.Float64().Draw(t, "f64"), colour(rapid.Uint16().Draw(t, "e")),
		}
	}
	g := goAll{Text: rapid.String().Draw(t, "text"), Data: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "data")}
	g.Numbers = rapid.SliceOfN(rapid.Int64(), 1, 3).Draw(t, "numbers")
	g.Lt = rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "texts")
	g.Le = []string{"green", "4711"}[:1]
	g.Lb = []bool{true, false, true}
	g.Lu16 = []uint16{1, 2}
	if small("scalars") > 0 {
		v := s()
		g.Scalars = &v
		g.Ls = []goScalars{s(), s()}
		g.Ll = [][]int32{{1}, nil, {2, 3}}
		g.Lll = [][][]goScalars{{{s()}, nil}}
		g.Cap = dynamic.Capability(3)
		g.Ld = [][]byte{{1}, nil}
	}
	if depth > 0 && small("child") > 0 {
		c := drawGo(t, depth-1)
		g.Child = &c
		d := drawGo(t, depth-1)
		g.Children = []*goAll{&d}
	}
	switch c := (&goChoice{Before: 3}); small("choice") {
	case 0:
		c.Which, c.Text = "text", rapid.String().Draw(t, "chosen")
		c.Plain.A = -4
		g.Choice = c
	case 1:
		c.Which, c.Group.X, c.Group.Inner.Member, c.Group.Inner.Q = "group", 5, "q", "q"
		g.Choice = c
	}
	return g
}

func TestGoRoundTrip(t *testing.T) {
	mod := all(t)
	rapid.Check(t, func(rt *rapid.T) {
		want := drawGo(rt, 2)
		b, err := mod.New("All", &want)
		if err != nil {
			rt.Fatal(err)
		}
		defer b.Message().Release()
		var got goAll
		if err := received(t, b).To(&got); err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("%+v\nbecame\n%+v", want, got)
		}
		var m map[string]any
		if err := b.To(&m); err != nil || !same(m, b.Map()) {
			rt.Fatalf("To a map gives %v and %v, Map gives %v", err, m, b.Map())
		}
	})
}

func TestGoFaults(t *testing.T) {
	mod := all(t)
	type unknown struct{ Nope int }
	type badTag struct {
		X int `capnp:"i8,maybe"`
	}
	type badWhich struct {
		X int `capnp:",which"`
	}
	type two struct {
		Flag bool
		Text string
	}
	type wide struct{ I8 int }
	for name, c := range map[string]struct {
		of   string
		v    any
		kind error
		says string
	}{
		"unknown field":  {"Scalars", unknown{}, dynamic.ErrName, "Scalars.Nope: no such field"},
		"unknown option": {"Scalars", badTag{}, dynamic.ErrName, "no option"},
		"which without":  {"Scalars", badWhich{}, dynamic.ErrType, "which"},
		"two members":    {"Choice", two{true, "x"}, dynamic.ErrUnion, "Choice.text: a union has one member, and flag"},
		"unknown member": {"Choice", goChoice{Which: "txt"}, dynamic.ErrName, `no member "txt" of the union; did you mean text?`},
		"out of range":   {"Scalars", wide{1000}, dynamic.ErrRange, "Scalars.i8: 1000"},
		"not a struct":   {"Scalars", 5, dynamic.ErrType, "takes a map"},
		"deep":           {"All", goAll{Children: []*goAll{{Le: []string{"blu"}}}}, dynamic.ErrName, `All.children[0].le[0]: no enumerant "blu"; did you mean blue?`},
	} {
		_, err := mod.New(c.of, c.v)
		t.Run(name, func(t *testing.T) { faulty(t, err, c.kind, c.says) })
	}

	b := build(t, mod, "Scalars", map[string]any{"i64": -1, "u64": uint64(1 << 63), "i32": 1000, "e": 70})
	for name, c := range map[string]struct {
		to   any
		kind error
		says string
	}{
		"no pointer":      {goScalars{}, dynamic.ErrType, "To takes a pointer"},
		"nil":             {nil, dynamic.ErrType, "To takes a pointer"},
		"negative":        {&struct{ I64 uint64 }{}, dynamic.ErrRange, "Scalars.i64: a Go uint64 cannot hold -1"},
		"too large":       {&struct{ U64 int64 }{}, dynamic.ErrRange, "cannot hold 9223372036854775808"},
		"too narrow":      {&struct{ I32 int8 }{}, dynamic.ErrRange, "Scalars.i32: a Go int8 cannot hold 1000"},
		"enum too narrow": {&struct{ U64 uint8 }{}, dynamic.ErrRange, "cannot hold 9223372036854775808"},
		"wrong kind":      {&struct{ I8 string }{}, dynamic.ErrType, "Scalars.i8: a Go string cannot hold an Int8"},
		"narrow float":    {&struct{ F64 float32 }{}, dynamic.ErrType, "a Go float32 cannot hold a Float64"},
	} {
		err := b.To(c.to)
		t.Run(name, func(t *testing.T) { faulty(t, err, c.kind, c.says) })
	}
	var got struct {
		E   string
		I64 *int64
		B   any
	}
	if err := b.To(&got); err != nil || got.E != "70" || *got.I64 != -1 || got.B != false {
		t.Errorf("To gives %v and %+v", err, got)
	}
}
