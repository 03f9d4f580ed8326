package compile_test

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/schema/compile"
	"github.com/fairlead-go/fairlead/segment"
)

// load compiles a file and gives its nodes, also by their names.
func load(t testing.TB, file string) (*schema.Registry, map[string]*schema.Node) {
	t.Helper()
	req, err := compile.Files([]string{file}, compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	reg := schema.NewRegistry()
	if err := reg.Add(req.Nodes...); err != nil {
		t.Fatal(err)
	}
	names := make(map[string]*schema.Node)
	for _, n := range req.Nodes {
		_, name, _ := strings.Cut(n.DisplayName, ":")
		names[name] = n
	}
	return reg, names
}

func TestValueOfScalars(t *testing.T) {
	reg, names := load(t, "testdata/same/defaults.capnp")
	colour := schema.Type{Kind: schema.EnumType, ID: names["Colour"].ID}
	for _, tt := range []struct {
		text string
		typ  schema.Type
		want uint64
		err  string
	}{
		{text: "void", typ: schema.Type{Kind: schema.Void}},
		{text: "true", typ: schema.Type{Kind: schema.Bool}, want: 1},
		{text: "-5", typ: schema.Type{Kind: schema.Int8}, want: math.MaxUint64 - 4},
		{text: "0x80", typ: schema.Type{Kind: schema.Uint8}, want: 128},
		{text: "1.5", typ: schema.Type{Kind: schema.Float32}, want: 0x3fc00000},
		{text: "-2", typ: schema.Type{Kind: schema.Float64}, want: 0xc000000000000000},
		{text: "nan", typ: schema.Type{Kind: schema.Float32}, want: 0x7fc00000},
		{text: " blue # the last", typ: colour, want: 2},
		{text: "300", typ: schema.Type{Kind: schema.Uint8}, err: "v:1:1-4: error: Integer value out of range."},
		{text: "\n  pink", typ: colour, err: "v:2:3-7: error: External constants not allowed."},
		{text: "()", typ: schema.Type{Kind: schema.Int8}, err: "v:1:1-3: error: Type mismatch; expected Int8."},
		{text: "", typ: schema.Type{Kind: schema.Int8}, err: "v:1:1: error: Parse error: expected a value, found the end of the file."},
	} {
		t.Run(tt.text, func(t *testing.T) {
			v, err := compile.Value("v", []byte(tt.text), tt.typ, reg)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Fatalf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.Kind != tt.typ.Kind || v.Bits != tt.want {
				t.Errorf("%v %#x, want %#x", v.Kind, v.Bits, tt.want)
			}
		})
	}
}

// Values that many features of the language have a part in.
var textValues = []struct{ file, typ, text string }{
	{"defaults", "All", "()"},
	{"defaults", "All", `(bool = false, int8 = -128, uint64 = 1, float32 = -inf, text = "", data = "", colour = red)`},
	{"defaults", "All", `(self = (self = (self = ())), structs = [(), (bool = false)], lists = [[], [1, 2]])`},
	{"defaults", "All", `(bools = [true], voids = [void, void], texts = ["a" "b"], colours = [green], float64s = [1, -2.5e10])`},
	{"defaults", "All", `(int8 = 1, int8 = 2, text = "a", text = "b")`},
	{"unions", "Unions", `(old = (a = 5), one = 3, plain = (deeper = (b = 1, evenDeeper = (c = "d")), e = 9))`},
	{"unions", "Unions", `(three = (a = 1, d = (e = 2, f = "g")), inInner = (last = (v = void)), late = (z = -1))`},
	{"unions", "Unions", `(plain = (e = 1), plain = (d = void), one = 5, two = ["x"])`},
	{"unions", "Unions", `(three = (b = -1), three = (g = (i = 1)))`},
	{"addressbook", "AddressBook", `(people = [(name = "Ann", phones = [(number = "1", type = home)], employment = (school = "MIT"))])`},
	{"generics", "Users", `(a = (entries = [(key = "k", value = 0x"01")], other = (any = ())), n = (t = (entries = [(key = "x")])))`},
}

func TestBuildValueSameAsTool(t *testing.T) {
	capnp := tool(t)
	for _, tt := range textValues {
		t.Run(tt.typ+tt.text, func(t *testing.T) {
			file := "testdata/same/" + tt.file + ".capnp"
			cmd := exec.Command(capnp, "encode", file, tt.typ)
			cmd.Stdin = strings.NewReader(tt.text)
			cmd.Env = append(os.Environ(), "CAPNP_IGNORE_ISSUE_344=1") // see toolRequest
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("the tool: %v", err)
			}
			theirs, err := framing.Read(bytes.NewReader(out))
			if err != nil {
				t.Fatal(err)
			}
			defer theirs.Release()
			want, err := theirs.Canonical()
			if err != nil {
				t.Fatal(err)
			}
			reg, names := load(t, file)
			node := names[tt.typ]
			typ := schema.Type{Kind: schema.StructType, ID: node.ID}
			for _, how := range []struct {
				name  string
				build func(*segment.Message) error
			}{
				{"BuildValue", func(m *segment.Message) error {
					return compile.BuildValue("v", []byte(tt.text), typ, reg, m.RootBuilder())
				}},
				{"BuildStruct", func(m *segment.Message) error {
					s := m.NewRoot(segment.Size{DataWords: node.Struct.DataWords, Ptrs: node.Struct.Ptrs})
					return compile.BuildStruct("v", []byte(tt.text), typ, reg, s)
				}},
				{"Value", func(m *segment.Message) error {
					v, err := compile.Value("v", []byte(tt.text), typ, reg)
					m.RootBuilder().Set(v.Ptr)
					return err
				}},
			} {
				ours := segment.New(arena.Pool())
				defer ours.Release()
				if err := how.build(ours); err != nil {
					t.Fatalf("%s: %v", how.name, err)
				}
				got, err := ours.Canonical()
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s:\ntool %x\nours %x", how.name, want, got)
				}
			}
		})
	}
}

