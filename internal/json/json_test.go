package json

import (
	"errors"
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

// reencode reads text as a struct of type n and writes it again.
func reencode(t testing.TB, c *Codec, n *schema.Node, text string) (string, error) {
	t.Helper()
	m := segment.New(arena.Pool())
	defer m.Release()
	s := m.NewRoot(size(n))
	if err := c.DecodeStruct([]byte(text), structType(n), s, DecodeOptions{}); err != nil {
		return "", err
	}
	got, err := c.AppendStruct(nil, structType(n), s.Reader(), Options{Short: true})
	if err != nil {
		t.Fatal(err)
	}
	return string(got), nil
}

// TestRead has what may be written in several ways.
func TestRead(t *testing.T) {
	reg, named := load(t, "kinds")
	other, annotated := load(t, "annotated")
	for name, n := range annotated {
		named[name] = n
	}
	kinds, notes := New(reg), New(other)
	for _, c := range []struct{ name, root, in, want string }{
		{"a string as a number", "Scalars", `{"int8":"-5","uint64":"7"}`, `"int8":-5`},
		{"white space and signs", "Scalars", `{"int16":" +12","int32":"-0x10"}`, `"int16":12,"int32":-16`},
		{"whole numbers with a point", "Scalars", `{"int8":1e2,"uint8":5.0,"uint16":7.}`, `"int8":100`},
		{"all digits of 64 bits", "Scalars", `{"int64":9223372036854775807,"uint64":18446744073709551615}`, `"int64":"9223372036854775807"`},
		{"2^53+1", "Scalars", `{"int64":9007199254740993}`, `"int64":"9007199254740993"`},
		{"null is NaN", "Scalars", `{"float32":null,"float64":null}`, `"float32":"NaN","float64":"NaN"`},
		{"floats in strings", "Scalars", `{"float32":"-inf","float64":"0x10"}`, `"float32":"-Infinity","float64":16`},
		{"overflow is infinite", "Scalars", `{"float32":1e300,"float64":1e999}`, `"float32":"Infinity","float64":"Infinity"`},
		{"anything is void", "Scalars", `{"nothing":[1,{"a":[]}],"int8":1}`, `"int8":1`},
		{"an enumerant's number", "Scalars", `{"colour":77}`, `"colour":77`},
		{"unknown members", "Scalars", `{"x":{"y":[1,"]",{}]},"flag":true,"z":null}`, `"flag":true`},
		{"the last of two", "Choice", `{"text":"a","before":1,"before":2,"number":1.5}`, `"before":2`},
		{"surrogates", "Choice", `{"text":"\ud83d\ude00\u00e9\u20AC\u0041\/\ud83dx\ude00"}`, `"text":"😀é€A/` + "\ufffdx\ufffd" + `"`},
		{"half a pair before an escape", "Choice", `{"text":"\ud83d\u0041"}`, `"text":"` + "\ufffd" + `A"`},
		{"a group replaces itself", "Choice", `{"group":{"a":1,"b":"x","inner":{"d":{}}},"group":{"inner":{"c":"3"}}}`, `"group":{"a":0,"inner":{"c":"3"}}`},
		{"the tag behind its members", "Tagged", `{"b":"x","a":5,"type":"record"}`, `{"id":0,"type":"record","a":5,"b":"x"}`},
		{"members of another variant", "Tagged", `{"type":"other one","leaf_one":3,"b":true}`, `{"id":0,"type":"other one","b":true,"leaf_one":3}`},
		{"no tag", "Tagged", `{"b":"x"}`, `{"id":0,"type":"none"}`},
		{"an unknown tag", "Tagged", `{"type":"what","id":1}`, `{"id":1,"type":"none"}`},
		{"the value before its tag", "Valued", `{"value":12.5,"last":"z","kind":"num"}`, `{"last":"z","kind":"num","value":12.5}`},
		{"nested tags", "Unions", `{"colour":"red","side":2,"shape-type":"box"}`, `{"shape-type":"box","side":2,"colour":"red"`},
		{"base64 in lines", "Renamed", `{"base64":"aGVs\nbG8"}`, `"base64":"aGVsbG8="`},
		{"upper-case hex", "Renamed", `{"h":"ABcd"}`, `"h":"abcd"`},
		{"any JSON", "Values", `{"value":{"a":[1,null,true,"x",{}]},"values":[[],2]}`, `{"value":{"a":[1,null,true,"x",{}]},"values":[[],2]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			codec := kinds
			if annotated[c.root] != nil {
				codec = notes
			}
			got, err := reencode(t, codec, named[c.root], c.in)
			if err != nil || !strings.Contains(got, c.want) {
				t.Errorf("%s, %v, want %s", got, err, c.want)
			}
		})
	}
}

// TestReadErrors has text that is refused, and where.
func TestReadErrors(t *testing.T) {
	reg, named := load(t, "kinds")
	other, annotated := load(t, "annotated")
	for name, n := range annotated {
		named[name] = n
	}
	kinds, notes := New(reg), New(other)
	deep := strings.Repeat(`{"choice":`, 64) + "{}" + strings.Repeat("}", 64)
	for _, c := range []struct {
		name, root, in string
		kind           error
		offset         int
		say            string
	}{
		{"nothing", "Scalars", ``, ErrSyntax, 0, "1:1: "},
		{"no object", "Scalars", `[1]`, ErrValue, 0, "an array for"},
		{"a comma too many", "Scalars", `{"int8":1,}`, ErrSyntax, 10, "'}' where a member's name is expected"},
		{"in a list", "Lists", `{"int8s":[1,2,]}`, ErrSyntax, 14, "where a value is expected"},
		{"no comma", "Lists", "{\n \"int8s\":[1 2]}", ErrSyntax, 14, "2:13: "},
		{"something behind", "Scalars", `{} x`, ErrSyntax, 3, "'x' where the end is expected"},
		{"not closed", "Scalars", `{"int8":1`, ErrSyntax, 9, "it ends where"},
		{"a string not closed", "Choice", `{"text":"a`, ErrSyntax, 10, "the end of a string"},
		{"an escape", "Choice", `{"text":"\x"}`, ErrSyntax, 10, "an escape"},
		{"a hexadecimal digit", "Choice", `{"text":"\u12g4"}`, ErrSyntax, 13, "a hexadecimal digit"},
		{"NUL", "Choice", "{\"text\":\"a\x00\"}", ErrSyntax, 10, ""},
		{"a leading zero", "Scalars", `{"int8":01}`, ErrSyntax, 9, ""},
		{"a plus", "Scalars", `{"int8":+1}`, ErrSyntax, 8, ""},
		{"an exponent", "Scalars", `{"float64":1e}`, ErrSyntax, 13, "a digit"},
		{"a word", "Scalars", `{"flag":tru}`, ErrSyntax, 8, ""},
		{"too deep", "Choice", deep, ErrTooDeep, 640, "64 levels"},
		{"a fraction", "Scalars", `{"int8":1.5}`, ErrValue, 8, "int8: wrong value: 1.5 for Int8, which is -128 to 127"},
		{"out of range", "Lists", `{"int8s":[1,128]}`, ErrValue, 12, "int8s[1]: wrong value: 128 for Int8, which is -128 to 127"},
		{"negative", "Scalars", `{"uint8":-1}`, ErrValue, 9, "0 to 255"},
		{"2^64", "Scalars", `{"uint64":18446744073709551616}`, ErrValue, 10, ""},
		{"2^63", "Scalars", `{"int64":9223372036854775808}`, ErrValue, 9, ""},
		{"an empty number", "Scalars", `{"float64":""}`, ErrValue, 11, ""},
		{"an underscore", "Scalars", `{"float64":"0x1_0p1"}`, ErrValue, 11, ""},
		{"an unknown enumerant", "Scalars", `{"colour":"pink"}`, ErrValue, 10, `has no enumerant "pink"`},
		{"half an enumerant", "Scalars", `{"colour":1.5}`, ErrValue, 10, ""},
		{"null for text", "Choice", `{"text":null}`, ErrValue, 8, "null for Text"},
		{"null for a struct", "Choice", `{"choice":null}`, ErrValue, 10, "null for struct"},
		{"null in a list of structs", "Choice", `{"list":[{},null]}`, ErrValue, 12, "list[1]"},
		{"a group", "Choice", `{"group":3}`, ErrValue, 9, "a number for"},
		{"a byte", "Choice", `{"data":[1,256]}`, ErrValue, 11, "data[1]"},
		{"a byte as a string", "Choice", `{"data":["1"]}`, ErrValue, 9, ""},
		{"a capability", "Opaque", `{"service":null}`, ErrNoForm, 11, "service: interface has no JSON form"},
		{"AnyPointer", "Opaque", `{"any":{}}`, ErrNoForm, 7, ""},
		{"base64", "Renamed", `{"base64":"a#"}`, ErrValue, 10, ""},
		{"half a byte of hex", "Renamed", `{"h":"abc"}`, ErrValue, 5, ""},
		{"a tag that is no string", "Tagged", `{"type":1}`, ErrValue, 8, ""},
		{"a member of the wrong variant", "Tagged", `{"type":"text","a":1}`, ErrValue, 19, `"a" does not belong`},
		{"a value that waited", "Valued", `{"value":"x","kind":"num"}`, ErrValue, 9, "number: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			codec := kinds
			if annotated[c.root] != nil {
				codec = notes
			}
			got, err := reencode(t, codec, named[c.root], c.in)
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Offset != c.offset || !strings.Contains(e.Error(), c.say) {
				t.Errorf("%q, %v (%#v), want %v at %d that says %q", got, err, e, c.kind, c.offset, c.say)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	reg, named := load(t, "kinds")
	c := New(reg)
	n := named["Lists"]
	m := segment.New(arena.Pool())
	defer m.Release()
	s := m.NewRoot(size(n))
	in := []byte(`{"structs":[` + strings.Repeat("{},", 999) + `{}]}`)
	if err := c.DecodeStruct(in, structType(n), s, DecodeOptions{MaxBytes: 10000}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if err := c.DecodeStruct(in, structType(n), s, DecodeOptions{MaxBytes: 100000}); err != nil {
		t.Error(err)
	}
	for _, short := range []bool{false, true} {
		got, err := c.AppendStruct([]byte("before"), structType(n), s.Reader(), Options{MaxBytes: 1000, Short: short})
		if !errors.Is(err, pretty.ErrTooLong) || len(got) > 2000 {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	}
}

// TestNoForm writes what JSON can't express.
func TestNoForm(t *testing.T) {
	reg, named := load(t, "kinds")
	n := named["Opaque"]
	m, err := randval.New(reg, rand.New(rand.NewPCG(1, 1)), randval.Options{Any: true, Capabilities: true}).Message(n.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if got, err := New(reg).AppendStruct(nil, structType(n), m.Root().Struct(), Options{}); !errors.Is(err, ErrNoForm) {
		t.Errorf("%s, %v", got, err)
	}
	b := segment.New(arena.Pool())
	defer b.Release()
	root := b.NewRoot(segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs})
	root.Ptr(uint16(n.Field("service").Offset)).SetCapability(0)
	const want = `{"service":"<Service>"}`
	got, err := New(reg).AppendStruct(nil, structType(n), root.Reader(), Options{Short: true, Opaque: true})
	if err != nil || !strings.Contains(string(got), want[1:len(want)-1]) {
		t.Errorf("%s, %v, want %s in it", got, err, want)
	}
}

// TestStrict refuses names that nobody knows.
func TestStrict(t *testing.T) {
	reg, named := load(t, "kinds")
	n := named["Scalars"]
	for text, want := range map[string]string{`{"int8": 1}`: "", `{"int8": 1, "int9": 2}`: "int9"} {
		for _, strict := range []bool{false, true} {
			m := segment.New(arena.Pool())
			root := m.NewRoot(segment.Size{DataWords: n.Struct.DataWords, Ptrs: n.Struct.Ptrs})
			err := New(reg).DecodeStruct([]byte(text), structType(n), root, DecodeOptions{Strict: strict})
			if refused := strict && want != ""; refused != errors.Is(err, ErrValue) || refused && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, strict %v: %v", text, strict, err)
			}
			m.Release()
		}
	}
}

// TestFirstMemberWithoutEnd writes a struct whose union's first member is a
// struct of the same type: null shows as one, and so on.
func TestFirstMemberWithoutEnd(t *testing.T) {
	const id schema.ID = 0xf000000000000001
	self := schema.Type{Kind: schema.StructType, ID: id}
	reg := schema.NewRegistry()
	err := reg.Add(&schema.Node{
		ID: id, DisplayName: "test.capnp:T", PrefixLen: len("test.capnp:"), Kind: schema.KindStruct,
		Struct: &schema.Struct{DataWords: 1, Ptrs: 1, ListEncoding: 7, Discriminants: 2, Fields: []schema.Field{
			{Name: "more", HasOrdinal: true, Type: self, Default: schema.Value{Kind: schema.StructType}},
			{Name: "none", Discriminant: 1, CodeOrder: 1, Ordinal: 1, HasOrdinal: true},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := New(reg).AppendStruct(nil, self, segment.Struct{}, Options{}); !errors.Is(err, ErrTooDeep) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestAnnotationErrors has annotations that contradict each other.
func TestAnnotationErrors(t *testing.T) {
	text := func(s string) schema.Value {
		v, err := schema.NewValue(schema.Text, func(p segment.PtrBuilder) { p.SetText(s) })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const id schema.ID = 0xf000000000000001
	self := schema.Type{Kind: schema.StructType, ID: id}
	flatten := []schema.Annotation{{ID: annFlatten, Value: schema.Value{Kind: schema.StructType}}}
	null := func(k schema.TypeKind) schema.Value { return schema.Value{Kind: k} }
	for _, c := range []struct {
		name   string
		fields []schema.Field
		say    string
	}{
		{"one name twice", []schema.Field{
			{Name: "a", Type: schema.Type{Kind: schema.Text}, Default: null(schema.Text)},
			{
				Name: "b", Type: schema.Type{Kind: schema.Text}, Default: null(schema.Text),
				Annotations: []schema.Annotation{{ID: annName, Value: text("a")}},
			},
		}, `two members have the name "a"`},
		{"flattened Text", []schema.Field{
			{Name: "a", Type: schema.Type{Kind: schema.Text}, Default: null(schema.Text), Annotations: flatten},
		}, "only structs and groups can be flattened"},
		{"flattened into itself", []schema.Field{
			{Name: "a", Type: self, Default: null(schema.StructType), Annotations: flatten},
		}, "is flattened into itself"},
		{"base64 of Text", []schema.Field{
			{
				Name: "a", Type: schema.Type{Kind: schema.Text}, Default: null(schema.Text),
				Annotations: []schema.Annotation{{ID: annBase64}},
			},
		}, "only Data can be base64"},
		{"discriminator of a slot", []schema.Field{
			{
				Name: "a", Type: schema.Type{Kind: schema.Text}, Default: null(schema.Text),
				Annotations: []schema.Annotation{{ID: annDiscriminator, Value: null(schema.StructType)}},
			},
		}, "only a union can have a discriminator"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.fields {
				f := &c.fields[i]
				f.Discriminant, f.Offset, f.Ordinal, f.CodeOrder, f.HasOrdinal = schema.NoDiscriminant, uint32(i), uint16(i), uint16(i), true
			}
			reg := schema.NewRegistry()
			err := reg.Add(&schema.Node{
				ID: id, DisplayName: "test.capnp:T", PrefixLen: len("test.capnp:"), Kind: schema.KindStruct,
				Struct: &schema.Struct{Ptrs: 2, ListEncoding: 7, Fields: c.fields},
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = New(reg).AppendStruct(nil, self, segment.Struct{}, Options{})
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v, want %q", err, c.say)
			}
		})
	}
}

func TestWriteSlash(t *testing.T) {
	m := segment.New(arena.Pool())
	defer m.Release()
	m.RootBuilder().SetText("a/b\u007f\u2028{#}\x80")
	got, err := New(schema.NewRegistry()).AppendValue(nil, schema.Type{Kind: schema.Text}, schema.Value{Kind: schema.Text, Ptr: m.Root()}, Options{})
	if want := "\"a/b\u007f\u2028{#}\x80\""; err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestDecodePtr(t *testing.T) {
	c := New(schema.NewRegistry())
	elem := schema.Type{Kind: schema.Int16}
	list := schema.Type{Kind: schema.ListType, Elem: &elem}
	m := segment.New(arena.Pool())
	defer m.Release()
	if err := c.DecodePtr([]byte(" [1, -2] "), list, m.RootBuilder(), DecodeOptions{}); err != nil {
		t.Fatal(err)
	}
	got, err := c.AppendList(nil, list, m.Root().List(), Options{})
	if err != nil || string(got) != "[1, -2]" {
		t.Errorf("%s, %v", got, err)
	}
	if err := c.DecodePtr([]byte("1"), elem, m.RootBuilder(), DecodeOptions{}); err == nil {
		t.Error("an Int16 under a pointer")
	}
}

func TestConcurrent(t *testing.T) {
	reg, named := load(t, "annotated")
	n := named["All"]
	m, err := randval.New(reg, rand.New(rand.NewPCG(1, 2)), randval.Options{Exact: true}).Message(n.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	if err := m.Verify(); err != nil {
		t.Fatal(err)
	}
	c := New(reg)
	var wg sync.WaitGroup
	out := make([]string, 4)
	for i := range out {
		wg.Go(func() {
			b, err := c.AppendStruct(nil, structType(n), m.Root().Struct(), Options{})
			if err != nil {
				t.Error(err)
			}
			out[i] = string(b)
		})
	}
	wg.Wait()
	for _, s := range out[1:] {
		if s != out[0] {
			t.Error("two goroutines wrote different texts")
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, o := range []struct {
		name string
		Options
	}{{"pretty", Options{}}, {"short", Options{Short: true}}} {
		b.Run(o.name, func(b *testing.B) {
			c, n, m := everything(b)
			var out []byte
			var err error
			b.ReportAllocs()
			for b.Loop() {
				if out, err = c.AppendStruct(out[:0], structType(n), m.Root().Struct(), o.Options); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(out)))
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	c, n, m := everything(b)
	in, err := c.AppendStruct(nil, structType(n), m.Root().Struct(), Options{Short: true})
	if err != nil {
		b.Fatal(err)
	}
	out := segment.New(arena.Pool())
	defer out.Release()
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		out.Reset()
		if err := c.DecodeStruct(in, structType(n), out.NewRoot(size(n)), DecodeOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func everything(tb testing.TB) (*Codec, *schema.Node, *segment.Message) {
	reg, named := load(tb, "kinds")
	n := named["Everything"]
	m, err := randval.New(reg, rand.New(rand.NewPCG(1, 2)), randval.Options{}).Message(n.ID)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(m.Release)
	if err := m.Verify(); err != nil {
		tb.Fatal(err)
	}
	return New(reg), n, m
}
