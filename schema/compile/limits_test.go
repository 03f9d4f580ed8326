package compile_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/fairlead-go/fairlead/schema/compile"
)

// Texts that ask for a lot end in an error, and soon.
func TestLimits(t *testing.T) {
	const id = "@0xfedcba9876543210;\n"
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(format, "%d", fmt.Sprint(i)))
		}
		return b.String()
	}
	wide := "struct Wide {" + repeat(30_000, "f%d @%d :Int64;") + "}\n"
	// Each of n names refers twice to the one before it.
	doubling := func(n int, first, next string) string {
		var b strings.Builder
		b.WriteString(first)
		for i := 1; i < n; i++ {
			b.WriteString(strings.NewReplacer("%n", fmt.Sprint(i), "%p", fmt.Sprint(i-1)).Replace(next))
		}
		return b.String()
	}
	files := fstest.MapFS{
		"big.bin":     {Data: make([]byte, 17<<20)},
		"large.bin":   {Data: make([]byte, 5<<20)},
		"huge.capnp":  {Data: make([]byte, 5<<20)},
		"folder/file": {},
	}
	for i := range 300 {
		files[fmt.Sprintf("n%d.capnp", i)] = &fstest.MapFile{Data: fmt.Appendf(nil, "@0x%x;", 1<<63|uint64(i))}
		files[fmt.Sprintf("chain%d.capnp", i)] = &fstest.MapFile{
			Data: fmt.Appendf(nil, "@0x%x; struct S { a @0 :import \"chain%d.capnp\".S; }", 1<<63|uint64(i), i+1),
		}
	}
	for _, tt := range []struct{ name, text, want string }{
		{"source", strings.Repeat("#\n", 3<<20), "more than the limit of"},
		{"declarations", repeat(100_001, "struct S%d {}\n"), "more than 100000 declarations"},
		{"chain of aliases", doubling(50_000, "", "using B%p = B%n;\n") + "using B49999 = Text;", "More than 256 declarations lead"},
		{"chain of constants", doubling(50_000, "", "const c%p :Int8 = .c%n;\n") + "const c49999 :Int8 = 1;", "More than 256 declarations lead"},
		{"doubling aliases", "struct M(A, B) {}\n" + doubling(60, "using A0 = Text;\n", "using A%n = M(A%p, A%p);\n") + "struct S { a @0 :A59; }", "too complex"},
		{
			"doubling in a generic",
			"struct M(A, B) {" + doubling(60, "using A0 = M(A, B);\n", "using A%n = M(A%p, A%p);\n") + "} struct S { a @0 :M(Text, Text).A59; }",
			"too complex",
		},
		{"wide elements", wide + "const c :List(Wide) = [" + strings.Repeat("(),", 100_000) + "];", "Values are too large"},
		{"wide elements in elements", "struct N { a @0 :List(Wide); }\n" + wide + "const c :List(N) = [" + strings.Repeat("(a=[(),(),()]),", 10_000) + "];", "Values are too large"},
		{"doubling constants", doubling(60, "struct S { a @0 :S; b @1 :S; c @2 :Text = \"\"; } const c0 :S = (c = \"x\");\n", "const c%n :S = (a = .c%p, b = .c%p);\n"), "Values are too large"},
		{"deep constants", doubling(2000, "struct S { a @0 :S; } const c0 :S = ();\n", "const c%n :S = (a = .c%p);\n"), "Value cannot be built"},
		{"embeds", `const a :Data = embed "big.bin";`, "Couldn't read file for embed"},
		{"embeds together", repeat(4, "const c%d :Data = embed \"large.bin\";\n"), "Couldn't read file for embed"},
		{"embed of a folder", `const a :Data = embed "folder";`, "not a regular file"},
		{"import of a folder", `using A = import "folder";`, "not a regular file"},
		{"import of a large file", `using A = import "huge.capnp";`, "Import failed: huge.capnp: 5242880 bytes are more than 4194304"},
		{"imports", repeat(300, "using N%d = import \"n%d.capnp\";\n"), "more than 257"},
		{"chain of imports", `struct S { a @0 :import "chain0.capnp".S; }`, "more than 257"},
		{"nesting", strings.Repeat("struct S {", 100), "nested deeper"},
		{"long chain of members", "struct S { a @0 :S" + strings.Repeat(".S", 100_000) + "; }", "nested deeper"},
		{"long list of generics", "struct S(T) { a @0 :" + strings.Repeat("S(", 10_000) + "Text" + strings.Repeat(")", 10_000) + "; }", "nested deeper"},
		{"large ordinals", "struct S {" + repeat(70_000, "f%d @%d :Int64;") + "}", "Ordinals cannot be greater than 65535"},
		{"many fields", "struct S { g :group {" + repeat(70_000, "f%d @0 :Int64;") + "} }", "Struct has 70000 fields, more than the 65536"},
		{"many values", "struct S {} struct T0 {" + repeat(50_000, "a%d@%d:S=();") + "} struct T1 {" + repeat(50_000, "a%d@%d:S=();") +
			"} struct T2 {" + repeat(50_000, "a%d@%d:S=();") + "}", "Values are too large"},
		{"many ordinals", "struct S {" + repeat(400_000, "a@0:Int8;") + "}", "Too many declarations"},
		{"too many words", "struct S {" + repeat(65_536, "f%d @%d :Int64;") + "}", "Struct is too large: 65536 words"},
		{"many errors", "struct S {" + repeat(50_000, "F @0 :Nope;") + "}", "already defined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := compile.Source("limits.capnp", []byte(id+tt.text), compile.Options{FS: files})
			if err == nil {
				t.Fatal("no error")
			}
			if text := err.Error(); !strings.Contains(text, tt.want) {
				t.Errorf("want %q in\n%s", tt.want, text[:min(len(text), 1000)])
			}
		})
	}
}
