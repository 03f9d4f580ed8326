package syntax

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-go/fairlead/arena"
	"github.com/fairlead-go/fairlead/framing"
	"github.com/fairlead-go/fairlead/schema"
	"github.com/fairlead-go/fairlead/segment"
)

var (
	update        = flag.Bool("update", false, "write the golden files anew")
	randomFormats = flag.Int("formats", 300, "how many random sources are formatted")
)

func TestFormat(t *testing.T) {
	files, err := filepath.Glob("testdata/format/*.in")
	if err != nil || len(files) == 0 {
		t.Fatalf("no testdata: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			// However a checkout ends the lines.
			src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
			got, err := Format(name, src)
			if err != nil {
				t.Fatal(err)
			}
			golden := strings.TrimSuffix(name, ".in") + ".capnp"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			want = bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			checkFormat(t, src)
		})
	}
}

func TestFormatSmall(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"nothing", "", ""},
		{"blanks", "\n \n", ""},
		{"a comment", "# x  \t\n\n\n", "# x\n"},
		{"carriage returns", "# a\r\n\r\n# b\r\nusing A = B;\r\n", "# a\n\n# b\nusing A = B;\n"},
		{"byte order mark", "\xef\xbb\xbfusing A = B;", "using A = B;\n"},
		{"byte order mark before a comment", "using A = B;\n\xef\xbb\xbf# not a doc\n", "using A = B;\n\n# not a doc\n"},
		{"no newline at the end", "using A = B;", "using A = B;\n"},
		{"comment without space", "using A = B;#x", "using A = B;  #x\n"},
		{"aligned comments", "using A = B;    # x\nusing CC = D;  # y\n", "using A = B;    # x\nusing CC = D;  # y\n"},
		{"operators stay apart", "const a : .B = .c; struct A $ .b {}", "const a : .B = .c;\nstruct A $ .b {}\n"},
		{"blank lines after a brace", "struct A {\n\n\n  a @0 :Text;\n\n}\n", "struct A {\n  a @0 :Text;\n}\n"},
		{"comment after a brace", "struct A {\n\n  # x\n}\n", "struct A {\n\n  # x\n}\n"},
		{"doc after a brace", "struct A { # x\n# y\n}\n", "struct A { # x\n  # y\n}\n"},
		{"nested one-line blocks", "struct A{struct B{using .C.D;}}", "struct A { struct B { using .C.D; } }\n"},
		{"one-line block with a back-tick", "struct A { const b :Text = `x\n; }", "struct A {\n  const b :Text = `x\n      ;\n}\n"},
		{"comment before a brace", "struct A # x\n{ a @0 :Text; }", "struct A # x\n    { a @0 :Text; }\n"},
		{"comment between statements", "struct A {\na @0 :Text;\n\n# x\nb @1 :Text; }", "struct A {\n  a @0 :Text;\n\n  # x\n  b @1 :Text;\n}\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Format("t.capnp", []byte(tt.src))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%q\nwant\n%q", got, tt.want)
			}
			checkFormat(t, []byte(tt.src))
		})
	}
}

func TestFormatError(t *testing.T) {
	out, err := Format("t.capnp", []byte("struct A;"))
	if _, ok := err.(Errors); !ok || out != nil {
		t.Errorf("%q, %v; want Errors", out, err)
	}
}

// checkFormat checks what holds for every source that parses: formatting keeps
// its tokens, comments and doc comments, and changes nothing the second time.
func checkFormat(t *testing.T, src []byte) {
	t.Helper()
	out, err := Format("t.capnp", src)
	if err != nil {
		return
	}
	again, err := Format("t.capnp", out)
	if err != nil {
		t.Fatalf("the result does not parse: %v\n%q\nfrom\n%q", err, out, src)
	}
	if !bytes.Equal(out, again) {
		t.Fatalf("formatted twice\n%s\nonce\n%s\nfrom\n%s", again, out, src)
	}
	if a, b := essence(src), essence(out); !slices.Equal(a, b) {
		t.Fatalf("tokens\n%q\nbecame\n%q", a, b)
	}
	before, _ := Parse("t.capnp", src)
	after, _ := Parse("t.capnp", out)
	if a, b := trimDocs(dump(before)), trimDocs(dump(after)); a != b {
		t.Fatalf("meaning\n%s\nbecame\n%s", a, b)
	}
}

// essence lists the tokens and comments of a source.
func essence(src []byte) []string {
	var list []string
	for _, it := range splitItems(string(src)) {
		list = append(list, string(src[it.start:it.end]))
	}
	return list
}

// trimDocs takes the white space from the ends of lines in doc comments, as
// dump writes them.
func trimDocs(dump string) string {
	for {
		s := dump
		for _, space := range []string{" ", `\t`, `\r`, `\f`, `\v`} {
			s = strings.ReplaceAll(s, space+`\n`, `\n`)
		}
		if s == dump {
			return s
		}
		dump = s
	}
}

// standardSchemas gives the schemas that an installed C++ library brings.
func standardSchemas(t *testing.T) []string {
	files, _ := filepath.Glob("/usr/include/capnp/*.capnp")
	if len(files) == 0 {
		if os.Getenv("FAIRLEAD_REQUIRE_PEERS") == "1" {
			t.Fatal("the standard schemas of libcapnp are required")
		}
		t.Skip("SKIPPED: the standard schemas of libcapnp are not installed")
	}
	return files
}