func TestValueErrors(t *testing.T) {
	reg, names := load(t, "testdata/same/unions.capnp")
	typ := schema.Type{Kind: schema.StructType, ID: names["Unions"].ID}
	const text = "(old = (a = 1000, x = 1),\n two = [1, \"ok\", embed \"f\"], one = .c,\n 5, three = true, nope = (x = 1)"
	want := []string{
		"v:1:13-17: error: Integer value out of range.",
		"v:1:19-20: error: Struct has no field named 'x'.",
		"v:2:9-10: error: Type mismatch; expected Text.",
		"v:2:18-27: error: External embeds not allowed.",
		"v:2:36-38: error: External constants not allowed.",
		"v:3:2-3: error: Missing field name.",
		"v:3:13-17: error: Type mismatch; expected group.",
		"v:3:19-23: error: Struct has no field named 'nope'.",
	}
	_, err := compile.Value("v", []byte(text+")"), typ, reg)
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	// What does not parse is not looked at further.
	_, err = compile.Value("v", []byte(text), typ, reg)
	if err == nil || !strings.Contains(err.Error(), "Parse error") || strings.Contains(err.Error(), "Integer") {
		t.Errorf("error %v, want a parse error alone", err)
	}
}

// TestImpliedField checks what newer compilers accept: a value in the place of a
// struct or a group is that of its first field.
func TestImpliedField(t *testing.T) {
	const text = `@0xfedcba9876543210;
struct Number { value @0 :Int32 = 7; unit @1 :Text; }
struct Word { text @0 :Text; n @1 :Number; }
struct Outer { number @0 :Number = 5; words @1 :List(Word) = ["a", (text = "b"), .c]; g :group { x @2 :Bool; y @3 :Int8; } }
const c :Word = "const";
const all :Outer = (number = -3, words = ["x"], g = true);
`
	const written = `@0xfedcba9876543210;
struct Number { value @0 :Int32 = 7; unit @1 :Text; }
struct Word { text @0 :Text; n @1 :Number; }
struct Outer { number @0 :Number = (value = 5); words @1 :List(Word) = [(text = "a"), (text = "b"), .c]; g :group { x @2 :Bool; y @3 :Int8; } }
const c :Word = (text = "const");
const all :Outer = (number = (value = -3), words = [(text = "x")], g = (x = true));
`
	short, err := compile.Source("f.capnp", []byte(text), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	long, err := compile.Source("f.capnp", []byte(written), compile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := built(t, short), built(t, long)
	defer a.Release()
	defer b.Release()
	for _, d := range differences(t, b, a) {
		t.Error(d)
	}
}
