package schema

import (
	"fmt"
	"strings"
	"testing"
)

func registryOf(t testing.TB, text string) *Registry {
	t.Helper()
	r := NewRegistry()
	if err := r.Add(compileText(t, text).Nodes...); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCompatible(t *testing.T) {
	const id = "@0x9eb32e19f86ee174;\n"
	const file ID = 0x9eb32e19f86ee174
	for _, tt := range []struct {
		name     string
		old, new string
		want     []string // "path: what (breaks whom)", the file's name left out
	}{
		{"the same", "struct A { f @0 :Int32; }", "struct A { f @0 :Int32; }", nil},
		{"new field", "struct A { f @0 :Int32; }", "struct A { f @0 :Int32; g @1 :Text; }", []string{"A.g: field @1 is new (breaks nobody)"}},
		{"removed field", "struct A { f @0 :Int32; g @1 :Text; }", "struct A { f @0 :Int32; }", []string{"A.g: field @1 was removed (breaks old data, source)"}},
		{"renamed field", "struct A { f @0 :Int32; }", "struct A { g @0 :Int32; }", []string{"A.f: renamed to g (breaks source)"}},
		{
			"renumbered fields", "struct A { f @0 :Int32; g @1 :Int32; }", "struct A { g @0 :Int32; f @1 :Int32; }",
			[]string{
				"A.f: the ordinal changed from @0 to @1 (breaks old data, old readers, source)",
				"A.g: the ordinal changed from @1 to @0 (breaks old data, old readers, source)",
			},
		},
		{"source order", "struct A { f @0 :Int32; g @1 :Int32; }", "struct A { g @1 :Int32; f @0 :Int32; }", nil},
		{
			"other number", "struct A { f @0 :Int32; }", "struct A { f @0 :Int64; }",
			[]string{"A.f: the type changed from Int32 to Int64 (breaks old data, old readers, source)"},
		},
		{
			"a field before others got another size", "struct A { f @0 :Int8; g @1 :Int16; }", "struct A { f @0 :Int32; g @1 :Int16; }",
			[]string{
				"A.f: the type changed from Int8 to Int32 (breaks old data, old readers, source)",
				"A.g: the offset changed from 1 to 2 (breaks old data, old readers)",
			},
		},
		{"default", "struct A { f @0 :Int32; }", "struct A { f @0 :Int32 = 1; }", []string{"A.f: the default changed (breaks old data, old readers)"}},
		{"default text", `struct A { f @0 :Text = "a"; }`, `struct A { f @0 :Text = "b"; }`, []string{"A.f: the default changed (breaks old data, old readers)"}},
		{"same default list", `struct A { f @0 :List(Int8) = [1]; }`, `struct A { f @0 :List(Int8) = [1]; g @1 :Void; }`, []string{"A.g: field @1 is new (breaks nobody)"}},
		{"text to data", "struct A { f @0 :Text; }", "struct A { f @0 :Data; }", []string{"A.f: the type changed from Text to Data (breaks old readers, source)"}},
		{"data to bytes", "struct A { f @0 :Data; }", "struct A { f @0 :List(UInt8); }", []string{"A.f: the type changed from Data to List(UInt8) (breaks old data, source)"}},
		{"list to anything", "struct A { f @0 :List(Int32); }", "struct A { f @0 :AnyPointer; }", []string{"A.f: the type changed from List(Int32) to AnyPointer (breaks old readers, source)"}},
		{"AnyList to AnyStruct", "struct A { f @0 :AnyList; }", "struct A { f @0 :AnyStruct; }", []string{"A.f: the type changed from AnyList to AnyStruct (breaks old data, old readers, source)"}},
		{
			"list of structs", "struct A { f @0 :List(Text); }", "struct A { f @0 :List(B); } struct B { t @0 :Text; n @1 :Int8; }",
			[]string{"A.f: the type changed from List(Text) to List(B) (breaks source)", "B: the struct is new (breaks nobody)"},
		},
		{
			"list of structs of something else", "struct A { f @0 :List(Int16); }", "struct A { f @0 :List(B); } struct B { t @0 :Text; n @1 :Int16; }",
			[]string{"A.f: the type changed from List(Int16) to List(B) (breaks old data, old readers, source)", "B: the struct is new (breaks nobody)"},
		},
		{
			"list of bits to structs", "struct A { f @0 :List(Bool); }", "struct A { f @0 :List(B); } struct B { t @0 :Bool; }",
			[]string{"A.f: the type changed from List(Bool) to List(B) (breaks old data, old readers, source)", "B: the struct is new (breaks nobody)"},
		},
		{"into a group", "struct A { f @0 :Int32; }", "struct A { g :group { f @0 :Int32; h @1 :Text; } }", []string{"A.f: renamed to g.f (breaks source)", "A.g.h: field @1 is new (breaks nobody)"}},
		{
			"into a union", "struct A { f @0 :Int32; }", "struct A { union { f @0 :Int32; g @1 :Text; } }",
			[]string{"A.f: became the first member of a union (breaks nobody)", "A.g: field @1 is new (breaks nobody)"},
		},
		{
			"into a union of groups", "struct A { f @0 :Int32; g @1 :Text; }",
			"struct A { union { first :group { f @0 :Int32; g @1 :Text; } second @2 :Void; } }",
			[]string{
				"A.f: renamed to first.f (breaks source)", "A.f: became the first member of a union (breaks nobody)",
				"A.g: renamed to first.g (breaks source)", "A.g: became the first member of a union (breaks nobody)",
				"A.second: field @2 is new (breaks nobody)",
			},
		},
		{
			"second into a union", "struct A { f @0 :Int32; g @1 :Text; }", "struct A { union { f @0 :Int32; g @1 :Text; } }",
			[]string{
				"A.f: became the first member of a union (breaks nobody)",
				"A.g: became the member 1 of a union; only the first may have been outside (breaks old data, old readers)",
			},
		},
		{
			"out of a union", "struct A { union { f @0 :Int32; g @1 :Text; } }", "struct A { f @0 :Int32; g @1 :Text; }",
			[]string{
				"A.f: no longer the member 0 of the union with the discriminant at 2 × 16 bits (breaks old data, old readers)",
				"A.g: no longer the member 1 of the union with the discriminant at 2 × 16 bits (breaks old data, old readers)",
			},
		},
		{"more members", "struct A { union { f @0 :Int32; g @1 :Text; } }", "struct A { union { f @0 :Int32; g @1 :Text; h @2 :Void; } }", []string{"A.h: field @2 is new (breaks nobody)"}},
		{
			"another struct that is the same", "struct A { f @0 :B; } struct B { x @0 :Int32; b @1 :B; }", "struct A { f @0 :C; } struct C { x @0 :Int32; b @1 :C; }",
			[]string{"A.f: the type changed from B to C (breaks source)", "B: the struct was removed (breaks source)", "C: the struct is new (breaks nobody)"},
		},
		{
			"another struct that is not", "struct A { f @0 :B; } struct B { x @0 :Int32; b @1 :B; }", "struct A { f @0 :C; } struct C { x @0 :Float64; b @1 :C; }",
			[]string{"A.f: the type changed from B to C (breaks old data, old readers, source)", "B: the struct was removed (breaks source)", "C: the struct is new (breaks nobody)"},
		},
		{"renamed struct with its id", "struct A @0xd0d0d0d0d0d0d0d0 {}", "struct B @0xd0d0d0d0d0d0d0d0 {}", []string{"A: renamed to B (breaks source)"}},
		{
			"struct to enum", "struct A @0xd0d0d0d0d0d0d0d0 {}", "enum A @0xd0d0d0d0d0d0d0d0 { a @0; }",
			[]string{"A: kind struct became enum (breaks old data, old readers, peers, source)"},
		},
		{"brand", "struct G(T) {} struct A { f @0 :G(Text); }", "struct G(T) {} struct A { f @0 :G(Data); }", []string{"A.f: the type changed from G(Text) to G(Data) (breaks old readers, source)"}},
		{"brand given", "struct G(T) {} struct A { f @0 :G; }", "struct G(T) {} struct A { f @0 :G(Text); }", []string{"A.f: the type changed from G to G(Text) (breaks old data, source)"}},
		{"generic", "struct G {}", "struct G(T) {}", []string{"G: the generic parameters () became (T) (breaks source)"}},
		{"new enumerant", "enum E { a @0; }", "enum E { a @0; b @1; }", []string{"E.b: enumerant @1 is new (breaks nobody)"}},
		{"removed enumerant", "enum E { a @0; b @1; }", "enum E { a @0; }", []string{"E.b: enumerant @1 was removed (breaks old data, source)"}},
		{"renamed enumerant", "enum E { a @0; b @1; }", "enum E { a @0; c @1; }", []string{"E.b: renamed to c (breaks source)"}},
		{
			"swapped enumerants", "enum E { a @0; b @1; }", "enum E { b @0; a @1; }",
			[]string{"E.a: the number changed from @0 to @1 (breaks old data, old readers, source)", "E.b: the number changed from @1 to @0 (breaks old data, old readers, source)"},
		},
		{"new method", "interface I { m @0 (); }", "interface I { m @0 (); n @1 (); }", []string{"I.n: method @1 is new (breaks nobody)"}},
		{"removed method", "interface I { m @0 (); n @1 (); }", "interface I { m @0 (); }", []string{"I.n: method @1 was removed (breaks peers, source)"}},
		{"renamed method", "interface I { m @0 (); }", "interface I { n @0 (); }", []string{"I.m: renamed to n (breaks source)"}},
		{"new parameter", "interface I { m @0 (a :Int32); }", "interface I { m @0 (a :Int32, b :Text); }", []string{"I.m$Params.b: field @1 is new (breaks nobody)"}},
		{
			"parameter of another type", "interface I { m @0 (a :Int32); }", "interface I { m @0 (a :Float32); }",
			[]string{"I.m$Params.a: the type changed from Int32 to Float32 (breaks peers, source)"},
		},
		{
			"parameters as a struct", "interface I { m @0 (a :Int32); }", "interface I { m @0 A; } struct A { a @0 :Int32; }",
			[]string{"I.m: the parameters changed from I.m$Params to A (breaks source)", "A: the struct is new (breaks nobody)"},
		},
		{
			"results as another struct", "interface I { m @0 () -> (a :Int32); }", "interface I { m @0 () -> A; } struct A { a @0 :Text; }",
			[]string{"I.m: the results changed from I.m$Results to A (breaks peers, source)", "A: the struct is new (breaks nobody)"},
		},
		{"stream", "interface I { m @0 (); }", "interface I { m @0 () -> stream; }", []string{"I.m: the results changed from I.m$Results to StreamResult (breaks source)"}},
		{
			"superclass", "interface I extends (J) {} interface J {} interface K {}", "interface I extends (K) {} interface J {} interface K {}",
			[]string{"I: no longer extends J (breaks peers, source)", "I: extends K now (breaks nobody)"},
		},
		{
			"another type and into a union", "struct A { a @0 :Text; b @1 :Text; }", "struct A { union { a @0 :Text; b @1 :AnyPointer; } }",
			[]string{
				"A.a: became the first member of a union (breaks nobody)",
				"A.b: the type changed from Text to AnyPointer (breaks old readers, source)",
				"A.b: the offset changed from 1 to 0 (breaks old data, old readers)",
				"A.b: became the member 1 of a union; only the first may have been outside (breaks old data, old readers)",
			},
		},
		{
			"another type without the default", `struct A { f @0 :Text = "x"; }`, "struct A { f @0 :AnyPointer; }",
			[]string{
				"A.f: the type changed from Text to AnyPointer (breaks old readers, source)",
				"A.f: the default changed (breaks old data, old readers)",
			},
		},
		{
			"list of structs with a default", "struct A { f @0 :List(UInt8); }", "struct A { f @0 :List(B); } struct B { x @0 :UInt8 = 5; }",
			[]string{"A.f: the type changed from List(UInt8) to List(B) (breaks old data, old readers, source)", "B: the struct is new (breaks nobody)"},
		},
		{
			"list of structs with a default pointer", "struct A { f @0 :List(Text); }", `struct A { f @0 :List(B); } struct B { x @0 :Text = "a"; }`,
			[]string{"A.f: the type changed from List(Text) to List(B) (breaks old data, old readers, source)", "B: the struct is new (breaks nobody)"},
		},
		{
			"list of unions", "struct A { f @0 :List(UInt8); }", "struct A { f @0 :List(B); } struct B { union { x @0 :UInt8; y @1 :Text; } }",
			[]string{"A.f: the type changed from List(UInt8) to List(B) (breaks source)", "B: the struct is new (breaks nobody)"},
		},
		{
			"brand of parameters", "interface I { m @0 G(Text) -> G(Text); } struct G(T) { t @0 :T; }", "interface I { m @0 G(Data) -> G(Int); interface Int {} } struct G(T) { t @0 :T; }",
			[]string{
				"I.m: the parameters changed from G(Text) to G(Data) (breaks peers, source)",
				"I.m: the results changed from G(Text) to G(I.Int) (breaks peers, source)",
				"I.Int: the interface is new (breaks nobody)",
			},
		},
		{
			"brand of a superclass", "interface J(T) {} interface I extends(J(Text)) {}", "interface J(T) {} interface I extends(J(Data)) {}",
			[]string{"I: extends J(Data), no longer J(Text) (breaks peers, source)"},
		},
		{
			"parameters of a method", "interface I { m @0 [T] (a :T); }", "interface I { m @0 [T, U] (a :T); }",
			[]string{"I.m: the generic parameters [T] became [T, U] (breaks source)"},
		},
		{"removed interface", "interface I {}", "", []string{"I: the interface was removed (breaks peers, source)"}},
		{"constant's value", "const c :Int32 = 1;", "const c :Int32 = 2;", nil},
		{"constant's type", "const c :Int32 = 1;", "const c :Int64 = 1;", []string{"c: the type changed from Int32 to Int64 (breaks source)"}},
		{"annotation's targets", "annotation a (*) :Void;", "annotation a (field) :Void;", []string{"a: may no longer be put on all that it could (breaks source)"}},
		{"annotations", "struct A { f @0 :Int32; }", "struct A $x { f @0 :Int32 $x; } annotation x (*) :Void;", []string{"x: the annotation is new (breaks nobody)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			old, new := registryOf(t, id+tt.old), registryOf(t, id+tt.new)
			var got []string
			for _, c := range Compatible(old, new, file) {
				_, line, ok := strings.Cut(c.String(), "test.capnp:")
				if !ok {
					t.Errorf("%q without the file", c)
				}
				got = append(got, line)
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// TestCompatibleItself compares every schema at hand with itself.
func TestCompatibleItself(t *testing.T) {
	tool(t)
	for _, file := range schemaFiles(t) {
		r := NewRegistry()
		msg := compileFile(t, file)
		req, err := ReadRequest(msg)
		if err == nil {
			err = r.Add(req.Nodes...)
		}
		if err == nil {
			err = r.Add(req.Nodes...)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if r.Len() != len(req.Nodes) {
			t.Errorf("%s: %d nodes, want %d", file, r.Len(), len(req.Nodes))
		}
		if changes := Compatible(r, r); len(changes) != 0 {
			t.Errorf("%s: %v", file, changes)
		}
		msg.Release()
	}
}