// TestFormatStandard: the standard schemas, which the layout follows, change in
// a few lines at most, and what the tool makes of them does not change at all.
func TestFormatStandard(t *testing.T) {
	run := newTool(t)
	for _, name := range standardSchemas(t) {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Format(name, src)
		if err != nil {
			t.Fatal(err)
		}
		checkFormat(t, src)
		a, b := strings.Split(string(src), "\n"), strings.Split(string(out), "\n")
		changed := 0
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				changed++
			}
		}
		if len(a) != len(b) || changed > 2 {
			t.Errorf("%s: %d of %d lines changed, now %d", name, changed, len(a), len(b))
		}
		sameRequest(t, run, string(src), string(out))
	}
}

// TestFormatMeaning compares, on schemas of our own, what the tool makes of the
// formatted source with what it makes of the original.
func TestFormatMeaning(t *testing.T) {
	run := newTool(t)
	src, err := os.ReadFile("testdata/language.capnp")
	if err != nil {
		t.Fatal(err)
	}
	out, err := Format("language.capnp", src)
	if err != nil {
		t.Fatal(err)
	}
	sameRequest(t, run, string(src), string(out))

	// The same, written as tightly and as widely as the grammar allows.
	for _, how := range []string{"", " ", "\n", "\n\n  "} {
		squeezed := respace(string(src), func() string { return how })
		out, err := Format("language.capnp", []byte(squeezed))
		if err != nil {
			t.Fatal(err)
		}
		checkFormat(t, []byte(squeezed))
		sameRequest(t, run, squeezed, string(out))
	}
}

// respace writes the tokens of a source, without its comments, with what gap
// gives between them, or where they would run together a single space.
func respace(src string, gap func() string) string {
	var b strings.Builder
	prev := token{}
	for _, it := range splitItems(src) {
		if it.comment {
			continue
		}
		s := gap()
		word := func(t token) bool { return t.kind == tokIdent || t.kind == tokInt || t.kind == tokFloat }
		if s == "" && (word(prev) && word(it.token) || prev.kind == tokOp && it.kind == tokOp ||
			(prev.kind == tokInt || prev.kind == tokFloat) && it.kind == tokOp) {
			s = " "
		}
		if prev.kind == tokBacktick {
			s = "\n" + s
		}
		b.WriteString(s + src[it.start:it.end])
		prev = it.token
	}
	return b.String()
}

// TestFormatRandom formats sources whose space, line breaks and comments are
// random, and some of whose names are long.
func TestFormatRandom(t *testing.T) {
	var sources []string
	for _, name := range []string{"testdata/language.capnp", "testdata/format/lines.in", "testdata/format/plain.in"} {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, string(src))
	}
	gaps := []string{
		"", " ", "  ", "\t", "\n", "\n\n", "\n \n\n ", "\r\n", "\r", "# a\n", " # b \n", "\n# c\n", "\n\n # d\n",
		"\n# e\n# f\n", " # g\n\n# h\n\n", "\r\n# i\r\n", "\xef\xbb\xbf# j\n", "\xef\xbb\xbf",
	}
	for seed := range *randomFormats {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		// Mostly plain space in some sources, anything in others.
		wild := rng.Float64() * rng.Float64()
		src := respace(sources[seed%len(sources)], func() string {
			if rng.Float64() < wild {
				return gaps[rng.IntN(len(gaps))]
			}
			return gaps[rng.IntN(5)]
		})
		for range rng.IntN(4) {
			name := []string{"name", "Text", "Things", "parameterOne", "Foo", "Pair"}[rng.IntN(6)]
			src = strings.ReplaceAll(src, name, strings.Repeat(name, 1+rng.IntN(12)))
		}
		if _, err := Format("t.capnp", []byte(src)); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, src)
		}
		checkFormat(t, []byte(src))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// sameRequest checks that the tool makes the same CodeGeneratorRequest of two
// sources, but for the places of the declarations in them.
func sameRequest(t *testing.T, run func(testing.TB, map[string]string, ...string) ([]byte, string), a, b string) {
	t.Helper()
	var made [2][]byte
	for i, src := range []string{a, b} {
		out, said := run(t, map[string]string{"t.capnp": src}, "compile", "-o-", "t.capnp")
		if said != "" {
			t.Fatalf("the tool says: %s\nof\n%s", said, src)
		}
		made[i] = withoutPlaces(t, out)
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Errorf("the tool makes something else of\n%s\nthan of\n%s", b, a)
	}
}

// withoutPlaces gives a CodeGeneratorRequest without the places of declarations.
func withoutPlaces(t *testing.T, request []byte) []byte {
	t.Helper()
	msg, _, err := framing.Unmarshal(request)
	if err != nil {
		t.Fatal(err)
	}
	defer msg.Release()
	req, err := schema.ReadRequest(msg)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range req.Nodes {
		n.Start, n.End = 0, 0
	}
	built := segment.New(arena.Pool())
	defer built.Release()
	req.Build(built)
	b, err := built.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
