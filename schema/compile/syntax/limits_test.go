package syntax

import (
	"runtime"
	"strings"
	"testing"
)

// TestHostile parses and formats large texts made to cost much. Each must give
// an error, in bounded memory; a stack that overflows or a quadratic loop would
// end the test.
func TestHostile(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, (MaxSource-64)/len(s)) }
	// Where the end comes early or nothing piles up, less shows as much.
	some := func(s string) string { return strings.Repeat(s, (MaxSource/8)/len(s)) }
	for _, tt := range []struct{ name, src, want string }{
		{"parentheses", "const a :T = " + some("("), "nested deeper"},
		{"brackets", "const a :T = " + some("["), "nested deeper"},
		{"brackets closed", "const a :T = " + strings.Repeat("[", 1<<17) + strings.Repeat("]", 1<<17) + ";", "nested deeper"},
		{"siblings too deep", "const a :T = " + strings.Repeat("[", 60) + some("[[[[[[]]]]]],"), "nested deeper"},
		{"tuples", "const a :T = " + some("(a="), "nested deeper"},
		{"applications", "const a :T = a" + some("()"), "nested deeper"},
		{"members", "const a :T = a" + some(".a"), "nested deeper"},
		{"blocks", some("struct A{"), "nested deeper"},
		{"unknown blocks", some("a{"), "expected"},
		{"semicolons", some(";"), "Too many errors"},
		{"closing braces", some("}"), "Too many errors"},
		{"closing parentheses", some(")"), "expected"},
		{"commas", "const a :T = [" + strings.Repeat(",", 1<<17) + "];", "Empty list item"},
		{"bad items", "const a :T = [" + some("=,"), "Too many errors"},
		{"numbers in a list", "const a :T = [" + fill("1,"), "Too many values"},
		{"names in a tuple", "const a :T = (" + fill("a=1,"), "Too many values"},
		{"annotations", "struct A " + fill("$a "), "Too many values"},
		{"enumerants", "enum E {" + fill("a@0;"), "Too many declarations"},
		{"declarations", fill("using a=b;"), "Too many declarations"},
		{"strings", "const a :T = " + some(`""`), "expected"},
		{"a string", `const a :Text = "` + some("a"), "not closed"},
		{"escapes", `const a :Text = "` + some(`\q`), "no such escape"},
		{"a name", some("a"), "expected"},
		{"a number", "const a :T = " + some("1"), "out of range"},
		{"a float", "const a :T = " + some("1") + ".5", "expected"},
		{"operators", some("=+-"), "expected"},
		{"bytes beyond ASCII", some("\xff"), "ASCII"},
		{"bad bytes", some("'\\"), "double quotes"},
		{"data", `const a :Data = 0x"` + some("1"), "two hexadecimal digits"},
		{"comments", some("#\n") + "x", "expected"},
		{"newlines", some("\n") + "x", "expected"},
		{"doc comments", "struct A {" + some("# a\n"), "expected '}'"},
		{"parameters", "interface I { a @0 (" + fill("a:b,"), "Too many values"},
		{"generic parameters", "struct A(" + fill("a,"), "Too many values"},
		{"targets", "annotation a(" + fill("struct,"), "Too many values"},
		{"zeros", some("\x00"), "Non-UTF-8"},
		{"too large", strings.Repeat(" ", MaxSource+1), "more than the limit of 4194304"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := []byte(tt.src)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			f, errs := Parse("t.capnp", src)
			runtime.ReadMemStats(&after)
			if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 250 {
				t.Errorf("%d MiB allocated", got)
			}
			if len(errs) == 0 || len(errs) > MaxErrors+1 {
				t.Fatalf("%d errors", len(errs))
			}
			if all := errs.Error(); !strings.Contains(all, tt.want) {
				t.Errorf("errors %.300s, want one with %q", all, tt.want)
			}
			runtime.KeepAlive(f)
		})
	}
}

func TestDepth(t *testing.T) {
	for _, tt := range []struct {
		name, open, inner, closing string
	}{
		{"lists", "[", "1", "]"},
		{"tuples", "(", "1", ")"},
		{"members", "", "a", ".a"},
		{"applications", "", "a", "()"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for depth, want := range map[int]bool{MaxDepth: true, MaxDepth + 1: false} {
				src := strings.Repeat(tt.open, depth) + tt.inner + strings.Repeat(tt.closing, depth)
				if _, errs := ParseValue("v", []byte(src)); (len(errs) == 0) != want {
					t.Errorf("depth %d: %v", depth, errs)
				}
			}
		})
	}
	for depth, want := range map[int]bool{MaxDepth: true, MaxDepth + 1: false} {
		src := strings.Repeat("struct A {", depth) + strings.Repeat("}", depth)
		if _, errs := Parse("t.capnp", []byte(src)); (len(errs) == 0) != want {
			t.Errorf("blocks %d deep: %v", depth, errs)
		}
	}
}
